"""Other settings beside the stored result: they differ by the settings alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from iop4d.config.tried import parse, with_settings
from iop4d.ledger.compared import compare, notes_of
from iop4d.ledger.trials import answer_of
from iop4d.model.errors import ConfigError
from iop4d.model.messages import (
    Done,
    Failed,
    MasterRef,
    MeasuredFrame,
    Outcome,
    Reduced,
    ReduceRequest,
    TrialRequest,
)
from iop4d.reduction.workbench import Workbench
from tests.reduction.small import facts_of
from tests.support.lab import measured_frame


def _tried(bench: Workbench, path: Path, masters: tuple[MasterRef, ...], *, pixels: bool = True,
           without: tuple[str, ...] = (), **settings: str) -> Outcome:
    facts = facts_of(bench, path)
    again = ReduceRequest(path=path, facts=facts, masters=masters, reduced_path=None,
                          preview_path=None)
    found = bench.perform(again)
    assert isinstance(found, Done), found
    assert isinstance(found.value, Reduced)
    said = parse({name.replace("__", "."): value for name, value in settings.items()})
    return bench.perform(TrialRequest(
        source="Target", stored=(measured_frame(1, facts, found.value),), without=without,
        frames=(again,) if pixels else (), settings=tuple(said.items())))


def test_the_same_settings_give_the_same_numbers_and_a_wider_aperture_more_noise(
        bench: Workbench, night: dict[str, list[Path]], masters: tuple[MasterRef, ...]) -> None:
    same = answer_of(_tried(bench, night["science"][0], masters, photometry__aperture="3"))
    kept = same["stored"]
    lines = {line.label: line for line in compare(kept, same)}
    assert lines["Magnitude"].difference == pytest.approx(0.0, abs=1e-9)
    assert notes_of({"photometry.aperture": 3}, same)
    wide = answer_of(_tried(bench, night["science"][0], masters, photometry__aperture="4.8"))
    lines = {line.label: line for line in compare(kept, wide)}
    assert wide["tried"]["aperture_arcsec"] == pytest.approx(1.6 * kept["aperture_arcsec"], 1e-3)
    assert wide["tried"]["mag_err"] > kept["mag_err"]
    assert lines["Magnitude"].sigmas == pytest.approx(
        (wide["tried"]["mag"] - kept["mag"]) / kept["mag_err"])
    assert abs(lines["Magnitude"].sigmas) < 3
    assert notes_of({"photometry.aperture": 4.8}, wide) == []


def test_an_aperture_in_arcsec_is_the_one_that_is_measured(
        bench: Workbench, night: dict[str, list[Path]], masters: tuple[MasterRef, ...]) -> None:
    found = answer_of(_tried(bench, night["science"][0], masters, aperture_arcsec="6.3"))
    assert found["tried"]["aperture_arcsec"] == pytest.approx(6.3, abs=1e-3)


def test_a_calibrator_that_is_left_out_needs_no_pixels(
        bench: Workbench, night: dict[str, list[Path]], masters: tuple[MasterRef, ...]) -> None:
    found = answer_of(_tried(bench, night["science"][0], masters, pixels=False, without=("A",)))
    stored, tried = ({use["source"] for use in found[which]["calibrators"]}
                     for which in ("stored", "tried"))
    assert stored - tried == {"A"}
    assert found["tried"]["n_calibrators"] == found["stored"]["n_calibrators"] - 1


def test_settings_under_which_nothing_is_found_give_a_reason_and_no_number(
        bench: Workbench, night: dict[str, list[Path]], masters: tuple[MasterRef, ...]) -> None:
    outcome = _tried(bench, night["science"][0], masters, pixels=False, without=("A", "B", "C"))
    assert answer_of(outcome)["tried"]["mag"] is None
    facts = facts_of(bench, night["science"][0])
    missing = bench.perform(TrialRequest(source="Nobody", stored=(MeasuredFrame(
        id=1, facts=facts, measurements=(), fwhm_arcsec=2.0, airmass=1.0, bjd_tdb=0.0),)))
    assert isinstance(missing, Failed)
    assert answer_of(missing) == {"error": "Nobody is no longer in the catalogue"}


def test_values_are_checked_in_words(bench: Workbench) -> None:
    with pytest.raises(ConfigError, match=r"photometry.aperture: expected 0.5 to 30, found 'x'"):
        parse({"photometry.aperture": "x"})
    for said in ("2.7", "nan", "0"):
        with pytest.raises(ConfigError, match="expected a whole number, 1 to 1000, found"):
            parse({"polarimetry.min_field_stars": said})
    with pytest.raises(ConfigError, match=r"'site\.name' cannot be tried"):
        parse({"site.name": "x"})
    with pytest.raises(ConfigError, match="inner radius 9 is not below"):
        with_settings(bench.context.site, parse({"photometry.annulus_inner": "9"}),
                      instrument="Small", source="Target")
    own = with_settings(bench.context.site, parse({
        "polarimetry.method": "plain", "polarimetry.min_field_stars": "3"}),
        instrument="Small", source="Target").polarimetry
    assert (own.method, own.min_field_stars) == ({"Small/Target": "plain"}, 3)
