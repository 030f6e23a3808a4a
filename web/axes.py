"""Axes of the pictures that the server draws: from values to places, and where ticks stand."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from iop4d.model.units import jd_of_unix, unix_of_jd, utc_of_unix

_HOUR, _DAY = 3600.0, 86400.0
_YEAR = 365.0 * _DAY
_LEAST_SPAN = 1e-12
#: Seconds between ticks of time.
_STEPS = (60.0, 300.0, _HOUR / 4, _HOUR, 2 * _HOUR, 6 * _HOUR,
          *(days * _DAY for days in (1, 2, 5, 10, 30, 60, 120, 365)))


@dataclass(frozen=True, kw_only=True)
class Scale:
    """From a value to a place; where there is but one value, it stands in the middle."""

    low: float
    high: float
    start: float
    end: float

    @property
    def slope(self) -> float:
        """Places for one of the value; 0 where there is but one value."""
        span = self.high - self.low
        return (self.end - self.start) / span if span > _LEAST_SPAN else 0.0

    def __call__(self, value: float) -> float:
        span = self.high - self.low
        if span <= _LEAST_SPAN:
            return (self.start + self.end) / 2.0
        return self.start + (value - self.low) / span * (self.end - self.start)

    def inside(self, value: float) -> float:
        """The place of a value, at the edge if it lies beyond."""
        return self(min(max(value, self.low), self.high))


def scale_of(values: Iterable[float], start: float, end: float, *, least: float,
             edge: float) -> Scale:
    """A scale on which all values have room: 0 to 1 without any.

    ``least``: the smallest span of values; ``edge``: the share of the span left free at each end.
    """
    known = list(values)
    low, high = min(known, default=0.0), max(known, default=1.0)
    middle, half = (low + high) / 2.0, max(high - low, least) * (0.5 + edge)
    return Scale(low=middle - half, high=middle + half, start=start, end=end)


def ticks(scale: Scale, count: int) -> list[tuple[float, str]]:
    """About so many round values of a scale, with their words."""
    wide = scale.high - scale.low
    exponent = 10.0 ** math.floor(math.log10(wide / count))
    step = min((m * exponent for m in (1.0, 2.0, 5.0, 10.0)),
               key=lambda one: abs(wide / one - count))
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    first = math.ceil(scale.low / step - 1e-9)
    found = []
    for number in range(first, first + 3 * count):
        at = number * step
        if at > scale.high + 1e-9 * wide:
            break
        said = f"{at:.{digits}f}" if abs(at) < 1e9 else f"{at:.3g}"
        found.append((at, said.replace("-", "\N{MINUS SIGN}")))
    return found


def date_ticks(scale: Scale, count: int, *, hours: str = "%m-%d %H:%M"
               ) -> Iterator[tuple[float, str]]:
    """At most about so many moments of a scale of JD: dates, or with ``hours`` where these tell
    them apart. They are whole hours or days of UTC.
    """
    begin, end = unix_of_jd(scale.low), unix_of_jd(scale.high)
    rough = (end - begin) / count
    step = next((one for one in _STEPS if one >= rough), math.ceil(rough / _YEAR) * _YEAR)
    at = math.ceil(begin / step) * step
    form = "%Y-%m-%d" if step >= _DAY else hours
    while at <= end:
        yield jd_of_unix(at), utc_of_unix(at, form)
        at += step
