"""A source's light curve as a still picture (SVG), for browsers that run no scripts."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from markupsafe import escape

from iop4d.model.bands import colour_of
from iop4d.model.units import utc_of_unix
from iop4d.web.lightcurve import Points

_WIDTH, _LEFT, _RIGHT, _TOP, _GAP, _BELOW = 900, 64, 14, 26, 14, 30
_HEIGHTS = {"mag": 260, "p": 120, "chi": 120}
_TITLES = {"mag": "magnitude", "p": "p [%]", "chi": "χ [°]"}
_COLUMNS = {"mag": ("mag", "mag_lo", "mag_hi"), "p": ("p_debiased", "p_lo", "p_hi"),
            "chi": ("chi", "chi_lo", "chi_hi")}
_LIMITS = {"mag": "mag_limit", "p": "p_limit"}
_INK = "#7d8796"  # seen on light and on dark paper
_EDGE = 0.06  # of a panel, without points


@dataclass(frozen=True, kw_only=True)
class _Scale:
    """From a value to a place of the picture."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)


def still_curve(found: Points) -> str:
    """The picture: magnitudes, and the polarisation below if there is any."""
    panels = [name for name in _HEIGHTS if _values(found, name)]
    times = [t / 1000.0 for columns in found.bands.values() for t in columns["t"]]
    x = _scale(times, _LEFT, _WIDTH - _RIGHT, least=3600.0)
    parts, top = list(_legend(found)), _TOP
    for name in panels:
        bottom = top + _HEIGHTS[name]
        parts += _panel(found, name, x, top, bottom)
        top = bottom + _GAP
    for at in _ticks(x, 5):
        parts.append(_text(x(at), top + 8, utc_of_unix(at)[:16], "middle"))
    height = top + _BELOW
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" '
            f'width="{_WIDTH}" height="{height}" font-family="sans-serif" font-size="12">'
            + "".join(parts) + "</svg>\n")


def _panel(found: Points, name: str, x: _Scale, top: float, bottom: float) -> Iterator[str]:
    # Bright is above.
    ends = (top, bottom) if name == "mag" else (bottom, top)
    y = _scale(_values(found, name), *ends, least=0.1)
    yield (f'<rect x="{_LEFT}" y="{top}" width="{_WIDTH - _LEFT - _RIGHT}" '
           f'height="{bottom - top}" fill="none" stroke="{_INK}"/>')
    yield _text(_LEFT, top - 4, _TITLES[name], "start")
    for at in _ticks(y, 4):
        yield _text(_LEFT - 6, y(at) + 4, f"{at:.2f}", "end")
    value, low, high = _COLUMNS[name]
    for band, columns in found.bands.items():
        colour = colour_of(band, dark=False)
        yield f'<g fill="{colour}" stroke="{colour}">'
        for t, v, a, b, fill in zip(columns["t"], columns[value], columns[low], columns[high],
                                    columns["fill"], strict=True):
            if v is not None:
                at = x(t / 1000.0)
                yield (f'<path d="M{at:.1f} {y(a):.1f}V{y(b):.1f}"/><circle cx="{at:.1f}" '
                       f'cy="{y(v):.1f}" r="3" fill-opacity="{fill:g}"/>')
        for t, v in zip(columns["t"], columns.get(_LIMITS.get(name, ""), ()), strict=False):
            if v is not None:
                yield (f'<path fill="none" d="M{x(t / 1000.0) - 4:.1f} {y(v):.1f}'
                       'h8l-4 7z"/>')
        yield "</g>"


def _legend(found: Points) -> Iterator[str]:
    for place, band in enumerate(found.bands):
        yield (f'<text x="{_WIDTH - _RIGHT - 30 * place}" y="18" text-anchor="end" '
               f'fill="{colour_of(band, dark=False)}">● {escape(band)}</text>')


def _values(found: Points, name: str) -> list[float]:
    columns = (*_COLUMNS[name], *([_LIMITS[name]] if name in _LIMITS else []))
    return [value for band in found.bands.values() for column in columns
            for value in band[column] if value is not None]


def _scale(values: list[float], start: float, end: float, *, least: float) -> _Scale:
    low, high = min(values, default=0.0), max(values, default=1.0)
    wide = max(high - low, least)
    middle, half = (low + high) / 2.0, wide * (0.5 + _EDGE)
    return _Scale(low=middle - half, high=middle + half, start=start, end=end)


def _ticks(scale: _Scale, count: int) -> list[float]:
    """So many values at equal distances, none at the ends."""
    step = (scale.high - scale.low) / count
    if step < 3600.0:
        exponent = 10.0 ** math.floor(math.log10(step))
        step = min((m * exponent for m in (1, 2, 5, 10)), key=lambda one: abs(one - step))
    first = math.ceil(scale.low / step) * step
    found = [first + step * k for k in range(count + 3)]
    return [at for at, _ in pairwise(found) if scale.low < at < scale.high]


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return (f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{_INK}">'
            f'{escape(text)}</text>')
