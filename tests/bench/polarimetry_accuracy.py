"""Polarimetry against the simulator's truth, for each instrument: part of ``make accuracy``.

Nights of fresh seeds: p of 2 to 25 % at every angle, R 12.6 to 15.8, seeing 1.5 to 3 arcsec, the
transparency changing by 5 % from frame to frame, cosmic rays, the instrument's constants as far off
the nominal ones as their errors say.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from iop4d.instruments.discovery import find_instruments
from iop4d.model.flags import Flag
from iop4d.model.messages import (
    MasterRef,
    MeasuredFrame,
    Outcome,
    PolarimetryRequest,
    Polarised,
    Reduced,
    StarList,
)
from iop4d.model.result import ResultValue
from iop4d.model.uncertainty import chi_total, mag_total, p_total
from iop4d.model.units import angle_difference
from iop4d.science.interstellar import OVER_REDDENING, by_dust
from iop4d.science.tan import from_cards
from iop4d.simulator.frames import Truth
from iop4d.simulator.night import Night, jd_of_evening
from iop4d.simulator.plan import POLARIMETRY, NightPlan
from iop4d.simulator.setups import SETUPS, setup_of
from iop4d.simulator.sky import FIELDS, field_of
from tests.bench.errors import is_error, pull, width_bounds
from tests.bench.nights import COLOUR_TERMS, exposure_s, night_of
from tests.support.lab import Lab, measured_frame, reduced_of, star_list, value_of

#: Fields of which a sub-frame holds calibrators or several stars take turns with the others.
_CROWDED = ("BLLac", "1ES1959+650", "3C273")
_BRIGHT = 14.5  # R of targets by which the bias is judged
_SIGNIFICANT = 5.0  # sigmas of p from which on its pull is that of a Gaussian
_PULL = 0.2  # bound of the pulls' mean, and of their width's distance from 1
_P_OFF = 1e-3  # bound of the bias of p, absolute
_SURE = 2.0  # errors of a mean or width by which it must be out of bounds to count as wrong
_GROUPS = {"DIPOL": 3}


@dataclass(frozen=True, kw_only=True)
class GroupScore:
    """One group: what is true and what was found; ``result`` None where there is none."""

    instrument: str
    truth: Truth
    result: ResultValue | None
    why: str = ""


@dataclass(frozen=True, kw_only=True)
class Placement:
    """One sub-frame: distance from its true place (NaN: refused), its flag, and how it was placed.
    """

    off_px: float
    flagged: bool
    how: str


@dataclass(kw_only=True)
class PolarScores:
    """What a night gave."""

    groups: list[GroupScore] = field(default_factory=list)
    placements: list[Placement] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def add(self, other: PolarScores) -> None:
        """Those of another night besides."""
        self.groups += other.groups
        self.placements += other.placements
        self.failures += other.failures


def plan_of(instrument: str, seed: int) -> NightPlan:
    """A night drawn by its seed."""
    rng = np.random.default_rng([seed, 7])
    names = [f.object for f in FIELDS]
    if instrument == "DIPOL" and seed % 2:
        names = list(_CROWDED)
    where = field_of(names[seed // 2 % len(names)])
    setup = setup_of(instrument)
    night = night_of(where, setup.sample_night)
    nominal = next(i for i in find_instruments() if i.name == instrument).polarimeter
    assert nominal is not None
    constants = nominal.constants_at(jd_of_evening(night))
    assert constants is not None
    seeing = rng.uniform(1.4, 2.7)
    dust = by_dust(where.extinction_r / OVER_REDDENING["R"])
    return NightPlan(
        instrument=instrument, seed=seed, fields=(where.object,), mode=POLARIMETRY, night=night,
        groups=_GROUPS.get(instrument, 2), seeing_arcsec=seeing, transparency=0.05,
        exptime_s=exposure_s(setup, where.quiet_mag, seeing), n_bias=0, n_dark=0, n_flat=0,
        drift_phase=rng.uniform(),
        constants=replace(
            constants, q0=rng.normal(constants.q0, constants.q0_err),
            u0=rng.normal(constants.u0, constants.u0_err),
            angle_deg=rng.normal(constants.angle_deg, constants.angle_err_deg)),
        interstellar=(rng.normal(0.0, dust), rng.normal(0.0, dust)))


def run_polar_night(instrument: str, seed: int, masters: tuple[MasterRef, ...]) -> PolarScores:
    """Simulate and reduce one night, as the daemon would, and compare."""
    plan = plan_of(instrument, seed)
    night = Night(plan)
    # Each instrument with its own errors of the catalogue.
    number = [setup.name for setup in SETUPS].index(instrument)
    scores = PolarScores()
    with tempfile.TemporaryDirectory() as scratch:
        lab = Lab(Path(scratch), night.sky.catalogue_csv(
            10 * seed + number, fields=(field_of(plan.fields[0]),)), COLOUR_TERMS)
        truths: dict[int, list[Truth]] = {}
        measured: dict[int, list[MeasuredFrame]] = {}
        whole: StarList | None = None
        for number, frame in enumerate(night.frames()):
            truth = frame.truth
            assert truth is not None
            path = lab.put(frame)
            facts, _ = lab.classify(path)
            outcome = lab.reduce(path, facts, masters, whole)
            path.unlink()
            found = reduced_of(outcome)
            if facts.subframe:
                scores.placements.append(_placement(truth, found, outcome))
            if found is None:
                scores.failures.append(f"{instrument} {seed} {frame.name}: "
                                       f"{getattr(outcome, 'reason', outcome)}")
            elif truth.group == 0:
                whole = star_list(found) or whole
            else:
                truths.setdefault(truth.group, []).append(truth)
                measured.setdefault(truth.group, []).append(measured_frame(number, facts, found))
        for group, frames in measured.items():
            # Targets vary slowly: the group's magnitude is that of its mean time.
            mag = float(np.mean([truth.target_mag for truth in truths[group]]))
            scores.groups.append(_group(lab, frames, replace(truths[group][0], target_mag=mag)))
    return scores


def _group(lab: Lab, frames: list[MeasuredFrame], truth: Truth) -> GroupScore:
    value = value_of(lab.bench.perform(PolarimetryRequest(frames=tuple(frames))))
    assert isinstance(value, Polarised)
    result = next((r for r in value.results if r.source == truth.source), None)
    return GroupScore(instrument=truth.instrument, truth=truth, result=result,
                      why="; ".join(f"{name}: {why}" for name, why in value.refused))


def _placement(truth: Truth, found: Reduced | None, outcome: Outcome) -> Placement:
    if found is None:
        return Placement(off_px=float("nan"), flagged=True,
                         how=str(getattr(outcome, "reason", outcome)))
    true, solved = from_cards(truth.wcs), from_cards(found.wcs)
    place = [truth.wcs["CRVAL1"]], [truth.wcs["CRVAL2"]]
    x, y = true.to_pixel(*place)
    fx, fy = solved.to_pixel(*place)
    return Placement(off_px=float(np.hypot(fx - x, fy - y)[0]), how=found.astrometry_from,
                     flagged=bool(found.frame_flags & Flag.POOR_WCS))


@dataclass(frozen=True, kw_only=True)
class _Numbers:
    """Offsets and pulls of an instrument's groups."""

    p_off: NDArray[np.float64]  # of bright targets, fractions
    pulls: dict[str, NDArray[np.float64]]
    without: dict[str, int]  # how many have no value or no error


def _numbers(groups: list[GroupScore]) -> _Numbers:
    pulls: dict[str, list[float]] = {name: [] for name in ("q", "u", "p", "chi", "mag")}
    offs = []
    for score in groups:
        r, t = score.result, score.truth
        if r is None:
            continue
        assert t.q is not None
        assert t.u is not None
        assert t.p is not None
        assert t.chi_deg is not None
        # Against the truth each value stands by itself: random and common errors both.
        turn = 2.0 * np.radians(r.chi_err_common)
        p_err = p_total(r)
        pulls["q"].append(pull(r.q - t.q, np.hypot(np.hypot(r.q_err, r.q0_err), turn * r.u)))
        pulls["u"].append(pull(r.u - t.u, np.hypot(np.hypot(r.u_err, r.u0_err), turn * r.q)))
        if not is_error(p_err) or r.p > _SIGNIFICANT * p_err:
            pulls["p"].append(pull(r.p_debiased - t.p, p_err))
            pulls["chi"].append(pull(angle_difference(r.chi_deg, t.chi_deg), chi_total(r)))
        if np.isfinite(r.mag) and not r.flags & Flag.OWN_BAND:  # that is not the catalogue's
            pulls["mag"].append(pull(r.mag - t.target_mag, mag_total(r)))
        if t.target_mag < _BRIGHT:
            offs.append(r.p_debiased - t.p)
    found = {name: np.array(some, dtype=float) for name, some in pulls.items()}
    return _Numbers(p_off=np.array(offs), pulls={k: v[np.isfinite(v)] for k, v in found.items()},
                    without={k: int(np.sum(~np.isfinite(v))) for k, v in found.items()})


def polar_report(scores: PolarScores) -> tuple[list[Table], list[str]]:
    """The tables, and what is out of bounds."""
    table = Table("instrument", "groups", "measured", "p off, bright", "q", "u", "p", "chi", "mag",
                  title="Polarimetry against the truth: mean and width of the pulls")
    wrong: list[str] = []
    for instrument in (setup.name for setup in SETUPS):
        mine = [s for s in scores.groups if s.instrument == instrument]
        if not mine:
            continue
        done = [s for s in mine if s.result is not None]
        numbers = _numbers(done)
        off, err = numbers.p_off.mean(), numbers.p_off.std() / max(len(numbers.p_off), 1) ** 0.5
        table.add_row(instrument, str(len(mine)), str(len(done)),
                      f"{100 * off:+.3f} ± {100 * err:.3f} %",
                      *(f"{v.mean():+.2f} {v.std():.2f}" if v.size else "-"
                        for v in numbers.pulls.values()))
        wrong += [f"{instrument}: not measured: {s.why}" for s in mine if s.result is None]
        nights = len(mine) / _GROUPS.get(instrument, 2)
        if abs(off) - _SURE * err > _P_OFF:
            wrong.append(f"{instrument}: p of bright targets is off by {100 * off:+.3f} %")
        wrong += [f"{instrument}: {count} numbers of {name} have no error"
                  for name, count in numbers.without.items() if count]
        wrong += [f"{instrument}: pulls of {name}: {v.mean():+.2f}, width {v.std():.2f}"
                  for name, v in numbers.pulls.items() if v.size and _is_wrong(v, nights)]
    tables = [table]
    if scores.placements:
        sub, more = _placed(scores.placements)
        tables.append(sub)
        wrong += more
    return tables, wrong


def _is_wrong(pulls: NDArray[np.float64], nights: float) -> bool:
    """Whether mean or width are out of bounds by more than what so few nights leave open.

    Groups of one night share the errors of the catalogue and of the instrument's constants, so that
    the nights count.
    """
    if pulls.size < 2 or nights < 2:
        return False
    width = float(pulls.std(ddof=1))
    if not abs(pulls.mean()) - _SURE * width / nights**0.5 <= _PULL:
        return True
    low, high = width_bounds(nights - 1.0, _PULL, _SURE)
    return not low <= width <= high


def _placed(placements: list[Placement]) -> tuple[Table, list[str]]:
    table = Table("placed by", "sub-frames", "within 1 px", "beyond 5 px, no flag",
                  title="DIPOL's sub-frames against the truth")
    wrong = []
    for how in ("quads", "pair", "refused"):
        mine = [p for p in placements
                if (p.how if p.how in ("quads", "pair") else "refused") == how]
        if not mine:
            continue
        near = sum(p.off_px <= 1.0 for p in mine)
        lost = sum(p.off_px > 5.0 and not p.flagged for p in mine)
        table.add_row(how, str(len(mine)), str(near), str(lost))
        if lost:
            wrong.append(f"{lost} sub-frames placed by {how} are off by more than 5 px unflagged")
        if how == "pair" and any(p.off_px > 5.0 for p in mine):
            wrong.append("a sub-frame of one or two pairs is placed on the wrong star")
    several = [p for p in placements if p.how != "pair"]
    if several and sum(p.off_px <= 1.0 for p in several) < 0.95 * len(several):
        wrong.append("less than 95 % of the sub-frames of three or more stars are within 1 px")
    return table, wrong
