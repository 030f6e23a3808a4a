"""Light curves of alerts as pictures (SVG) in the page: what fired, the threshold, and the past.

They use the page's own colours, by classes of ``alerts.css``, and need no script.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from iop4d.model.units import utc_of_jd
from iop4d.web.axes import Scale, date_ticks, scale_of, ticks

_LEFT, _RIGHT, _TOP, _GAP, _BELOW = 46, 8, 18, 22, 20
_EDGE = 0.07  # of a panel, without points
_MOST = 600  # points drawn in a panel; of more, the extremes of each piece
_WITH_BARS = 200  # points in a panel that have error bars; of more they are a blur


@dataclass(frozen=True, kw_only=True)
class CurvePoint:
    """A point: JD, value, error (NaN where unknown), the id of its result, and whether it fired."""

    jd: float
    value: float
    error: float = math.nan
    id: int = 0
    fired: bool = False


@dataclass(frozen=True, kw_only=True)
class CurveLine:
    """A level: ``kind`` is threshold, clear or past; from one JD to another, or all along."""

    value: float
    kind: str
    text: str
    begin: float | None = None
    end: float | None = None


@dataclass(frozen=True, kw_only=True)
class CurvePanel:
    """A quantity against time; ``turned``: small values are above, as of magnitudes."""

    title: str
    points: tuple[CurvePoint, ...]
    lines: tuple[CurveLine, ...] = ()
    turned: bool = False
    band: str = ""


@dataclass(frozen=True, kw_only=True)
class Curve:
    """Panels below each other, of one time; ``spans``: JD of episodes, begin and end."""

    title: str
    panels: tuple[CurvePanel, ...]
    spans: tuple[tuple[float, float], ...] = ()
    begin: float | None = None
    end: float | None = None

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to draw."""
        return not any(panel.points for panel in self.panels)


def drawn(curve: Curve, *, width: int = 480, height: int = 110, most: int = _MOST) -> Markup:
    """The picture, for the page to hold; ``height``: of each panel; ``most``: points of each."""
    panels = [panel for panel in curve.panels if panel.points]
    times = [point.jd for panel in panels for point in panel.points]
    times += [one for one in (curve.begin, curve.end) if one is not None]
    if not times:
        return Markup("")
    x = scale_of(times, _LEFT, width - _RIGHT, least=1.0 / 24.0, edge=_EDGE)
    parts: list[str] = []
    top = _TOP
    for panel in panels:
        parts += _panel(panel, curve, x, (top, top + height), most)
        top += height + _GAP
    bottom = top - _GAP
    parts += _dates(x, bottom, width)
    return Markup(  # noqa: S704  # every text in it is escaped
        f'<svg class="curve" viewBox="0 0 {width} {bottom + _BELOW}" role="group" '
        f'aria-label="{escape(curve.title)}">{"".join(parts)}</svg>')


def _panel(panel: CurvePanel, curve: Curve, x: Scale, place: tuple[float, float],
           most: int) -> Iterator[str]:
    top, bottom = place
    shown = _thinned(panel.points, most)
    values = [edge for point in shown for edge in _ends(point)]
    values += [line.value for line in panel.lines]
    ends = (top, bottom) if panel.turned else (bottom, top)
    y = scale_of(values, *ends, least=1e-3, edge=_EDGE)
    yield f'<text class="title" x="{_LEFT}" y="{top - 6}">{escape(panel.title)}</text>'
    for begin, end in curve.spans:
        left, right = max(x(begin), _LEFT), min(x(end), x.end)
        if right >= left:
            yield (f'<rect class="span" x="{left:.1f}" y="{top}" '
                   f'width="{max(right - left, 1.5):.1f}" height="{bottom - top}"/>')
    yield (f'<path class="frame" d="M{_LEFT} {top}V{bottom}H{x.end:.0f}"/>')
    for at, text in ticks(y, 4):
        yield (f'<path class="grid" d="M{_LEFT} {y(at):.1f}H{x.end:.0f}"/>'
               f'<text class="tick" x="{_LEFT - 6}" y="{y(at) + 4:.1f}">{text}</text>')
    yield from _lines(panel, x, y)
    yield from _points(panel, shown, x, y)


def _lines(panel: CurvePanel, x: Scale, y: Scale) -> Iterator[str]:
    for line in panel.lines:
        left = x.start if line.begin is None else max(x(line.begin), x.start)
        right = x.end if line.end is None else min(x(line.end), x.end)
        if right > left:
            yield (f'<path class="{line.kind}" d="M{left:.1f} {y(line.value):.1f}H{right:.1f}">'
                   f'<title>{escape(line.text)}</title></path>')


def _points(panel: CurvePanel, shown: Sequence[CurvePoint], x: Scale,
            y: Scale) -> Iterator[str]:
    plain = [point for point in shown if not point.fired]
    bars = "".join(f"M{x(point.jd):.1f} {y(low):.1f}V{y(high):.1f}" for point in shown
                   for low, high in [_ends(point)] if low < high and len(shown) <= _WITH_BARS)
    band = f" band-{panel.band}" if panel.band in tuple("UBVRI") else ""
    if bars:
        yield f'<path class="bars{band}" d="{bars}"/>'
    if plain:
        dots = "".join(f"M{x(point.jd):.1f} {y(point.value):.1f}h0" for point in plain)
        yield f'<path class="dots{band}" d="{dots}"/>'
    for point in shown:
        if point.fired:
            yield (f'<circle class="fired" cx="{x(point.jd):.1f}" cy="{y(point.value):.1f}" r="4">'
                   f"<title>{utc_of_jd(point.jd)} UTC: {point.value:.3f}</title></circle>")


def _ends(point: CurvePoint) -> tuple[float, float]:
    error = 0.0 if math.isnan(point.error) else point.error
    return point.value - error, point.value + error


def _thinned(points: Sequence[CurvePoint], most: int) -> list[CurvePoint]:
    """All points, or of very many the lowest and the highest of each piece of time, and all that
    fired."""
    good = [point for point in points if math.isfinite(point.value)]
    if len(good) <= most:
        return good
    begin, span = good[0].jd, (good[-1].jd - good[0].jd) or 1.0
    pieces: dict[int, list[CurvePoint]] = {}
    for point in good:
        pieces.setdefault(int((point.jd - begin) / span * most / 2), []).append(point)
    kept = {id(end(piece, key=lambda point: point.value))
            for piece in pieces.values() for end in (min, max)}
    return [point for point in good if point.fired or id(point) in kept]


def _dates(x: Scale, bottom: float, width: int) -> Iterator[str]:
    """Dates below, or hours where all is of one night."""
    for at, said in date_ticks(x, width // 130):
        place = x(at)
        side = " first" if place < _LEFT + 40 else " last" if place > x.end - 40 else ""
        yield (f'<path class="frame" d="M{place:.1f} {bottom}v4"/>'
               f'<text class="date{side}" x="{place:.1f}" y="{bottom + 17}">{said}</text>')
