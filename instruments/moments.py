"""Dates and times as cameras write them: ISO 8601, the old forms of FITS, and what programs make.

Pure text and numbers; who reads a card names it in the error.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

from iop4d.model.units import jd_of_unix

_CENTURY = 49  # of two digits, the first year of the 1900s: the oldest scanned plates are of 1949
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DATE = re.compile(r"(\d{1,4})\s*[-/.\s]\s*(\d{1,2}|[A-Za-z]{3,9})\s*[-/.\s]\s*(\d{1,4})")
_COMPACT = re.compile(r"(\d{4})(\d\d)(\d\d)")
_ZONE = re.compile(r"\s*(Z|UTC?|[+-]\d\d:?\d\d)$", re.IGNORECASE)
_CLOCK = re.compile(r"(\d{1,2})\s*[:hH\-.\s]\s*(\d{1,2})(?:\s*[:mM\-.\s]\s*(\d{1,2}(?:[.,]\d*)?)\s*"
                    r"[sS]?)?\s*([AaPp]\.?[Mm]\.?)?")
_BOTH = re.compile(r"(?:T|[\s,;_]+)(?=\d{1,2}\s*[:hH\-.\s]\s*\d)")


#: First days on which TAI is one second further ahead of UTC, from 19 s on (IERS, Bulletin C).
_LEAPS = ("1980-01-01", "1981-07-01", "1982-07-01", "1983-07-01", "1985-07-01", "1988-01-01",
          "1990-01-01", "1991-01-01", "1992-07-01", "1993-07-01", "1994-07-01", "1996-01-01",
          "1997-07-01", "1999-01-01", "2006-01-01", "2009-01-01", "2012-07-01", "2015-07-01",
          "2017-01-01")
#: Seconds that other time scales are ahead of TAI.
_AHEAD_OF_TAI = {"TAI": 0.0, "IAT": 0.0, "GPS": -19.0, "TT": 32.184, "TDT": 32.184, "ET": 32.184,
                 "TDB": 32.184}


def ahead_of_utc(scale: str, jd: float) -> float:
    """Seconds that a time scale of the FITS standard (TIMESYS) is ahead of UTC at a JD; 0 of UTC
    and of what is no such scale.

    TDB is within 2 ms of TT. Until 1980 TAI counts as 18 s ahead.
    """
    ahead = _AHEAD_OF_TAI.get(scale.strip().upper())
    if ahead is None:
        return 0.0
    day = day_of_jd(jd)
    return ahead + 18.0 + sum(first <= day for first in _LEAPS)


def names_zone(said: str) -> bool:
    """Whether the text of a time names its zone, such as Z."""
    return _ZONE.search(said) is not None and ":" in said


def zone_of(name: str) -> tzinfo:
    """A time zone by name or offset; raises ValueError for one that is unknown."""
    if name.strip().upper() in ("UTC", "UT", "Z"):
        return UTC
    if found := re.fullmatch(r"\s*([+-])(\d\d):?(\d\d)\s*", name):
        span = timedelta(hours=int(found[2]), minutes=int(found[3]))
        return timezone(-span if found[1] == "-" else span)
    try:
        return ZoneInfo(name.strip())
    except (KeyError, ValueError, OSError):
        raise ValueError(f"no such time zone: {name!r}") from None


def jd_of_text(said: str, *, zone: tzinfo = UTC, order: str = "dmy") -> float:
    """JD(UTC) of a date and time in one text; raises ValueError with what is wrong.

    ``order``: of a date such as 03/04/18; ``zone``: of a time that names none.
    """
    for gap in _BOTH.finditer(said):
        date, clock = said[:gap.start()].strip(), said[gap.end():].strip()
        if _DATE.fullmatch(date) or _COMPACT.fullmatch(date):
            return jd_of_parts(date, clock, zone=zone, order=order)
    raise ValueError("no date and time such as 2024-03-14T21:30:00")


def jd_of_parts(date: str, clock: str, *, zone: tzinfo = UTC, order: str = "dmy") -> float:
    """The same of a date and a time of day apart."""
    year, month, day = _day(date, order)
    if found := _ZONE.search(clock):
        zone, clock = zone_of(found[1]), clock[:found.start()]
    seconds = _seconds(clock)
    try:
        midnight = datetime(year, month, day)  # noqa: DTZ001 - the zone comes with the hour
        moment = midnight + timedelta(seconds=seconds)
    except (ValueError, OverflowError):
        raise ValueError(f"no day of the calendar: {date}") from None
    here = moment.replace(tzinfo=zone)
    if here.utcoffset() != here.replace(fold=1).utcoffset():
        raise ValueError("an hour in which the clocks of its time zone were changed: it does not "
                         "tell one moment")
    return jd_of_unix(here.timestamp())


def day_of_jd(jd: float) -> str:
    """The ISO date that holds JD(UTC)."""
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=jd - 2440587.5)).date().isoformat()


def _day(said: str, order: str) -> tuple[int, int, int]:
    """(year, month, day) of a date; years of two digits are those of 1949 to 2048."""
    said = said.strip()
    if found := _COMPACT.fullmatch(said):
        return int(found[1]), int(found[2]), int(found[3])
    found = _DATE.fullmatch(said)
    if not found:
        raise ValueError("no date such as 2024-03-14 or 14/03/24")
    parts = list(found.groups())
    if len(parts[0]) > 2:
        order = "ymd"
    elif order == "ymd" and len(parts[2]) > 2:
        order = "dmy"
    if parts[1].isalpha():
        order = "ymd" if order == "ymd" else "dmy"
    year, month, day = (parts[order.index(part)] for part in "ymd")
    number = _MONTHS.index(month[:3].lower()) + 1 if month[:3].lower() in _MONTHS else (
        int(month) if month.isdigit() else 0)
    full = int(year) + (0 if len(year) > 2 else 1900 if int(year) >= _CENTURY else 2000)
    return full, number, int(day)


def _seconds(clock: str) -> float:
    """Seconds since midnight of a time of day: 21:30:00.5, 21h30m00s, 9:30:00 PM, 21-30-00.

    A number alone is in hours. A leap second and 24:00:00 are moments of the next day.
    """
    clock = clock.strip()
    try:
        hours = float(clock.replace(",", "."))
    except ValueError:
        hours = -1.0
    if 0 <= hours < 24:
        return hours * 3600.0
    found = _CLOCK.fullmatch(clock)
    if not found:
        raise ValueError("no time of day such as 21:30:00")
    hour, minute = int(found[1]), int(found[2])
    second = float((found[3] or "0").replace(",", "."))
    if half := (found[4] or "").replace(".", "").lower():
        if not 1 <= hour <= 12:
            raise ValueError("no time of day such as 09:30:00 PM")
        hour = hour % 12 + (12 if half == "pm" else 0)
    total = hour * 3600.0 + minute * 60.0 + second
    if minute > 59 or not second < 61 or total > 86401.0:
        raise ValueError("no time of day such as 21:30:00")
    return total
