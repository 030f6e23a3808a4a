"""Each source of a night: its last values, their change against the past, a small light curve."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from markupsafe import Markup

from iop4d.model import uncertainty
from iop4d.model.bands import band_order
from iop4d.model.units import angle_difference, mean_angle
from iop4d.store import tonight
from iop4d.store.database import Connection
from iop4d.web.sparkline import EMPTY, Series, sparkline
from iop4d.web.views.tonight.telescopes import named

MOST = 30  # sources that the page shows; the night's page has all
_SURE = 3.0  # sigmas from which a change is said to be one
_SHARE_OF_PAST = 0.35  # of the small curve's width


@dataclass(frozen=True, kw_only=True)
class Change:
    """A value minus the mean of the night before, with its error. Of p a fraction, of chi degrees
    the shorter way."""

    value: float
    error: float
    night: str

    @property
    def is_sure(self) -> bool:
        """Whether it is more than the errors make."""
        return abs(self.value) > _SURE * self.error


@dataclass(frozen=True, kw_only=True)
class SourceNow:
    """A source in a night. ``shown``: the name that people use; ``point``: its last good magnitude
    in the band with most points, the last one of any kind where none is good; ``others``: of the
    other bands; ``alert``: the state of its alert, empty for none."""

    name: str
    shown: str
    point: Any
    count: int
    polarised: Any = None
    others: list[Any] = field(default_factory=list)
    change: Change | None = None
    p_change: Change | None = None
    chi_change: Change | None = None
    curve: Markup = EMPTY
    p_curve: Markup = EMPTY
    alert: str = ""


def sources_now(db: Connection, night: str, points: Sequence[Any], alerts: Mapping[str, str],
                names: Mapping[str, list[str]], *, most: int = MOST) -> list[SourceNow]:
    """The sources of a night's points (the latest first): those with an alert first, then by the
    time of their last point."""
    of: dict[str, list[Any]] = {}
    for point in points:
        of.setdefault(point.source, []).append(point)
    order = sorted(of, key=lambda name: (name not in alerts, -of[name][0].jd_mid))
    return [_source(db, night, name, of[name], alerts.get(name, ""), named(names, name))
            for name in order[:most]]


def _source(db: Connection, night: str, name: str, points: list[Any], alert: str,
            shown: str) -> SourceNow:
    good = [p for p in points if tonight.is_good(p)]
    measured = good or [p for p in points if p.mag is not None] or points
    counts = Counter(p.band for p in measured)
    band = max(counts, key=lambda one: (counts[one], one == "R", one))
    of_band = [p for p in measured if p.band == band]
    others = [next(p for p in measured if p.band == other) for other in counts if other != band]
    polarised = [p for p in points if p.p is not None]
    first = min(p.jd_mid for p in points)
    past = tonight.past(db, name, band, before=first, night=night)
    past_p = tonight.past_polarisation(db, name, before=first, night=night) if polarised else []
    point, last_p = of_band[0], next(iter(polarised), None)
    return SourceNow(
        name=name, shown=shown, point=point, count=len(points), polarised=last_p,
        others=sorted(others, key=lambda p: band_order(p.band)), alert=alert,
        change=_change(point, past) if good else None,
        p_change=_p_change(last_p, past_p), chi_change=_chi_change(last_p, past_p),
        curve=_curve(f"{shown} {band}", of_band, past), p_curve=_p_curve(shown, polarised, past_p))


# Change.


def _of_night_before(past: Iterable[Any]) -> list[Any]:
    rows = list(past)
    return [row for row in rows if row.night == rows[0].night]


def _like(point: Any, rows: Sequence[Any]) -> list[Any]:
    """Those of the camera and band of a polarisation, else of the band, else all of them."""
    of_band = [row for row in rows if row.band == point.band]
    of_camera = [row for row in of_band if (row.telescope, row.instrument) == (
        point.telescope, point.instrument)]
    return of_camera or of_band or list(rows)


def _change(point: Any, past: Sequence[Any]) -> Change | None:
    """The magnitude minus the mean of the last night before; of the same camera if it was there."""
    before = _of_night_before(past)
    if not before or point.mag_err is None:
        return None
    same = [row for row in before if (row.telescope, row.instrument) == (
        point.telescope, point.instrument)]
    rows = same or before
    mean = sum(row.mag for row in rows) / len(rows)
    own = math.sqrt(sum((row.mag_err or 0.0) ** 2 for row in rows)) / len(rows)
    common = uncertainty.between(point.mag_err_common, rows[0].mag_err_common, shared=bool(same))
    return Change(value=point.mag - mean, error=math.hypot(point.mag_err, own, common),
                  night=rows[0].night)


def _p_change(point: Any, past: Sequence[Any]) -> Change | None:
    shown = None if point is None else uncertainty.p_shown(point)
    if shown is None or not past or point.p_err is None:
        return None
    before = _like(point, _of_night_before(past))
    values = [value for row in before if (value := uncertainty.p_shown(row)) is not None]
    mean = sum(values) / len(values)
    own = math.sqrt(sum((row.p_err or 0.0) ** 2 for row in before)) / len(before)
    return Change(value=shown - mean, error=math.hypot(point.p_err, own), night=before[0].night)


def _chi_change(point: Any, past: Sequence[Any]) -> Change | None:
    if point is None or not _has_angle(point):
        return None
    before = [row for row in _like(point, _of_night_before(past)) if _has_angle(row)]
    if not before:
        return None
    weights = [row.chi_err_deg**-2 for row in before]
    mean, own = mean_angle([row.chi_deg for row in before], weights), sum(weights)**-0.5
    if math.isnan(mean):
        return None
    first = before[0]
    common = uncertainty.between(point.chi_err_common, first.chi_err_common, shared=(
        point.telescope, point.instrument) == (first.telescope, first.instrument))
    return Change(value=angle_difference(point.chi_deg, mean),
                  error=math.hypot(point.chi_err_deg, own, common), night=first.night)


def _has_angle(row: Any) -> bool:
    """Whether a polarisation is more than a limit."""
    return row.p_limit is None and row.chi_deg is not None and bool(row.chi_err_deg)


# Small curves: what was before in a third of the width, the night in the rest.


def _placed(points: Sequence[tuple[float, float, float | None]], low: float, high: float,
            ) -> list[tuple[float, float, float | None]]:
    """Points with their times spread over a part of the width."""
    if not points:
        return []
    begin, end = min(p[0] for p in points), max(p[0] for p in points)
    span = (end - begin) or 1.0
    middle = 0.5 if end == begin else 0.0
    return [(low + (high - low) * ((x - begin) / span + middle), y, e) for x, y, e in points]


def _curve_of(points: Sequence[tuple[float, float, float | None]],
              past: Sequence[tuple[float, float, float | None]], label: str, *, inverted: bool,
              least_span: float) -> Markup:
    edge = _SHARE_OF_PAST if past else 0.0
    return sparkline(
        [Series(points=_placed(past, 0.0, edge - 0.04 if past else 0.0), style="past"),
         Series(points=_placed(points, edge, 1.0), style="now")], label, inverted=inverted,
        least_span=least_span, x_range=(0.0, 1.0),
        level=sum(p[1] for p in past) / len(past) if past else None)


def _curve(what: str, points: Sequence[Any], past: Sequence[Any]) -> Markup:
    now = [(p.jd_mid, p.mag, p.mag_err) for p in points if p.mag is not None]
    before = [(p.jd_mid, p.mag, p.mag_err) for p in past]
    if not now:
        return EMPTY
    label = (f"Magnitude of {what}: {len(now)} points of the night from "
             f"{max(now)[1]:.2f}" if len(now) == 1 else
             f"Magnitude of {what}: {len(now)} points of the night, {min(now)[1]:.2f} first, "
             f"{max(now)[1]:.2f} last")
    if before:
        label += f"; {len(before)} points of earlier nights"
    return _curve_of(now, before, label, inverted=True, least_span=0.1)


def _p_curve(shown: str, points: Sequence[Any], past: Sequence[Any]) -> Markup:
    now = [(p.jd_mid, 100.0 * value, None if p.p_err is None else 100.0 * p.p_err)
           for p in points if (value := uncertainty.p_shown(p)) is not None]
    before = [(p.jd_mid, 100.0 * value, None if p.p_err is None else 100.0 * p.p_err)
              for p in past if (value := uncertainty.p_shown(p)) is not None]
    if not now:
        return EMPTY
    label = f"Polarisation of {shown}: {len(now)} points of the night, last {max(now)[1]:.1f} %"
    return _curve_of(now, before, label, inverted=False, least_span=1.0)
