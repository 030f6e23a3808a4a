"""Telescopes: where they stand, which decides the night, the airmass and the barycentric time."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

JD_UNIX_EPOCH = 2440587.5  # JD(UTC) of 1970-01-01T00:00


@dataclass(frozen=True, kw_only=True)
class Telescope:
    """Place of a telescope: degrees (north and east positive), metres above the sea; diameter of
    its mirror in metres; ``place``: where it stands, as people write it, empty if unknown.

    NaN latitude or longitude: unknown; nights are then UTC noon to noon, and there is no airmass.
    """

    name: str
    latitude_deg: float = float("nan")
    longitude_deg: float = float("nan")
    height_m: float = 0.0
    diameter_m: float = 0.9
    place: str = ""

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
    moment = datetime.fromtimestamp((jd - JD_UNIX_EPOCH) * 86400.0, tz=UTC)
    local = moment + timedelta(hours=longitude / 15.0)
    return (local - timedelta(hours=12)).date().isoformat()
