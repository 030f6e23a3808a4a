"""Plots as PNG pictures: a light curve, a night of a source, and the modulation of a group."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from datetime import UTC
from io import BytesIO
from typing import TYPE_CHECKING

from iop4d.config.site import Polarimetry
from iop4d.instruments.base import Instrument
from iop4d.model.bands import colour_of
from iop4d.model.messages import MeasuredFrame, NightPlotRequest, PlotPanel, PlotRequest, PlotSeries
from iop4d.model.source import Source
from iop4d.model.units import JD_UNIX_EPOCH, utc_of_jd
from iop4d.reduction.methods import WITHOUT_DUST
from iop4d.reduction.modulation import Modulation, modulation_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SHORT = 2.0  # days: a shorter light curve has hours on its axis
_COLOUR, _RED = "#1f4e79", "#c0392b"
_WIDTH, _DPI = 5.2, 180  # inches, 936 px: its text is read on a phone and does not blur on a screen
_TITLE = 40  # characters
_HEIGHTS = (2.5, 1.4)  # inches of the magnitudes and of each further panel
_LEAST = {"magnitude": 0.05, "p (%)": 0.5, "χ (°)": 5.0}  # spans of an axis: noise is no change
_HOUR = 1 / 24
_LITERATURE = "liter."
_MARKERS, _SHADES = "os^Dv", (0.0, 0.4, -0.4)  # of cameras, one after another
_COLOURS = {"ensemble": "#1f4e79", "plain": "#b07aa1", "fit-k": "#1f4e79", "fit": "#c0392b",
            "ratio": "#2e8b57", "sum": "#e08e0b", "ordinary": "#888888", "extraordinary": "#bbbbbb",
            "analysers": "#1f4e79"}


def plot_light_curve(request: PlotRequest) -> bytes:
    """The picture as PNG bytes, 936 x 540 px; magnitudes grow downwards."""
    from matplotlib.figure import Figure  # a second to import; only messages need it

    figure = Figure(figsize=(_WIDTH, 3.0), dpi=_DPI, layout="constrained")
    axes = figure.add_subplot()
    days = [jd for jd, _, _ in request.points]
    span = max(days) - min(days) if days else 0.0
    shown = _hours(axes, days) if span < _SHORT else _days(axes, days)
    _draw(axes, request, dict(zip(days, shown, strict=True)))
    axes.set_title(_cut(request.title))
    axes.set_ylabel(f"{request.band} (mag)")
    axes.invert_yaxis()
    axes.grid(alpha=0.25)
    out = BytesIO()
    figure.savefig(out, format="png")
    return out.getvalue()


def _cut(title: str) -> str:
    """A title of no more characters than the picture is wide for; the band is at its end."""
    return title if len(title) <= _TITLE else f"{title[:_TITLE // 2]}…{title[-_TITLE // 2:]}"


def _draw(axes: Axes, request: PlotRequest, shown: dict[float, float]) -> None:
    for jd, mag, err in request.points:
        chosen = request.highlight_jd is not None and abs(jd - request.highlight_jd) < 1e-6
        axes.errorbar([shown[jd]], [mag], yerr=None if math.isnan(err) else [err], fmt="o",
                      markersize=8 if chosen else 4, color=_RED if chosen else _COLOUR,
                      elinewidth=1, zorder=3 if chosen else 2)
    if request.threshold is not None:
        axes.axhline(request.threshold, color=_RED, linestyle="--", linewidth=1)


def _hours(axes: Axes, days: list[float]) -> list[float]:
    """Times as matplotlib's dates, with an axis in UTC."""
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    locator = AutoDateLocator(tz=UTC, minticks=4, maxticks=9)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    formatter = ConciseDateFormatter(  # type: ignore[no-untyped-call]
        locator, tz=UTC, show_offset=False)  # the label below has the date
    axes.xaxis.set_major_formatter(formatter)
    if not days:
        axes.set_xlabel("UTC")
        return []
    first, last = _date(min(days)), _date(max(days))
    axes.set_xlabel(f"UTC, {first}" if first == last else f"UTC, {first} to {last}")
    return [day - JD_UNIX_EPOCH for day in days]


def _days(axes: Axes, days: list[float]) -> list[float]:
    zero = int(min(days))
    axes.ticklabel_format(axis="x", useOffset=False)
    axes.set_xlabel(f"JD − {zero}  ({_date(min(days))} to {_date(max(days))})")
    return [day - zero for day in days]


def _date(jd: float) -> str:
    return utc_of_jd(jd, "%Y-%m-%d")


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
        cameras = sorted({one.camera for panel in request.panels for one in panel.series})
        for panel, row in zip(request.panels, grid, strict=True):
            _draw_panel(panel, list(row), cameras)
            _legend(row[-1], panel, named, cameras)
        nights = [request.before, request.night] if request.before else [request.night]
        for axes, night in zip(grid[-1], nights, strict=True):
            axes.set_xlabel(f"UTC, night {night}" if night == request.night else night)
        figure.suptitle(request.title, fontsize=11)
        figure.align_ylabels()
        out = BytesIO()
        figure.savefig(out, format="png")
    return out.getvalue()


def _draw_panel(panel: PlotPanel, row: list[Axes], cameras: Sequence[str]) -> None:
    for series in panel.series:
        _draw_series(row[0] if series.before else row[-1], series, cameras.index(series.camera))
    for band, value in panel.literature:
        for axes in row:
            axes.axhline(value, color=colour_of(band), linestyle="--", linewidth=1,
                         zorder=1)
    for axes in row:
        axes.grid(alpha=0.25)
        # Beside the night before, which is narrow, that of the picture has less room, too.
        _hours_axis(axes, most=6 if len(row) == 1 else 5 if axes is row[-1] else 3)
    row[0].set_ylabel(panel.label)
    _span(row[-1], panel)


def look(band: str, camera: int) -> tuple[str, str]:
    """Colour and marker of a band by the camera of a number: another shade and another shape."""
    marker, share = _MARKERS[camera % len(_MARKERS)], _SHADES[camera % len(_SHADES)]
    parts = [int(colour_of(band)[i:i + 2], 16) for i in (1, 3, 5)]
    towards = 255 if share > 0 else 0
    mixed = (round(part + abs(share) * (towards - part)) for part in parts)
    return "#" + "".join(f"{part:02x}" for part in mixed), marker


def _draw_series(axes: Axes, series: PlotSeries, camera: int) -> None:
    colour, marker = look(series.band, camera)
    for sound in (True, False):
        points = [point for point in series.points if point[3] is sound]
        if points:
            days, values, errors, _ = zip(*points, strict=True)
            axes.errorbar([day - JD_UNIX_EPOCH for day in days], values,
                          yerr=[0.0 if math.isnan(e) else e for e in errors], fmt=marker,
                          markersize=4.5, color=colour, elinewidth=1, zorder=3 if sound else 2,
                          markerfacecolor=colour if sound else "white",
                          alpha=1.0 if sound else 0.6)


def _hours_axis(axes: Axes, most: int) -> None:
    from matplotlib.dates import AutoDateLocator, DateFormatter

    left, right = axes.get_xlim()
    if right - left < _HOUR:
        axes.set_xlim((left + right - _HOUR) / 2, (left + right + _HOUR) / 2)
    axes.xaxis.set_major_locator(
        AutoDateLocator(tz=UTC, minticks=min(2, most - 2), maxticks=most))  # type: ignore[no-untyped-call]
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


def _legend(axes: Axes, panel: PlotPanel, named: set[str], cameras: Sequence[str]) -> None:
    """Names what no panel above has named yet."""
    from matplotlib.lines import Line2D

    handles = []
    for band, camera in dict.fromkeys((one.band, one.camera) for one in panel.series):
        colour, marker = look(band, cameras.index(camera))
        label = f"{band} {camera}".rstrip()
        if label not in named:
            handles.append(Line2D([], [], color=colour, marker=marker, linestyle="",
                                  markersize=4.5, label=label))
    if panel.literature and _LITERATURE not in named:
        handles.append(Line2D([], [], color=colour_of(""), linestyle="--", linewidth=1,
                              label=_LITERATURE))
    named.update(str(handle.get_label()) for handle in handles)
    if handles:
        axes.legend(handles=handles, loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False,
                    handlelength=1.4, handletextpad=0.3, borderpad=0.0)


def plot_modulation(frames: Sequence[MeasuredFrame], source: Source, *, instrument: Instrument,
                    settings: Polarimetry, reported: str) -> bytes:
    """PNG, 800 x 500 px: the measured modulation with errors, every fit, and what is left."""
    from matplotlib.figure import Figure  # a second to import

    modulation = modulation_of(frames, source, instrument=instrument, settings=settings,
                               reported=reported)
    angles = modulation.angles_deg
    figure = Figure(figsize=(8.0, 5.0), dpi=100, layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    upper.errorbar(angles, 100 * modulation.value, 100 * modulation.err, fmt="ko", markersize=4,
                   zorder=5)
    for curve in modulation.curves:
        name, chosen = curve.method, curve.method == reported
        upper.plot(curve.points[:, 0], 100 * curve.points[:, 1],
                   color=_COLOURS[name.removesuffix(WITHOUT_DUST)], lw=2.0 if chosen else 0.8,
                   label=f"{name}{', reported' if chosen else ''}")
        if chosen:
            lower.errorbar(angles, 100 * (modulation.value - curve.at), 100 * modulation.err,
                           fmt="ko", markersize=4)
    _dress(upper, lower, f"{source.name}, {instrument.name}, {frames[0].facts.band}, "
                         f"{frames[0].facts.night}", modulation)
    out = BytesIO()
    figure.savefig(out, format="png")
    return out.getvalue()


def _dress(upper: Axes, lower: Axes, title: str, modulation: Modulation) -> None:
    upper.set_title(title, loc="left", fontsize=10)
    upper.set_ylabel(f"{modulation.quantity}  [%]")
    upper.legend(fontsize=8, ncols=4, loc="lower right", bbox_to_anchor=(1.0, 1.0), frameon=False)
    lower.axhline(0.0, color="#888888", lw=0.8)
    lower.set_ylabel("left over [%]")
    lower.set_xlabel(f"{modulation.analyser} [deg]")
    for axes in (upper, lower):
        axes.grid(alpha=0.25)
