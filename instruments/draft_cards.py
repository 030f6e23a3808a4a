"""What the cards of camera programs mean: times, exposures, pointings, scales and places."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Protocol

from iop4d.config.camera import HEIGHTS_M, TIME_UNITS
from iop4d.instruments import base, moments
from iop4d.instruments.base import Header, card, number_or_none
from iop4d.model.errors import CardError

#: A header, and what stands behind the / in its cards.
Cards = tuple[Header, Mapping[str, str]]


class Keys(Protocol):
    """What collects the keys of a section."""

    unknown: list[str]

    def put(self, name: str, value: object, why: str) -> None:
        """A key, its value and its reason."""


# The time.

_FIRST_CCD_JD = 2444239.5  # 1980-01-01: earlier frames are doubtful unless the section says so

_MOMENTS = ("DATE-OBS", "DATE_OBS", "DATEOBS", "DATE-BEG", "DATE-STA", "UT-OBS", "UTC-OBS",
            "DATE-UTC", "DATE-AVG", "JD", "JD-OBS", "JD_UTC", "MJD-OBS", "MJD", "EXPSTART", "DATE")
_CLOCKS = ("UT", "UTC", "TIME-OBS", "TIME_OBS", "UT-OBS", "UTC-OBS", "UTSTART", "UT-START",
           "UTCSTART", "UTSHUT", "UTOPEN", "TIME-BEG", "TM-START", "EXPSTART", "TIME", "STARTTIM")
_LOCAL = (("DATE-LOC", ""), ("DATE-OBS", "LT"), ("DATE-OBS", "TIME-LOC"), ("DATE-OBS", "LOCTIME"))
_UNITS = (("min", r"\bmin"), ("ms", r"\bmsec|\bms\b|milli"), ("us", r"\bus\b|micro|\busec"),
          ("h", r"\bhours?\b"))
_EXPOSURES = ("EXPTIME", "EXPOSURE", "EXP_TIME", "EXPTIM", "EXP-TIME", "ITIME", "TEXPTIME",
              "EXPOSED", "EXPT", "INTTIME", "DARKTIME", "EXPOINUS")


def put_time(frames: Sequence[Cards], section: Keys) -> None:
    """The cards of exposure and time, where they are not the usual ones."""
    name = _exposure_card(frames)
    if name and name != "EXPTIME":
        section.put("exptime_card", name, f"says {_said(frames, name)}")
    unit = _unit(name, frames) if name else "s"
    if unit != "s":
        section.put("exptime_unit", unit, _comment(frames, name) or f"of {name}")
    moment, clock = _moment(frames)
    if not moment:
        section.unknown.append("the time: looked at " + ", ".join(_MOMENTS))
        return
    if moment != "DATE-OBS":
        section.put("time_card", moment, f"says {_said(frames, moment)}")
    if clock:
        section.put("clock_card", clock, f"{moment} is a date alone; {clock} says "
                                         f"{_said(frames, clock)}")
    why = _comment(frames, clock or moment)
    if fraction := "middle" if moment == "DATE-AVG" else _is(why):
        section.put("time_is", fraction, f"{clock or moment}: {why}" if why else f"by {moment}")
    zone, other = _zone(frames, moment, clock)
    if zone:
        section.put("time_zone", zone, f"so far it is from {other}")
    elif not other and _is_local(moment, why):
        section.put("time_zone", "UTC", f"CHANGE IT: local time, {moment}: {why}")
    _put_order(frames, moment, section)
    first = min(base.julian_date(header, moment, clock=clock, order=_order(frames, moment))
                for header, _ in frames)
    if first < _FIRST_CCD_JD:
        section.put("since", moments.day_of_jd(first - 1.0), "older than CCDs are")


def seconds(header: Header, comments: Mapping[str, str]) -> float | None:
    """The exposure time of a frame; None where no card tells it."""
    frames = [(header, comments)]
    name = _exposure_card(frames)
    value = number_or_none(header, name) if name else None
    return None if value is None else value * TIME_UNITS[_unit(name, frames)]


def _exposure_card(frames: Sequence[Cards]) -> str:
    return next((name for name in _EXPOSURES if any(
        number_or_none(header, name) is not None for header, _ in frames)), "")


def _unit(name: str, frames: Sequence[Cards]) -> str:
    if name == "EXPOINUS":
        return "us"
    said = _comment(frames, name).lower()
    if re.search(r"\bs\b|\bsec", said):
        return "s"
    return next((unit for unit, words in _UNITS if re.search(words, said)), "s")


def _moment(frames: Sequence[Cards]) -> tuple[str, str]:
    """(card, clock card) that all frames can be read by; empty where there is none."""
    for name in _MOMENTS:
        if not all(card(header, name) for header, _ in frames):
            continue
        for clock in ("", *_CLOCKS):
            if clock != name and _readable(frames, name, clock):
                return name, clock
    for name, clock in _LOCAL:
        if all(card(header, name) for header, _ in frames) and _readable(frames, name, clock):
            return name, clock
    return "", ""


def _zone(frames: Sequence[Cards], moment: str, clock: str) -> tuple[str, str]:
    """(the zone of a time that is whole quarters of an hour from another card, which is in UTC;
    that card); of zone nothing where they agree, of both where no other card tells."""
    header, comments = frames[0]
    for name, part in (("JD", ""), ("JD-OBS", ""), ("MJD-OBS", ""), ("DATE-UTC", ""),
                       (moment, "UT"), (moment, "UTC")):
        if (name, part) == (moment, clock) or not _readable(frames[:1], name, part):
            continue
        hours = 24.0 * (base.julian_date(header, moment, clock=clock,
                                         order=_order(frames, moment))
                        - base.julian_date(header, name, clock=part))
        quarters = round(4.0 * hours)
        rest = abs(hours - quarters / 4.0) * 3600.0
        if quarters and abs(quarters) <= 56 and rest < (seconds(header, comments) or 0.0) + 60.0:
            return (f"{'-' if quarters < 0 else '+'}{abs(quarters) // 4:02d}:"
                    f"{abs(quarters) % 4 * 15:02d}"), part or name
        return "", part or name
    return "", ""


def _readable(frames: Sequence[Cards], name: str, clock: str) -> bool:
    try:
        for header, _ in frames:
            base.julian_date(header, name, clock=clock, order=_order(frames, name))
            number = number_or_none(header, name)
            if not clock and number is not None and number == int(number):
                return False  # a date without a time of day
            if clock and not card(header, clock):
                return False
    except CardError:
        return False
    return True


def _is(comment: str) -> str:
    """What a time is by its comment; empty for the start."""
    low = comment.lower()
    if re.search(r"\bstart|begin", low):
        return ""
    if re.search(r"\bmid", low):
        return "middle"
    return "end" if re.search(r"\bend\b|\bstop|grabbed|readout", low) else ""


def _is_local(name: str, comment: str) -> bool:
    local = name == "DATE-LOC" or re.search(r"\blocal\b|\blt\b", comment.lower()) is not None
    return local and not re.search(r"\but\b|utc|universal", comment.lower())


def _order(frames: Sequence[Cards], moment: str) -> str:
    """The order of day, month and year, as a second number above 12 tells it; else the old one."""
    return "mdy" if max((part[1] for part in _day_parts(frames, moment)), default=0) > 12 else "dmy"


def _day_parts(frames: Sequence[Cards], moment: str) -> list[tuple[int, int]]:
    """The first two numbers of dates that do not begin with the year."""
    found = [re.match(r"(\d{1,2})[/.-](\d{1,2})[/.-](\d{2,4})\b", card(header, moment))
             for header, _ in frames]
    return [(int(part[1]), int(part[2])) for part in found if part]


def _put_order(frames: Sequence[Cards], moment: str, section: Keys) -> None:
    parts = _day_parts(frames, moment)
    if _order(frames, moment) == "mdy":
        section.put("date_order", "mdy", f"{_said(frames, moment)}: no month has such a number")
    elif parts and max(first for first, _ in parts) <= 12:
        section.unknown.append(f"whether {card(frames[0][0], moment)} is day/month/year, as the "
                               "FITS standard had it: else date_order")


def _said(frames: Sequence[Cards], name: str) -> str:
    return repr(next((card(header, name) for header, _ in frames if card(header, name)), ""))


def _comment(frames: Sequence[Cards], name: str) -> str:
    return next((comments[name] for _, comments in frames if comments.get(name)), "")


# The pointing.

_POINTINGS = (
    ("RA", "DEC"), ("OBJCTRA", "OBJCTDEC"), ("RA-MNT", "DEC-MNT"), ("TELRA", "TELDEC"),
    ("RA_OBS", "DEC_OBS"), ("RA_TEL", "DEC_TEL"), ("TELRA_D", "TELDEC_D"), ("RA_OBJ", "DEC_OBJ"),
    ("OBJRA", "OBJDEC"), ("RA_DEG", "DEC_DEG"), ("RA_TARG", "DEC_TARG"), ("CAT-RA", "CAT-DEC"),
    ("RA-D", "DEC-D"), ("RA_PNT", "DEC_PNT"), ("MOUNTRA", "MOUNTDEC"), ("CENTRA", "CENTDEC"),
    ("CRVAL1", "CRVAL2"))


def put_pointing(frames: Sequence[Cards], section: Keys) -> None:
    """The cards of the pointing, and the unit of a right ascension that is a number."""
    for ra, dec in _POINTINGS:
        if ra == "CRVAL1" and not all("RA" in card(header, "CTYPE1") for header, _ in frames):
            continue
        unit = _ra_unit(frames, ra)
        found = [base.pointing(header, ra, dec, ra_unit=unit) for header, _ in frames]
        if not any(found):
            continue
        if (ra, dec) not in (("RA", "DEC"), ("OBJCTRA", "OBJCTDEC")):
            section.put("ra_card", ra, f"says {_said(frames, ra)}")
            section.put("dec_card", dec, f"says {_said(frames, dec)}")
        if unit != "deg":
            section.put("ra_unit", unit, _comment(frames, ra) or "no number is above 24")
        return
    section.unknown.append("the pointing: the field is looked for about the object's place in the "
                           "catalogue, else in the whole index")


def _ra_unit(frames: Sequence[Cards], name: str) -> str:
    """hour where the card is a number of hours: by its comment, or by another card of the frame."""
    numbers = [(header, n) for header, _ in frames
               if (n := number_or_none(header, name)) is not None]
    said = _comment(frames, name).lower()
    if not numbers or any(n >= 24.0 for _, n in numbers) or "deg" in said:
        return "deg"
    if re.search(r"\bhours?\b|\bhrs?\b|\[h", said) or name == "TELRA":
        return "hour"
    for header, n in numbers:
        for other in ("OBJCTRA", "RA", "CRVAL1"):
            place = base.pointing(header, other, other.replace("RA", "DEC").replace("1", "2"),
                                  ra_unit="deg") if other != name else None
            if place is not None and abs(15.0 * n - place[0]) < 3.0:
                return "hour"
    return "deg"


# The scale.

#: Cards with the binning.
BINNINGS = ("XBINNING", "CCDXBIN", "CCDBINX", "XBIN", "BINX", "BINNING", "CCDSUM", "BIN", "HBIN",
            "CCDBIN")
_SCALES = ("PIXSCALE", "SECPIX", "SECPIX1", "PIXSCAL1", "SCALE", "PLTSCALE", "PIXSCL",
           "ITELESCOPEPLATESCALEH", "ARCSECPX", "IMSCALE")


def pixel_scale(header: Header, comments: Mapping[str, str]) -> tuple[float, str] | None:
    """Arcseconds per pixel at binning 1, and how that is known; None where it is not."""
    bins = _binning(header)
    for name in _SCALES:
        value = number_or_none(header, name)
        if value is None or not 0.01 < value < 200.0:
            continue
        if "mm" in comments.get(name, "").lower() or (name == "PLTSCALE" and value > 20):
            size = pixel_size(header)
            if size is None:
                continue
            return value * size / 1000.0, f"{name} {value:g} arcsec/mm, pixels of {size:g} um"
        return value / bins, f"{name} says {value:g}" + (f" at binning {bins}" * (bins > 1))
    size, focal = pixel_size(header), number_or_none(header, "FOCALLEN")
    if size and focal and focal > 1:
        return (math.degrees(math.atan(size / 1000.0 / focal)) * 3600.0,
                f"pixels of {size:g} um at FOCALLEN {focal:g} mm")
    cd = [number_or_none(header, name) for name in ("CD1_1", "CD1_2", "CD2_1", "CD2_2")]
    width = number_or_none(header, "IMAGEW")
    if all(v is not None for v in cd) and width in (None, number_or_none(header, "NAXIS1")):
        a, b, c, d = (v or 0.0 for v in cd)
        if a * d - b * c:
            return math.sqrt(abs(a * d - b * c)) * 3600.0 / bins, "of its astrometric solution"
    step = number_or_none(header, "CDELT2")
    if step and abs(step) < 0.06 and "DEC" in card(header, "CTYPE2"):
        return abs(step) * 3600.0 / bins, f"CDELT2 says {step:g} deg"
    return None


def pixel_size(header: Header) -> float | None:
    """Micrometres of a pixel at binning 1: XPIXSZ is that of the pixels as read out."""
    for name in ("PIXSIZE1", "XPIXELSZ", "PIXSIZE", "XPIXSZ"):
        value = number_or_none(header, name)
        if value and 0.3 < value < 100.0:
            return value / (_binning(header) if name == "XPIXSZ" else 1)
    return None


def _binning(header: Header) -> int:
    for name in BINNINGS:
        try:
            if card(header, name):
                return base.square_binning(header, name, name)
        except CardError:
            continue
    return 1


def is_gain(name: str, header: Header, comments: Mapping[str, str]) -> bool:
    """Whether a card holds electrons per ADU, and not a camera's setting."""
    value, said = number_or_none(header, name), comments.get(name, "").lower()
    if value is None or not 0.0 < value < 50.0:
        return False
    if name != "GAIN":
        return True
    if re.search(r"e-|/\s*adu|electron", said):
        return not re.search(r"adu\s*/\s*e", said)
    return not float(value).is_integer() and "EGAIN" not in header


def is_region(header: Header, name: str) -> bool:
    """Whether a card holds a region, and not that of a whole image without overscan."""
    try:
        x0, x1, y0, y1 = base.region(header, name)
    except CardError:
        return False
    nx, ny = (number_or_none(header, axis) or 0.0 for axis in ("NAXIS1", "NAXIS2"))
    return x1 <= nx and y1 <= ny and (x0, x1, y0, y1) != (0, nx, 0, ny)


# The place.

_PLACES = (("LAT-OBS", "LONG-OBS", "ALT-OBS"), ("SITELAT", "SITELONG", "SITEELEV"),
           ("LATITUDE", "LONGITUD", "HEIGHT"), ("OBSGEO-B", "OBSGEO-L", "OBSGEO-H"),
           ("GEOLAT", "GEOLON", "GEOALT"), ("LAT-OBS", "LONG-OBS", "ELEV-OBS"),
           ("SITELAT", "SITELONG", "SITEALT"), ("LATITUDE", "LONGITUDE", "ALTITUDE"),
           ("OBSLAT", "OBSLONG", "OBSALT"), ("GPS_LAT", "GPS_LON", "GPS_ALT"))


def put_place(frames: Sequence[Cards], section: Keys) -> None:
    """Latitude, longitude and height of the telescope."""
    for header, comments in frames:
        for lat, lon, height in _PLACES:
            try:
                place = [base.angle(header, name, unit="deg") for name in (lat, lon)]
            except CardError:
                continue
            if not (abs(place[0]) <= 90 and abs(place[1]) <= 360) or place == [0.0, 0.0]:
                continue
            section.put("latitude", round(place[0], 5), f"{lat} says {card(header, lat)}")
            east = place[1] + 360.0 if place[1] < -180.0 else place[1]
            section.put("longitude", round(east, 5), f"{lon} says {card(header, lon)}" + (
                "" if re.search(r"\+e|east", comments.get(lon, "").lower()) else
                ": is east positive?"))
            metres = next((m for name in (height, "ALT-OBS", "ELEV-OBS", "SITEELEV") if (
                m := number_or_none(header, name)) is not None), None)
            if metres and HEIGHTS_M[0] <= metres <= HEIGHTS_M[1]:
                section.put("height", metres, "metres")
            return
