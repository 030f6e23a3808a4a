"""What is to be plotted of a night's sources; a worker draws it (``reduction.nightplot``)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any

from iop4d.alerts.summary.measured import is_sound, night_before, results_of
from iop4d.model.bands import band_order
from iop4d.model.messages import NightPlotRequest, PlotPanel, PlotSeries
from iop4d.store.schema import Result, Source

_MOST = 500  # points of a band; of more, every so-many-th is shown
Point = tuple[float, float, float, bool]
Take = Callable[[Result], tuple[float | None, float | None]]


def _mag(row: Result) -> tuple[float | None, float | None]:
    return row.mag, row.mag_err


def _percent(row: Result) -> tuple[float | None, float | None]:
    return _times(row.p, 100.0), _times(row.p_err, 100.0)


def _angle(row: Result) -> tuple[float | None, float | None]:
    return row.chi_deg, row.chi_err_deg


def _times(value: float | None, factor: float) -> float | None:
    return None if value is None else value * factor


#: Label of each panel, what it shows of a result, and whether it grows downwards.
_PANELS: tuple[tuple[str, Take, Any, bool], ...] = (
    ("magnitude", _mag, Result.mag, True), ("p (%)", _percent, Result.p, False),
    ("χ (°)", _angle, Result.chi_deg, False))


def plot_requests(night: str) -> Iterator[tuple[str, NightPlotRequest]]:
    """The plot of each source that has something to show; within a connection."""
    entries = {entry.name: entry for entry in Source.select()}
    names = Result.select(Result.source).where(Result.night == night).distinct().tuples()
    for (name,) in names:
        request = _request(night, name, entries.get(name))
        if request is not None:
            yield name, request


def _request(night: str, name: str, entry: Source | None) -> NightPlotRequest | None:
    rows = results_of(night, name)
    before = _night_beside(rows)
    past = results_of(before, name) if before else []
    panels = tuple(panel for panel in (
        _panel(label, take, column, rows, past, entry, downwards)
        for label, take, column, downwards in _PANELS) if panel is not None)
    if not panels:
        return None
    also = f" ({entry.other_names[0]})" if entry is not None and entry.other_names else ""
    shown = before if any(s.before for panel in panels for s in panel.series) else ""
    return NightPlotRequest(title=f"{name}{also}", night=night, panels=panels, before=shown)


def _lone(rows: Sequence[Result], take: Take, column: Any) -> set[str]:
    """The bands of which a quantity has one sound point alone."""
    counts: dict[str, int] = {}
    for row in rows:
        if take(row)[0] is not None and is_sound(row, column):
            counts[row.band] = counts.get(row.band, 0) + 1
    return {band for band, count in counts.items() if count == 1}


def _night_beside(rows: Sequence[Result]) -> str:
    """The latest earlier night that has points beside which a lone one can be seen."""
    nights = [night_before(row, column) for _, take, column, _ in _PANELS
              for band in _lone(rows, take, column)
              for row in [next(row for row in rows if row.band == band)]]
    return max(nights, default="")


def _panel(label: str, take: Take, column: Any, rows: Sequence[Result], past: Sequence[Result],
           entry: Source | None, downwards: bool) -> PlotPanel | None:
    series = [PlotSeries(band=band, points=points) for band, points in _by_band(rows, take, column)]
    if not series:
        return None
    beside = _lone(rows, take, column)
    series += [PlotSeries(band=band, points=points, before=True)
               for band, points in _by_band(
                   [row for row in past if is_sound(row, column)], take, column)
               if band in beside]
    bands = list(dict.fromkeys(one.band for one in series))
    literature = _literature(label, entry, bands)
    if take is _angle:
        centre = _centre([point for one in series for point in one.points])
        series = [replace(one, points=tuple(
            (jd, _near(chi, centre), err, sound) for jd, chi, err, sound in one.points))
            for one in series]
        literature = tuple((band, _near(chi, centre)) for band, chi in literature)
    return PlotPanel(label=label, series=tuple(series), literature=literature,
                     downwards=downwards)


def _by_band(rows: Sequence[Result], take: Take,
             column: Any) -> Iterator[tuple[str, tuple[Point, ...]]]:
    ordered = sorted(rows, key=lambda row: band_order(row.band))
    for band, group in groupby(ordered, key=lambda row: str(row.band)):
        points = [(row.jd_mid, value, math.nan if err is None else err,
                   is_sound(row, column))
                  for row in group for value, err in [take(row)] if value is not None]
        if points:
            yield band, tuple(points[::math.ceil(len(points) / _MOST)])


def _literature(label: str, entry: Source | None,
                bands: Sequence[str]) -> tuple[tuple[str, float], ...]:
    """What the catalogue says of the source itself."""
    if entry is None:
        return ()
    if label == _PANELS[0][0]:
        return tuple((band, float(entry.magnitudes[band][0])) for band in bands
                     if band in entry.magnitudes)
    value = _times(entry.p, 100.0) if label == _PANELS[1][0] else entry.chi_deg
    return () if value is None else (("", value),)


def _centre(points: Sequence[Point]) -> float:
    """The mean angle of points, of which 180 degrees are the whole round."""
    twice = [math.radians(2.0 * chi) for _, chi, _, _ in points]
    return math.degrees(math.atan2(math.fsum(map(math.sin, twice)),
                                   math.fsum(map(math.cos, twice)))) / 2.0 % 180.0


def _near(chi: float, centre: float) -> float:
    """The same angle, within 90 degrees of a centre."""
    return centre + (chi - centre + 90.0) % 180.0 - 90.0
