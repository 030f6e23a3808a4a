"""The text: every number is traced, whole sentences only, and never longer than the form takes."""

from __future__ import annotations

import re
from dataclasses import replace
from statistics import median
from typing import Any

import pytest

from iop4d.alerts.atel.facts import PhotometryFacts
from iop4d.alerts.atel.gather import gather
from iop4d.alerts.atel.letterhead import Letterhead, TelescopePhrase
from iop4d.alerts.atel.text import (
    MOST,
    DraftError,
    Trace,
    ascii_of,
    clock_text,
    date_text,
    places_of,
    render_into,
    span_text,
    with_error,
    write,
)
from iop4d.model.flags import Flag
from iop4d.model.source import Source, SourceKind
from iop4d.store import catalogue
from iop4d.store.database import Transaction
from iop4d.store.schema import Result
from tests.alerts.atel.telegrams import (
    HEAD,
    NAME,
    asked,
    light,
    measure,
    quiet_past,
    rich,
    told,
    two_cameras,
    untraced,
)


def test_every_number_of_the_text_is_in_the_table(tx: Transaction) -> None:
    draft = write(rich(tx), HEAD)
    assert draft.left_out == ()
    assert len(draft.numbers) > 30
    assert not re.search(r"\d", untraced(draft))


def test_cameras_of_a_telescope_are_named_and_what_lies_apart_is_noted(tx: Transaction) -> None:
    draft = write(two_cameras(tx), HEAD)
    words = " ".join(draft.text.split())
    assert "s in all with AndorT90) we measured R = 13.50" in words
    assert "R = 13.62 +/- " in words
    assert "n = 4, DIPOL-1)" in words
    assert "taken with" not in words
    assert "DIPOL-1 at OSN-T090 differs by +0.12 mag in R on that night: the offset of the two " \
           "instruments is unknown." in draft.notes
    assert not re.search(r"\d", untraced(draft))


def test_a_past_of_another_camera_is_named_in_the_text(tx: Transaction) -> None:
    quiet_past(tx)
    measure(tx, 0, 9.0, 13.1, instrument="DIPOL-1")
    draft = write(light(gather(tx, asked(tx))), HEAD)
    assert "nights with data (taken with another instrument) (R = " in " ".join(draft.text.split())
    assert any("may be an offset between instruments" in note for note in draft.notes)


def test_every_number_that_was_measured_names_results_of_the_source(tx: Transaction) -> None:
    draft = write(rich(tx), HEAD)
    measured = [number for number in draft.numbers if number.origin == "results"]
    assert len(measured) > 20
    for number in measured:
        rows = list(tx.select(Result).where(Result.id.in_(number.results)))
        assert len(rows) == len(set(number.results)) > 0
        assert {row.source for row in rows} == {NAME}


def test_the_numbers_follow_from_the_results_they_name(tx: Transaction) -> None:
    draft = write(rich(tx), HEAD)
    text, ids = told(draft, "median of the past")
    nights: dict[str, list[float]] = {}
    for row in tx.select(Result).where(Result.id.in_(ids)):
        nights.setdefault(row.night, []).append(row.mag)
    assert text == f"{median(map(median, nights.values())):.2f}"
    text, ids = told(draft, "R magnitude")
    mags = [row.mag for row in tx.select(Result).where(Result.id.in_(ids))]
    assert min(mags) <= float(text.split(" ")[0]) <= max(mags)
    text, ids = told(draft, "degree of polarisation, debiased")
    assert text == f"{tx.by_id(Result, ids[0]).p_debiased * 100:.1f} +/- 0.4"


def test_the_text_reads_as_telegrams_do(tx: Transaction) -> None:
    quiet_past(tx)
    for k in range(6):
        measure(tx, 0, 9.0 + k / 5, 12.9)
    draft = write(gather(tx, asked(tx)), HEAD)
    assert draft.title == "Optical brightening of BL Lac"
    assert draft.text.splitlines()[:5] == [
        "Title: Optical brightening of BL Lac",
        "Authors: A. Author (IAA-CSIC), B. Penil (Institute 2)",
        "Subjects: Optical, AGN, Blazar", "Related to: ATel #14773, ATel #15056", ""]
    assert ("We report optical photometry of BL Lac (2200+420, z = 0.069) obtained with the 0.9 m "
            "telescope (T090) at the Observatorio de Sierra Nevada, Spain. On 2026 November 22 at "
            "21:30 UT (JD 2461367.3958; mean of 6 exposures, 720 s in all) we measured R = 12.90 "
            "+/- 0.01 mag.") in draft.body
    assert "mag brighter than the median of the preceding 30 nights with data (R = " in draft.body
    assert "It is the brightest level in our archive, which begins on 2026 September 3." \
        in draft.body
    assert "relative to 2 comparison stars of the field (B, C), with the magnitudes of " \
        "Fiorucci & Tosti (1996)." in draft.body
    assert "corrected neither for Galactic extinction nor for the light of the host galaxy." \
        in draft.body
    assert "https://iop4d.example.org/sources/2200%2B420 ." in draft.body
    assert draft.body.endswith("Supported by grant 42.")


def test_the_text_is_ascii_and_the_same_each_time(tx: Transaction) -> None:
    facts = rich(tx)
    draft = write(facts, HEAD)
    assert draft.text.isascii()
    assert write(facts, HEAD) == draft


@pytest.mark.parametrize("most", range(3300, 600, -150))
def test_what_is_too_long_loses_whole_sentences_by_their_ranks(tx: Transaction,
                                                               most: int) -> None:
    facts = rich(tx)
    draft = write(facts, HEAD, most=most)
    trace = Trace()
    render_into(trace, facts, HEAD)
    whole = [(one.rank, trace.resolve(one.text)[0]) for one in trace.sentences]
    kept = [rank for rank, sentence in whole if sentence in draft.body]
    left = [rank for rank, sentence in whole if sentence in draft.left_out]
    assert len(draft.text) <= most or not any(kept)
    assert len(kept) + len(left) == len(whole)
    assert not left or min(left) >= max(kept)
    of_least = [sentence in draft.body for rank, sentence in whole if rank == min(left, default=0)]
    assert of_least == sorted(of_least, reverse=True)  # of one rank the last ones go first
    assert "".join(draft.body.split()) == "".join(
        "".join(sentence.split()) for _, sentence in whole if sentence not in draft.left_out)
    assert not re.search(r"\d", untraced(draft))


def test_nothing_makes_a_telegram_too_long(tx: Transaction) -> None:
    fill = "Ñandú 9 " * 200
    facts = rich(tx)
    facts = replace(
        facts, called=fill, source=replace(facts.source, name=fill),
        others=tuple(replace(facts.others[0], telescope=f"{n} {fill}", band=fill)
                     for n in range(30)),
        chosen=replace(facts.chosen, band=fill),
        calibrators=tuple(Source(name=f"{n}{fill}", ra_deg=0.0, dec_deg=0.0,
                                 kind=SourceKind.CALIBRATOR) for n in range(8)))
    draft = write(facts, Letterhead(
        authors=(fill,) * 50, subjects=(fill,) * 50, related=("123456",) * 500,
        telescopes={n.telescope: TelescopePhrase(text=fill, known=True)
                    for n in (facts.chosen, *facts.others)},
        url="https://" + fill, contact=fill, calibration=fill, acknowledgement=fill))
    assert len(draft.text) <= MOST
    assert len(draft.title) <= 255
    assert "et al." in draft.authors
    assert any("authors" in note for note in draft.notes)
    assert not re.search(r"\d", untraced(draft))


@pytest.mark.parametrize(("more", "said"), [
    ({"provisional": True}, "Provisional"), ({"flags": int(Flag.CLOUDS)}, "Flagged clouds"),
    ({"telescope": "Mine"}, "The telescope Mine is unknown")])
def test_what_a_person_must_see_to_is_noted(tx: Transaction, more: dict[str, Any],
                                            said: str) -> None:
    measure(tx, 0, 9.0, 12.5, **more)
    notes = write(gather(tx, asked(tx)), Letterhead()).notes
    assert any(note.startswith(said) for note in notes)
    assert any("[atel] authors" in note for note in notes)
    assert any("[atel] contact" in note for note in notes)
    assert any("rests on result 1 alone" in note for note in notes)


def test_flags_that_spoil_no_number_are_not_noted(tx: Transaction) -> None:
    measure(tx, 0, 9.0, 12.5, flags=int(Flag.FEW_FIELD_STARS))
    assert not any("Flagged" in note for note in write(gather(tx, asked(tx)), HEAD).notes)


def test_a_sentence_with_a_digit_that_is_not_recorded_is_refused_by_name() -> None:
    trace = Trace()
    with pytest.raises(DraftError, match=r"traced to no result: It was 2 times at 13\.0 mag\."):
        trace.sentence(0, caller=lambda: f"It was 2 times at {trace.quoted('13.0', 'x', 'y')} mag.")


def test_a_draft_whose_template_writes_numbers_by_itself_is_refused(
        tx: Transaction, monkeypatch: pytest.MonkeyPatch) -> None:
    measure(tx, 0, 9.0, 12.5)
    facts = gather(tx, asked(tx))
    monkeypatch.setattr(Trace, "number", lambda _, text, *__: str(text))
    with pytest.raises(DraftError, match="On 2026 November 22 at 21:00 UT"):
        write(facts, HEAD)


def test_a_title_with_a_number_that_is_not_recorded_is_refused(
        tx: Transaction, monkeypatch: pytest.MonkeyPatch) -> None:
    measure(tx, 0, 9.0, 12.5)
    facts = gather(tx, asked(tx))
    monkeypatch.setattr(PhotometryFacts, "subject", "photometry 7")
    with pytest.raises(DraftError, match="photometry 7"):
        write(facts, HEAD)


def test_a_measured_number_without_results_is_refused() -> None:
    with pytest.raises(DraftError, match=r"magnitude of a draft, 13\.0, rests on no result"):
        Trace().number("13.0", "magnitude")


def test_names_with_digits_are_traced_and_others_are_words() -> None:
    trace = Trace()
    assert trace.quoted("BL Lac", "name", "catalogue") == "BL Lac"
    text, [number] = trace.resolve("of " + trace.quoted("3C 454.3", "name", "catalogue"))
    assert (text, number.start, number.origin) == ("of 3C 454.3", 3, "catalogue")


def test_foreign_text_cannot_pretend_to_be_a_recorded_number() -> None:
    trace = Trace()
    trace.quoted("3C 454.3", "name", "catalogue")
    said = trace.quoted("\x020\x01A 1\x03", "contact", "site file")
    assert trace.resolve(said)[0] == "0 A 1"


@pytest.mark.parametrize(("text", "plain"), [
    ("Peñíl, Ø. Łuk", "Penil, O. Luk"), ("5 ± 1°", "5 +/- 1 deg"), ("日本", "??"),
    ("a\r\nBcc: x", "a Bcc: x"), ("σ – χ", "sigma - chi")])
def test_foreign_text_becomes_ascii_on_one_line(text: str, plain: str) -> None:
    assert ascii_of(text) == plain


def test_lists_have_commas_and_an_and_before_the_last(tx: Transaction) -> None:
    for band in "RBVI":
        measure(tx, 0, 9.0, 12.5, band=band)
    body = re.sub(r" \([^)]*\)", "", write(gather(tx, asked(tx)), HEAD).body)
    assert "we also measured B = 12.50 +/- 0.02, I = 12.50 +/- 0.02 and V = 12.50 +/- 0.02;" in body


@pytest.mark.parametrize(("value", "err", "text"), [
    (12.8714, 0.0213, "12.87 +/- 0.02"), (12.8714, 0.0061, "12.871 +/- 0.006"),
    (12.8714, 0.00996, "12.87 +/- 0.01"), (12.8714, 0.0001, "12.871 +/- 0.001")])
def test_decimals_follow_the_error_which_is_never_zero(value: float, err: float,
                                                       text: str) -> None:
    assert with_error(value, err) == text
    assert len(text.partition("+")[0].strip().split(".")[1]) == places_of(err)


def test_dates_are_those_of_utc_to_the_nearest_minute() -> None:
    assert date_text(2461367.385) == "2026 November 22"
    assert clock_text(2461367.385) == "21:14 UT"
    assert date_text(2461041.4999) == "2026 January 1"  # half a minute later than it looks


@pytest.mark.parametrize(("days", "text"), [
    (0.01, "14 min"), (0.1, "2.4 h"), (1.0, "24.0 h"), (3.04, "3.0 d"), (27.6, "28 d")])
def test_spans_are_told_in_their_unit(days: float, text: str) -> None:
    assert span_text(days) == text


def test_place_system_and_extinction_are_stated_and_other_wavelengths_asked_for(
        tx: Transaction) -> None:
    source = catalogue.find(tx, NAME)
    for extinction in ({}, {"R": 0.718}):
        for band in "RIB":
            measure(tx, 0, 9.0, 13.0, band=band)
        draft = write(gather(tx, asked(tx, source=replace(source, extinction=extinction))), HEAD)
        assert "The source is at RA = 22:02:43.20, Dec = +42:16:48.0 (J2000)." in draft.body
        assert ("The photometric system is Cousins I, R (Vega) and Johnson B (Vega)."
                in draft.body)
        assert ("The Galactic extinction towards the source is A_R = 0.72 mag."
                in draft.body) == bool(extinction)
        assert any("no Galactic extinction" in note for note in draft.notes) != bool(extinction)
        assert "Multi-wavelength observations are encouraged." in draft.body


def test_nothing_is_said_of_the_system_of_an_instrument_s_own_band(tx: Transaction) -> None:
    measure(tx, 0, 9.0, 13.0, flags=int(Flag.OWN_BAND))
    assert "Cousins" not in write(gather(tx, asked(tx)), HEAD).body
