"""What a draft says follows from good results alone."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from iop4d.alerts.atel.facts import About, Facts, NothingToReport, Polarisation
from iop4d.alerts.atel.gather import Asked, gather, of_alert
from iop4d.model.flags import Flag
from iop4d.model.source import Source, SourceKind
from iop4d.store import catalogue
from iop4d.store.database import Database
from iop4d.store.schema import Alert, Result

TODAY = 2461367.0  # JD of the noon before the night that drafts are about, 2026-11-22
NAME = "2200+420"


def fill_catalogue() -> None:
    catalogue.save([
        Source(name=NAME, other_names=("BL Lacertae", "BL Lac"), ra_deg=330.68, dec_deg=42.28,
               kind=SourceKind.TARGET, redshift=0.069),
        *(Source(name=f"{NAME} {star}", ra_deg=330.7, dec_deg=42.29 + n / 100,
                 kind=SourceKind.CALIBRATOR, calibrates=(NAME,))
          for n, star in enumerate("BCH"))])


def measure(night: int, hours: float, mag: float | None, **more: Any) -> int:
    """A result so many nights before today's, so many hours after its noon; its id."""
    back = TODAY - night
    values = {
        "source": NAME, "band": "R", "telescope": "OSN-T090", "instrument": "AndorT90",
        "night": f"night {1000 - night:04d}", "mode": "photometry", "jd_mid": back + hours / 24,
        "exptime_s": 120.0, "mag": mag, "mag_err": 0.02, "zero_point": 22.3,
        "zero_point_err": 0.008, "n_calibrators": 2, "frames": ["a.fit"], "created_at": 0.0,
        "changed_at": 0.0, "calibrators": [
            {"source": f"{NAME} B", "zero_point": 22.3, "zero_point_err": 0.01, "weight": 0.5,
             "why_not": ""},
            {"source": f"{NAME} C", "zero_point": 22.3, "zero_point_err": 0.01, "weight": 0.5,
             "why_not": ""},
            {"source": f"{NAME} H", "zero_point": 22.9, "zero_point_err": 0.01, "weight": 0.0,
             "why_not": "differs from the others"}]} | more
    key = f"{Result.select().count()}"
    return int(Result.create(key=key, **values).id)


def polarised(p: float = 0.12, err: float = 0.004, chi: float = 34.0) -> dict[str, Any]:
    """Columns of a polarimetry result of four frames."""
    return {"mode": "polarimetry", "p": p, "p_err": err, "p_debiased": p - err**2 / (2 * p),
            "p_limit": None if p > 3 * err else p + 2 * err, "chi_deg": chi, "chi_err_deg": 1.0,
            "frames": ["a.fit", "b.fit", "c.fit", "d.fit"]}


def quiet_past(nights: int = 40, mag: float = 13.5) -> None:
    """Nights two days apart with three points each, that scatter by 0.1 mag."""
    for n in range(nights):
        for k in range(3):
            measure(2 * n + 2, 9.0 + k, mag + 0.1 * math.sin(n))


def asked(**more: Any) -> Asked:
    values = {"source": catalogue.find(NAME), "called": "BL Lac", "since_jd": TODAY,
              "until_jd": TODAY + 1.0} | more
    return Asked(**values)


def alert(points: list[int], band: str = "R", episode: int = 1, **more: Any) -> Alert:
    """A firing alert on the last of its points."""
    last = Result.get_by_id(points[-1])
    values = {"rule": "flare", "source": NAME, "band": band, "episode": episode,
              "state": "firing", "condition": "mag < 13.0", "fired_jd": last.jd_mid,
              "points": points, "fired_at": 0.0} | more
    return Alert.create(**values)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Database]:
    database = Database(tmp_path / "iop4d.db")
    with database.write():
        fill_catalogue()
        yield database
    database.close()


def flare(nights: int = 40) -> Facts:
    """A flare of today: R = 12.9 after a past at 13.5."""
    quiet_past(nights)
    for k in range(6):
        measure(0, 9.0 + k / 5, 12.9)
    return light(gather(asked()))


def light(facts: About) -> Facts:
    """Facts that have magnitudes."""
    assert isinstance(facts, Facts)
    return facts


def test_a_night_is_reported_as_its_mean_with_the_results_it_rests_on(store: Database) -> None:
    facts = flare()
    assert facts.level.mag == pytest.approx(12.9)
    assert facts.level.results == tuple(range(121, 127))
    assert facts.level.n_frames == 6
    assert not facts.is_extreme


def test_the_past_is_that_of_thirty_nights_and_their_points(store: Database) -> None:
    past = flare().baseline
    assert past is not None
    assert (past.nights, past.n) == (30, 90)
    assert past.median == pytest.approx(13.5, abs=0.03)
    assert set(past.results) == set(range(1, 91))


def test_a_night_that_varied_is_reported_at_its_brightest(store: Database) -> None:
    quiet_past()
    for k in range(12):
        measure(0, 9.0 + k / 2, 13.2 - 0.03 * k)
    facts = light(gather(asked()))
    assert facts.is_extreme
    assert facts.level == facts.chosen.brightest
    assert facts.level.mag == pytest.approx(12.87, abs=0.02)


def test_a_night_that_varied_below_its_past_is_reported_at_its_faintest(store: Database) -> None:
    quiet_past(mag=12.0)
    for k in range(12):
        measure(0, 9.0 + k / 2, 13.2 - 0.03 * k)
    facts = light(gather(asked()))
    assert facts.level == facts.chosen.faintest
    assert not facts.is_brighter


@pytest.mark.parametrize("bad", [
    {"flags": int(Flag.SATURATED)}, {"flags": int(Flag.NO_CALIBRATORS)}, {"mag": None},
    {"withdrawn": True}, {"mag_err": None}, {"human_flags": [{"name": "bad"}]}])
def test_a_bad_point_is_in_no_number(store: Database, bad: dict[str, Any]) -> None:
    quiet_past()
    good = [measure(0, 9.0 + k / 4, 12.9) for k in range(3)]
    values = {"mag": 11.0} | bad
    measure(0, 9.1, values.pop("mag"), **values)
    assert light(gather(asked())).level.results == tuple(good)


def test_without_a_good_point_it_is_said_when_the_last_one_was(store: Database) -> None:
    measure(5, 9.0, 13.5)
    measure(0, 9.0, 11.0, flags=int(Flag.SATURATED))
    with pytest.raises(NothingToReport, match=r"no good result of BL Lac from .* the last one is "
                                              r"of 2026-11-17 21:00:00 UTC"):
        gather(asked())


def test_a_source_without_any_result_has_none_at_all(store: Database) -> None:
    with pytest.raises(NothingToReport, match="there is none at all"):
        gather(asked())


def test_the_record_names_the_last_point_that_was_as_bright(store: Database) -> None:
    before = measure(200, 9.0, 12.8)
    record = flare().record
    assert record is not None
    assert record.bright
    assert record.since is not None
    assert record.since.id == before


def test_a_record_of_the_whole_archive_has_no_earlier_point(store: Database) -> None:
    record = flare().record
    assert record is not None
    assert record.since is None
    assert record.first.jd == pytest.approx(TODAY - 80 + 9 / 24)


def test_the_change_is_against_the_preceding_night_with_data(store: Database) -> None:
    change = flare().before
    assert change is not None
    assert change.of.results == (1, 2, 3)
    assert change.days == pytest.approx(2.0, abs=0.05)


def test_polarisation_is_that_nearest_in_time_in_the_same_band(store: Database) -> None:
    measure(0, 9.5, 13.9, band="B", **polarised())
    measure(0, 8.0, 12.9, **polarised(0.10))
    near = measure(0, 9.7, 12.9, **polarised(0.12))
    before = measure(4, 8.0, 13.5, **polarised(0.05))
    facts = flare()
    assert [point.id for point in facts.polarised][:1] == [near]
    assert len(facts.polarised) == 3
    assert facts.polarised_before is not None
    assert facts.polarised_before.id == before


def test_a_polarisation_whose_modulation_fits_badly_is_not_told(store: Database) -> None:
    measure(0, 9.8, 12.9, flags=int(Flag.POOR_FIT), **polarised())
    assert flare().polarised == ()


def test_other_bands_and_telescopes_of_the_night_are_told_too(store: Database) -> None:
    measure(0, 9.0, 13.9, band="B")
    measure(0, 9.0, 12.95, telescope="OSN-T150")
    assert [(n.band, n.telescope) for n in flare().others] == [
        ("B", "OSN-T090"), ("R", "OSN-T150")]


def test_calibrators_are_those_that_entered_the_zero_points(store: Database) -> None:
    assert [star.name for star in flare().calibrators] == [f"{NAME} B", f"{NAME} C"]


def test_without_r_the_draft_is_about_another_band(store: Database) -> None:
    measure(0, 9.0, 13.9, band="B")
    measure(0, 9.5, 13.4, band="V")
    assert light(gather(asked())).chosen.band == "V"
    assert light(gather(asked(band="B"))).chosen.band == "B"


def test_an_alert_is_told_with_what_was_known_when_it_fired(store: Database) -> None:
    quiet_past()
    ids = [measure(0, 9.0 + k / 10, 12.9) for k in range(4)]
    row = alert(ids[1:3])
    measure(0, 12.0, 12.0)
    facts = light(of_alert(row, called="BL Lac"))
    assert facts.level.results == tuple(ids[1:3])
    assert facts.called == "BL Lac"


def test_an_alert_of_another_telescope_is_about_that_one(store: Database) -> None:
    for k in range(5):
        measure(0, 9.0 + k / 10, 12.9)
    row = alert([measure(0, 9.6, 12.8, telescope="OSN-T150")])
    assert light(of_alert(row, called="BL Lac")).chosen.telescope == "OSN-T150"


def test_an_alert_whose_points_were_all_flagged_since_has_nothing_to_report(
        store: Database) -> None:
    row = alert([measure(0, 9.0, 12.9, human_flags=[{"name": "bad"}])])
    with pytest.raises(NothingToReport):
        of_alert(row, called="BL Lac")


def test_what_was_left_out_is_said_with_its_flags(store: Database) -> None:
    measure(0, 9.0, 11.0, flags=int(Flag.SATURATED | Flag.EDGE))
    measure(0, 9.1, 11.0, flags=int(Flag.SATURATED), human_flags=[{"name": "bad"}])
    with pytest.raises(NothingToReport, match=r"UTC \(2 left out: saturated 2, edge 1, flagged by "
                                              r"hand 1\); there is none at all"):
        gather(asked())


def without_stars(night: int, hours: float, p: float = 0.12, **more: Any) -> int:
    """A polarisation of a field without comparison stars."""
    values = {"mag_err": None, "zero_point": None, "zero_point_err": None, "n_calibrators": 0,
              "calibrators": [], "flags": int(Flag.NO_CALIBRATORS), **polarised(p)}
    return measure(night, hours, None, **(values | more))


def test_a_source_without_comparison_stars_is_told_by_its_polarisation(store: Database) -> None:
    before = without_stars(4, 9.0, 0.05)
    first, last = without_stars(0, 9.0, 0.10), without_stars(0, 10.0, 0.12)
    far, near = without_stars(0, 8.0, band="V"), without_stars(0, 9.8, band="V")
    facts = gather(asked())
    assert isinstance(facts, Polarisation)
    assert [point.id for point in facts.polarised] == [last, first]
    assert [point.id for point in facts.others] == [near]
    assert facts.polarised_before is not None
    assert facts.polarised_before.id == before
    assert {point.id for point in facts.curve} == {before, first, last, far, near}
    assert (facts.band, facts.jd) == ("R", pytest.approx(TODAY + 10 / 24))


@pytest.mark.parametrize("bad", [
    {"flags": int(Flag.POOR_FIT)}, {"flags": int(Flag.SATURATED)}, {"withdrawn": True},
    {"human_flags": [{"name": "bad"}]}, {"p_err": None}, {"p": 0.005, "p_limit": None}])
def test_a_bad_polarisation_is_nothing_to_report(store: Database, bad: dict[str, Any]) -> None:
    without_stars(0, 9.0, **bad)
    with pytest.raises(NothingToReport):
        gather(asked())


def test_an_alert_on_p_alone_is_about_the_point_that_fired_it(store: Database) -> None:
    first, fired = without_stars(0, 9.0, 0.10), without_stars(0, 10.0, 0.12)
    row = alert([first, fired])
    without_stars(0, 11.0, 0.3)
    facts = of_alert(row, called="BL Lac")
    assert isinstance(facts, Polarisation)
    assert facts.told.id == fired


def test_a_polarisation_without_magnitude_stands_beside_the_magnitudes(store: Database) -> None:
    near = without_stars(0, 9.5)
    assert [point.id for point in flare().polarised] == [near]


def test_a_magnitude_of_a_group_that_lacks_calibrators_in_a_frame_is_not_drawn(
        store: Database) -> None:
    good = measure(0, 9.0, 12.9)
    partly = measure(0, 9.1, 11.0, flags=int(Flag.NO_CALIBRATORS), **polarised())
    drawn = {point.id: point.mag for point in gather(asked()).curve}
    assert drawn[good] == 12.9
    assert math.isnan(drawn[partly])


def test_the_same_results_give_the_same_facts(store: Database) -> None:
    assert repr(flare()) == repr(gather(asked()))  # NaN is unlike itself
