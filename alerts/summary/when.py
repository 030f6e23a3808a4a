"""When a night ends, and of which nights the summary is due. Times are Unix seconds."""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta

from iop4d.config import Site
from iop4d.instruments.telescopes import Telescope, sun_altitude_deg

_DAY = 86400.0
#: Altitudes of the sun that end a night, the first that it reaches: the end of astronomical or
#: else of nautical twilight.
_ENDS_DEG = (-18.0, -12.0)
_STEP = 300.0  # seconds between the altitudes among which the lowest is looked for
_EXACT = 1.0  # seconds to which the end of twilight is found
_NOON = "12:00"


def telescopes_of(site: Site, known: Iterable[Telescope]) -> tuple[Telescope, ...]:
    """The telescopes by which a site's nights end: those that its archives and cameras name.

    Where none is named, or none of them is known, all that are known.
    """
    telescopes = {telescope.name: telescope for telescope in known}
    named = [archive.telescope for archive in site.archive]
    named += [camera.telescope for camera in site.camera]
    found = {name: telescopes[name] for name in named if name in telescopes}
    return tuple((found or telescopes).values())


def end_of_night(night: date, telescopes: Sequence[Telescope], at: str = "") -> float:
    """When a night is over at all telescopes: at the hour ``at`` of UTC, or as twilight ends it.

    Where the place of no telescope is known, at 12:00 UTC.
    """
    placed = [telescope for telescope in telescopes if telescope.is_placed]
    if at or not placed:
        west = min((t.longitude_deg for t in placed), default=0.0)
        return _next_time(_midnight(night, west), at or _NOON)
    return max(_dawn(night, telescope) for telescope in placed)


def _midnight(night: date, longitude_deg: float) -> float:
    """Local mean midnight of the night that began in the evening of ``night``."""
    begin = datetime.combine(night, time(), tzinfo=UTC).timestamp()
    return begin + _DAY - longitude_deg / 360.0 * _DAY


def _next_time(after: float, at: str) -> float:
    hour, minute = map(int, at.split(":"))
    moment = datetime.fromtimestamp(after, UTC).replace(hour=hour, minute=minute, second=0,
                                                        microsecond=0)
    return (moment if moment.timestamp() >= after else moment + timedelta(days=1)).timestamp()


def _dawn(night: date, telescope: Telescope) -> float:
    """The end of astronomical twilight; where there is none, of nautical twilight.

    Where the sun does not get so low, its lowest; where it stays as low all day, 12:00 UTC.
    """
    midnight = _midnight(night, telescope.longitude_deg)

    def altitude(moment: float) -> float:
        return sun_altitude_deg(moment, telescope.latitude_deg, telescope.longitude_deg)

    # The true midnight is within 17 minutes of the mean one.
    lowest = min((midnight + n * _STEP for n in range(-6, 7)), key=altitude)
    noon = midnight + _DAY / 2
    for end in _ENDS_DEG:
        if altitude(lowest) < end:
            if altitude(noon) <= end:
                return _next_time(midnight, _NOON)
            return _rise(altitude, end, lowest, noon)
    return lowest


def _rise(altitude: Callable[[float], float], end: float, below: float, above: float) -> float:
    """When the sun, below an altitude at one moment and above it at a later one, reaches it."""
    while above - below > _EXACT:
        middle = (below + above) / 2.0
        below, above = (middle, above) if altitude(middle) < end else (below, middle)
    return float(math.ceil(above))


def last_ended(now: float, end: Callable[[date], float]) -> date:
    """The latest night that is over."""
    night = datetime.fromtimestamp(now, UTC).date() + timedelta(days=1)
    while end(night) > now:
        night -= timedelta(days=1)
    return night


def nights_due(now: float, *, end: Callable[[date], float], made: Container[str], since: float,
               most: int) -> list[date]:
    """The nights that are over and have no summary yet, the oldest first.

    Nights that ended before ``since``, when the site began, have none, and ``most`` is how many
    back are made up for. Which are made is asked night by night: a clock that once went wrong, and
    left a night of the future, must not silence those to come.
    """
    last = last_ended(now, end)
    nights = [last - timedelta(days=back) for back in reversed(range(most))]
    return [night for night in nights if end(night) >= since and night.isoformat() not in made]
