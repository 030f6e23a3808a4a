"""When it is dark over the simulated observatory, and which fields stand high then."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta

from iop4d.instruments.telescopes import T090, sun_altitude_deg
from iop4d.model.units import jd_of_unix, unix_of_jd
from iop4d.science.times import airmass

_DARK_DEG = -10.0  # altitude of the Sun below which the cameras work
_HIGHEST_AIRMASS = 2.5  # up to which a field is observed
_STEP_S = 120.0
_UNIX_EPOCH = date(1970, 1, 1)


def last_night(now: datetime) -> str:
    """The last night that is over, whatever the time of year: it ended before the noon of ``now``.

    ``now`` is UTC. Nights are named by the date of their evening.
    """
    return (now - timedelta(hours=36)).date().isoformat()


def dark_hours(night: str) -> tuple[float, float]:
    """JD(UTC) of dusk and dawn of a night at the simulated observatory, to two minutes."""
    noon = (date.fromisoformat(night) - _UNIX_EPOCH).days * 86400.0 + 43200.0
    dark = [unix for step in range(round(86400.0 / _STEP_S))
            if sun_altitude_deg(unix := noon + step * _STEP_S, T090.latitude_deg,
                                T090.longitude_deg) < _DARK_DEG]
    return jd_of_unix(dark[0]), jd_of_unix(dark[-1])


def is_high(jd: float, ra_deg: float, dec_deg: float) -> bool:
    """Whether a direction stands high enough to be observed."""
    return airmass(jd, ra_deg, dec_deg, latitude_deg=T090.latitude_deg,
                   longitude_deg=T090.longitude_deg) < _HIGHEST_AIRMASS


def first_high(night: str, places: Iterable[tuple[str, float, float]], *,
               hours: float) -> list[str]:
    """The names of those places (name, RA, Dec) that stand high from dusk on for some hours."""
    dusk, _ = dark_hours(night)
    moments = [dusk + hours / 24.0 * part / 4.0 for part in range(5)]
    return [name for name, ra, dec in places if all(is_high(jd, ra, dec) for jd in moments)]


def seconds_until_dawn(night: str) -> float:
    """From dusk to dawn."""
    dusk, dawn = dark_hours(night)
    return unix_of_jd(dawn) - unix_of_jd(dusk)
