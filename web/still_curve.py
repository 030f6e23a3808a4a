"""Light curves as a still picture (SVG): for browsers that run no scripts, and to be kept."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from markupsafe import escape

from iop4d.model.bands import colour_of
from iop4d.web.axes import Scale, date_ticks, scale_of, ticks
from iop4d.web.curves.answer import Curve
from iop4d.web.curves.choice import QUANTITIES
from iop4d.web.curves.columns import BY_HAND, FLAGGED, PROVISIONAL, Array, Series

_WIDTH, _NARROW, _LEFT, _RIGHT, _TOP, _GAP, _BELOW = 900, 440, 64, 14, 46, 20, 34
_HEIGHTS = {"y": 260, "p": 120, "chi": 120, "q": 120, "u": 120, "c": 110}
_TITLES = {"p": "p [%]", "chi": "χ [°]", "q": "q [%]", "u": "u [%]"}
_LIMITS = {"y": "y_limit", "p": "p_limit"}
_LETTER = 6.7  # units that a digit of the words is wide
_INK = "#7d8796"  # seen on light and on dark paper
_EDGE = 0.06  # of a panel, without points
#: Shapes about a point, one for each instrument, as the page draws them.
_SHAPES = ("m-3 0a3 3 0 1 0 6 0a3 3 0 1 0-6 0z", "m-2.7-2.7h5.4v5.4h-5.4z",
           "m0-3.6l3.4 6.2h-6.8z", "m0-4l3.2 4l-3.2 4l-3.2-4z",
           "m-3.2-1.9l3.2-1.8l3.2 1.8v3.8l-3.2 1.8l-3.2-1.8z",
           "m-1.2-3.6h2.4v2.4h2.4v2.4h-2.4v2.4h-2.4v-2.4h-2.4v-2.4h2.4z")
_THIN = "m-3-3l6 6m0-6l-6 6"  # of others
#: The same in a text.
_SIGNS = "●■▲◆⬢✚"
#: The same for the means of nights.
_LARGE = ("m-4.8 0a4.8 4.8 0 1 0 9.6 0a4.8 4.8 0 1 0-9.6 0z", *(
    re.sub(r"[\d.]+", lambda found: f"{1.6 * float(found[0]):.3g}", shape)
    for shape in _SHAPES[1:]))


@dataclass(frozen=True, kw_only=True)
class _Lot:
    """Points of one colour and shape: ``x`` JD, values and errors; ``limit``: limits instead;
    ``thin``: of others."""

    colour: str
    shape: str
    x: Array
    value: Array
    err: Array
    limit: Array
    state: Array
    big: bool = False
    thin: bool = False


@dataclass(frozen=True, kw_only=True)
class _Panel:
    """A panel of a quantity. ``levels``: values of lines across it, with their colours."""

    name: str
    title: str
    lots: list[_Lot]
    levels: list[tuple[float, str]]


def still_curve(curve: Curve, *, is_narrow: bool = False) -> str:
    """The picture: a panel for each source and quantity, one below the other.

    ``is_narrow``: of half the width, for a phone.
    """
    width = _NARROW if is_narrow else _WIDTH
    panels = list(_panels(curve))
    # Others' points may be of another century: the time is that of ours, if there are any.
    is_ours = any(not lot.thin for panel in panels for lot in panel.lots)
    times = [float(x) for panel in panels for lot in panel.lots if is_ours is not lot.thin
             for x in lot.x[_drawn(lot)]]
    x = scale_of(times, _LEFT, width - _RIGHT, least=1.0 / 24.0, edge=_EDGE)
    parts, top = list(_legend(curve, x.end)), _TOP
    marks = {one.jd: one.text for one in curve.marks if x.low < one.jd < x.high}
    for panel in panels:
        bottom = top + _HEIGHTS[panel.name]
        flipped = panel.name == "y" and curve.choice.quantity != "flux"
        parts += _panel(replace(panel, lots=[_within(lot, x) for lot in panel.lots]), x, top,
                        bottom, flipped=flipped, bars=curve.choice.bars)
        parts += _marks(marks, x, top, bottom)
        top = bottom + _GAP
    for at, said in _moments(x, curve.choice.axis, is_narrow=is_narrow):
        half = _LETTER * len(said) / 2.0
        parts.append(_text(min(x(at), width - half), top + 2, said, "middle"))
    parts.append(_text(x.end, top + 18, curve.choice.axis.upper(), "end"))
    if curve.shown < curve.total:
        parts.append(_text(_LEFT, top + 18, f"{curve.shown} of {curve.total} points" + (
            "" if is_narrow else ": the extremes of each stretch of time"), "start"))
    height = top + _BELOW
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
            f'width="{width}" height="{height}" font-family="sans-serif" font-size="12">'
            + "".join(parts) + "</svg>\n")


def _panels(curve: Curve) -> Iterator[_Panel]:
    """Each panel in which there is anything."""
    many = len(curve.choice.sources) > 1
    shapes = {name: _SHAPES[place % len(_SHAPES)] for place, name in enumerate(curve.cameras)}
    for source in curve.choice.sources:
        for name in ("y", *(("q", "u") if curve.choice.pol == "qu" else ("p", "chi"))):
            lots = [_lot(one, name, shapes, big=big, flagged=curve.choice.flagged)
                    for big, group in ((False, curve.series), (True, curve.nights))
                    if curve.choice.points in ("all", "nights" if big else "points")
                    for one in group if one.source == source and _is_shown(curve, one)]
            lots += [replace(_lot(one, name, {}, big=False, flagged=True), shape=_THIN, thin=True)
                     for one in curve.others if one.source == source and _is_shown(curve, one)]
            lots = [lot for lot in lots if _drawn(lot).any()]
            title = QUANTITIES[curve.choice.quantity] if name == "y" else _TITLES[name]
            if lots or (name == "y" and not _is_polarised_alone(curve, source)):
                yield _Panel(name=name, title=f"{source}: {title}" if many else title, lots=lots,
                             levels=_levels(curve, source, name))
        found = [one for one in curve.colours if one.source == source]
        if found:
            nothing = [np.full(len(one.jd), np.nan) for one in found]
            yield _Panel(name="c", title=(f"{source}: " if many else "") + curve.pair, levels=[],
                         lots=[_Lot(colour=_INK, shape=_SHAPES[0], x=one.jd, value=one.value,
                                    err=one.err, limit=none,
                                    state=np.zeros(len(one.jd), dtype=int))
                               for one, none in zip(found, nothing, strict=True)])


def _is_polarised_alone(curve: Curve, source: str) -> bool:
    """Whether a source has polarisation and no magnitude, of which a panel would be empty."""
    return curve.choice.quantity == "mag" and any(
        one.source == source and (np.isfinite(one.columns["p"]).any()
                                  or np.isfinite(one.columns["p_limit"]).any())
        for one in (*curve.series, *curve.others))


def _levels(curve: Curve, source: str, name: str) -> list[tuple[float, str]]:
    """The catalogue's values of a panel, with the colours of their bands."""
    lines = curve.lines.get(source, {}) if curve.choice.lines else {}
    if name == "y" and curve.choice.quantity == "mag":
        drawn = {one.band for one in curve.series if one.source == source
                 and _is_shown(curve, one)}
        return [(mag, colour_of(band)) for band, mag in lines.get("mag", {}).items()
                if band in drawn]
    return [(lines[name], _INK)] if name in ("p", "chi") and name in lines else []


def _is_shown(curve: Curve, series: Series) -> bool:
    choice, instrument = curve.choice, series.instrument
    return ((not choice.bands or series.band in choice.bands)
            and (not choice.instruments or not instrument or instrument in choice.instruments))


def _lot(series: Series, name: str, shapes: dict[str, str], *, big: bool,
         flagged: bool) -> _Lot:
    if "state" in series.columns and not flagged:
        # A limit is flagged as not detected: that is what it says.
        state, limit = series.columns["state"], series.columns.get("y_limit")
        is_good = (state & FLAGGED) == 0
        if limit is not None:
            is_good |= np.isfinite(limit)
        series = series.only(is_good & ((state & BY_HAND) == 0))
    columns, nothing = series.columns, np.full(series.size, np.nan)
    return _Lot(colour=colour_of(series.band), shape=shapes.get(series.instrument, _SHAPES[0]),
                x=columns["jd"], value=columns[name], err=columns[f"{name}_err"], big=big,
                limit=columns.get(_LIMITS.get(name, ""), nothing),
                state=columns.get("state", np.zeros(series.size, dtype=int)))


def _within(lot: _Lot, x: Scale) -> _Lot:
    """Its points in the times of the picture."""
    kept = (lot.x >= x.low) & (lot.x <= x.high)
    return replace(lot, x=lot.x[kept], value=lot.value[kept], err=lot.err[kept],
                   limit=lot.limit[kept], state=lot.state[kept])


def _drawn(lot: _Lot) -> Array:
    found: Array = np.isfinite(lot.value) | np.isfinite(lot.limit)
    return found


def _panel(panel: _Panel, x: Scale, top: float, bottom: float, *, flipped: bool,
           bars: bool) -> Iterator[str]:
    # Bright is above.
    ends = (top, bottom) if flipped else (bottom, top)
    values = [float(value) for lot in panel.lots for value in _ends(lot, bars=bars)]
    y = scale_of(values, *ends, least=0.1, edge=_EDGE)
    yield (f'<rect x="{_LEFT}" y="{top}" width="{x.end - _LEFT:g}" '
           f'height="{bottom - top}" fill="none" stroke="{_INK}"/>')
    yield _text(_LEFT, top - 6, panel.title, "start")
    for at, said in ticks(y, 4):
        yield _text(_LEFT - 6, y(at) + 4, said, "end")
    for value, colour in panel.levels:
        if y.low <= value <= y.high:
            yield (f'<path class="level" stroke="{colour}" stroke-dasharray="6 4" opacity=".8" '
                   f'd="M{_LEFT} {y(value):.1f}H{x.end:g}"/>')
    for lot in panel.lots:
        yield f'<g fill="{lot.colour}" stroke="{lot.colour}">'
        yield from _points(lot, x, y, bars=bars)
        yield "</g>"


def _marks(marks: dict[float, str], x: Scale, top: float, bottom: float) -> Iterator[str]:
    """A line for each trigger, which says what it was."""
    for jd, text in marks.items():
        yield (f'<path class="mark" stroke="{_INK}" stroke-width="1.5" stroke-dasharray="2 3" '
               f'd="M{x(jd):.1f} {top}V{bottom}"><title>{escape(text)}</title></path>')


def _points(lot: _Lot, x: Scale, y: Scale, *, bars: bool) -> Iterator[str]:
    """The bars, the points of each fill, and the limits: a path for each."""
    shape = lot.shape if not lot.big else _LARGE[_SHAPES.index(lot.shape)]
    by_fill: dict[float, list[str]] = {}
    ends = []
    for jd, value, err, state in zip(lot.x.tolist(), lot.value.tolist(), lot.err.tolist(),
                                     lot.state.tolist(), strict=True):
        if math.isfinite(value):
            at = x(jd)
            hollow = lot.thin or state & (FLAGGED | BY_HAND)
            fill = 0.0 if hollow else 0.35 if state & PROVISIONAL else 0.9
            by_fill.setdefault(fill, []).append(f"M{at:.1f} {y(value):.1f}{shape}")
            if bars and math.isfinite(err):
                ends.append(f"M{at:.1f} {y(value - err):.1f}V{y(value + err):.1f}")
    if ends:
        yield f'<path class="bars" opacity=".6" d="{"".join(ends)}"/>'
    for fill, places in by_fill.items():
        yield f'<path class="points" fill-opacity="{fill:g}" d="{"".join(places)}"/>'
    crosses = [f"M{x(jd):.1f} {y(value):.1f}{_THIN}" for jd, value, state in zip(
        lot.x.tolist(), lot.value.tolist(), lot.state.tolist(), strict=True)
        if state & BY_HAND and math.isfinite(value)]
    if crosses:
        yield f'<path class="by-hand" fill="none" d="{"".join(crosses)}"/>'
    limits = [f"M{x(jd) - 4:.1f} {y(limit):.1f}h8m-4 0v9m-3-3l3 3l3-3" for jd, limit in zip(
        lot.x.tolist(), lot.limit.tolist(), strict=True) if math.isfinite(limit)]
    if limits:
        yield f'<path class="limits" fill="none" d="{"".join(limits)}"/>'


def _ends(lot: _Lot, *, bars: bool) -> Iterator[float]:
    known = np.isfinite(lot.value)
    err = np.where(np.isfinite(lot.err), lot.err, 0.0) if bars else np.zeros(len(lot.value))
    yield from (lot.value - err)[known]
    yield from (lot.value + err)[known]
    yield from lot.limit[np.isfinite(lot.limit)]


def _legend(curve: Curve, right: float) -> Iterator[str]:
    """The source, the bands, and what the shapes are of."""
    if len(curve.choice.sources) == 1:
        yield _text(_LEFT, 14, curve.choice.sources[0], "start")
    signs = [f"{_SIGNS[place % len(_SIGNS)]} {name}" for place, name in enumerate(curve.cameras)
             if len(curve.cameras) > 1]
    signs += [f"× {name}" for name in dict.fromkeys(one.telescope for one in curve.others)]
    if signs:
        yield _text(_LEFT, 28, "   ".join(signs), "start")
    for place, band in enumerate(curve.bands):
        yield (f'<text x="{right - 30 * place:g}" y="14" text-anchor="end" '
               f'fill="{colour_of(band)}">● {escape(band)}</text>')


def _moments(x: Scale, axis: str, *, is_narrow: bool) -> Iterator[tuple[float, str]]:
    """Where ticks of time stand, in JD, with their words."""
    if axis == "utc":
        # The wide picture is kept for years.
        yield from date_ticks(x, 4 if is_narrow else 6,
                              hours="%m-%d %H:%M" if is_narrow else "%Y-%m-%d %H:%M")
        return
    zero = 0.0 if axis == "jd" else 2400000.5
    days = Scale(low=x.low - zero, high=x.high - zero, start=0.0, end=1.0)
    yield from ((at + zero, said) for at, said in ticks(days, 3 if is_narrow else 5))


def _text(x: float, y: float, text: Any, anchor: str) -> str:
    return (f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{_INK}">'
            f'{escape(text)}</text>')
