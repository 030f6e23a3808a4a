"""What a night's page is made of: its frames and points by two queries, however many there are,
and what the points are compared with.

Plain SQL: the pages are fetched again at every frame, and to make such statements takes longer
than to run them.
"""

from __future__ import annotations

import json
import math
from collections import namedtuple
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from iop4d.model import flags as quality
from iop4d.model.result import STACK
from iop4d.store.database import Connection
from iop4d.store.table import number_in

#: Frames of a night that its curves and time line are made of; the newest.
MOST_FRAMES = 4000
MOST_POINTS = 20_000
_PAST = 40  # points of a source before the night that its curve shows
_PAST_DAYS = 60.0  # before the night, in which they are

_FRAME = ("id", "name", "telescope", "instrument", "state", "kind", "band", "object", "target",
          "mode", "jd_start", "exptime_s", "provisional", "preview_path", "completed_at",
          "changed_at", "reason", "node")
_FOUND = ("fwhm_arcsec", "fwhm_px", "sky", "aperture_px")  # of a frame's info
_POINT = ("id", "source", "telescope", "instrument", "band", "mode", "jd_mid", "exptime_s", "mag",
          "mag_err", "mag_err_common", "mag_limit", "zero_point", "p", "p_err", "p_debiased",
          "p_limit", "chi_deg", "chi_err_deg", "chi_err_common", "q", "u", "q0_err", "u0_err",
          "fwhm_arcsec", "airmass", "flags", "human_flags", "provisional", "changed_at")
_PAST_OF = ("jd_mid", "night", "band", "mag", "mag_err", "mag_err_common", "p", "p_err",
            "p_debiased", "p_limit", "chi_deg", "chi_err_deg", "chi_err_common", "telescope",
            "instrument")

NightFrame = namedtuple("NightFrame", (*_FRAME, *_FOUND))  # type: ignore[misc]
NightPoint = namedtuple("NightPoint", _POINT)  # type: ignore[misc]
PastPoint = namedtuple("PastPoint", _PAST_OF)  # type: ignore[misc]

# S608: the names of columns are those above.
_FRAMES = (f"SELECT {', '.join(_FRAME)}, "  # noqa: S608
           f"{', '.join(number_in('info', name) for name in _FOUND)} "
           "FROM frame WHERE night = ? ORDER BY jd_start DESC NULLS LAST, id DESC LIMIT ?")
_POINTS = (f"SELECT {', '.join(_POINT)} FROM result "  # noqa: S608
           "WHERE night = ? AND withdrawn = FALSE ORDER BY jd_mid DESC, id DESC LIMIT ?")
_GOOD = (f"withdrawn = FALSE AND human_flags = '[]' AND mode != '{STACK}' "
         f"AND flags & {int(quality.NEVER_ALERTS)} = 0")
_BEFORE = (f"SELECT {', '.join(_PAST_OF)} FROM result "  # noqa: S608
           "WHERE source = ? AND band = ? AND jd_mid < ? AND jd_mid > ? AND mag IS NOT NULL "
           f"AND night != ? AND {_GOOD} ORDER BY jd_mid DESC LIMIT ?")
_P_BEFORE = (f"SELECT {', '.join(_PAST_OF)} FROM result "  # noqa: S608
             "WHERE source = ? AND jd_mid < ? AND jd_mid > ? AND p IS NOT NULL "
             f"AND night != ? AND withdrawn = FALSE AND human_flags = '[]' "
             f"AND flags & {int(quality.NEVER_ALERTS & ~quality.Flag.NO_CALIBRATORS)} = 0 "
             "ORDER BY jd_mid DESC LIMIT ?")
_STAMP = ("SELECT (SELECT MAX(id) FROM event), (SELECT MAX(id) FROM resultchange), "
          "(SELECT MAX(changed_at) FROM frame), "
          "(SELECT value FROM meta WHERE key = 'catalogue_version')")
_LAST_NIGHT = ("SELECT MAX(night) FROM (SELECT MAX(night) AS night FROM frame UNION ALL "
               "SELECT MAX(night) FROM result) AS nights")
_BEFORE_IT = ("SELECT MAX(night) FROM (SELECT MAX(night) AS night FROM frame WHERE night < ? "
              "AND night != '' UNION ALL SELECT MAX(night) FROM summary WHERE night < ?) AS nights")
_AFTER_IT = ("SELECT MIN(night) FROM (SELECT MIN(night) AS night FROM frame WHERE night > ? "
             "UNION ALL SELECT MIN(night) FROM summary WHERE night > ?) AS nights")
_MEASURED = ("SELECT flux, snr, sky FROM measurement "
             "WHERE frame_id = ? AND source = ? AND beam = ''")


def stamp(db: Connection) -> tuple[Any, ...]:
    """What changes whenever facts of a night may: of events, results, frames, the catalogue."""
    return db.rows(_STAMP)[0]


def last_night(db: Connection) -> str:
    """The latest night of which there is a frame; empty before the first one."""
    ((night,),) = db.rows(_LAST_NIGHT)
    return str(night or "")


def beside(db: Connection, night: str) -> tuple[str, str]:
    """The nights with frames or a summary before and after one; empty where there is none."""
    ((before,),), ((after,),) = (db.rows(sql, night, night) for sql in (_BEFORE_IT, _AFTER_IT))
    return str(before or ""), str(after or "")


def frames(db: Connection, night: str) -> list[Any]:
    """The frames of a night, the latest exposure first; those not read yet stand last."""
    return [NightFrame(*row) for row in db.rows(_FRAMES, night, MOST_FRAMES)]


def points(db: Connection, night: str) -> list[Any]:
    """The results of a night, the latest first, without withdrawn ones."""
    return [NightPoint(*row) for row in db.rows(_POINTS, night, MOST_POINTS)]


def is_good(point: Any) -> bool:
    """Whether the magnitude of a night's point counts: no flag says that it is wrong."""
    return (point.mag is not None and not point.flags & int(quality.NEVER_ALERTS)
            and point.human_flags == "[]" and point.mode != STACK)


@dataclass(frozen=True, kw_only=True)
class BandLine:
    """A night's points of one source and band; ``good`` of them enter the mean.

    ``last``: the newest; ``polarised``: the newest that has a polarisation.
    """

    source: str
    band: str
    count: int
    good: int
    mean: float | None
    brightest: float | None
    faintest: float | None
    last: Any
    polarised: Any = None


def bands(points: Iterable[Any]) -> list[BandLine]:
    """The points of a night (the latest first) by source and band; good ones enter the mean."""
    of: dict[tuple[str, str], list[Any]] = {}
    for point in points:
        of.setdefault((point.source, point.band), []).append(point)
    found = []
    for (source, band), rows in sorted(of.items()):
        mags = [row.mag for row in rows if is_good(row)]
        found.append(BandLine(
            source=source, band=band, count=len(rows), good=len(mags),
            mean=sum(mags) / len(mags) if mags else None, brightest=min(mags, default=None),
            faintest=max(mags, default=None), last=rows[0],
            polarised=next((row for row in rows if row.p is not None), None)))
    return found


def past(db: Connection, source: str, band: str, *, before: float, night: str) -> list[Any]:
    """The good magnitudes of a source and band before a JD and in other nights, the newest first.
    """
    return [PastPoint(*row) for row in db.rows(
        _BEFORE, source, band, before, before - _PAST_DAYS, night, _PAST)]


def past_polarisation(db: Connection, source: str, *, before: float, night: str) -> list[Any]:
    """The good polarisations of a source before a JD and in other nights, the newest first."""
    return [PastPoint(*row) for row in db.rows(
        _P_BEFORE, source, before, before - _PAST_DAYS, night, _PAST)]


@dataclass(frozen=True, kw_only=True)
class Light:
    """What was measured of a source on a frame: ADU per second, signal to noise, ADU a pixel."""

    flux: float
    snr: float
    sky: float


def light(db: Connection, frame_id: int, source: str) -> Light | None:
    """The light of a source on a frame; None where it was not measured."""
    for flux, snr, sky in db.rows(_MEASURED, frame_id, source):
        if flux is not None and snr is not None:
            return Light(flux=flux, snr=snr, sky=math.nan if sky is None else sky)
    return None


def all_names(db: Connection, names: Iterable[str]) -> dict[str, list[str]]:
    """All names of some sources, their own first; of those in the catalogue."""
    wanted = list(names)
    if not wanted:  # an empty list is no SQL, but for SQLite
        return {}
    marks = ", ".join("?" * len(wanted))
    return {name: [name, *json.loads(others)] for name, others in db.rows(
        f"SELECT name, other_names FROM source WHERE name IN ({marks})", *wanted)}  # noqa: S608
