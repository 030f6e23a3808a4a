"""The text: every number is traced, whole sentences only, and never longer than the form takes."""

from __future__ import annotations

import re
from dataclasses import replace
from math import log10
from statistics import median
from typing import Any

import pytest

from iop4d.alerts.atel.facts import Letterhead, PhotometryFacts, TelescopePhrase
from iop4d.alerts.atel.gather import gather
from iop4d.alerts.atel.text import (
    MOST,
    Draft,
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
from tests.alerts.test_atel_gather import (
    NAME,
    TODAY,
    asked,
    fill_catalogue,
    light,
    measure,
    polarised,
    quiet_past,
    two_cameras,
    without_stars,
)

HEAD = Letterhead(
    authors=("A. Author (IAA-CSIC)", "B. Peñil (Institute 2)"),
    subjects=("Optical", "AGN", "Blazar"), related=("14773", "15056"), telescopes={
        "OSN-T090": TelescopePhrase(
            text="0.9 m telescope (T090) at the Observatorio de Sierra Nevada, Spain", known=True)},
    url="https://iop4d.example.org/", contact="A. Author <a1@example.org>",
    calibration="Fiorucci & Tosti (1996)", acknowledgement="Supported by grant 42")


@pytest.fixture
def tx(tx: Transaction) -> Transaction:
    fill_catalogue(tx)
    return tx


def rich(tx: Transaction) -> PhotometryFacts:
    """All that a draft can tell of: two bands, two telescopes, polarisation, host, records."""
    measure(tx, 200, 9.0, 12.7)
    quiet_past(tx)
    measure(tx, 4, 8.0, 13.5, **polarised(0.05))
    for k in range(12):
        measure(tx, 0, 9.0 + k / 2, 13.2 - 0.03 * k, host_mjy=1.5, mag_nucleus=13.25 - 0.03 * k,
                mag_nucleus_err=0.03)
    measure(tx, 0, 9.0, 13.9, band="B")
    measure(tx, 0, 9.2, 13.1, telescope="OSN-T150")
    measure(tx, 0, 14.6, 12.88, host_mjy=1.5, mag_nucleus=12.93, mag_nucleus_err=0.03,
            **polarised())
    measure(tx, 0, 13.0, 12.92, **polarised(0.11))
    return light(gather(tx, asked(tx, since_jd=TODAY - 7)))


def untraced(draft: Draft) -> str:
    """The text with every traced number taken out of its place."""
    text = draft.text
    for number in sorted(draft.numbers, key=lambda n: n.start, reverse=True):
        assert text[number.start:number.start + len(number.text)] == number.text
        text = text[:number.start] + text[number.start + len(number.text):]
    return text


def told(draft: Draft, what: str) -> tuple[str, tuple[int, ...]]:
    """A number of the table: its text and its results."""
    number = next(n for n in draft.numbers if n.what == what)
    return number.text, number.results


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


def test_polarisation_measurements_are_counted_in_the_band_that_is_reported(
        tx: Transaction) -> None:
    measure(tx, 0, 9.0, 12.5, **polarised(0.12))
    measure(tx, 0, 9.1, 12.9, band="B", **polarised(0.11))
    assert "the nearest in time of" not in write(gather(tx, asked(tx)), HEAD).body
    measure(tx, 0, 9.2, 12.5, **polarised(0.12))
    body = " ".join(write(gather(tx, asked(tx)), HEAD).body.split())
    assert "the nearest in time of 2 measurements of the night in this band" in body


def test_a_polarisation_that_is_not_significant_is_an_upper_limit(tx: Transaction) -> None:
    measure(tx, 0, 9.0, 12.5, **polarised(0.005, 0.004))
    draft = write(gather(tx, asked(tx)), HEAD)
    assert "it was below 1.3 % in R (95 % confidence)" in draft.body
    assert "position angle" not in draft.body


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


def test_whether_p_is_free_of_the_host_is_said(tx: Transaction) -> None:
    measure(tx, 0, 9.0, 13.0, host_mjy=1.5, mag_nucleus=13.1, mag_nucleus_err=0.03,
            p_nucleus=0.15, p_nucleus_err=0.005, **polarised(0.12))
    draft = write(gather(tx, asked(tx)), HEAD)
    assert "corrected neither for Galactic extinction nor for the light of the host galaxy; the " \
        "degree of polarisation is not corrected for the light of the host galaxy either." \
        in draft.body
    value = 100 * (0.12 - 0.004**2 / 0.24) * 0.15 / 0.12
    assert told(draft, "degree of polarisation without the host, debiased") == (
        f"{value:.1f} +/- 0.5", (1,))


def test_without_polarisation_nothing_is_said_of_it(tx: Transaction) -> None:
    measure(tx, 0, 9.0, 13.0)
    assert "polari" not in write(gather(tx, asked(tx)), HEAD).body


def test_polarisation_alone_makes_a_telegram(tx: Transaction) -> None:
    without_stars(tx, 4, 9.0, 0.05)
    without_stars(tx, 0, 9.0, 0.10)
    without_stars(tx, 0, 10.0, 0.12, chi_deg=34.0)
    without_stars(tx, 0, 9.8, 0.11, band="V")
    draft = write(gather(tx, asked(tx)), HEAD)
    assert draft.title == "Optical polarimetry of BL Lac"
    assert draft.body.startswith(
        "We report optical polarimetry of BL Lac (2200+420, z = 0.069) obtained with the 0.9 m "
        "telescope (T090) at the Observatorio de Sierra Nevada, Spain. The degree of polarisation "
        "in R on 2026 November 22 at 22:00 UT (JD 2461367.4167; 4 exposures, 480 s in all) was "
        "12.0 +/- 0.4 % (debiased) at a position angle of 34 +/- 1 deg, east of north. It is the "
        "last of 2 measurements of the night in this band; their degree of polarisation "
        "ranged between 10.0 +/- 0.4 and 12.0 +/- 0.4 %. Our preceding polarisation measurement, "
        "on 2026 November 18, gave 5.0 +/- 0.4 % at 34 +/- 1 deg. On the same night we also "
        "measured p = 11.0 +/- 0.4 % at 34 +/- 1 deg in V (21:48 UT).")
    assert "The degree of polarisation is not corrected for the light of the host" in draft.body
    assert "magnitude" not in draft.body
    assert not re.search(r"\d", untraced(draft))
    assert any("There is no new good magnitude" in note for note in draft.notes)


@pytest.mark.parametrize(("low", "high", "err", "ranged"), [
    (0.10, 0.12, 0.004, True), (0.12, 0.121, 0.004, False), (0.005, 0.006, 0.004, False)])
def test_degrees_of_polarisation_range_only_where_they_differ_and_are_significant(
        tx: Transaction, low: float, high: float, err: float, ranged: bool) -> None:
    for hours, p in ((9.0, low), (10.0, high)):
        measure(tx, 0, hours, None, mag_err=None, **polarised(p, err))
    body = write(gather(tx, asked(tx)), HEAD).body
    assert ("ranged between" in body) is ranged
    assert ("It is the last of 2 measurements of the night in this band"
            + (";" if ranged else ".")) in body


def test_a_limit_alone_makes_a_telegram_too(tx: Transaction) -> None:
    without_stars(tx, 0, 9.0, 0.005)
    body = write(gather(tx, asked(tx)), HEAD).body
    assert "(JD 2461367.3750; 4 exposures, 480 s in all): it was below 1.3 % in R" in body


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


def test_a_polarisation_alone_has_the_place_too(tx: Transaction) -> None:
    without_stars(tx, 0, 9.0, 0.10)
    assert "(J2000)" in write(gather(tx, asked(tx)), HEAD).body


def test_another_band_that_varied_is_told_with_its_range(tx: Transaction) -> None:
    for k in range(12):
        measure(tx, 0, 9.0 + k / 2, 13.2 - 0.03 * k)
        measure(tx, 0, 9.1 + k / 2, 13.8 - 0.03 * k, band="B")
    body = write(gather(tx, asked(tx)), HEAD).body
    assert re.search(r"we also measured B = 13\.4\d to 13\.79 \(", body)
    assert "or the range of means over half an hour at most where it varied." in body
