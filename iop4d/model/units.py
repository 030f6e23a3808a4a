"""Times, angles, spans and robust widths in one place: pure Python, for daemon, worker and page.

A Julian date is JD(UTC) unless its name says otherwise; a moment ``*_at`` is Unix seconds.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from statistics import fmean, median

from iop4d.model.errors import Iop4dError

JD_UNIX_EPOCH = 2440587.5  # JD(UTC) of 1970-01-01T00:00
SECONDS_A_DAY = 86400.0
MAG_PER_RELATIVE_FLUX = 2.5 / math.log(10.0)
MAD_TO_SIGMA = 1.4826  # standard deviation over median absolute deviation, of a normal distribution
UNKNOWN_ANGLE_ERR = 180.0 / math.sqrt(12.0)  # degrees: an angle is anywhere within half a turn
NOTHING = "–"  # what people read where there is no number
TO_MINUTES = "%Y-%m-%d %H:%M"  # a form of times

_JD = (2415000.0, 2500000.5)  # of times between 1900 and 2132
_MJD = (15000.0, 100000.0)  # the same as MJD
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SPAN = re.compile(r"(\d+(?:\.\d*)?)\s*(s|min|m|h|d|w)?", re.ASCII | re.IGNORECASE)
_SECONDS = {"s": 1.0, "min": 60.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}


class MomentError(Iop4dError):
    """A text names no moment; the message says what does."""


class SpanError(Iop4dError):
    """A text is no length of time; the message says what is."""


# Times.


def unix_of_jd(jd: float) -> float:
    """Unix seconds of a JD(UTC)."""
    return (jd - JD_UNIX_EPOCH) * SECONDS_A_DAY


def jd_of_unix(at: float) -> float:
    """JD(UTC) of Unix seconds."""
    return at / SECONDS_A_DAY + JD_UNIX_EPOCH


def utc_of_unix(at: float | None, form: str = "%Y-%m-%d %H:%M:%S", *, step_s: float = 1.0) -> str:
    """Unix seconds as ``2026-11-22 21:04:05``, or in another form, to the nearest ``step_s``.

    A dash for none, and for what no calendar holds.
    """
    if at is None or not math.isfinite(at):
        return NOTHING
    try:
        moment = _EPOCH + timedelta(seconds=round(at / step_s) * step_s)
    except OverflowError:
        return NOTHING
    return moment.strftime(form)


def utc_of_jd(jd: float | None, form: str = "%Y-%m-%d %H:%M:%S", *, step_s: float = 1.0) -> str:
    """The same of a JD(UTC), whose double precision is good to 0.04 ms."""
    return utc_of_unix(None if jd is None else unix_of_jd(jd), form, step_s=step_s)


def isot_of_jd(jd: float) -> str:
    """A JD(UTC) as FITS cards have it: ``2026-11-22T21:04:05.000``."""
    return (_EPOCH + timedelta(milliseconds=round(unix_of_jd(jd) * 1e3))).isoformat(
        timespec="milliseconds").removesuffix("+00:00")


def jd_of_text(text: str, *, now_jd: float | None = None) -> float:
    """The JD(UTC) of what a person writes: JD, MJD, a date, or a time (UTC if it names no zone).

    With ``now_jd`` also of a duration before it, whose bare number is hours. Raises MomentError.
    """
    said = text.strip()
    try:
        number = float(said)
    except ValueError:
        if now_jd is not None:
            with suppress(SpanError):
                return now_jd - seconds_of(said) / SECONDS_A_DAY
    else:
        if now_jd is not None and 0.0 < number < _MJD[0]:
            return now_jd - number / 24.0
        jd = number + 2400000.5 if _MJD[0] < number < _MJD[1] else number
        if _JD[0] < jd < _JD[1]:
            return jd
    try:
        moment = datetime.fromisoformat(said)
    except ValueError:
        durations = "" if now_jd is None else ", or a duration such as 12h, 7d or 2w"
        raise MomentError(f"'{text}' is not a time; expected JD, MJD, a date such as 2026-11-22 or "
                          f"a time such as 2026-11-22T21:00{durations}") from None
    return jd_of_unix((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())


def is_day(text: str) -> bool:
    """Whether what a person writes is a day: 2026-11-22, 20261122 or 2026-W47-7."""
    try:
        date.fromisoformat(text.strip())
    except ValueError:
        return False
    return True


def end_jd_of_text(text: str, *, now_jd: float | None = None) -> float:
    """The JD(UTC) up to which a person asks: as ``jd_of_text``, but a day to its end."""
    return jd_of_text(text, now_jd=now_jd) + is_day(text)


# Spans.


def seconds_of(text: str, *, bare: str = "h", longest_s: float = math.inf) -> float:
    """Seconds of ``90s``, ``90min``, ``12h``, ``2d`` or ``1w``; raises SpanError.

    ``bare``: the unit of a number without one.
    """
    match = _SPAN.fullmatch(text.strip())
    seconds = float(match[1]) * _SECONDS[(match[2] or bare).lower()] if match else 0.0
    if not seconds > 0:
        raise SpanError(f"'{text}' is not a duration; expected one such as 90min, 12h, 2d or 1w")
    if seconds > longest_s:
        raise SpanError(f"'{text}' is longer than the maximum of {span_text(longest_s)}")
    return seconds


def span_text(seconds: float | None) -> str:
    """A span of time in its largest unit: ``12 s``, ``3 min``, ``5 h``, ``9 d``."""
    if seconds is None:
        return NOTHING
    seconds = max(0.0, seconds)
    for unit, size, limit in (("s", 1, 60), ("min", 60, 3600), ("h", 3600, 172800)):
        if seconds < limit:
            return f"{int(seconds / size)} {unit}"
    return f"{int(seconds / 86400)} d"


# Angles.


def angle_difference(one_deg: float, other_deg: float) -> float:
    """one - other of position angles, degrees in [-90, 90): 179 is 2 short of 1."""
    return (one_deg - other_deg + 90.0) % 180.0 - 90.0


def degrees_between(ra: float, dec: float, other_ra: float, other_dec: float) -> float:
    """The angle on the sky between two positions, all in degrees, by the haversine."""
    north = math.radians(dec - other_dec) / 2.0
    east = math.radians(ra - other_ra) / 2.0
    chord = math.sin(north) ** 2 + (math.cos(math.radians(dec)) * math.cos(math.radians(other_dec))
                                    * math.sin(east) ** 2)
    return math.degrees(2.0 * math.asin(min(math.sqrt(chord), 1.0)))


def position_angle_deg(east: float, north: float) -> float:
    """Position angle of a direction, east of north in [0, 360); NaN for a NaN."""
    return math.degrees(math.atan2(east, north)) % 360.0


def mean_angle(angles_deg: Sequence[float], weights: Sequence[float] | None = None) -> float:
    """Mean of position angles, in [0, 180); NaN of none, or where they cancel exactly."""
    w = [1.0] * len(angles_deg) if weights is None else weights
    two = [math.radians(2.0 * angle) for angle in angles_deg]
    c = sum(x * math.cos(t) for x, t in zip(w, two, strict=True))
    s = sum(x * math.sin(t) for x, t in zip(w, two, strict=True))
    return math.degrees(math.atan2(s, c)) / 2.0 % 180.0 if math.hypot(c, s) > 1e-12 else math.nan


def sexagesimal(degrees: float | None, *, hours: bool = False, digits: int | None = None,
                separator: str = ":") -> str:
    """An angle as ``22:02:43.29`` (hours, two decimals) or ``+42:16:39.9`` (one)."""
    if degrees is None:
        return NOTHING
    places = digits if digits is not None else 2 if hours else 1
    total = round(abs(degrees) / (15 if hours else 1) * 3600, places)
    minutes, seconds = divmod(total, 60)
    whole, minutes = divmod(int(minutes), 60)
    whole = whole % 24 if hours else whole
    sign = "" if hours else "-" if degrees < 0 else "+"
    width = places + 3 if places else 2
    return sign + separator.join(
        (f"{whole:02d}", f"{minutes:02d}", f"{seconds:0{width}.{places}f}"))


def degrees_of(text: str, *, hours: bool = False) -> float:
    """Degrees from decimal degrees or sexagesimal text; raises ValueError of what is neither.

    ``hours``: sexagesimal text is hours, as of right ascension.
    """
    try:
        return float(text)
    except ValueError:
        parts = [part for part in re.split(r"[:\shmsd°'\"′″]+", text.lstrip("+-−")) if part]
    h, m, s = (float(part) for part in (*parts, "0", "0")[:3])
    if not parts or len(parts) > 3 or not (m < 60 and s < 60):
        raise ValueError(f"'{text}' is neither degrees nor sexagesimal")
    degrees = (h + m / 60 + s / 3600) * (15.0 if hours else 1.0)
    return -degrees if text[:1] in "-−" else degrees


def below_turn(angle: float, digits: int, turn: float = 180.0) -> float:
    """An angle rounded to so many decimals, in [0, turn): 179.97 with one decimal is 0.0."""
    return round(angle % turn, digits) % turn


# Numbers.


def robust_sigma(values: Iterable[float], about: float | None = None) -> float:
    """1.4826 times the median absolute deviation from the median, or from ``about``; NaN of none.
    """
    listed = list(values)
    if not listed:
        return math.nan
    middle = median(listed) if about is None else about
    return MAD_TO_SIGMA * median(abs(value - middle) for value in listed)


def line_fit(x: Sequence[float], y: Sequence[float], weights: Sequence[float],
             groups: Sequence[tuple[str, float]] = ()) -> tuple[float, float]:
    """The slope of the straight line of least squares, and its standard error.

    ``weights``: inverse squares of the errors of y. The error grows by the root of the reduced
    chi2 where that is above one. ``groups``: of each point, the name of its group and the error
    that points of a group share; each group may be off by so much (least squares with that
    covariance), which of a single one moves no slope. NaN with fewer than three points, or all at
    one x.
    """
    if len(x) < 3:
        return math.nan, math.nan
    mean_x, mean_y = fmean(x, weights), fmean(y, weights)
    rows = [(w, at - mean_x, value - mean_y)
            for w, at, value in zip(weights, x, y, strict=True)]
    spread = math.fsum(w * dx**2 for w, dx, _ in rows)
    if not spread > 0:
        return math.nan, math.nan
    if len({name for name, _ in groups}) > 1:
        return _grouped_fit(rows, groups)
    slope = math.fsum(w * dx * dy for w, dx, dy in rows) / spread
    chi2 = math.fsum(w * (dy - slope * dx)**2 for w, dx, dy in rows) / (len(x) - 2)
    return slope, math.sqrt(max(chi2, 1.0) / spread)


def _grouped_fit(rows: Sequence[tuple[float, float, float]],
                 groups: Sequence[tuple[str, float]]) -> tuple[float, float]:
    """The same for points (weight, x, y) about their means, whose groups may each be off.

    The inverse of a group's covariance is W - W 1 1' W / (1 / c^2 + 1' W 1) (Sherman & Morrison).
    """
    a = b = c = d = e = f = 0.0
    for name in {name for name, _ in groups}:
        mine = [row for row, (of, _) in zip(rows, groups, strict=True) if of == name]
        common = max(err for of, err in groups if of == name)
        s, sx, sy, sxx, sxy, syy = (math.fsum(w * part(x, y) for w, x, y in mine) for part in (
            lambda _, __: 1.0, lambda x, _: x, lambda _, y: y, lambda x, _: x * x,
            lambda x, y: x * y, lambda _, y: y * y))
        share = 1.0 / (common**-2 + s) if common > 0 else 0.0
        a, b, c = a + s - share * s * s, b + sx - share * s * sx, c + sxx - share * sx * sx
        d, e, f = d + sy - share * s * sy, e + sxy - share * sx * sy, f + syy - share * sy * sy
    spread = a * c - b * b
    if not spread > 0:
        return math.nan, math.nan
    slope, level = (a * e - b * d) / spread, (c * d - b * e) / spread
    chi2 = (f - slope * e - level * d) / (len(rows) - 2)
    return slope, math.sqrt(max(chi2, 1.0) * a / spread)


def decimal(value: float | None, digits: int) -> str:
    """A number with so many decimals; a dash for none."""
    return NOTHING if value is None or not math.isfinite(value) else f"{value:.{digits}f}"


def plus_minus(value: float | None, error: float | None, digits: int = 3, *,
               sign: str = "±") -> str:
    """``12.871 ± 0.021``, without the error if there is none; an error is never written as zero."""
    if value is None or not math.isfinite(value):
        return NOTHING
    if error is None or not math.isfinite(error):
        return f"{value:.{digits}f}"
    return f"{value:.{digits}f} {sign} {max(error, 10.0**-digits):.{digits}f}"


def plus_minus_chi(chi_deg: float | None, error: float | None, digits: int = 1, *,
                   sign: str = "±") -> str:
    """The same of an angle of polarisation, which is always written in [0, 180)."""
    if chi_deg is None or not math.isfinite(chi_deg):
        return NOTHING
    return plus_minus(below_turn(chi_deg, digits), error, digits, sign=sign)


def and_common(error: float | None, digits: int = 3, words: str = "") -> str:
    """What stands after a value with its random error where another is common to several points:
    `` ± 0.020``; empty where none is known."""
    if error is None or not math.isfinite(error) or error <= 0:
        return ""
    return f" ± {max(error, 10.0**-digits):.{digits}f}{words}"
