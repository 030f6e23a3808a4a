"""Accuracy against the simulator's truth: ``make accuracy``.

Nights of fresh seeds in sparse, normal and crowded fields, seeing 1.5 to 4 arcsec, some with
clouds, some with calibrators that saturate. Each night has its own errors of the catalogue's
magnitudes, as large as the catalogue says. Isolated stars of the field are measured as targets,
besides the blazar. Then polarimetry with each instrument: see ``polaraccuracy``.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from iop4d.model.flags import Flag
from iop4d.model.frame import FrameFacts
from iop4d.model.messages import CalibrateRequest, MasterRef, Outcome, Reduced, SeriesCalibrated
from iop4d.model.uncertainty import mag_total
from iop4d.simulator.night import Night, NightPlan, SimulatedFrame, Truth, project
from iop4d.simulator.setups import SETUPS
from iop4d.simulator.sky import FIELDS, field_of
from tests.bench import hard
from tests.bench.errors import pull
from tests.bench.nights import COLOUR_TERMS
from tests.bench.polarimetry_accuracy import PolarScores, polar_report, run_polar_night
from tests.support.lab import Lab, camera_masters, measured_frame, reduced_of, value_of

CHECK_STARS = 25
_BRIGHT = 15.0  # R magnitude up to which a star counts as bright
_SOLVABLE = 8  # stars that a frame needs to be solved


@dataclass(frozen=True, kw_only=True)
class Point:
    """One measured star: what it is, what was measured."""

    density: str
    seeing: float
    night: int
    true: float
    mag: float
    err: float | None
    flags: int


@dataclass(frozen=True, kw_only=True)
class FrameScore:
    """One frame: whether it was solved, and how well (rms in pixels of bright stars)."""

    density: str
    seeing: float
    clouds: float
    name: str
    detectable: int
    solved: bool
    wcs_rms_px: float
    poor_wcs: bool
    reason: str


def plan_of(seed: int, frames: int) -> NightPlan:
    """A night drawn by its seed, cycling through all fields."""
    rng = np.random.default_rng(seed)
    return NightPlan(
        seed=seed, fields=(FIELDS[seed % len(FIELDS)].object,), frames=frames,
        exptime_s=float(rng.choice([60.0, 90.0, 240.0])), seeing_arcsec=rng.uniform(1.4, 3.6),
        cloud_mag=float(rng.choice([0.0, 0.0, 2.0, 5.0])))


def run_night(seed: int, frames: int) -> tuple[list[FrameScore], list[Point]]:
    """Simulate and reduce one night, and compare."""
    plan = plan_of(seed, frames)
    night = Night(plan)
    field = field_of(plan.fields[0])
    text = night.sky.catalogue_csv(seed, fields=(field,), check_stars=CHECK_STARS)
    with tempfile.TemporaryDirectory() as scratch:
        lab = Lab(Path(scratch), text, COLOUR_TERMS)
        made = list(night.frames())
        paths = [lab.put(frame) for frame in made]
        masters = lab.masters(made)
        checks = night.sky.check_stars(field, CHECK_STARS)
        mags = night.sky.stars(field).magnitudes
        reduced = {frame.name: _reduce(lab, path, masters)
                   for frame, path in zip(made, paths, strict=True) if frame.truth is not None}
        scores = [_score(frame, frame.truth, reduced[frame.name])
                  for frame in made if frame.truth is not None]
        true = {name: float(mags[plan.bands[0]][i]) for name, i in checks.items()}
        points = _points(lab, [f.truth for f in made if f.truth is not None], reduced, true, seed)
    return scores, points


def _reduce(lab: Lab, path: Path, masters: tuple[MasterRef, ...]) -> tuple[FrameFacts, Outcome]:
    facts, _ = lab.classify(path)
    return facts, lab.reduce(path, facts, masters)


def _points(lab: Lab, truths: list[Truth], reduced: dict[str, tuple[FrameFacts, Outcome]],
            true: dict[str, float], night: int) -> list[Point]:
    """The night's results as the daemon ends with them: each series calibrated together."""
    frames = []
    for number, truth in enumerate(truths):
        facts, outcome = reduced[truth.name]
        found = reduced_of(outcome)
        if found is not None:
            frames.append(measured_frame(number, facts, found))
    points = []
    for name in [truths[0].source, *true]:
        mine = tuple(f for f in frames if any(m.source == name for m in f.measurements))
        if not mine:
            continue
        calibrated = value_of(lab.bench.perform(CalibrateRequest(target=name, frames=mine)))
        assert isinstance(calibrated, SeriesCalibrated)
        for number, value in calibrated.results:
            truth = truths[number]
            points.append(Point(
                density=truth.density, seeing=truth.fwhm_arcsec, night=night, mag=value.mag,
                true=true.get(name, truth.target_mag), err=mag_total(value),
                flags=value.flags))
    return points


def _score(frame: SimulatedFrame, truth: Truth,
           reduced: tuple[FrameFacts, Outcome]) -> FrameScore:
    outcome = reduced[1]
    found = reduced_of(outcome)
    rms, poor = float("nan"), False
    if found is not None:
        rms = _wcs_rms(found, truth)
        poor = bool(found.frame_flags & Flag.POOR_WCS)
    return FrameScore(
        density=truth.density, seeing=truth.fwhm_arcsec, clouds=truth.extinction_mag,
        name=frame.name, detectable=_detectable(truth, frame), solved=found is not None,
        wcs_rms_px=rms, poor_wcs=poor,
        reason="" if found is not None else str(getattr(outcome, "reason", outcome)))


def _detectable(truth: Truth, frame: SimulatedFrame) -> int:
    """Stars inside the frame whose peak stands 5 sigma of the sky above it (Moffat, beta 3.5)."""
    mag = np.array(truth.stars.mag)
    x, y = np.array(truth.stars.x), np.array(truth.stars.y)
    ny, nx = frame.data.shape
    inside = (x > 5) & (x < nx - 5) & (y > 5) & (y < ny - 5)
    flux = truth.exptime_s * 10 ** (0.4 * (21.0 - mag - truth.extinction_mag - 0.1
                                           * truth.airmass))
    peak = flux * 2.5 / np.pi / (1.068 * truth.fwhm_arcsec / 0.774) ** 2
    sigma = np.sqrt(truth.sky_adu / 4.5 + (8.0 / 4.5) ** 2)
    return int((inside & (peak > 5 * sigma)).sum())


def _wcs_rms(reduced: Reduced, truth: Truth) -> float:
    """Rms (px, each axis) between the solution and the truth over the middle of the frame."""
    grid = np.linspace(100, 924, 9)
    x, y = (axis.ravel() for axis in np.meshgrid(grid, grid))
    ra, dec = _to_sky(truth.wcs, x, y)
    fitted = {key: float(value) for key, value in reduced.wcs.items()
              if key[:5] in ("CRVAL", "CRPIX") or key[:2] == "CD"}
    fx, fy = project(fitted, ra, dec)
    return float(np.sqrt(np.mean((fx - x) ** 2 + (fy - y) ** 2) / 2))


def _to_sky(wcs: dict[str, float], x: NDArray[np.float64], y: NDArray[np.float64],
            ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    from astropy.io.fits import Header
    from astropy.wcs import WCS

    header = Header({"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", **wcs})
    ra, dec = WCS(header).all_pix2world(x, y, 0)
    return np.asarray(ra), np.asarray(dec)


def report(scores: list[FrameScore], points: list[Point]) -> tuple[Table, list[str]]:
    """The table, and what is out of bounds."""
    table = Table("field", "frames", "solved", "of 8 stars up", "WCS rms px", "poor WCS",
                  "bright stars",
                  "mean mmag", "pull mean", "pull width", title="Accuracy against the truth")
    wrong: list[str] = []
    for density in ("sparse", "normal", "crowded", "all"):
        mine = [s for s in scores if density in (s.density, "all")]
        good = [p for p in points if density in (p.density, "all") and p.flags == 0
                and np.isfinite(p.mag)]
        if not mine or not good:
            continue
        able = [s for s in mine if s.detectable >= _SOLVABLE]
        # A solution that its own residuals show to be poor says so, and is counted apart.
        rms = np.array([s.wcs_rms_px for s in mine if s.solved and not s.poor_wcs])
        pulls = np.array([pull(p.mag - p.true, p.err) for p in good])
        without = int(np.sum(~np.isfinite(pulls)))
        pulls = pulls[np.isfinite(pulls)]
        bright = np.array([p.mag - p.true for p in good if p.true < _BRIGHT])
        table.add_row(density, str(len(mine)), str(sum(s.solved for s in mine)),
                      f"{sum(s.solved for s in able)} of {len(able)}",
                      f"{np.sqrt(np.mean(rms**2)):.3f}", str(sum(s.poor_wcs for s in mine)),
                      str(len(bright)),
                      f"{1e3 * bright.mean():+.2f}" if len(bright) else "",
                      f"{pulls.mean():+.3f}", f"{pulls.std():.3f}")
        if density == "all":
            wrong += _wrong(able, rms, bright, pulls)
            if without:
                wrong.append(f"{without} magnitudes have no error")
    return table, wrong


def _wrong(able: list[FrameScore], rms: NDArray[np.float64], bright: NDArray[np.float64],
           pulls: NDArray[np.float64]) -> list[str]:
    wrong = [f"not solved: {s.name}, seeing {s.seeing:.1f}, clouds {s.clouds:.1f}, "
             f"{s.detectable} stars: {s.reason}" for s in able if not s.solved]
    if not np.sqrt(np.mean(rms**2)) <= 0.05:
        wrong.append("astrometry: rms above 0.05 px")
    if not abs(bright.mean()) <= 3e-3:
        wrong.append("magnitudes of bright stars are biased by more than 3 mmag")
    if not abs(pulls.mean()) <= 0.15:
        wrong.append("pulls: mean not within 0 +- 0.15")
    if not abs(pulls.std() - 1) <= 0.15:
        wrong.append("pulls: width not within 1 +- 0.15")
    return wrong


def _polarimetry(pool: ProcessPoolExecutor, scratch: Path, seed: int, nights: int) -> PolarScores:
    """So many nights of each instrument, a third for DIPOL."""
    scores = PolarScores()
    if not nights:
        return scores
    names = [setup.name for setup in SETUPS]
    masters = dict(zip(names, pool.map(
        camera_masters, names, [scratch / name for name in names]), strict=True))
    work = [(setup.name, seed + night, masters[setup.name]) for setup in SETUPS
            for night in range(nights // 3 if setup.part else nights)]
    for some in pool.map(run_polar_night, *zip(*work, strict=True)):
        scores.add(some)
        print(":", end="", flush=True, file=sys.stderr)
    return scores


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the nights and print the table; exit code 1 if anything is out of bounds.

    With ``--hard``, the hard nights instead: see ``tests.bench.hard``.
    """
    chosen = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    chosen.add_argument("--hard", action="store_true",
                        help="hard nights instead, with options of their own: --hard --help")
    which, rest = chosen.parse_known_args(arguments)
    if which.hard:
        hard.main(rest)
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "",
                                     parents=[chosen])
    parser.add_argument("--nights", type=int, default=250)
    parser.add_argument("--frames", type=int, default=3, help="science frames of a night")
    parser.add_argument("--seed", type=int, default=1000, help="seed of the first night")
    parser.add_argument("--polarimetry", type=int, default=80,
                        help="nights of polarimetry for each instrument, a third for DIPOL [80]")
    parser.add_argument("--short", action="store_true",
                        help="100 nights of 2 frames, 24 of polarimetry")
    words = parser.parse_args(rest)
    nights, frames, polar = (100, 2, 24) if words.short else (
        words.nights, words.frames, words.polarimetry)
    scores: list[FrameScore] = []
    points: list[Point] = []
    seeds = range(words.seed, words.seed + nights)
    with (tempfile.TemporaryDirectory(prefix="iop4d-accuracy-") as scratch,
          ProcessPoolExecutor(os.cpu_count()) as pool):
        for some_scores, some_points in pool.map(run_night, seeds, [frames] * nights):
            scores += some_scores
            points += some_points
            print(".", end="", flush=True, file=sys.stderr)
        polarised = _polarimetry(pool, Path(scratch), words.seed, polar)
    table, wrong = report(scores, points)
    tables, more = polar_report(polarised)
    wrong += more
    screen = Console(width=120)
    for one in (table, *tables):
        screen.print(one)
    for line in polarised.failures:
        screen.print(f"not measured: {line}")
    for line in wrong:
        screen.print(line)
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
