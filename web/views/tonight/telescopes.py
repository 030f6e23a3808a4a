"""Each telescope in a night: what it observes, its last frame, the sky, how good the data are."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from markupsafe import Markup

from iop4d.model.frame import FrameKind
from iop4d.model.result import STACK
from iop4d.model.states import TROUBLED_FRAMES, FrameState
from iop4d.model.units import SECONDS_A_DAY, utc_of_jd
from iop4d.store import tonight
from iop4d.web.sparkline import EMPTY, Mark, Series, sparkline, timeline
from iop4d.web.views.tonight.precision import Precision

_OBSERVING_S = 600.0  # after the end of its last exposure a telescope may still be observing
_READ_OUT_S = 120.0  # from the end of an exposure until its file is there
MARKS = 160  # of a time line; more frames than these share marks
#: The worst fate of frames that share a mark stands for all.
_WORST = ("failed", "quarantined", "rejected", "waiting", "queued", "provisional", "done",
          "calibration")


@dataclass(frozen=True, kw_only=True)
class Curve:
    """A quantity through the night: its picture, its last value and what it was at its best.

    ``setup``: of which camera and mode, where the telescope used several.
    """

    name: str
    picture: Markup
    last: float
    best: float
    unit: str = ""
    band: str = ""
    digits: int = 1
    setup: str = ""


@dataclass(frozen=True, kw_only=True)
class TelescopeNow:
    """A telescope in a night.

    ``newest``: its last frame; ``shown``: its last science frame; ``is_observing``: whether it is
    at it now; ``fates``: number of frames by fate.
    """

    name: str
    newest: Any = None
    shown: Any = None
    is_observing: bool = False
    fates: dict[str, int] = field(default_factory=dict)
    curves: list[Curve] = field(default_factory=list)
    timeline: Markup = EMPTY
    precisions: list[Precision] = field(default_factory=list)
    target: str = ""  # what it observes, as people call it
    night: str = ""  # the night that is shown of it
    is_present: bool = False  # whether that is the present night at its place


def fate(frame: Any) -> str:
    """What became of a frame, in a word."""
    if frame.state == FrameState.DONE:
        if frame.kind not in (None, FrameKind.SCIENCE):
            return "calibration"
        return "provisional" if frame.provisional else "done"
    return str(frame.state)


def called(frame: Any, names: Mapping[str, list[str]]) -> str:
    """What a frame is of, as people call it; empty before it is read."""
    if frame is None:
        return ""
    return named(names, frame.target) if frame.target else frame.object or frame.kind or ""


def by_telescope(rows: Iterable[Any]) -> dict[str, list[Any]]:
    """Frames or points by their telescope, in the order that they have."""
    found: dict[str, list[Any]] = {}
    for row in rows:
        found.setdefault(row.telescope, []).append(row)
    return found


def span_of(frames: Sequence[Any]) -> tuple[float, float] | None:
    """From the beginning of the first exposure to the end of the last one, JD; None without one."""
    known = [f for f in frames if f.jd_start is not None]
    if not known:
        return None
    return (min(f.jd_start for f in known),
            max(f.jd_start + (f.exptime_s or 0.0) / SECONDS_A_DAY for f in known))


def telescope_now(name: str, frames: Sequence[Any], points: Sequence[Any],
                  span: tuple[float, float] | None, *, now_jd: float, root: str,
                  names: Mapping[str, list[str]], precisions: Sequence[Precision] = (),
                  night: str = "", is_present: bool = False) -> TelescopeNow:
    """A telescope by its frames and points of a night, each the latest first."""
    newest = next(iter(frames), None)
    shown = next((f for f in frames if f.kind in (None, FrameKind.SCIENCE)
                  and f.state not in (FrameState.DUPLICATE, FrameState.SUPERSEDED)), None)
    return TelescopeNow(
        name=name, newest=newest, shown=shown,
        is_observing=_is_observing(newest, now_jd),
        fates=dict(Counter(map(fate, frames)).most_common()),
        curves=_curves(frames, points, span), precisions=list(precisions),
        timeline=_timeline(name, frames, span, root, names),
        target=called(newest, names), night=night, is_present=is_present)


def _is_observing(newest: Any, now_jd: float) -> bool:
    if newest is None or newest.jd_start is None:
        return False
    exposed: float = newest.exptime_s or 0.0
    since_end: float = (now_jd - newest.jd_start) * SECONDS_A_DAY - exposed
    return since_end < max(_OBSERVING_S, 2.0 * exposed + _READ_OUT_S)


# Curves.


def _curves(frames: Sequence[Any], points: Sequence[Any],
            span: tuple[float, float] | None) -> list[Curve]:
    seeing = [(f.jd_start, f.fwhm_arcsec) for f in frames
              if f.fwhm_arcsec and f.jd_start is not None]
    found = [_curve("seeing", "″", seeing, span, least_span=1.0, best=min)]
    calibrated = [p for p in points if p.zero_point is not None and p.mode != STACK]
    if calibrated:
        # Each camera, mode and band has a zero point of its own.
        used = Counter(map(_setup, calibrated))
        of = max((one for one in used if one[0] == calibrated[0].instrument), key=lambda one: (
            used[one]))
        zero = {round(p.jd_mid, 4): (p.jd_mid, p.zero_point) for p in calibrated
                if _setup(p) == of}
        sky = _sky([f for f in frames if _setup(f) == of],
                   statistics.median(value for _, value in zero.values()))
        instrument, mode, band = of
        several = ", ".join(filter(None, (instrument, mode)))
        said = several if len({one[:2] for one in used}) > 1 else ""
        found += [_curve("sky", "mag/″²", sky, span, band=band, inverted=True, least_span=1.0,
                         best=max, setup=said),
                  _curve("zero point", "mag", list(zero.values()), span, band=band, least_span=0.4,
                         best=max, digits=2, setup=said)]
    return [one for one in found if one is not None]


def _setup(row: Any) -> tuple[str, str, str]:
    """Camera, mode and band of a frame or a point."""
    return row.instrument or "", row.mode or "", row.band or ""


def _sky(frames: Sequence[Any], zero: float) -> list[tuple[float, float]]:
    """The brightness of the sky on frames of one zero point, in magnitudes per square arcsecond."""
    found = []
    for f in frames:
        if f.jd_start is None or not (f.sky and f.exptime_s and f.fwhm_px and f.fwhm_arcsec):
            continue
        pixel = f.fwhm_arcsec / f.fwhm_px
        rate = f.sky / f.exptime_s / pixel**2
        if rate > 0:
            found.append((f.jd_start, zero - 2.5 * math.log10(rate)))
    return found


def _curve(name: str, unit: str, points: list[tuple[float, float]],
           span: tuple[float, float] | None, *, least_span: float, best: Any, band: str = "",
           inverted: bool = False, digits: int = 1, setup: str = "") -> Curve | None:
    if not points:
        return None
    last = max(points)[1]
    extreme = best(value for _, value in points)
    of = " ".join(filter(None, (name, band, f"({setup})" if setup else "")))
    label = (f"{of} through the night: last {last:.{digits}f} {unit}, best "
             f"{extreme:.{digits}f} {unit}")
    picture = sparkline([Series(points=[(x, y, None) for x, y in points], line=True)], label,
                        least_span=least_span, x_range=span, inverted=inverted)
    return Curve(name=name, picture=picture, last=last, best=extreme, unit=unit, band=band,
                 digits=digits, setup=setup)


# The time line.


def _timeline(name: str, frames: Sequence[Any], span: tuple[float, float] | None,
              root: str, names: Mapping[str, list[str]]) -> Markup:
    known = [f for f in frames if f.jd_start is not None]
    if not known or span is None:
        return EMPTY
    begin, end = span
    if len(known) <= MARKS:
        marks = [_mark(f, root, names) for f in known]
    else:
        marks = _shared(known, begin, end, root)
    counts = ", ".join(f"{n} {word}" for word, n in Counter(map(fate, known)).most_common())
    return timeline(marks, f"Frames of {name} from {_clock(begin)} to {_clock(end)}: {counts}",
                    begin, end)


def _mark(frame: Any, root: str, names: Mapping[str, list[str]]) -> Mark:
    what = " ".join(filter(None, (called(frame, names), frame.band)))
    return Mark(
        begin=frame.jd_start, end=frame.jd_start + (frame.exptime_s or 0.0) / SECONDS_A_DAY,
        style=fate(frame), address=f"{root}/frames/{frame.id}",
        title=f"{_clock(frame.jd_start)} {what}: {fate(frame)}, {frame.name}")


def _shared(frames: Sequence[Any], begin: float, end: float, root: str) -> list[Mark]:
    """Marks of equal spans of time, each of the worst fate in it and with a link to that frame."""
    width = (end - begin) / MARKS or 1.0
    cells: dict[int, list[Any]] = {}
    for frame in frames:
        cells.setdefault(min(int((frame.jd_start - begin) / width), MARKS - 1), []).append(frame)
    marks = []
    for number, cell in sorted(cells.items()):
        worst = min(cell, key=_badness)
        counts = ", ".join(f"{n} {word}" for word, n in Counter(map(fate, cell)).most_common())
        from_ = begin + number * width
        marks.append(Mark(begin=from_, end=from_ + 0.9 * width, style=fate(worst),
                          address=f"{root}/frames/{worst.id}",
                          title=f"{_clock(from_)} to {_clock(from_ + width)}: {counts}"))
    return marks


def _badness(frame: Any) -> int:
    word = fate(frame)
    return _WORST.index(word) if word in _WORST else len(_WORST)


def _clock(jd: float) -> str:
    return str(utc_of_jd(jd, "%H:%M"))


def failed(frames: Iterable[Any]) -> int:
    """How many frames failed or are quarantined."""
    return sum(frame.state in TROUBLED_FRAMES for frame in frames)


def science_points(points: Sequence[Any], telescope: str, source: str) -> tuple[Any, Any]:
    """The newest good magnitude and the newest polarisation of a source at a telescope."""
    of = [p for p in points if p.telescope == telescope and p.source == source]
    return (next((p for p in of if tonight.is_good(p)), None),
            next((p for p in of if p.p is not None), None))


def named(names: Mapping[str, list[str]], source: str) -> str:
    """The name of a source that people use."""
    known = names.get(source, [source])
    return known[1] if len(known) > 1 else source
