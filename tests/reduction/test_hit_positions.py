"""Cosmic rays on two of a group's four positions never turn chi without a flag or an error."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from iop4d.model.flags import NEVER_ALERTS, Flag
from iop4d.model.messages import MeasuredFrame, Polarised
from iop4d.model.units import angle_difference
from iop4d.reduction.measure import both_beams
from iop4d.reduction.polarise import polarise
from iop4d.science.aperture_check import measure_checked
from tests.reduction import polarimetry_groups as groups
from tests.science.skies import noisy_field

PARTS = [0.03, 0.1, 0.3]
#: A result with any of these says that its polarisation may be wrong.
TOLD = NEVER_ALERTS | Flag.MISSING_ANGLES


@cache
def hit_stars(fwhm: float, part: float) -> list[tuple[float, float, int]]:
    """(relative error of the flux, what the measurement says of it, flags) of stars with a hit."""
    def hit(image: np.ndarray, x: int, y: int, flux: float) -> None:
        image[y, x] += 0.7 * part * flux
        image[y, x + 1] += 0.3 * part * flux

    found = []
    for seed in (7, 8):
        few = range(0, 8, 2)
        field = noisy_field(fwhm, change=hit, stars=few, seed=seed)
        seen = field.pixels.detections
        for star in few:
            own = int(np.hypot(seen.x - field.x[star], seen.y - field.y[star]).argmin())
            flux = measure_checked(field.pixels, float(seen.x[own]), float(seen.y[own]),
                                   field.aperture, own=own).flux
            truth = float(field.flux[star])
            found.append((flux.flux / truth - 1.0, flux.photon_err / truth, int(flux.flags)))
    return found


def with_hits(frames: list[MeasuredFrame], hits: dict[tuple[int, str], tuple[float, float, int]],
              ) -> list[MeasuredFrame]:
    """The frames with hits on images of the target, by (position, beam)."""
    def struck(k: int, frame: MeasuredFrame) -> MeasuredFrame:
        rows = {(m.source, m.beam): m for m in frame.measurements}
        for (position, beam), (off, err, flags) in hits.items():
            if position != k:
                continue
            m = rows["T", beam]
            rows["T", beam] = replace(
                groups.measurement("T", m.flux * (1.0 + off), beam, flags),
                photon_err=err * m.flux, flux_err=math.hypot(err, 1e-3) * m.flux)
            if beam:
                rows["T", ""] = both_beams(rows["T", "O"], rows["T", "E"], scintillation=0.001)
        return replace(frame, measurements=tuple(rows.values()))

    return [struck(k, frame) for k, frame in enumerate(frames)]


def is_told(polarised: Polarised) -> bool:
    """Whether there is no chi, it has a flag, or it is the truth within five errors."""
    (value,) = (r for r in polarised.results if r.source == "T")
    if math.isnan(value.chi_deg) or value.flags & TOLD:
        return True
    off = abs(angle_difference(value.chi_deg, groups.CHI))
    return off < 5.0 * math.hypot(value.chi_err_deg, value.chi_err_common)


@pytest.mark.parametrize("fwhm", [1.3, 1.8, 2.8])
@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize(("name", "beams"), [("CAFOS", "OE"), ("AndorT90", "")])
def test_two_hit_positions_of_four_give_no_chi_that_is_wrong_and_says_nothing(
        name: str, beams: str, fwhm: float, part: float) -> None:
    frames, stars = groups.group(name), hit_stars(fwhm, part)
    draws = itertools.cycle(stars)
    silent = []
    for first, second in itertools.combinations(range(4), 2):
        for one, other in itertools.product(beams or ("",), repeat=2):
            hits = {(first, one): next(draws), (second, other): next(draws)}
            polarised = polarise(with_hits(frames, hits), catalogue=groups.CATALOGUE,
                                 instrument=groups.instrument(name), settings=groups.SETTINGS)
            if not is_told(polarised):
                silent.append((first, second, one, other))
    assert silent == []


@pytest.mark.parametrize("part", [0.05, 0.1, 0.3])
@pytest.mark.parametrize("pair", list(itertools.combinations(range(4), 2)))
def test_hits_that_no_pixel_tells_of_are_seen_in_the_sum_of_both_beams(
        pair: tuple[int, int], part: float) -> None:
    """Where too few stars show the PSF, equal hits on two positions may fit a polarisation."""
    for beams in itertools.product("OE", repeat=2):
        hits = dict.fromkeys(zip(pair, beams, strict=True), (part, 0.001, 0))
        polarised = polarise(with_hits(groups.group("CAFOS"), hits), catalogue=groups.CATALOGUE,
                             instrument=groups.instrument("CAFOS"), settings=groups.SETTINGS)
        assert is_told(polarised)


def test_a_target_that_varies_as_much_as_they_do_is_no_poor_fit() -> None:
    """Within the four minutes of a group, by 0.002 mag, and its stars by clouds of 20 %."""
    frames = groups.group("CAFOS", clear=(1.0, 0.9, 0.8, 0.95))
    steps = {k: (0.001 * (k - 1.5), 1e-3, 0) for k in range(4)}
    hits = {(k, beam): step for k, step in steps.items() for beam in "OE"}
    assert groups.result(with_hits(frames, hits), "CAFOS").flags == 0


def taken(name: str, *which: int) -> list[MeasuredFrame]:
    """A group's positions in another order, some twice or never."""
    frames = groups.group(name)
    first = frames[0].facts.jd_start
    return [replace(frames[i], id=n, facts=replace(frames[i].facts, jd_start=first + n / 1440))
            for n, i in enumerate(which)]


@pytest.mark.parametrize(("name", "beam"), [("CAFOS", "O"), ("AndorT90", "")])
def test_a_position_taken_twice_does_not_stand_for_a_missing_one(name: str, beam: str) -> None:
    """Of the other two no frame tells a hit: chi was 12 +- 1 where 30 is true, without a flag."""
    hit = {(3, beam): (0.1, 1e-3, 0)}
    for frames in (taken(name, 0, 0, 1, 2), with_hits(taken(name, 0, 0, 1, 2), hit)):
        flags = Flag(groups.result(frames, name).flags)
        assert flags == Flag.MISSING_ANGLES | Flag.POOR_FIT


@pytest.mark.parametrize(("name", "beam"), [("CAFOS", "O"), ("AndorT90", "")])
def test_a_position_taken_twice_takes_the_place_of_the_hit_one(name: str, beam: str) -> None:
    frames = taken(name, 0, 0, 1, 2, 3)
    assert groups.result(frames, name).flags == 0
    dropped = groups.result(with_hits(frames, {(0, beam): (0.1, 1e-3, int(Flag.BAD_PIXELS))}), name)
    assert dropped.flags == 0
    assert dropped.chi_deg == pytest.approx(groups.CHI, abs=0.05)
    silent = groups.result(with_hits(frames, {(0, beam): (0.1, 1e-3, 0)}), name)
    assert silent.flags == Flag.POOR_FIT
    single = groups.result(with_hits(frames, {(4, beam): (0.1, 1e-3, int(Flag.BAD_PIXELS))}), name)
    assert single.flags == Flag.MISSING_ANGLES | Flag.POOR_FIT
