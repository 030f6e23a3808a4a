"""Numbers as a telegram writes them, each with the results it comes from."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

from iop4d.alerts.atel.facts import Change, Level, Night, Point
from iop4d.alerts.atel.pieces import Number, Piece, quoted

_EPOCH_JD = 2440587.5  # JD of 1970-01-01T00:00
#: Not strftime's, which speaks the machine's language.
_MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September",
           "October", "November", "December")
_ANGLE_SIGMAS = 3.0  # of p, from which its angle says anything


def band_of(night: Night | Point) -> Piece:
    return quoted(night.band, "band", "instrument", 20)


def moment(jd: float) -> datetime:
    """The UTC of a JD(UTC), to the nearest minute."""
    exact = datetime.fromtimestamp((jd - _EPOCH_JD) * 86400.0, UTC)
    return (exact + timedelta(seconds=30)).replace(second=0, microsecond=0)


def day_text(jd: float) -> str:
    """A date as ``2026 November 22``."""
    at = moment(jd)
    return f"{at.year} {_MONTHS[at.month - 1]} {at.day}"


def day(jd: float, what: str, results: tuple[int, ...]) -> Number:
    """A date."""
    return Number(text=day_text(jd), what=what, results=results)


def time(jd: float, what: str, results: tuple[int, ...]) -> Number:
    """A date and time: ``2026 November 22 at 21:14 UT``."""
    return Number(text=f"{day_text(jd)} at {moment(jd):%H:%M} UT", what=what, results=results)


def clock(jd: float, what: str, results: tuple[int, ...]) -> Number:
    """A time of a night that is known: ``21:14 UT``."""
    return Number(text=f"{moment(jd):%H:%M} UT", what=what, results=results)


def julian(jd: float, what: str, results: tuple[int, ...]) -> Number:
    """A Julian date to ten seconds."""
    return Number(text=f"{jd:.4f}", what=what, results=results)


def digits(err: float) -> int:
    """Decimals that a value of this error deserves: two, three where the error is below 0.01."""
    return 3 if err < 0.00995 else 2


def plus_minus(value: float, err: float) -> str:
    """``12.87 +/- 0.02``; an error is never written as zero."""
    places = digits(err)
    return f"{value:.{places}f} +/- {max(err, 10.0**-places):.{places}f}"


def magnitude(level: Level, what: str) -> Number:
    """A level with its error."""
    return Number(text=plus_minus(level.mag, level.err), what=what, results=level.results)


def point_magnitude(point: Point, what: str) -> Number:
    """A single point with its error."""
    return Number(text=plus_minus(point.mag, point.mag_err), what=what, results=(point.id,))


def change(of: Change, what: str) -> Number:
    """The size of a change with its error."""
    return Number(text=plus_minus(abs(of.mag), of.err), what=what, results=of.results)


def span(days: float, what: str, results: tuple[int, ...]) -> Number:
    """A time: minutes below two hours, hours below two days, else days."""
    if days < 2.0 / 24.0:
        text = f"{days * 1440.0:.0f} min"
    elif days < 2.0:
        text = f"{days * 24.0:.1f} h"
    else:
        text = f"{days:.1f} d" if days < 10.0 else f"{days:.0f} d"
    return Number(text=text, what=what, results=results)


def count(n: float, what: str, results: tuple[int, ...]) -> Number:
    """A whole number."""
    return Number(text=f"{n:.0f}", what=what, results=results)


def exposures(of: Level | Point) -> list[Piece]:
    """``12 exposures, 1440 s in all``."""
    ids = of.results if isinstance(of, Level) else (of.id,)
    total = of.exposure_s if isinstance(of, Level) else of.exptime_s * of.n_frames
    seconds = count(total, "exposure time in s", ids)
    if of.n_frames == 1:
        return ["one exposure of ", seconds, " s"]
    return [count(of.n_frames, "exposures", ids), " exposures, ", seconds, " s in all"]


def has_angle(point: Point) -> bool:
    """Whether a polarisation is significant enough to be given with its angle."""
    return point.p / point.p_err >= _ANGLE_SIGMAS and math.isfinite(point.chi_deg)


def debiased(point: Point) -> float:
    """p without the bias of noise, as a fraction."""
    return point.p_debiased if math.isfinite(point.p_debiased) else point.p


def degree(point: Point, what: str) -> Number:
    """The degree of polarisation in percent, without the bias of noise."""
    return _percent(debiased(point), point.p_err, what, point)


def degree_without_host(point: Point, what: str) -> Number:
    """The same without the host galaxy's light, which dilutes it."""
    return _percent(debiased(point) * point.p_nucleus / point.p, point.p_nucleus_err, what, point)


def _percent(value: float, error: float, what: str, point: Point) -> Number:
    err = error * 100.0
    places = 1 if err >= 0.095 else 2
    return Number(text=f"{value * 100.0:.{places}f} +/- {max(err, 10.0**-places):.{places}f}",
                  what=what, results=(point.id,))


def angle(point: Point, what: str) -> Number:
    """The polarisation angle in degrees, in [0, 180)."""
    err = point.chi_err_deg
    places = 1 if math.isfinite(err) and err < 0.95 else 0
    value = round(point.chi_deg % 180.0, places) % 180.0
    text = f"{value:.{places}f}"
    if math.isfinite(err):
        text += f" +/- {max(err, 10.0**-places):.{places}f}"
    return Number(text=text, what=what, results=(point.id,))
