"""Where a telescope stands: what the cards of camera programs mean."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from iop4d.config.camera import HEIGHTS_M
from iop4d.instruments import base, draft_names
from iop4d.instruments.base import Header, card, number_or_none
from iop4d.instruments.draft_cards import Cards, Keys
from iop4d.instruments.telescopes import sun_altitude_deg
from iop4d.model.errors import CardError
from iop4d.model.units import unix_of_jd

#: Cards of latitude and longitude; the FITS standard's first, whose east is positive.
_PLACES = (("OBSGEO-B", "OBSGEO-L"), ("LAT-OBS", "LONG-OBS"), ("SITELAT", "SITELONG"),
           ("LATITUDE", "LONGITUD"), ("GEOLAT", "GEOLON"), ("LATITUDE", "LONGITUDE"),
           ("OBSLAT", "OBSLONG"), ("GPS_LAT", "GPS_LON"), ("OBS-LAT", "OBS-LONG"),
           ("ESO TEL GEOLAT", "ESO TEL GEOLON"), ("SITELAT", "SITELON"), ("LATITUD", "LONGITUD"),
           ("OBSLAT", "OBSLON"), ("SITE_LAT", "SITE_LON"), ("SITE_LAT", "SITE_LONG"),
           ("GEO_LAT", "GEO_LON"), ("GEOLAT", "GEOLONG"), ("TEL-LAT", "TEL-LONG"),
           ("OBS_LAT", "OBS_LON"), ("OBS_LAT", "OBS_LONG"), ("LAT", "LONG"), ("LAT", "LON"))
_HEIGHTS = ("OBSGEO-H", "ALT-OBS", "ELEV-OBS", "SITEELEV", "SITEALT", "HEIGHT", "GEOALT",
            "ALTITUDE", "OBSALT", "GPS_ALT", "OBS-ELEV", "OBS-ALT", "ESO TEL GEOELEV", "ELEVATIO",
            "GEOELEV", "OBSELEV", "SITE_ALT", "SITEHGT", "OBS_ELEV", "OBS_ALT")
_SIDEREAL = ("LST", "ST", "LMST", "SIDTIME", "SIDEREAL", "LST-OBS", "LST_OBS", "STSTART")
_NEAR_DEG = 4.0  # between a sidereal time and that of a longitude: 16 minutes
MomentOf = Callable[[Header], float | None]
_LOW_SUN = 0.0  # degrees: higher than that no star is photographed
_DIAMETERS_MM = (10.0, 40000.0)  # of a telescope


def put_diameter(frames: Sequence[Cards], section: Keys) -> None:
    """Diameter of the telescope, which APTDIA gives in millimetres."""
    for header, _ in frames:
        mm = number_or_none(header, "APTDIA")
        if mm is not None and _DIAMETERS_MM[0] <= mm <= _DIAMETERS_MM[1]:
            section.put("diameter", round(mm / 1000.0, 3), f"APTDIA says {mm:g} mm")
            return


def put_place(frames: Sequence[Cards], science: Sequence[Cards], section: Keys,
              moment_of: MomentOf) -> None:
    """Latitude, longitude and height of the telescope; ``moment_of``: JD(UTC) of a frame."""
    begun = [jd for header, _ in science if (jd := moment_of(header)) is not None]
    for header, comments in frames:
        for lat, lon in (*_PLACES, *draft_names.places(header)):
            try:
                place = [_degrees(header, name) for name in (lat, lon)]
            except CardError:
                continue
            if not (abs(place[0]) <= 90 and abs(place[1]) <= 360) or place == [0.0, 0.0]:
                continue
            section.put("latitude", round(place[0], 5), f"{lat} says {card(header, lat)}")
            east, why = _east(header, lon, place[1], comments.get(lon, "").lower(), section,
                              moment_of(header))
            if why.endswith("?") and east > 0.0 and _is_day(begun, place[0], east) \
                    and not _is_day(begun, place[0], -east):
                section.unknown.append(f"whether the telescope stands east or west: {why}; the Sun "
                                       "is up there during the science frames, if their times are "
                                       "in UTC")
                east, why = -east, f"{lon} says {card(header, lon)}, to the west by the Sun"
            elif _is_day(begun, place[0], east):
                section.unknown.append("whether the times are in UTC: the Sun is up there during "
                                       "the science frames")
            section.put("longitude", round(east, 5), why)
            metres = next((m for name in _HEIGHTS if (m := number_or_none(header, name))
                           and HEIGHTS_M[0] <= m <= HEIGHTS_M[1]
                           and not _is_above_horizon(header, name, comments)), None)
            if metres:
                section.put("height", metres, "metres")
            return


def _is_above_horizon(header: Header, name: str, comments: Mapping[str, str]) -> bool:
    """Whether an altitude is that of the target: it says so, or its azimuth is there, too."""
    return name in ("ALTITUDE", "OBSALT", "OBS-ALT", "OBS_ALT") and (
        "deg" in comments.get(name, "").lower()
        or any(other in header for other in ("AZIMUTH", "AZ", "OBSAZ")))


def _degrees(header: Header, name: str) -> float:
    """An angle, also with the letter of its direction behind it: 03 00 00 W."""
    found = re.fullmatch(r"(.*\d\D{0,2}?)\s*([NSEW])", card(header, name))
    if not found:
        return base.angle(header, name, unit="deg")
    degrees = base.angle({name: found[1]}, name, unit="deg")
    return -abs(degrees) if found[2] in "SW" else degrees


def _is_day(begun: Sequence[float], latitude: float, east: float) -> bool:
    """Whether the Sun is up at a place at some of these times, JD(UTC)."""
    return any(sun_altitude_deg(unix_of_jd(jd), latitude, east) > _LOW_SUN for jd in begun)


def _east(header: Header, name: str, degrees: float, comment: str, section: Keys,
          jd: float | None) -> tuple[float, str]:
    """Degrees to the east, -180 to 360, and how that is known."""
    if re.search(r"\bwest", comment) and "east" not in comment:
        degrees = -abs(degrees)
    east = degrees + 360.0 if degrees < -180.0 else degrees
    why = f"{name} says {card(header, name)}"
    if re.search(r"\bwest", comment) and "east" not in comment:
        return east, f"{why}, to the west"
    if name == "OBSGEO-L" or re.search(r"\+\s*e\b|\be\s*\+|east|\+=e", comment):
        return east, why
    off = [_off(header, one, jd) for one in (east, -east)]
    if off[0] is not None and off[1] is not None:
        if off[0] < _NEAR_DEG < off[1]:
            return east, f"{why}, and the sidereal time agrees"
        if off[1] < _NEAR_DEG < off[0]:
            section.unknown.append(f"whether the telescope stands east or west: {name} = "
                                   f"{card(header, name)} and the sidereal time agree if {name} "
                                   "counts to the west")
            return -east, f"{why}, to the west by the sidereal time"
    return east, f"{why}: is east positive?"


def _off(header: Header, east: float, jd: float | None) -> float | None:
    """Degrees between a frame's sidereal time and that of a longitude; None where it has none."""
    name = next((name for name in _SIDEREAL if card(header, name)), "")
    try:
        local = base.angle(header, name, unit="hour") if name else None
    except CardError:
        local = None
    if local is None or jd is None:
        return None
    greenwich = 280.46062 + 360.98564737 * (jd - 2451545.0)
    return abs((local - greenwich - east + 180.0) % 360.0 - 180.0)
