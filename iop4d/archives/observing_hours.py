"""When a telescope observes: by the hours of its section, or while the sun is down there."""

from __future__ import annotations

from datetime import UTC, datetime

from iop4d.config import Archive, ServerArchive
from iop4d.instruments.sun import sun_altitude_deg
from iop4d.instruments.telescopes import Telescope

_DOWN_DEG = 0.0  # altitude of the sun below which a telescope observes: flats come at dusk


def observes(archive: Archive, telescope: Telescope | None, unix: float) -> bool:
    """Whether frames are to be expected now; always where nothing is known of the place."""
    if archive.observing_hours:
        begin, end = archive.observing_hours.split("-")
        now = datetime.fromtimestamp(unix, tz=UTC).strftime("%H:%M")
        return begin <= now < end if begin <= end else now >= begin or now < end
    if telescope is None or not telescope.is_placed:
        return True
    return sun_altitude_deg(unix, telescope.latitude_deg, telescope.longitude_deg) < _DOWN_DEG


def pause_of(archive: ServerArchive, telescope: Telescope | None, unix: float) -> float:
    """Seconds between looks at the server."""
    if observes(archive, telescope, unix):
        return archive.poll_interval
    return max(archive.poll_interval_day, archive.poll_interval)
