"""Small plots as SVG inside a page: in the page's own colours, light and dark, without a script."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from markupsafe import Markup, escape

from iop4d.web.axes import Scale, scale_of, ticks

_WIDTH = 440  # units; on a phone a bit smaller than a pixel
_LEFT, _RIGHT, _TOP, _GAP, _BELOW = 58, 10, 8, 12, 42
_HEIGHT = 170
_EDGE = 0.07  # of a panel, without points
_RADIUS = 3.2


@dataclass(frozen=True, kw_only=True)
class Point:
    """A point with its error. ``look``: a class of ``charts.css``, such as ``used`` or ``band-R``;
    ``title``: what is said when it is pointed at; ``href``: where a click leads."""

    x: float
    y: float
    err: float | None = None
    look: str = ""
    title: str = ""
    href: str = ""


@dataclass(frozen=True, kw_only=True)
class Line:
    """A line through points, with a class and a name in the legend."""

    points: Sequence[tuple[float, float]]
    look: str = ""
    label: str = ""


@dataclass(frozen=True, kw_only=True)
class Panel:
    """A quantity: its points, lines, and values drawn across it. ``down``: it grows downwards;
    ``least``: the smallest span; ``dust``: many points that say nothing by themselves."""

    label: str
    points: Sequence[Point] = ()
    dust: Sequence[tuple[float, float]] = ()
    lines: Sequence[Line] = ()
    across: Sequence[tuple[float, str]] = ()
    upright: Sequence[tuple[float, str, str]] = ()  # x, look, label
    height: float = _HEIGHT
    down: bool = False
    least: float = 1e-6
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, kw_only=True)
class Axis:
    """The x axis of all panels of a plot."""

    label: str
    names: Sequence[str] = ()
    low: float | None = None
    high: float | None = None
    dates: Sequence[tuple[float, str]] = field(default=())  # ticks with their words


def plot(title: str, panels: Sequence[Panel], axis: Axis) -> Markup:
    """Panels above each other. ``title``: what the picture shows, for who cannot see it."""
    xs = [p.x for panel in panels for p in panel.points] + [
        x for panel in panels for line in panel.lines for x, _ in line.points] + [
        x for panel in panels for x, _ in panel.dust]
    x = _scale(xs, _LEFT, _WIDTH - _RIGHT, low=axis.low, high=axis.high,
               edge=0.5 if axis.names else None)
    labels = [(line.label, line.look) for panel in panels for line in panel.lines if line.label]
    top = _TOP + 17.0 * len(list(_rows(labels)))
    parts = list(_legend(labels))
    for panel in panels:
        parts += _panel(panel, x, top, top + panel.height)
        top += panel.height + _GAP
    bottom = top - _GAP
    parts += _x_axis(axis, x, bottom)
    height = bottom + _BELOW
    # What holds links is no single picture.
    role = "group" if any(p.href for panel in panels for p in panel.points) else "img"
    return Markup(
        '<svg class="chart" viewBox="0 0 {} {:.0f}" role="{}" aria-label="{}">{}</svg>').format(
        _WIDTH, height, role, title, Markup("").join(map(Markup, parts)))


def _rows(labels: Sequence[tuple[str, str]]) -> Iterator[list[tuple[float, str, str]]]:
    """The legend by rows: where each name begins, it and its look."""
    row: list[tuple[float, str, str]] = []
    at = float(_LEFT)
    for label, look in dict.fromkeys(labels):
        wide = 30 + 6.6 * len(label)
        if row and at + wide > _WIDTH - _RIGHT:
            yield row
            row, at = [], float(_LEFT)
        row.append((at, label, look))
        at += wide
    if row:
        yield row


def _legend(labels: Sequence[tuple[str, str]]) -> Iterator[str]:
    for number, row in enumerate(_rows(labels)):
        y = _TOP + 6 + 17 * number
        for at, label, look in row:
            yield (f'<path class="line {escape(look)}" d="M{at:.0f} {y}h16"/>'
                   f'<text x="{at + 20:.0f}" y="{y + 4}">{escape(label)}</text>')


def _panel(panel: Panel, x: Scale, top: float, bottom: float) -> Iterator[str]:
    ends = (top, bottom) if panel.down else (bottom, top)
    y = _scale(list(_values(panel)), *ends, least=panel.least, low=panel.low, high=panel.high)
    yield (f'<rect class="frame" x="{_LEFT}" y="{top:.0f}" width="{_WIDTH - _LEFT - _RIGHT}" '
           f'height="{bottom - top:.0f}"/>')
    for at, said in ticks(y, 4):
        yield (f'<path class="grid" d="M{_LEFT} {y(at):.1f}H{_WIDTH - _RIGHT}"/>'
               f'<text class="end" x="{_LEFT - 5}" y="{y(at) + 4:.1f}">{said}</text>')
    middle = (top + bottom) / 2
    yield (f'<text class="middle" transform="translate(12 {middle:.0f}) rotate(-90)">'
           f'{escape(panel.label)}</text>')
    for value, look in panel.across:
        if y.low <= value <= y.high:
            yield (f'<path class="across {escape(look)}" '
                   f'd="M{_LEFT} {y(value):.1f}H{_WIDTH - _RIGHT}"/>')
    for number, (value, look, label) in enumerate(panel.upright):
        if x.low <= value <= x.high:
            side, beside = ("note", 3) if value < (x.low + x.high) / 2 else ("note end", -3)
            yield (f'<path class="across {escape(look)}" d="M{x(value):.1f} {top:.0f}'
                   f'V{bottom:.0f}"/><text class="{side}" x="{x(value) + beside:.1f}" '
                   f'y="{top + 12 + 12 * number:.0f}">{escape(label)}</text>')
    if panel.dust:
        drawn = "".join(f"M{x(a):.1f} {y.inside(b):.1f}h0" for a, b in panel.dust)
        yield f'<path class="dust" d="{drawn}"/>'
    for line in panel.lines:
        drawn = "L".join(f"{x(a):.1f} {y.inside(b):.1f}" for a, b in line.points
                         if math.isfinite(b))
        if drawn:
            yield f'<path class="line {escape(line.look)}" d="M{drawn}"/>'
    for point in panel.points:
        if math.isfinite(point.y) and math.isfinite(point.x):
            yield _point(point, x, y)


def _point(point: Point, x: Scale, y: Scale) -> str:
    at, level = x.inside(point.x), y.inside(point.y)
    bar = ""
    if point.err is not None and math.isfinite(point.err):
        bar = (f'<path d="M{at:.1f} {y.inside(point.y - point.err):.1f}'
               f'V{y.inside(point.y + point.err):.1f}"/>')
    title = f"<title>{escape(point.title)}</title>" if point.title else ""
    drawn = (f'<g class="point {escape(point.look)}">{title}{bar}'
             f'<circle cx="{at:.1f}" cy="{level:.1f}" r="{_RADIUS}"/></g>')
    return f'<a href="{escape(point.href)}">{drawn}</a>' if point.href else drawn


def _x_axis(axis: Axis, x: Scale, bottom: float) -> Iterator[str]:
    if axis.names:
        marks = [(float(number), name) for number, name in enumerate(axis.names)]
    else:
        marks = [*axis.dates] or list(ticks(x, 5))
    for at, said in marks:
        yield (f'<path class="tick" d="M{x(at):.1f} {bottom:.0f}v4"/>'
               f'<text class="middle" x="{x(at):.1f}" y="{bottom + 17:.0f}">{escape(said)}</text>')
    yield (f'<text class="middle" x="{(_LEFT + _WIDTH - _RIGHT) / 2:.0f}" '
           f'y="{bottom + 34:.0f}">{escape(axis.label)}</text>')


def _values(panel: Panel) -> Iterator[float]:
    for point in panel.points:
        err = point.err if point.err is not None and math.isfinite(point.err) else 0.0
        if math.isfinite(point.y):
            yield point.y - err
            yield point.y + err
    yield from (value for _, value in panel.dust)
    for line in panel.lines:
        yield from (value for _, value in line.points if math.isfinite(value))


def _scale(values: Iterable[float], start: float, end: float, *, least: float = 1e-9,
           low: float | None = None, high: float | None = None,
           edge: float | None = None) -> Scale:
    found = scale_of(values, start, end, least=least, edge=_EDGE if edge is None else 0.0)
    beyond = edge or 0.0
    return replace(found, low=found.low - beyond if low is None else low,
                   high=found.high + beyond if high is None else high)
