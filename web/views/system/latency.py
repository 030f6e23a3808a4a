"""From a frame's arrival to its results: the median and 95 % of each hour of the day."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from iop4d.model.units import utc_of_unix
from iop4d.store import machine
from iop4d.store.database import Connection
from iop4d.web.sparkline import bars

_HOUR = 3600.0
HOURS = 24


@dataclass(frozen=True, kw_only=True)
class Hour:
    """The frames of an hour: how many, and seconds; NaN where there is none."""

    begins: float
    frames: int
    median: float = math.nan
    p95: float = math.nan


@dataclass(frozen=True, kw_only=True)
class Latency:
    """The last day: of all its frames, by hour, and as a picture."""

    frames: int
    median: float
    p95: float
    slowest: float
    hours: list[Hour]
    picture: Markup

    @property
    def highest(self) -> float:
        """What the whole height of the picture stands for, s."""
        return max(hour.p95 for hour in self.hours if hour.frames)


def latency_of(db: Connection, now: float) -> Latency | None:
    """The latencies of the last day; None where no frame was reduced in it."""
    begin = (math.floor(now / _HOUR) - HOURS + 1) * _HOUR
    rows = [(at, took) for _, at, took in machine.latencies(db, begin)]
    if not rows:
        return None
    hours = _hours(rows, begin)
    took = sorted(seconds for _, seconds in rows)
    columns = [(f"{utc_of_unix(hour.begins)[11:16]}: {hour.frames} frames"
                + (f", median {hour.median:.1f} s, 95 % within {hour.p95:.1f} s"
                   if hour.frames else ""),
                hour.median if hour.frames else None, hour.p95 if hour.frames else None)
               for hour in hours]
    label = (f"Seconds from arrival to result by hour: median {quantile(took, 0.5):.1f} s, 95 % "
             f"within {quantile(took, 0.95):.1f} s")
    return Latency(frames=len(took), median=quantile(took, 0.5), p95=quantile(took, 0.95),
                   slowest=took[-1], hours=hours, picture=bars(columns, label))


def _hours(rows: Iterable[tuple[float, float]], begin: float) -> list[Hour]:
    of: dict[int, list[float]] = {}
    for at, took in rows:
        of.setdefault(int((at - begin) // _HOUR), []).append(took)
    found = []
    for number in range(HOURS):
        seconds = sorted(of.get(number, []))
        at = begin + number * _HOUR
        found.append(Hour(begins=at, frames=0) if not seconds else Hour(
            begins=at, frames=len(seconds), median=quantile(seconds, 0.5),
            p95=quantile(seconds, 0.95)))
    return found


def quantile(values: Sequence[float], part: float) -> float:
    """The value of sorted ones that a part of them does not exceed, between two where it falls."""
    place = part * (len(values) - 1)
    low = math.floor(place)
    high = min(low + 1, len(values) - 1)
    return values[low] + (place - low) * (values[high] - values[low])
