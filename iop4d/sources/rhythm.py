"""When a telescope observes: by the hours of its section, or while the sun is down there."""

from __future__ import annotations

import math
from datetime import UTC, datetime

from iop4d.config import Archive
from iop4d.instruments.telescopes import JD_UNIX_EPOCH, Telescope

_DOWN_DEG = 0.0  # altitude of the sun below which a telescope observes: flats come at dusk


def sun_altitude_deg(unix: float, latitude_deg: float, longitude_deg: float) -> float:
    """Altitude of the sun's centre, without refraction, good to 0.02 degrees.

    Low-precision formulae of the Astronomical Almanac, section C.
    """
    days = unix / 86400.0 + JD_UNIX_EPOCH - 2451545.0
    mean_longitude = math.radians((280.460 + 0.9856474 * days) % 360.0)
    anomaly = math.radians((357.528 + 0.9856003 * days) % 360.0)
    longitude = mean_longitude + math.radians(
        1.915 * math.sin(anomaly) + 0.020 * math.sin(2.0 * anomaly))
    obliquity = math.radians(23.439 - 4e-7 * days)
    ra = math.atan2(math.cos(obliquity) * math.sin(longitude), math.cos(longitude))
    dec = math.asin(math.sin(obliquity) * math.sin(longitude))
    sidereal = math.radians((280.46062 + 360.98564737 * days + longitude_deg) % 360.0)
    latitude = math.radians(latitude_deg)
    return math.degrees(math.asin(
        math.sin(latitude) * math.sin(dec)
        + math.cos(latitude) * math.cos(dec) * math.cos(sidereal - ra)))


def observes(archive: Archive, telescope: Telescope | None, unix: float) -> bool:
    """Whether frames are to be expected now; always where nothing is known of the place."""
    if archive.hours:
        begin, end = archive.hours.split("-")
        now = datetime.fromtimestamp(unix, tz=UTC).strftime("%H:%M")
        return begin <= now < end if begin <= end else now >= begin or now < end
    if telescope is None or not telescope.is_placed:
        return True
    return sun_altitude_deg(unix, telescope.latitude_deg, telescope.longitude_deg) < _DOWN_DEG


def pause_of(archive: Archive, telescope: Telescope | None, unix: float) -> float:
    """Seconds between looks at the server."""
    if observes(archive, telescope, unix):
        return archive.poll
    return max(archive.poll_day, archive.poll)
