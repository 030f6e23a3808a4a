"""The plot of one source in one night: magnitudes by band, p and chi below."""

from __future__ import annotations

import math
from datetime import UTC
from io import BytesIO
from typing import TYPE_CHECKING

from iop4d.model.bands import colour_of
from iop4d.model.messages import NightPlotRequest, PlotPanel, PlotSeries
from iop4d.model.units import JD_UNIX_EPOCH

if TYPE_CHECKING:
    from collections.abc import Iterable

    from matplotlib.axes import Axes

_WIDTH, _DPI = 5.2, 180  # inches, 936 px: its text is read on a phone and does not blur on a screen
_HEIGHTS = (2.5, 1.4)  # inches of the magnitudes and of each further panel
_LEAST = {"magnitude": 0.05, "p (%)": 0.5, "χ (°)": 5.0}  # spans of an axis: noise is no change
_HOUR = 1 / 24
_LITERATURE = "liter."


def plot_night(request: NightPlotRequest) -> bytes:
    """The picture as PNG bytes, 936 px wide; magnitudes grow downwards."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    heights = [_HEIGHTS[min(number, 1)] for number in range(len(request.panels))]
    columns = [1, 2] if request.before else [1]
    with rc_context({"font.size": 10.5, "axes.titlesize": 10.5}):
        figure = Figure(figsize=(_WIDTH, sum(heights) + 0.8), dpi=_DPI, layout="constrained")
        grid = figure.subplots(len(heights), len(columns), squeeze=False, sharex="col",
                               sharey="row", height_ratios=heights, width_ratios=columns)
        named: set[str] = set()
        for panel, row in zip(request.panels, grid, strict=True):
            _draw_panel(panel, list(row))
            _legend(row[-1], panel, named)
        nights = [request.before, request.night] if request.before else [request.night]
        for axes, night in zip(grid[-1], nights, strict=True):
            axes.set_xlabel(f"UTC, night {night}" if night == request.night else night)
        figure.suptitle(request.title, fontsize=11)
        figure.align_ylabels()
        out = BytesIO()
        figure.savefig(out, format="png")
    return out.getvalue()


def _draw_panel(panel: PlotPanel, row: list[Axes]) -> None:
    for series in panel.series:
        _draw(row[0] if series.before else row[-1], series)
    for band, value in panel.literature:
        for axes in row:
            axes.axhline(value, color=colour_of(band), linestyle="--", linewidth=1,
                         zorder=1)
    for axes in row:
        axes.grid(alpha=0.25)
        _hours(axes)
    row[0].set_ylabel(panel.label)
    _span(row[-1], panel)


def _draw(axes: Axes, series: PlotSeries) -> None:
    colour = colour_of(series.band)
    for sound in (True, False):
        points = [point for point in series.points if point[3] is sound]
        if points:
            days, values, errors, _ = zip(*points, strict=True)
            axes.errorbar([day - JD_UNIX_EPOCH for day in days], values,
                          yerr=[0.0 if math.isnan(e) else e for e in errors], fmt="o",
                          markersize=4.5, color=colour, elinewidth=1, zorder=3 if sound else 2,
                          markerfacecolor=colour if sound else "white",
                          alpha=1.0 if sound else 0.6)


def _hours(axes: Axes) -> None:
    from matplotlib.dates import AutoDateLocator, DateFormatter

    left, right = axes.get_xlim()
    if right - left < _HOUR:
        axes.set_xlim((left + right - _HOUR) / 2, (left + right + _HOUR) / 2)
    axes.xaxis.set_major_locator(
        AutoDateLocator(tz=UTC, minticks=2, maxticks=6))  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_formatter(
        DateFormatter("%H:%M", tz=UTC))  # type: ignore[no-untyped-call]


def _span(axes: Axes, panel: PlotPanel) -> None:
    """An axis that shows every value and its error, and no less than what would be a change."""
    ends = list(_ends(panel))
    low, high = min(ends), max(ends)
    room = max(_LEAST.get(panel.label, 0.0) - (high - low), 0.16 * (high - low)) / 2
    low, high = low - room, high + room
    axes.set_ylim((high, low) if panel.downwards else (low, high))


def _ends(panel: PlotPanel) -> Iterable[float]:
    for series in panel.series:
        for _, value, error, _ in series.points:
            yield from (value, value) if math.isnan(error) else (value - error, value + error)
    for _, value in panel.literature:
        yield value


def _legend(axes: Axes, panel: PlotPanel, named: set[str]) -> None:
    """Names what no panel above has named yet."""
    from matplotlib.lines import Line2D

    handles = [Line2D([], [], color=colour_of(band), marker="o", linestyle="",
                      markersize=4.5, label=band)
               for band in dict.fromkeys(series.band for series in panel.series)
               if band not in named]
    if panel.literature and _LITERATURE not in named:
        handles.append(Line2D([], [], color=colour_of(""), linestyle="--", linewidth=1,
                              label=_LITERATURE))
    named.update(str(handle.get_label()) for handle in handles)
    if handles:
        axes.legend(handles=handles, loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False,
                    handlelength=1.4, handletextpad=0.3, borderpad=0.0)
