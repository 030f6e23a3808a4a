"""What is to be plotted of a night's sources; a worker draws it (``reduction.plots``)."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING

from iop4d.model.bands import band_order
from iop4d.model.messages import NightPlotRequest, PlotPanel, PlotSeries
from iop4d.model.source import Source
from iop4d.model.units import angle_difference, mean_angle
from iop4d.store import catalogue, summaries
from iop4d.store.database import Connection

if TYPE_CHECKING:
    from iop4d.store.schema import Result

_MOST = 500  # points of a band; of more, every so-many-th is shown


@dataclass(frozen=True, kw_only=True)
class _Panel:
    """A panel: what it shows of a result (columns of value and error, times a factor)."""

    label: str
    quantity: str
    value: str
    error: str
    factor: float = 1.0

    def values(self, row: Result) -> tuple[float | None, float]:
        """Value and error of a result; None and NaN where there is none."""
        value, error = getattr(row, self.value), getattr(row, self.error)
        return (None if value is None else value * self.factor,
                math.nan if error is None else error * self.factor)


_MAGNITUDE = _Panel(label="magnitude", quantity="mag", value="mag", error="mag_err")
_DEGREE = _Panel(label="p (%)", quantity="p", value="p", error="p_err", factor=100.0)
_ANGLE = _Panel(label="χ (°)", quantity="chi", value="chi_deg", error="chi_err_deg")
_PANELS = (_MAGNITUDE, _DEGREE, _ANGLE)


def plot_requests(db: Connection, night: str) -> Iterator[tuple[str, NightPlotRequest]]:
    """The plot of each source that has something to show."""
    entries = {entry.name: entry for entry in catalogue.load(db).sources}
    for name in summaries.sources(db, night):
        request = _request(db, night, name, entries.get(name))
        if request is not None:
            yield name, request


def _request(db: Connection, night: str, name: str, entry: Source | None,
             ) -> NightPlotRequest | None:
    rows = summaries.results(db, night, name)
    before = _night_beside(db, rows)
    past = summaries.results(db, before, name) if before else []
    panels = tuple(panel for kind in _PANELS
                   if (panel := _panel(kind, rows, past, entry)) is not None)
    if not panels:
        return None
    called = f"{entry.other_names[0]} ({name})" if entry is not None and entry.other_names \
        else name
    shown = before if any(s.before for panel in panels for s in panel.series) else ""
    return NightPlotRequest(title=called, night=night, panels=panels, before=shown)


def _lone(panel: _Panel, rows: Sequence[Result]) -> set[str]:
    """The bands of which a panel has one sound point alone."""
    counts = Counter(row.band for row in rows if panel.values(row)[0] is not None
                     and summaries.is_sound(row, panel.quantity))
    return {band for band, n in counts.items() if n == 1}


def _night_beside(db: Connection, rows: Sequence[Result]) -> str:
    """The latest earlier night that has points beside which a lone one can be seen."""
    found = [summaries.preceding_night(db, next(row for row in rows if row.band == band),
                                    panel.quantity)
             for panel in _PANELS for band in _lone(panel, rows)]
    return max(found, default="")


def _panel(panel: _Panel, rows: Sequence[Result], past: Sequence[Result],
           entry: Source | None) -> PlotPanel | None:
    series = list(_by_camera(panel, rows))
    if not series:
        return None
    beside = _lone(panel, rows)
    sound_past = [row for row in past if summaries.is_sound(row, panel.quantity)]
    series += [replace(one, before=True) for one in _by_camera(panel, sound_past, beside=rows)
               if one.band in beside]
    literature = _literature(panel, entry, list(dict.fromkeys(one.band for one in series)))
    if panel is _ANGLE:
        centre = mean_angle([chi for one in series for _, chi, _, _ in one.points])
        series = [replace(one, points=tuple(
            (jd, _near(chi, centre), err, sound) for jd, chi, err, sound in one.points))
            for one in series]
        literature = tuple((band, _near(chi, centre)) for band, chi in literature)
    return PlotPanel(label=panel.label, series=tuple(series), literature=literature,
                     downwards=panel is _MAGNITUDE)


def _by_camera(panel: _Panel, rows: Sequence[Result],
               beside: Sequence[Result] = ()) -> Iterator[PlotSeries]:
    """Each band by each instrument; they have names where there are several, also ``beside``."""
    cameras = {(str(row.instrument), str(row.telescope)) for row in (*rows, *beside)}
    alike = Counter(instrument for instrument, _ in cameras)
    ordered = sorted(rows, key=lambda row: (
        band_order(row.band), row.instrument, row.telescope, row.jd_mid))
    for (band, instrument, telescope), group in groupby(
            ordered, key=lambda row: (str(row.band), str(row.instrument), str(row.telescope))):
        points = [(row.jd_mid, value, err, summaries.is_sound(row, panel.quantity))
                  for row in group for value, err in [panel.values(row)] if value is not None]
        name = f"{instrument} {telescope}" if alike[instrument] > 1 else instrument
        if points:
            yield PlotSeries(band=band, points=tuple(points[::math.ceil(len(points) / _MOST)]),
                             camera=name if len(cameras) > 1 else "")


def _literature(panel: _Panel, entry: Source | None,
                bands: Sequence[str]) -> tuple[tuple[str, float], ...]:
    """What the catalogue has of the source itself."""
    if entry is None:
        return ()
    if panel is _MAGNITUDE:
        return tuple((band, entry.magnitudes[band][0]) for band in bands
                     if band in entry.magnitudes)
    value = entry.p * 100.0 if panel is _DEGREE else entry.chi_deg
    return () if math.isnan(value) else (("", value),)


def _near(chi: float, centre: float) -> float:
    """The same angle, within 90 degrees of a centre; as it is where angles have none."""
    return chi if math.isnan(centre) else centre + angle_difference(chi, centre)
