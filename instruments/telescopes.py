"""Telescopes: where they stand, which decides the night, the airmass and the barycentric time."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from iop4d.model.units import jd_of_unix, unix_of_jd


@dataclass(frozen=True, kw_only=True)
class Telescope:
    """Place of a telescope: degrees (north and east positive), metres above the sea; diameter of
    its mirror in metres; ``place``: where it stands, as people write it, empty if unknown;
    ``since``: its first night with a CCD, or one before it.

    NaN latitude or longitude: unknown; nights are then UTC noon to noon, and there is no airmass.
    """

    name: str
    latitude_deg: float = float("nan")
    longitude_deg: float = float("nan")
    height_m: float = 0.0
    diameter_m: float = 0.9
    place: str = ""
    since: str = "1980-01-01"

    @property
    def is_placed(self) -> bool:
        """Whether its place is known."""
        return math.isfinite(self.latitude_deg) and math.isfinite(self.longitude_deg)


#: Sierra Nevada Observatory (OSN), Loma de Dilar, Granada, Spain.
T090 = Telescope(name="OSN-T090", latitude_deg=37.0642, longitude_deg=-3.3846, height_m=2896.0,
                 diameter_m=0.9, place="Observatorio de Sierra Nevada, Spain")
T150 = Telescope(name="OSN-T150", latitude_deg=37.0642, longitude_deg=-3.3846, height_m=2896.0,
                 diameter_m=1.5, place="Observatorio de Sierra Nevada, Spain")

#: The 2.2 m telescope at Calar Alto, Almeria, Spain.
T220 = Telescope(name="CAHA-T220", latitude_deg=37.2236, longitude_deg=-2.5461, height_m=2168.0,
                 diameter_m=2.2, place="Calar Alto Observatory, Spain")


def night_of(jd: float, telescope: Telescope) -> str:
    """ISO date of the evening of the local noon-to-noon night that holds JD(UTC) ``jd``.

    Local noon is that of mean solar time at the telescope's longitude.
    """
    longitude = telescope.longitude_deg if math.isfinite(telescope.longitude_deg) else 0.0
    moment = datetime.fromtimestamp(unix_of_jd(jd), tz=UTC)
    local = moment + timedelta(hours=longitude / 15.0)
    return (local - timedelta(hours=12)).date().isoformat()


def sun_altitude_deg(unix: float, latitude_deg: float, longitude_deg: float) -> float:
    """Altitude of the sun's centre, without refraction, good to 0.02 degrees.

    Low-precision formulae of the Astronomical Almanac, section C.
    """
    days = jd_of_unix(unix) - 2451545.0
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
