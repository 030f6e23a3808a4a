"""Hard nights against the simulator's truth: ``make accuracy ARGS="--hard"``.

Every situation for every instrument: what is measured must be right within its error, or flagged.
The catalogue and the instrument's constants are true, so that deviations are random and the pulls
are those of the random errors alone. ``--only NAME``, ``--instrument NAME`` run single ones:
``python -m tests.bench.hard --only isp --instrument AndorT90``. ``--resume FOLDER`` keeps what each
gave in a folder, and does not run again what is there: a run can be stopped and finished in pieces.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from iop4d.model.flags import NEVER_ALERTS, Flag
from iop4d.model.flags import names as flag_names
from iop4d.model.messages import (
    CalibrateRequest,
    MasterRef,
    MeasuredFrame,
    PolarimetryRequest,
    Polarised,
    SeriesCalibrated,
    StarList,
)
from iop4d.model.result import ResultValue
from iop4d.model.uncertainty import chi_total, p_total
from iop4d.model.units import angle_difference
from iop4d.simulator.frames import Truth
from iop4d.simulator.night import Night
from iop4d.simulator.plan import PHOTOMETRY, NightPlan
from iop4d.simulator.setups import SETUPS, setup_of
from tests.bench.check_stars import truths_of
from tests.bench.errors import is_error, width_bounds
from tests.bench.scores import Deviation, Piece, Score, keep_score, read_score
from tests.bench.situations import (
    CHECK_STARS,
    QUANTITIES,
    SITUATIONS,
    Situation,
    catalogue_of,
    plan_of,
)
from tests.support.lab import Lab, camera_masters, measured_frame, reduced_of, star_list, value_of

#: A result with any of these says by itself that it may be wrong.
EXCUSED = (NEVER_ALERTS | Flag.NONLINEAR | Flag.CALIBRATORS_DISAGREE | Flag.UNSTEADY
           | Flag.POOR_WCS | Flag.HOST_EXTRAPOLATED)
#: Check stars do not vary, and behind a polariser the errors allow for sources that do.
_STEADY = "[polarimetry]\nvariability = 0"
_FAR = 5.0  # errors beyond which a point must have a flag
_SURE = 3.0  # errors of a mean or width by which it must be out of bounds to count as wrong
_WIDTH = 0.2  # distance of the pulls' width from 1
_CLEAN = 0.5  # part of the results that have no flag where nothing is wrong with them
_FEWEST_CLEAN = 3  # results that tell: now and then a cosmic ray hits one, which is flagged rightly
_BIAS = {"mag": 0.003, "q": 0.001, "u": 0.001, "p": 0.001, "chi": 0.3}  # no smaller one is judged
_FEWEST = 20  # numbers that tell the width of their pulls
_SIGNIFICANT = 5.0  # sigmas of p from which on its pull and that of chi are Gaussian


def _score(piece: Piece, masters: tuple[MasterRef, ...], folder: Path | None) -> Score:
    score = run(piece.situation, piece.instrument, piece.seed, piece.groups, piece.frames, masters)
    if folder:
        keep_score(score, piece.kept(folder))
    return score


def run(name: str, instrument: str, seed: int, groups: int, frames: int,
        masters: tuple[MasterRef, ...]) -> Score:
    """A polarimetry night of so many groups and a photometry one of so many frames."""
    situation = next(one for one in SITUATIONS if one.name == name)
    score = Score(situation=name, instrument=instrument)
    plans = [plan_of(situation, instrument, seed, groups=groups)] if groups else []
    if frames:
        plans.append(plan_of(situation, instrument, seed + 1, frames=frames))
    with tempfile.TemporaryDirectory(prefix="iop4d-hard-") as scratch:
        for plan in plans:
            folder = Path(scratch) / plan.mode
            folder.mkdir()
            catalogue = catalogue_of(situation, plan)
            _night(situation, plan, Lab(folder, catalogue), Lab(folder, catalogue, _STEADY),
                   masters, score)
    return score


def _night(situation: Situation, plan: NightPlan, lab: Lab, steady: Lab,
           masters: tuple[MasterRef, ...], score: Score) -> None:
    """Reduce a night as the daemon would, and compare; ``steady``: for stars that do not vary."""
    whole: StarList | None = None
    truths: dict[int, dict[int, Truth]] = {}
    measured: dict[int, list[MeasuredFrame]] = {}
    made: list[Path] = []
    own, photometry = situation.own_masters, plan.mode == PHOTOMETRY
    for number, frame in enumerate(Night(plan).frames()):
        path = situation.container(lab.put(frame), number)
        if frame.truth is None:
            made.append(path)
            continue
        if own and made:
            masters, made = lab.masters_of(made), []
        facts, _ = lab.classify(path)
        outcome = lab.reduce(path, facts, masters, whole)
        path.unlink()
        score.frames += 1
        of_field = not photometry and frame.truth.group == 0  # a whole frame before sub-frames
        if not of_field:
            truths.setdefault(frame.truth.group, {})[number] = frame.truth
        found = reduced_of(outcome)
        if found is None:
            score.reasons.append(f"{frame.name}: {getattr(outcome, 'reason', outcome)}")
            continue
        score.solved += 1
        if of_field:
            whole = star_list(found) or whole
            continue
        measured.setdefault(frame.truth.group, []).append(measured_frame(number, facts, found))
    for group, some in truths.items():
        frames = measured.get(group, [])
        source = next(iter(some.values())).source
        if photometry:
            found_of = _series(lab, frames, source)
            for number, truth in some.items():
                _compare(found_of.get(number), truth, situation, score)
            for name in {one.source for truth in some.values() for one in _checks(truth)}:
                found_of = _series(lab, frames, name)
                for number, truth in some.items():
                    _add_checks({name: found_of.get(number)}, truth, situation, score)
        else:
            # Targets vary slowly: the group's magnitude is that of its mean time.
            used = [some[frame.id] for frame in frames] or list(some.values())
            mag = float(np.mean([truth.target_mag for truth in used]))
            _compare(_group(lab, frames).get(source), replace(used[0], target_mag=mag), situation,
                     score)
            _add_checks(_group(steady, frames), used[0], situation, score)


def _checks(truth: Truth) -> Iterable[Truth]:
    return truths_of(truth, CHECK_STARS)


def _add_checks(results: Mapping[str, ResultValue | None], truth: Truth, situation: Situation,
                score: Score) -> None:
    """Add the numbers of the check stars, of those that were measured, to the score."""
    for one in _checks(truth):
        result = results.get(one.source)
        if result is not None:
            score.found += [replace(d, check=True) for d in deviations(result, one)
                            if d.quantity in situation.judged]


def _compare(result: ResultValue | None, truth: Truth, situation: Situation, score: Score) -> None:
    """Add a result, or that there is none, to the score."""
    score.expected += 1
    if result is None:
        return
    score.got += 1
    score.flags.update(flag_names(result.flags))
    found = [d for d in deviations(result, truth) if d.quantity in situation.judged]
    if not result.flags & int(EXCUSED):
        wanted = {"mag"} if truth.q is None else {"mag", "q"}
        score.missing.update((wanted & set(situation.judged)) - {d.quantity for d in found})
    mostly = 2 * sum(d.flagged for d in found) > len(found)
    score.marks["frame" if truth.q is None else "group", mostly] += 1
    score.found += found


def _series(lab: Lab, frames: list[MeasuredFrame], source: str) -> dict[int, ResultValue]:
    """The results of a source by the frames' numbers."""
    mine = tuple(f for f in frames if any(m.source == source for m in f.measurements))
    if not mine:
        return {}
    value = value_of(lab.bench.perform(CalibrateRequest(target=source, frames=mine)))
    assert isinstance(value, SeriesCalibrated)
    return dict(value.results)


def _group(lab: Lab, frames: list[MeasuredFrame]) -> dict[str, ResultValue]:
    """The results of a group by their sources' names."""
    if not frames:  # none of them was solved
        return {}
    value = value_of(lab.bench.perform(PolarimetryRequest(frames=tuple(frames))))
    assert isinstance(value, Polarised)
    return {r.source: r for r in value.results}


def deviations(result: ResultValue, truth: Truth) -> Iterable[Deviation]:
    """Each of the result's numbers against the truth; p and chi where p is significant."""
    bars, common = int(EXCUSED), _or_zero(result.mag_err_common)
    if np.isfinite(result.mag):
        yield Deviation(quantity="mag", off=result.mag - truth.target_mag, err=result.mag_err,
                        whole=float(np.hypot(result.mag_err, common)),
                        flagged=bool(result.flags & bars))
    if truth.q is None or truth.u is None or not np.isfinite(result.q):
        return
    assert truth.p is not None
    assert truth.chi_deg is not None
    # A calibrator is of no weight for a polarisation.
    bars &= ~int(Flag.NO_CALIBRATORS | Flag.CALIBRATORS_DISAGREE | Flag.UNSTEADY)
    flagged = bool(result.flags & bars)
    turn = np.radians(2.0 * _or_zero(result.chi_err_common)) * result.p
    turned = flagged or bool(result.flags & Flag.FIELD_ROTATED)
    for name, zero in (("q", result.q0_err), ("u", result.u0_err)):
        err = getattr(result, f"{name}_err")
        yield Deviation(quantity=name, off=getattr(result, name) - getattr(truth, name), err=err,
                        whole=float(np.hypot(np.hypot(err, _or_zero(zero)), turn)), flagged=turned)
    if not is_error(result.p_err) or result.p > _SIGNIFICANT * result.p_err:
        yield Deviation(quantity="p", off=result.p_debiased - truth.p, err=result.p_err,
                        whole=_or_nan(p_total(result)), flagged=flagged)
        yield Deviation(
            quantity="chi", off=angle_difference(result.chi_deg, truth.chi_deg),
            err=result.chi_err_deg, whole=_or_nan(chi_total(result)), flagged=turned)


def _or_nan(value: float | None) -> float:
    return np.nan if value is None else value


def _or_zero(value: float) -> float:
    return value if np.isfinite(value) else 0.0


def _cell(some: Sequence[Deviation]) -> str:
    """Bias and its error, width of the pulls, points far off."""
    if not some:
        return "-"
    off, pull = np.array([d.off for d in some]), np.array([d.off / d.err for d in some])
    scale = {"mag": 1e3, "chi": 1.0}.get(some[0].quantity, 100.0)
    far = sum(abs(d.off) > _FAR * d.whole for d in some)
    return (f"{scale * off.mean():+.2f}±{scale * _mean_err(some):.2f} "
            f"{np.sqrt(np.mean(pull**2)):.2f}" + (f" [{far}]" if far else ""))


def _mean_err(some: Sequence[Deviation]) -> float:
    """The error of a mean deviation: of its scatter, and no less than the errors say."""
    off, err = np.array([d.off for d in some]), np.array([d.err for d in some])
    scatter = off.std(ddof=1) if off.size > 2 else 0.0
    return float(max(scatter, np.sqrt(np.mean(err**2))) / np.sqrt(off.size))


def report(scores: Sequence[Score]) -> tuple[Table, list[str]]:
    """The table, and the promises that are not kept."""
    table = Table("situation", "instrument", "frames", "solved", "results", "flagged",
                  "mag mmag", "q %", "u %", "p %", "chi deg",
                  title="Hard nights: bias ± error, rms pull [unflagged beyond 5 sigma]")
    wrong: list[str] = []
    shared = {(one.name, name) for one in SITUATIONS for name in one.shared}
    for score in scores:
        flagged = sum(d.flagged for d in score.found)
        table.add_row(score.situation, score.instrument, str(score.frames), str(score.solved),
                      f"{score.got} of {score.expected}", f"{flagged} of {len(score.found)}",
                      *(_cell(score.of(name)) for name in QUANTITIES))
        wrong += _broken(score)
    clean = {one.name for one in SITUATIONS if one.clean}
    for instrument in dict.fromkeys(score.instrument for score in scores):
        mine = [score for score in scores if score.instrument == instrument]
        wrong += _flagged(instrument, [score for score in mine if score.situation in clean])
        pooled = {name: [d for score in mine for d in score.of(name)
                         if (score.situation, name) not in shared] for name in QUANTITIES}
        table.add_row("all", instrument, str(sum(s.frames for s in mine)),
                      str(sum(s.solved for s in mine)), f"{sum(s.got for s in mine)}", "",
                      *(_cell(some) for some in pooled.values()), style="bold")
        wrong += [f"{instrument}: pulls of {name} are {width:.2f} wide"
                  for name, some in pooled.items() if (width := _bad_width(some))]
    return table, wrong


def _broken(score: Score) -> list[str]:
    """What of one situation is wrong."""
    where = f"{score.situation}, {score.instrument}"
    wrong = []
    situation = next(one for one in SITUATIONS if one.name == score.situation)
    if situation.clean:
        wrong += _flagged(where, [score])
    if situation.clean and 2 * score.solved < score.frames:
        wrong.append(f"{where}: {score.frames - score.solved} of {score.frames} frames are not "
                     "solved")
    if not situation.hopeless and score.frames and not score.solved:
        wrong.append(f"{where}: none of {score.frames} frames is solved")
    if not situation.hopeless and 2 * score.got < score.expected:
        wrong.append(f"{where}: {score.got} results of {score.expected}")
    wrong += [f"{where}: {count} of {score.got} results have no {name}"
              for name, count in score.missing.items()
              if not situation.hopeless and 2 * count > score.got]
    without = Counter(d.quantity for d in score.found if not d.has_errors)
    wrong += [f"{where}: {count} numbers of {name} have no error"
              for name, count in without.items()]
    for name in QUANTITIES:
        some = score.of(name)
        far = [d for d in some if abs(d.off) > _FAR * d.whole]
        wrong += [f"{where}: {name} is off by {d.off:+.4f} +- {d.whole:.4f} without a flag"
                  for d in far]
        if not some:
            continue
        mean = float(np.mean([d.off for d in some]))
        # What all numbers share of their errors may be their bias.
        shared = float(np.sqrt(np.mean([max(d.whole**2 - d.err**2, 0.0) for d in some])))
        err = float(np.hypot(_mean_err(some), shared))
        if abs(mean) > _BIAS[name] + _SURE * err:
            wrong.append(f"{where}: {name} is biased by {mean:+.4f} +- {err:.4f}")
    return wrong


def _flagged(where: str, scores: Sequence[Score]) -> list[str]:
    """Whether most groups, or most frames, have a flag, of enough of them to tell."""
    wrong = []
    for kind in ("group", "frame"):
        bad, good = (sum(score.marks[kind, flagged] for score in scores)
                     for flagged in (True, False))
        if bad + good >= _FEWEST_CLEAN and good < _CLEAN * (bad + good):
            names = sorted({name for score in scores for name in score.flags})
            wrong.append(f"{where}: {bad} of {bad + good} {kind}s have flags: {', '.join(names)}")
    return wrong


def _bad_width(some: Sequence[Deviation]) -> float:
    """The pulls' root mean square where it is not 1 +- 0.2, more than so few leave open; else 0.
    """
    if len(some) < _FEWEST:
        return 0.0
    pulls = np.array([d.off / d.err for d in some])
    width = float(np.sqrt(np.mean(pulls**2)))
    low, high = width_bounds(float(len(some)), _WIDTH, _SURE)
    return 0.0 if low <= width <= high else width


def _masters(instrument: str, folder: Path) -> tuple[MasterRef, ...]:
    return camera_masters(instrument, folder, whole=True)


def _work(words: argparse.Namespace) -> list[Piece]:
    """What is to be run; the dearest first."""
    names = [setup.name for setup in SETUPS]
    work = []
    for i, situation in enumerate(SITUATIONS):
        for k, name in enumerate(names):
            if (words.only and situation.name not in words.only) or (
                    words.instrument and name not in words.instrument):
                continue
            part = setup_of(name).part is not None
            groups, frames = (1, 2) if words.short else (words.groups, words.groups)
            if part:
                groups, frames = max(1, groups // 3), 0
            # The short form: all with one instrument, a few with each of the others.
            if words.short and not words.only and name != "AndorT90" and (
                    name not in situation.short if part else (i + k) % 5):
                continue
            work.append(Piece(situation=situation.name, instrument=name,
                              seed=words.seed + 100 * i, groups=groups, frames=frames))
    return sorted(work, key=lambda one: -one.groups * (20 if setup_of(one.instrument).part else 1))


def _scores(work: Sequence[Piece], folder: Path | None) -> list[Score]:
    """What each piece gives, or gave when it was run before into the folder."""
    kept = {piece: read_score(piece.kept(folder)) for piece in work} if folder else {}
    scores = [score for score in kept.values() if score is not None]
    work = [piece for piece in work if kept.get(piece) is None]
    print(f"{len(scores)} kept, {len(work)} to run", file=sys.stderr)
    needed = list(dict.fromkeys(piece.instrument for piece in work))
    with (tempfile.TemporaryDirectory(prefix="iop4d-hard-") as scratch,
          ProcessPoolExecutor(os.cpu_count()) as pool):
        masters = dict(zip(needed, pool.map(
            _masters, needed, [Path(scratch) / name for name in needed]), strict=True))
        for score in pool.map(_score, work, [masters[piece.instrument] for piece in work],
                              [folder] * len(work)):
            scores.append(score)
            print(":", end="", flush=True, file=sys.stderr)
    return scores


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the situations and print the table; exit code 1 where a promise is broken."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("--short", action="store_true", help="one group and two frames of each")
    parser.add_argument("--only", action="append", metavar="SITUATION",
                        choices=[s.name for s in SITUATIONS])
    parser.add_argument("--instrument", action="append", choices=[s.name for s in SETUPS])
    parser.add_argument("--groups", type=int, default=6,
                        help="groups, and frames of photometry, of each; a third for DIPOL [6]")
    parser.add_argument("--seed", type=int, default=5000)
    parser.add_argument("--reasons", action="store_true",
                        help="flags, and why frames were not solved")
    parser.add_argument("--resume", type=Path, metavar="FOLDER",
                        help="keep what each gives there, and run only what is not there yet")
    words = parser.parse_args(arguments)
    if words.resume:
        words.resume.mkdir(parents=True, exist_ok=True)
    scores = _scores(_work(words), words.resume)
    order = {s.name: i for i, s in enumerate(SITUATIONS)}
    scores.sort(key=lambda score: (order[score.situation], score.instrument))
    table, wrong = report(scores)
    screen = Console(width=170)
    screen.print(table)
    if words.reasons:
        for score in scores:
            screen.print(f"{score.situation}, {score.instrument}: "
                         + ", ".join(f"{n} {name}" for name, n in score.flags.most_common()))
            for reason in score.reasons:
                screen.print(f"{score.situation}, {score.instrument}: {reason}")
    for line in wrong:
        screen.print(line)
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
