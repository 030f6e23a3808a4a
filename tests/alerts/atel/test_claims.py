"""What a telegram claims of the light: flares, levels, records, hosts, and its title."""

from __future__ import annotations

import re
from math import log10

import pytest

from iop4d.alerts.atel.gather import gather
from iop4d.alerts.atel.text import write
from iop4d.store.database import Transaction
from iop4d.store.schema import Result
from tests.alerts.atel.telegrams import (
    HEAD,
    TODAY,
    asked,
    measure,
    quiet_past,
    told,
)


def test_a_fading_source_is_told_as_such(tx: Transaction) -> None:
    quiet_past(tx, mag=12.0)
    measure(tx, 0, 9.0, 13.2)
    draft = write(gather(tx, asked(tx)), HEAD)
    assert draft.title == "Optical fading of BL Lac"
    assert "mag fainter than the median" in draft.body
    assert "It is the faintest level in our archive" in draft.body


def test_a_source_that_did_nothing_is_told_without_a_claim(tx: Transaction) -> None:
    quiet_past(tx)
    measure(tx, 0, 9.0, 13.5)
    draft = write(gather(tx, asked(tx)), HEAD)
    assert draft.title == "Optical photometry of BL Lac"
    assert "This agrees with the median" in draft.body
    assert "archive" not in draft.body
    assert any("differs little" in note for note in draft.notes)


@pytest.mark.parametrize(("mag", "title"), [
    (13.31, "Optical photometry of BL Lac"), (13.28, "Optical brightening of BL Lac")])
def test_a_title_speaks_of_a_change_from_a_fifth_of_a_magnitude(tx: Transaction, mag: float,
                                                                title: str) -> None:
    for night in range(2, 12):
        measure(tx, night, 9.0, 13.5)
    measure(tx, 0, 9.0, mag)
    draft = write(gather(tx, asked(tx)), HEAD)
    assert draft.title == title
    assert "mag brighter than the median" in draft.body


@pytest.mark.parametrize(("night", "is_reported"), [(29, False), (31, True)])
def test_a_record_is_reported_if_it_was_passed_a_month_ago_or_more(
        tx: Transaction, night: int, is_reported: bool) -> None:
    for before in range(2, 12):
        measure(tx, before, 9.0, 13.5)
    measure(tx, night, 9.0, 12.5)
    measure(tx, 0, 9.0, 12.9)
    body = write(gather(tx, asked(tx)), HEAD).body
    assert ("It is the brightest level in our archive since" in body) == is_reported


def test_new_nights_before_the_preceding_one_are_listed_and_that_one_is_not(
        tx: Transaction) -> None:
    for night in (6, 4, 2, 0):
        measure(tx, night, 9.0, 13.5 - 0.01 * night)
    body = write(gather(tx, asked(tx, since_jd=TODAY - 5)), HEAD).body
    assert "On the preceding night with data, 2026 November 20, we measured R = 13.48" in body
    assert "Before it, nightly means were R = 13.46 +/- 0.02 on 2026 November 18.\n" in body


def test_a_first_night_is_compared_with_nothing(tx: Transaction) -> None:
    measure(tx, 0, 9.0, 12.5)
    draft = write(gather(tx, asked(tx)), HEAD)
    assert "one exposure of 120 s" in draft.body
    assert "median" not in draft.body
    assert any("no earlier night" in note for note in draft.notes)


def zero_mjy(mag: float) -> float:
    return 3.080e6 * 10.0 ** (-0.4 * mag)


def with_host(tx: Transaction, hours: float, mag: float, host: float = 0.70) -> int:
    """A point of a source whose host galaxy is this bright in its aperture."""
    total = zero_mjy(mag)
    left = total - host
    return measure(tx, 0, hours, mag, mag_err=0.0026, mag_err_common=0.003, host_mjy=host,
                   mag_nucleus=-2.5 * log10(left / 3.080e6), mag_nucleus_err=0.004 * total / left)


def test_the_level_without_its_host_is_the_level_less_its_host(tx: Transaction) -> None:
    for hours, mag in ((9.0, 13.2), (9.1, 12.94)):
        with_host(tx, hours, mag)
    draft = write(gather(tx, asked(tx)), HEAD)
    text, ids = told(draft, "R magnitude")
    assert (text, ids) == ("13.07 +/- 0.13", (1, 2))
    own, own_ids = told(draft, "magnitude without the host galaxy")
    expected = -2.5 * log10((zero_mjy(13.07) - 0.70) / 3.080e6)
    mag, err = map(float, own.split(" +/- "))
    assert mag == pytest.approx(expected, abs=0.011)
    assert err == pytest.approx(0.13, abs=0.011)
    assert own_ids == ids
    assert told(draft, "host galaxy in the aperture, median") == ("0.70 mJy", ids)


def test_the_host_in_the_aperture_of_an_even_number_of_points_is_their_median(
        tx: Transaction) -> None:
    for hours, host in ((9.0, 0.5), (9.1, 0.7), (9.2, 0.9), (9.3, 1.9)):
        with_host(tx, hours, 13.0, host)
    draft = write(gather(tx, asked(tx)), HEAD)
    assert told(draft, "host galaxy in the aperture, median")[0] == "0.80 mJy"


def test_a_point_without_its_host_leaves_the_sentence_out(tx: Transaction) -> None:
    with_host(tx, 9.0, 13.0)
    measure(tx, 0, 9.1, 13.0)
    assert "mJy" not in write(gather(tx, asked(tx)), HEAD).body


def test_a_fast_flare_is_told_with_its_means_and_its_brightest_point(tx: Transaction) -> None:
    for hours, mag in ((9.0, 13.4), (9.2, 13.1), (9.8, 12.9), (9.9, 12.7), (10.0, 13.0),
                       (11.0, 13.4), (11.1, 13.42)):
        measure(tx, 0, hours, mag, mag_err=0.0026, mag_err_common=0.003)
    draft = write(gather(tx, asked(tx)), HEAD)
    assert "of means over half an hour at most, the brightest was R = 12.87 +/- 0.09 mag" \
        in draft.body
    assert "and they ranged between R = 12.87 and 13.41 within 2.1 h." in draft.body
    assert "The brightest single measurement was R = 12.700 +/- 0.004 mag at 21:54 UT." \
        in draft.body
    assert told(draft, "brightest single measurement")[1] == (4,)


def test_points_of_an_alert_that_scatter_are_told_with_the_brightest(tx: Transaction) -> None:
    for hours, mag in ((9.0, 13.2), (9.1, 12.94)):
        with_host(tx, hours, mag)
    body = write(gather(tx, asked(tx)), HEAD).body
    assert "R = 13.07 +/- 0.13 mag." in body
    assert "The brightest single measurement was R = 12.940 +/- 0.004 mag at 21:06 UT." in body


def test_points_that_agree_have_no_brightest_one(tx: Transaction) -> None:
    for k in range(6):
        measure(tx, 0, 9.0 + k / 5, 12.9 + 0.01 * (-1)**k)
    assert "single measurement" not in write(gather(tx, asked(tx)), HEAD).body


def test_a_flare_within_half_an_hour_is_not_averaged_away(tx: Transaction) -> None:
    quiet_past(tx, nights=4, mag=13.57)
    for k, mag in enumerate((13.565, 13.56, 13.55, 13.41, 13.25, 12.95, 12.85, 12.80)):
        measure(tx, 0, 9.0 + k * 0.06, mag, mag_err=0.009)
    draft = write(gather(tx, asked(tx)), HEAD)
    assert draft.title == "Optical brightening of BL Lac"
    assert "agrees" not in draft.body
    level = float(told(draft, "R magnitude")[0].split(" ")[0])
    assert level < 12.9


@pytest.mark.parametrize("last", [12.9, 13.42, 13.7])
def test_a_night_that_ends_otherwise_is_not_said_to_agree(tx: Transaction, last: float) -> None:
    quiet_past(tx)
    for k in range(20):
        measure(tx, 0, 9.0 + k / 4, 13.5 + 0.005 * (-1)**k)
    measure(tx, 0, 14.0, last)
    draft = write(gather(tx, asked(tx)), HEAD)
    assert "agrees" not in draft.body
    assert f"The last exposure, at 02:00 UT, was R = {last:.2f} +/- 0.02 mag" in draft.body


def test_a_past_without_scatter_has_none_that_is_zero(tx: Transaction) -> None:
    for night in range(1, 5):
        measure(tx, night, 9.0, 13.5 + 0.0001 * night)
    measure(tx, 0, 9.0, 13.0)
    body = write(gather(tx, asked(tx)), HEAD).body
    assert "scatter" not in body
    tx.delete(Result).execute()
    for night, off in enumerate((0.0, 0.002, 0.004), start=1):
        measure(tx, night, 9.0, 13.5 + off)
    measure(tx, 0, 9.0, 13.0)
    assert "with a scatter of 0.003 mag from night to night" in write(
        gather(tx, asked(tx)), HEAD).body


def test_another_band_that_varied_is_told_with_its_range(tx: Transaction) -> None:
    for k in range(12):
        measure(tx, 0, 9.0 + k / 2, 13.2 - 0.03 * k)
        measure(tx, 0, 9.1 + k / 2, 13.8 - 0.03 * k, band="B")
    body = write(gather(tx, asked(tx)), HEAD).body
    assert re.search(r"we also measured B = 13\.4\d to 13\.79 \(", body)
    assert "or the range of means over half an hour at most where it varied." in body
