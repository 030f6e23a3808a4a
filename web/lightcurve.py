"""A source's light curve: its points as columns, and the Bokeh plot that shows them."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
from bokeh.core.serialization import Serializer
from bokeh.embed import json_item
from bokeh.layouts import gridplot
from bokeh.models import (
    BoxZoomTool,
    ColumnDataSource,
    DataRange1d,
    DatetimeTickFormatter,
    HoverTool,
    OpenURL,
    PanTool,
    ResetTool,
    SaveTool,
    TapTool,
    WheelZoomTool,
)
from bokeh.models.annotations import Legend, LegendItem
from bokeh.plotting import figure

from iop4d.model.bands import band_order, colour_of
from iop4d.model.flags import names
from iop4d.model.result import STACK
from iop4d.model.uncertainty import chi_text, mag_text, p_shown, p_text
from iop4d.model.units import NOTHING, unix_of_jd
from iop4d.store import sources
from iop4d.store.database import Connection
from iop4d.store.results import frame_ids
from iop4d.web import formats

#: The newest points shown; a browser draws this many without effort.
LIMIT = 10_000

_MARKERS = {"U": "diamond", "B": "square", "V": "triangle", "R": "circle",
            "I": "inverted_triangle"}
_OTHER_MARKERS = ("hex", "star", "plus", "diamond_cross", "square_pin", "circle_x")


@dataclass(frozen=True, kw_only=True)
class Theme:
    """Colours of the plot."""

    paper: str
    text: str
    line: str
    grid: str
    dark: bool


LIGHT = Theme(
    paper="#ffffff", text="#3c4656", line="#aab3c0", grid="#e6eaf0", dark=False)
DARK = Theme(
    paper="#151b24", text="#b8c3d1", line="#46525f", grid="#26303c", dark=True)

_TOOLTIPS = [
    ("band", "$name"), ("UTC", "@t{%F %T}"), ("JD", "@jd{0.00000}"), ("mag", "@label"),
    ("polarisation", "@plabel"), ("telescope", "@telescope"), ("flags", "@flags"),
    ("frame", "@frame")]
_PANELS = {"mag": ("magnitude", 420), "p": ("p [%]", 150), "chi": ("χ [°]", 170)}
_VALUES = {"p": "p_debiased"}  # columns of a panel's values, where they have another name
_LIMITS = {"mag": "mag_limit", "p": "p_limit"}
# Of one form with the tables, and short enough for a phone.
_DATE = "%Y-%m-%d"
_TICKS: dict[str, Any] = {
    "milliseconds": "%H:%M:%S.%3N", "seconds": "%H:%M:%S", "minsec": "%H:%M:%S",
    "minutes": "%H:%M", "hourmin": "%H:%M", "hours": "%H:%M", "days": "%m-%d",
    "months": "%Y-%m", "years": "%Y"}
_CONTEXT: dict[str, Any] = {
    "milliseconds": _DATE, "seconds": _DATE, "minsec": _DATE, "minutes": _DATE, "hourmin": _DATE,
    "hours": _DATE, "days": "%Y", "months": "", "years": ""}

#: In an array, where there is no number is NaN.
_NUMBERS = ("t", "jd", "mag", "mag_lo", "mag_hi", "mag_limit", "p_debiased", "p_lo", "p_hi",
            "p_limit", "chi", "chi_lo", "chi_hi", "fill")
_IDS = ("id", "frame_id")
_TEXTS = ("label", "plabel", "telescope", "flags", "frame")


@dataclass(frozen=True, kw_only=True)
class Points:
    """Points as columns, by band. None where there is no number."""

    source: str
    bands: dict[str, dict[str, list[Any]]] = field(default_factory=dict)
    changed_at: float = 0.0
    total: int = 0

    def plain(self) -> dict[str, Any]:
        """As JSON takes it."""
        return asdict(self)


def points(db: Connection, source: str, *, after: float | None = None,
           limit: int = LIMIT) -> Points:
    """The newest points of a source, or those changed at or after a time."""
    rows = sources.points(db, source, after=after, limit=limit)
    frames = frame_ids(db, [row.id for row in rows])
    bands: dict[str, dict[str, list[Any]]] = {}
    for row in rows:
        columns = bands.setdefault(row.band, {name: [] for name in (*_NUMBERS, *_IDS, *_TEXTS)})
        for name, value in _point(row, frames.get(row.id)).items():
            columns[name].append(value)
    return Points(
        source=source, total=len(rows), bands={b: bands[b] for b in sorted(bands, key=band_order)},
        changed_at=max((row.changed_at for row in rows), default=after or 0.0))


def _point(row: Any, frame_id: int | None) -> dict[str, Any]:
    """A point's columns. One that was withdrawn has no number: the page draws it no more."""
    if row.withdrawn:
        return (dict.fromkeys(_NUMBERS) | dict.fromkeys(_TEXTS, "")
                | {"id": row.id, "fill": 0.0, "frame_id": 0})
    # Bars are random errors, by which points differ; a number by itself has all of its error.
    # A polarisation that is a limit has no bar and no angle.
    p, limit = formats.percent(p_shown(row)), formats.percent(row.p_limit)
    p, chi = (p, row.chi_deg) if limit is None else (None, None)
    flags = [", ".join(name.replace("_", " ") for name in names(row.flags)) or "good"]
    flags += ["flagged by hand"] * bool(row.human_flags) + ["provisional"] * bool(row.provisional)
    return {
        "id": row.id, "t": unix_of_jd(row.jd_mid) * 1000, "jd": row.jd_mid, "mag": row.mag,
        **_bar("mag", row.mag, row.mag_err), "p_debiased": p,
        **_bar("p", p, formats.percent(row.p_err)), "p_limit": limit,
        "chi": chi, **_bar("chi", chi, row.chi_err_deg),
        # Hollow: flagged; pale: of provisional masters.
        "fill": 0.0 if row.flags or row.human_flags else 0.35 if row.provisional else 0.9,
        "label": mag_text(row),
        "plabel": NOTHING if row.p is None else f"p {p_text(row)} %, χ {chi_text(row)}°",
        "mag_limit": row.mag_limit if row.mag is None else None,
        "telescope": row.telescope, "flags": ", ".join(flags),
        "frame": f"{len(row.frames)} frames put together" if row.mode == STACK
        else ", ".join(row.frames),
        "frame_id": frame_id or 0,
    }


def _bar(name: str, value: float | None, error: float | None) -> dict[str, float | None]:
    """The ends of an error bar."""
    if value is None or error is None:
        return {f"{name}_lo": value, f"{name}_hi": value}
    return {f"{name}_lo": value - error, f"{name}_hi": value + error}


def plot(found: Points, theme: Theme, *, root: str = "", touch: bool = False) -> dict[str, Any]:
    """The light curve, and the polarisation below it if there is any, for Bokeh to embed.

    ``touch``: a finger on it moves the page, until a tool of the toolbar is chosen.
    """
    polarised = any(value is not None for columns in found.bands.values()
                    for name in ("p_debiased", "p_limit") for value in columns[name])
    quantities = ("mag", "p", "chi") if polarised else ("mag",)
    item: dict[str, Any] = json.loads(
        _without_points(found.source, tuple(found.bands), quantities, theme, root, touch))
    data: dict[str, list[list[Any]]] = {
        f"points-{band}": [*([name, _array(columns[name], np.float64)] for name in _NUMBERS),
                           *([name, _array(columns[name], np.int32)] for name in _IDS),
                           *([name, columns[name]] for name in _TEXTS)]
        for band, columns in found.bands.items()}
    _fill(item, data)
    return item


@lru_cache(maxsize=100)
def _without_points(source: str, bands: tuple[str, ...], quantities: tuple[str, ...],
                    theme: Theme, root: str, touch: bool) -> str:
    """The plot as JSON with empty columns: what Bokeh takes long to make, and is mostly the same.
    """
    # One point alone would get an axis of milliseconds.
    times = DataRange1d(name="range-t", default_span=3_600_000.0, range_padding=0.04)
    data = {band: ColumnDataSource(name=f"points-{band}", data={
        name: [] for name in (*_NUMBERS, *_IDS, *_TEXTS)}) for band in bands}
    panels = [_panel(quantity, theme, times, root) for quantity in quantities]
    drag: dict[str, Any] = {"active_drag": None} if touch else {}
    for panel in panels:
        panel.toolbar.update(**drag)
    shown: dict[str, list[Any]] = {band: [] for band in data}
    for panel, quantity in zip(panels, quantities, strict=True):
        points = []
        for index, (band, columns) in enumerate(data.items()):
            drawn = _draw(panel, columns, theme, quantity=quantity, band=band, index=index)
            points += [drawn[0], *drawn[2:]]
            shown[band] += drawn
        panel.add_tools(HoverTool(renderers=points, tooltips=_TOOLTIPS, limit=2,
                                  formatters={"@t": "datetime"}))
    items = [LegendItem(label=band, renderers=drawn) for band, drawn in shown.items()]
    # One legend for all panels: a click hides a band in each.
    panels[0].add_layout(Legend(
        items=items, orientation="horizontal", click_policy="hide",
        label_text_color=theme.text, background_fill_alpha=0.0, border_line_alpha=0.0), "above")
    panels[-1].xaxis.axis_label = "UTC"
    layout = gridplot([[panel] for panel in panels], sizing_mode="stretch_width",
                      toolbar_location="above", toolbar_options={"logo": None} | drag)
    # The tools of the panels were made into one, without what they were told.
    for save in layout.references():
        if isinstance(save, SaveTool):
            save.filename = f"{source} light curve"
    return json.dumps(json_item(layout))


def _array(values: list[Any], kind: type[np.generic]) -> Any:
    """A column as Bokeh embeds an array: as it is in memory. None becomes NaN."""
    return Serializer(deferred=False).serialize(np.array(values, dtype=kind)).content


def _fill(part: Any, data: dict[str, list[list[Any]]]) -> None:
    """Give the sources of these names, anywhere in what is to be embedded, their columns."""
    if isinstance(part, list):
        for one in part:
            _fill(one, data)
    elif isinstance(part, dict):
        attributes = part.get("attributes", {})
        if attributes.get("name") in data:
            attributes["data"]["entries"] = data[attributes["name"]]
        else:
            for one in part.values():
                _fill(one, data)


def _panel(quantity: str, theme: Theme, times: DataRange1d, root: str) -> figure:
    title, height = _PANELS[quantity]
    panel = figure(
        height=height, sizing_mode="stretch_width", x_axis_type="datetime", x_range=times,
        y_range=DataRange1d(name=f"range-{quantity}", flipped=quantity == "mag",
                            default_span=0.2, range_padding=0.08),
        background_fill_color=theme.paper, border_fill_color=theme.paper,
        outline_line_color=theme.line, y_axis_label=title, min_border_left=62,
        tools=[PanTool(), BoxZoomTool(), WheelZoomTool(), ResetTool(),
               SaveTool(),
               TapTool(callback=OpenURL(url=f"{root}/frames/@frame_id", same_tab=True),
                       visible=False)])
    _dress(panel, theme)
    return panel


def _draw(panel: figure, source: ColumnDataSource, theme: Theme, *, quantity: str,
          band: str, index: int) -> tuple[Any, ...]:
    """Draw a band's points and their error bars, and its limits."""
    color = colour_of(band, dark=theme.dark)
    marker = _MARKERS.get(band, _OTHER_MARKERS[index % len(_OTHER_MARKERS)])
    bars = panel.segment("t", f"{quantity}_lo", "t", f"{quantity}_hi", source=source,
                         line_color=color, line_alpha=0.55)
    # The name is what the hover shows as band.
    points = panel.scatter(
        "t", _VALUES.get(quantity, quantity), source=source, marker=marker, size=7, color=color,
        fill_alpha="fill", line_width=1.2, name=band, nonselection_fill_alpha="fill",
        nonselection_line_alpha=1.0)
    if quantity not in _LIMITS:
        return points, bars
    # What is not detected is fainter than its limit, and p is smaller: below it on both axes.
    limits = panel.scatter("t", _LIMITS[quantity], source=source, marker="inverted_triangle",
                           size=8, line_color=color, fill_alpha=0.0, line_width=1.2, name=band)
    return points, bars, limits


def _dress(panel: figure, theme: Theme) -> None:
    for axis in panel.axis:
        axis.axis_line_color = axis.major_tick_line_color = theme.line
        axis.minor_tick_line_color = theme.line
        axis.major_label_text_color = axis.axis_label_text_color = theme.text
        axis.axis_label_text_font_style = "normal"
    panel.xaxis.formatter = DatetimeTickFormatter(
        **_TICKS, context=DatetimeTickFormatter(**_CONTEXT), context_which="start",
        hide_repeats=True)
    panel.grid.grid_line_color = theme.grid
