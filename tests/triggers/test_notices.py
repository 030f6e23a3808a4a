"""Notices of every documented form are read, and nothing else than NoticeError comes of others."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iop4d.model.notice import NoticeError
from iop4d.triggers.notices import LARGEST, read_notice
from tests.triggers.told import FLARED_AT, ISSUED_AT, TEXT, VOEVENT, unified


def test_the_text_of_a_flare_of_a_known_source_is_read() -> None:
    notice = read_notice(TEXT)
    assert notice.names == ("BLLac",), "without the name of its plot"
    assert (notice.ra_deg, notice.dec_deg, notice.error_deg) == (330.680, 42.278, None)
    assert (notice.at, notice.issued_at) == (FLARED_AT, ISSUED_AT)
    assert (notice.flux, notice.flux_unit, notice.significance) == (1.7e-6, "ph/cm2/sec", 5.59)
    assert notice.text == "Fermi-LAT Monitor BLLac"
    assert not notice.withdrawn
    assert not notice.test


def test_the_voevent_of_a_flare_is_read_and_is_of_the_same_event() -> None:
    notice = read_notice(VOEVENT)
    assert notice.event == read_notice(TEXT).event
    assert notice.names == ("BLLac",)
    assert (notice.ra_deg, notice.dec_deg, notice.error_deg) == (330.68, 42.278, 0.0)
    assert (notice.at, notice.issued_at) == (FLARED_AT, ISSUED_AT)
    assert (notice.flux, notice.significance) == (1.7e-6, None), "its Signif is a time of day"


@pytest.mark.parametrize(("told", "withdrawn", "test"), [
    (VOEVENT.replace(b'"Retraction" value="false"', b'"Retraction" value="true"'), True, ""),
    (VOEVENT.replace(b'role="observation"', b'role="test"'), False, "its role is test"),
    (TEXT.replace(b"COMMENTS:", b"COMMENTS:  This is a RETRACTION."), True, ""),
    (unified(alert_type="retraction"), True, ""),
    (unified(alert_type="test"), False, "alert_type is test"),
    (unified(alert_tense="injection"), False, "alert_tense is injection"),
])
def test_retractions_and_tests_are_known(told: bytes, withdrawn: bool, test: str) -> None:
    notice = read_notice(told)
    assert (notice.withdrawn, notice.test) == (withdrawn, test)


def test_json_of_the_unified_schema_is_read() -> None:
    notice = read_notice(unified())
    assert notice.event == "fermilat f-17"
    assert notice.names == ("BL Lac",)
    assert (notice.ra_deg, notice.dec_deg, notice.error_deg) == (330.68, 42.278, 0.05)
    assert (notice.at, notice.issued_at, notice.significance) == (FLARED_AT, ISSUED_AT, 5.6)
    assert read_notice(unified(ra_dec_error=[0.1, 0.3, 45.0])).error_deg == 0.3
    assert read_notice(unified(ra_dec_error=None, position_a_error=0.2)).error_deg == 0.2


def test_json_of_ones_own_needs_a_name_alone() -> None:
    notice = read_notice(b'{"source": "3C 454.3", "text": "brighter\\nby 1 mag", "hours": 12}')
    assert (notice.names, notice.text, notice.hours) == (("3C 454.3",), "brighter by 1 mag", 12.0)
    again = read_notice(b'{"hours": 12, "text": "brighter\\nby 1 mag", "source": "3C 454.3"}')
    assert again.event == notice.event, "without an id, the content tells"
    assert read_notice(b'{"source": "3C 454.3", "hours": 13}').event != notice.event


@pytest.mark.parametrize(("told", "why"), [
    (b"", "empty"), (b"hello", "NOTICE_TYPE"), (b"{", "no valid JSON"), (b"[1]", "JSON object"),
    (b"{}", "names no source"), (b'{"source": 7}', "expected text"),
    (b'{"ra": 1}', "one of ra and dec alone"), (b'{"dec": 1}', "alone"),
    (b'{"ra": 361, "dec": 0}', "from 0 to 360"),
    (b'{"source": "a", "hours": -1}', "hours"), (b'{"source": "a", "hours": NaN}', "hours"),
    (b'{"source": "a", "until": "soon"}', "expected a time"), (b"<a>", "no valid XML"),
    (b'{"source": "a", "significance": true}', "significance is 'True'"),
    (b"<a/>", "no VOEvent of GCN"), (b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", "entities"),
    (b"[" * 100_000, "no valid JSON"), (TEXT.replace(b"SOURCE_OBJ", b"X").replace(
        b"RA:", b"R:"), "neither a source nor a position"),
    (b"x" * (LARGEST + 1), "bytes"),
])
def test_what_is_none_is_refused_with_what_was_expected(told: bytes, why: str) -> None:
    with pytest.raises(NoticeError, match=why):
        read_notice(told)


_TEXTS = st.text(alphabet="aB9 -+.:TZ\x00\n{[é😀", max_size=20)
_VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | _TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXTS, inner, max_size=3),
    max_leaves=5)
_FIELDS = ["id", "source", "event_name", "ra", "dec", "ra_dec_error", "trigger_time", "hours",
           "until", "alert_type", "alert_tense", "image_snr", "mission", "text", "flux"]


@given(st.dictionaries(st.sampled_from(_FIELDS), _VALUES))
def test_no_value_of_any_field_does_more_than_be_refused(said: dict[str, object]) -> None:
    try:
        notice = read_notice(json.dumps(said).encode())
    except NoticeError:
        return
    assert notice.event
    assert len(notice.text) <= 300


@given(st.binary(max_size=200), st.integers(0, 900), st.sampled_from([TEXT, VOEVENT, unified()]))
def test_a_damaged_notice_does_no_more_than_be_refused(noise: bytes, at: int, told: bytes) -> None:
    try:
        notice = read_notice(told[:at] + noise + told[at + len(noise):])
    except NoticeError:
        return
    assert notice.event
