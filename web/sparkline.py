"""Small pictures that the server draws as SVG, without a script: curves of a night, its time line,
and bars by hour. Their colours are those of the page's style sheet, by class."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from iop4d.web.axes import Scale, scale_of

EMPTY = Markup("")  # of what there is nothing to draw
WIDTH, HEIGHT = 480, 104  # units; of a place a whole number is enough
_EDGE = 8  # units around the points
_HIDDEN = 4  # units of an error that a dot hides
_MOST = 120  # points of a series that are drawn: two units apart


@dataclass(frozen=True, kw_only=True)
class Series:
    """Points (x, y, error of y or None) in any order. ``style``: class of the style sheet;
    ``line``: whether they are joined."""

    points: Sequence[tuple[float, float, float | None]]
    style: str = "now"
    line: bool = False


def sparkline(series: Sequence[Series], label: str, *, inverted: bool = False,
              level: float | None = None, least_span: float = 0.0,
              x_range: tuple[float, float] | None = None) -> Markup:
    """A curve. ``label``: what it shows, for who cannot see it; ``inverted``: small values stand
    above, as of magnitudes; ``level``: of a dashed line; ``least_span``: of its ordinate.

    Nothing where there is no point.
    """
    kept = [(one, thinned([p for p in one.points if math.isfinite(p[1])])) for one in series]
    values = [p for _, points in kept for p in points]
    if not values:
        return EMPTY
    ys = [p[1] for p in values] + ([level] if level is not None else [])
    top, bottom = (_EDGE, HEIGHT - _EDGE)
    ends = (top, bottom) if inverted else (bottom, top)
    vertical = scale_of(ys, *ends, least=least_span, edge=0.0)
    across = scale_of(x_range or [p[0] for p in values], _EDGE, WIDTH - _EDGE, least=0.0, edge=0.0)
    parts = []
    if level is not None:
        y = _n(vertical(level))
        parts.append(f'<line class="level" x1="0" x2="{_n(WIDTH)}" y1="{y}" y2="{y}"/>')
    for one, points in kept:
        parts.append(f'<g class="{escape(one.style)}">{_drawn(one, points, across, vertical)}</g>')
    return _svg("spark", WIDTH, HEIGHT, label, parts, stretched=True)


def _drawn(one: Series, points: list[tuple[float, float, float | None]], across: Scale,
           vertical: Scale) -> str:
    slope = vertical.slope
    places = [(round(across(x)), round(vertical(y))) for x, y, _ in points]
    drawn = ""
    bars = []
    for (x, y), (_, _, error) in zip(places, points, strict=True):
        # An error that its dot hides is not drawn.
        if error is not None and (half := abs(error * slope)) > _HIDDEN and half < math.inf:
            bars.append(f"M{x} {max(round(y - half), 0)}V{min(round(y + half), HEIGHT)}")
    if bars:
        drawn = f'<path class="bars" d="{"".join(bars)}"/>'
    if one.line and len(places) > 1:
        joined = "L".join([f"{x} {y}" for x, y in places])
        drawn += f'<path class="joined" d="M{joined}"/>'
    # A dot is a line of no length with round ends: one element for all of them.
    dots = "".join([f"M{x} {y}h0" for x, y in places])
    return drawn + f'<path class="dots" d="{dots}"/>'


def thinned(points: Sequence[tuple[float, float, float | None]], most: int = _MOST,
            ) -> list[tuple[float, float, float | None]]:
    """Points in order of x; of more than ``most``, the means of those that fall together."""
    points = sorted(points, key=lambda p: p[0])
    if len(points) <= most:
        return points
    left, right = points[0][0], points[-1][0]
    width = (right - left) / most or 1.0
    cells: dict[int, list[tuple[float, float, float | None]]] = {}
    for point in points:
        cells.setdefault(min(int((point[0] - left) / width), most - 1), []).append(point)
    found = []
    for cell in cells.values():
        n = len(cell)
        errors = [p[2] for p in cell if p[2] is not None]
        found.append((sum(p[0] for p in cell) / n, sum(p[1] for p in cell) / n,
                      math.hypot(*errors) / n if len(errors) == n else None))
    return found


@dataclass(frozen=True, kw_only=True)
class Mark:
    """A mark of a time line. ``begin``, ``end``: in the unit of the line; ``style``: its fate."""

    begin: float
    end: float
    style: str
    title: str
    address: str = ""


_LINE_WIDTH, _LINE_HEIGHT = 1000.0, 26.0
_NARROWEST = 2.5  # units of a mark


def timeline(marks: Iterable[Mark], label: str, begin: float, end: float) -> Markup:
    """Marks in a row; those in trouble are higher, so that colour alone tells none."""
    across = Scale(low=begin, high=end, start=0.0, end=_LINE_WIDTH - _NARROWEST)
    parts = [f'<line class="axis" x1="0" x2="{_n(_LINE_WIDTH)}" y1="{_n(_LINE_HEIGHT - 0.5)}" '
             f'y2="{_n(_LINE_HEIGHT - 0.5)}"/>']
    for mark in marks:
        x = across(mark.begin)
        width = max(across(mark.end) - x, _NARROWEST)
        height = _LINE_HEIGHT - 1.0 if mark.style in ("failed", "quarantined") else 17.0
        shape = (f'<rect class="fate-{escape(mark.style)}" x="{_n(x)}" width="{_n(width)}" '
                 f'y="{_n(_LINE_HEIGHT - height)}" height="{_n(height)}">'
                 f"<title>{escape(mark.title)}</title></rect>")
        # A table has the same for the keyboard, which would stop at hundreds of marks.
        parts.append(f'<a href="{escape(mark.address)}" tabindex="-1" '
                     f'aria-label="{escape(mark.title)}">{shape}</a>' if mark.address else shape)
    return _svg("timeline", _LINE_WIDTH, _LINE_HEIGHT, label, parts, stretched=True, role="group")


def bars(columns: Sequence[tuple[str, float | None, float | None]], label: str) -> Markup:
    """Columns (title, lower value, higher value): a bar to the lower one, a tick at the higher."""
    most = max((high for _, _, high in columns if high is not None), default=0.0)
    if not most:
        return EMPTY
    height, step = 90.0, 600.0 / len(columns)
    place = Scale(low=0.0, high=most, start=height, end=0.0)
    parts = [f'<line class="axis" x1="0" x2="600" y1="{_n(height)}" y2="{_n(height)}"/>']
    for number, (title, low, high) in enumerate(columns):
        if low is None or high is None:
            continue
        x, y, top = number * step + 1.5, place(low), place(high)
        parts.append(
            f'<g><title>{escape(title)}</title>'
            f'<rect class="whole" x="{_n(x)}" y="0" width="{_n(step - 3)}" height="{_n(height)}"/>'
            f'<rect class="bar" x="{_n(x)}" y="{_n(y)}" width="{_n(step - 3)}" '
            f'height="{_n(height - y)}"/>'
            f'<path class="tick" d="M{_n(x)} {_n(max(top, 1.0))}h{_n(step - 3)}"/></g>')
    return _svg("bars", 600.0, height + 1.0, label, parts, stretched=True)


def _svg(style: str, width: float, height: float, label: str, parts: Iterable[str], *,
         stretched: bool = False, role: str = "img") -> Markup:
    aspect = ' preserveAspectRatio="none"' if stretched else ""
    return Markup(  # noqa: S704 - every text in it is escaped
        f'<svg class="{style}" viewBox="0 0 {_n(width)} {_n(height)}"{aspect} role="{role}" '
        f'aria-label="{escape(label)}">{"".join(parts)}</svg>')


def _n(value: float) -> str:
    """A coordinate to a tenth of a unit."""
    return f"{value:.1f}".removesuffix(".0")
