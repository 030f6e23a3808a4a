"""When a frame was exposed, and for how long: what the cards of camera programs mean."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import tzinfo

from iop4d.config.camera import TIME_UNITS
from iop4d.instruments import base, draft_names, moments
from iop4d.instruments.base import Header, card, number_or_none
from iop4d.instruments.draft_cards import Cards, Keys, comment_of, said_of
from iop4d.model.errors import CardError

_FIRST_CCD_JD = 2444239.5  # 1980-01-01: earlier frames are doubtful unless the section says so

_MOMENTS = ("DATE-OBS", "DATE_OBS", "DATEOBS", "DATE-BEG", "DATE-STA", "DATE-STR", "UT-OBS",
            "UTC-OBS", "DATE-UTC", "UTDATE", "UT-DATE", "OBS-DATE", "OBSDATE", "SHUTOPEN",
            "UTSHUT", "STARTOBS", "DATE-AVG", "JD", "JD-OBS", "OBSJD", "JD-BEG", "JD_START",
            "JD_UTC", "MJD-OBS", "MJD", "OBSMJD", "MJD-BEG", "MJD-STR", "EXPSTART", "FRAME")
#: Those of the start by their name before those that may be of any moment.
_CLOCKS = ("UTSTART", "UT-START", "UT-STR", "UTCSTART", "UTC-STR", "UT_START", "TIME-BEG",
           "TIME-STR", "OPENTIME", "UTSHUT", "UTOPEN", "TIME-OBS", "TIME_OBS", "UT", "UTC",
           "UT-OBS", "UTC-OBS", "UTC-TIME", "UT-TIME", "UTTIME", "TM-START", "TM_START", "EXPSTART",
           "TIME", "STARTTIM", "OBS-TIME", "OBSTIME")
#: Cards of the middle and the end of an exposure.
_OTHERS = (("DATE-END", 1.0), ("DATE-AVG", 0.5), ("MJD-AVG", 0.5), ("MJD-MID", 0.5),
           ("MJD-END", 1.0))
#: Cards that are in UTC whatever others are in.
_IN_UTC = ("JD", "JD-OBS", "OBSJD", "JD_UTC", "MJD-OBS", "MJD", "OBSMJD", "DATE-UTC", "UTC-OBS")
_LOCAL = (("DATE-LOC", ""), ("DATE-OBS", "LT"), ("DATE-OBS", "TIME-LOC"), ("DATE-OBS", "LOCTIME"))
_UNITS = (("min", r"\bmin"), ("ms", r"\bmsec|\bms\b|milli"), ("us", r"\bus\b|micro|\busec"),
          ("h", r"\bhours?\b"), ("d", r"\[d\]|\bdays?\b"))
_HOUR = re.compile(r"\d{1,2}:\d\d:\d\d(\.\d*)?")
_HALF_DAY = re.compile(r"\d:\d\d(:\d\d)?(\.\d*)? ?[AP]\.?M\b", re.IGNORECASE)
_STARTS = re.compile(r"start|begin|open|inici|debut|anfang", re.IGNORECASE)
_NO_START = re.compile(r"sidereal|\bL?ST\b|local|\bRA\b|ascension|\bDEC\b|declination|hour angle|"
                       r"\bHA\b|sun|moon|twilight|night", re.IGNORECASE)
_EXPOSURES = ("EXPTIME", "EXPOSURE", "EXP_TIME", "EXPTIM", "EXP-TIME", "ITIME", "TEXPTIME",
              "EXPOSED", "EXPT", "INTTIME", "TEXP", "XPOSURE", "ELAPTIME", "DARKTIME", "EXPOINUS")


def put_time(frames: Sequence[Cards], section: Keys) -> Callable[[Header], float | None]:
    """The cards of exposure and time, where they are not the usual ones.

    What is returned reads by them when a frame was exposed, JD(UTC), None where it cannot be read.
    """
    name = _exposure_card(frames)
    if name and name != "EXPTIME":
        section.put("exptime_card", name, f"says {said_of(frames, name)}")
    unit = _unit(name, frames) if name else "s"
    moment, clock = _moment(frames)
    if unit == "s" and (other := _unit_by_end(frames, moment, clock, name)):
        section.put("exptime_unit", other, "so long is it from the start to DATE-END")
    elif unit != "s":
        section.put("exptime_unit", unit, comment_of(frames, name) or f"of {name}")
    if not moment:
        section.unknown.append("the time: looked at " + ", ".join(_MOMENTS))
        return lambda header: None
    if moment != "DATE-OBS":
        section.put("time_card", moment, f"says {said_of(frames, moment)}")
    if clock:
        section.put("clock_card", clock, f"{moment} is a date alone; {clock} says "
                                         f"{said_of(frames, clock)}")
    why = comment_of(frames, clock or moment)
    _put_fraction(frames, moment, clock, section)
    zone, other = _zone(frames, moment, clock)
    if zone == "?":
        section.unknown.append(f"which time is right: {clock or moment} and {other} are more than "
                               "the exposure apart")
    elif zone:
        section.put("time_zone", zone, f"so far it is from {other}")
    elif not other and _is_local(moment, why):
        section.put("time_zone", "UTC", f"CHANGE IT: local time, {moment}: {why}")
    _put_order(frames, moment, section)
    scale = next((said for header, _ in frames if (said := card(header, "TIMESYS").upper())), "")
    if scale in ("TAI", "TT", "TDB", "TDT", "ET", "GPS") and not zone:
        section.unknown.append(f"whether times are really of the time scale {scale} that TIMESYS "
                               "names: they are brought to UTC, 18 to 70 s earlier, unless their "
                               "card or text says UT")
    first = min(base.julian_date(header, moment, clock=clock, order=_order(frames, moment))
                for header, _ in frames)
    if first < _FIRST_CCD_JD:
        section.put("since", moments.day_of_jd(first - 1.0), "older than CCDs are")
    there = moments.zone_of(zone if zone not in ("", "?") else "UTC")
    return lambda header: _jd_or_none(header, moment, clock, _order(frames, moment), there)


def _jd_or_none(header: Header, moment: str, clock: str, order: str, zone: tzinfo) -> float | None:
    try:
        return base.julian_date(header, moment, clock=clock, order=order, zone=zone)
    except CardError:
        return None


def _put_fraction(frames: Sequence[Cards], moment: str, clock: str, section: Keys) -> None:
    """Whether the time is of the middle or the end: by what it is called, or by other cards."""
    name = clock or moment
    why = comment_of(frames, name)
    if moment == "DATE" and not clock and not re.search(r"start|begin|obs|expos", why.lower()):
        section.put("time_is", "end", f"CHANGE IT: DATE is when the file was written: {why}")
        section.unknown.append("when an exposure began: DATE may be long after it")
        return
    fraction = "middle" if moment == "JD_UTC" or re.search("MID|AVG", name) else _is(why)
    if fraction:
        section.put("time_is", fraction, f"{name}: {why}" if why else f"by {moment}")
    elif not why and (other := _fraction_by_others(frames, moment, clock)):
        section.put("time_is", other[0], f"{name} and {other[1]} tell the same moment")


def _fraction_by_others(frames: Sequence[Cards], moment: str, clock: str) -> tuple[str, str] | None:
    """(what the time is, a card that tells the same moment, and it is not the start's)."""
    header, comments = frames[-1]
    exptime = seconds(header, comments) or 0.0
    for name, part in _OTHERS:
        if exptime >= 10.0 and name != moment and _readable(frames[-1:], name, ""):
            apart = 86400.0 * abs(_jd(frames[-1:], name, "") - _jd(frames[-1:], moment, clock))
            if apart < 0.1 * exptime:
                return {0.5: "middle", 1.0: "end"}[part], name
    return None


def _unit_by_end(frames: Sequence[Cards], moment: str, clock: str, name: str) -> str:
    """The unit of an exposure time that has none, by the time from the start to the end."""
    header, _ = frames[-1]
    value = number_or_none(header, name)
    if not moment or not value or comment_of(frames, name) or not _readable(
            frames[-1:], "DATE-END", ""):
        return ""
    long = 86400.0 * (_jd(frames[-1:], "DATE-END", "") - _jd(frames[-1:], moment, clock))
    return next((unit for unit, length in TIME_UNITS.items() if unit != "s" and long > 0.5
                 and abs(long / (value * length) - 1.0) < 0.2), "")


def _jd(frames: Sequence[Cards], moment: str, clock: str) -> float:
    return base.julian_date(frames[0][0], moment, clock=clock, order=_order(frames, moment))


def seconds(header: Header, comments: Mapping[str, str]) -> float | None:
    """The exposure time of a frame; None where no card tells it."""
    frames = [(header, comments)]
    name = _exposure_card(frames)
    value = number_or_none(header, name) if name else None
    return None if value is None else value * TIME_UNITS[_unit(name, frames)]


def _exposure_card(frames: Sequence[Cards]) -> str:
    others = draft_names.exposure_cards(*frames[-1])
    return next((name for name in (*_EXPOSURES, *others) if any(
        number_or_none(header, name) is not None for header, _ in frames)), "")


def _unit(name: str, frames: Sequence[Cards]) -> str:
    if name == "EXPOINUS":
        return "us"
    said = comment_of(frames, name).lower()
    if re.search(r"\bs\b|\bsec", said):
        return "s"
    return next((unit for unit, words in _UNITS if re.search(words, said)), "s")


def _moment(frames: Sequence[Cards]) -> tuple[str, str]:
    """(card, clock card) that all frames can be read by; empty where there is none."""
    for name in (*_MOMENTS, *draft_names.moment_cards(*frames[-1]), "DATE"):
        if not all(card(header, name) for header, _ in frames):
            continue
        for clock in ("", *_CLOCKS, *_other_clocks(frames)):
            if clock != name and _readable(frames, name, clock):
                return name, clock
    for name, clock in _LOCAL:
        if all(card(header, name) for header, _ in frames) and _readable(frames, name, clock):
            return name, clock
    return "", ""


def _other_clocks(frames: Sequence[Cards]) -> list[str]:
    """Cards of other names that hold a time of day and say that an exposure starts at it."""
    header, comments = frames[-1]
    said = {name: f"{name} {comments.get(name, '')}" for name, value in header.items()
            if name not in _CLOCKS and _HOUR.fullmatch(str(value).strip())}
    return [name for name, text in said.items()
            if _STARTS.search(text) and not _NO_START.search(text)]


def _zone(frames: Sequence[Cards], moment: str, clock: str) -> tuple[str, str]:
    """(the zone of a time that is whole quarters of an hour from another card, which is in UTC;
    that card); of zone nothing where they agree, ? where they never can, of both nothing where no
    other card tells."""
    header, comments = frames[0]
    for name, part in (*((name, "") for name in _IN_UTC), (moment, "UT"), (moment, "UTC")):
        if (name, part) == (moment, clock) or not _readable(frames[:1], name, part):
            continue
        hours = 24.0 * (base.julian_date(header, moment, clock=clock,
                                         order=_order(frames, moment))
                        - base.julian_date(_date_of(header, name, part), name, clock=part,
                                           order=_order(frames, moment)))
        if part and not clock:  # the date beside a clock is that of the other time, maybe
            hours = (hours + 12.0) % 24.0 - 12.0
        quarters = round(4.0 * hours)
        rest = abs(hours - quarters / 4.0) * 3600.0
        if quarters and abs(quarters) <= 56 and rest < (seconds(header, comments) or 0.0) + 60.0:
            return (f"{'-' if quarters < 0 else '+'}{abs(quarters) // 4:02d}:"
                    f"{abs(quarters) % 4 * 15:02d}"), part or name
        far = abs(hours) * 3600.0 > 120.0 + (seconds(header, comments) or 0.0)
        return "?" if far and not _is_coarse(header, name, part) else "", part or name
    return "", ""


def _date_of(header: Header, name: str, clock: str) -> Header:
    """The header with the date alone in a card, if a clock beside it tells the time of day."""
    date = re.match(r"[^T\s]*", card(header, name))
    is_hour = clock and re.fullmatch(r"\d{1,2}:\d\d(:\d\d(\.\d*)?)?", card(header, clock))
    return {**header, name: date[0]} if is_hour and date else header


def _is_coarse(header: Header, name: str, clock: str) -> bool:
    """Whether a card holds whole days, or fewer than four decimals of one."""
    return not clock and len(card(header, name).partition(".")[2].rstrip("0")) < 4 \
        and number_or_none(header, name) is not None


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
    if re.search(r"read-?out", low):
        return "end"
    if re.search(r"\bstart|begin", low):
        return ""
    if re.search(r"\bmid", low):
        return "middle"
    return "end" if re.search(r"\bend\b|\bstop|grabbed", low) else ""


def _is_local(name: str, comment: str) -> bool:
    local = name == "DATE-LOC" or re.search(r"\blocal\b|\blt\b", comment.lower()) is not None
    return local and not re.search(r"\but\b|utc|universal", comment.lower())


def _order(frames: Sequence[Cards], moment: str) -> str:
    """The order of day, month and year: as a second number above 12 tells it, or what stands behind
    the /; else the old one."""
    parts, said = _day_parts(frames, moment), _said_order(frames, moment)
    first, second = (max((part[n] for part in parts), default=0) for n in (0, 1))
    american = first <= 12 and not said and any(
        _HALF_DAY.search(str(value)) for header, _ in frames for value in header.values())
    return "mdy" if second > 12 or said == "mdy" or american else "dmy"


def _said_order(frames: Sequence[Cards], moment: str) -> str:
    """The order that stands behind the / of a date, such as mm/dd/yy; empty where none does."""
    found = re.search(r"(mm|dd)[/.-](mm|dd)[/.-]yy", comment_of(frames, moment).lower())
    return {"mm": "mdy", "dd": "dmy"}[found[1]] if found and found[1] != found[2] else ""


def _day_parts(frames: Sequence[Cards], moment: str) -> list[tuple[int, int]]:
    """The first two numbers of dates that do not begin with the year."""
    found = [re.match(r"(\d{1,2})[/.-](\d{1,2})[/.-](\d{2,4})\b", card(header, moment))
             for header, _ in frames]
    return [(int(part[1]), int(part[2])) for part in found if part]


def _put_order(frames: Sequence[Cards], moment: str, section: Keys) -> None:
    parts = _day_parts(frames, moment)
    if parts and _order(frames, moment) == "mdy":
        section.put("date_order", "mdy", f"{said_of(frames, moment)}: " + (
            comment_of(frames, moment) if _said_order(frames, moment) else
            "no month has such a number" if max(second for _, second in parts) > 12 else
            "CHANGE IT: as who writes AM and PM"))
    elif parts and max(first for first, _ in parts) <= 12 and not _said_order(frames, moment):
        section.unknown.append(f"whether {card(frames[0][0], moment)} is day/month/year, as the "
                               "FITS standard had it: else date_order")
