"""Results good enough to be published: what a draft of a telegram is gathered from.

They are those that count for alerts, with an error, and not withdrawn. Points are plain rows, in
order of time.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from peewee import fn

from iop4d.model.flags import NEVER_ALERTS, Flag
from iop4d.store.database import Connection
from iop4d.store.points import good_points
from iop4d.store.results import STANDS
from iop4d.store.schema import Result

Row = dict[str, Any]

_MOST = 5000  # points of one query
_PLAIN = (Result.id, Result.jd_mid.alias("jd"), Result.night, Result.band, Result.telescope,
          Result.instrument,
          Result.exptime_s, Result.flags, Result.provisional,
          fn.json_array_length(Result.frames).alias("n_frames"))
#: Columns of numbers that can be missing.
NUMBERS = ("mag", "mag_err", "host_mjy", "mag_nucleus", "mag_nucleus_err", "p_nucleus",
           "p_nucleus_err", "p", "p_err", "p_debiased", "p_limit", "chi_deg", "chi_err_deg")
#: Those from which the common errors follow.
COMMON = ("mag_err_common", "host_mjy_err", "q", "u", "q0_err", "u0_err", "chi_err_common")
#: Flags that keep a result out of a draft.
BARRING_FLAGS = int(NEVER_ALERTS | Flag.POOR_FIT)


def photometry(db: Connection, source: str, since_jd: float, until_jd: float) -> list[Row]:
    """Magnitudes of all bands between two JD, with their calibrators."""
    return _points(db, _photometry(source) & Result.jd_mid.between(since_jd, until_jd),
                   calibrators=True)


def polarimetry(db: Connection, source: str, since_jd: float, until_jd: float) -> list[Row]:
    """Polarisation of all bands between two JD."""
    return _points(db, _polarimetry(source) & Result.jd_mid.between(since_jd, until_jd))


def light_curve(db: Connection, source: str, since_jd: float, until_jd: float,
                limit: int) -> list[Row]:
    """The latest points of both between two JD."""
    either = _photometry(source) | _polarimetry(source)
    return _points(db, either & Result.jd_mid.between(since_jd, until_jd), limit=limit)


def preceding_photometry(db: Connection, source: str, band: str, *, night: str, before_jd: float,
                         nights: int) -> list[Row]:
    """Magnitudes of so many nights with data before a night and a JD."""
    before = _photometry(source, band) & (Result.night < night) & (Result.jd_mid < before_jd)
    last = [name for (name,) in db.select(Result, Result.night).where(before).distinct()
            .order_by(Result.night.desc()).limit(nights).tuples()]
    return _points(db, before & Result.night.in_(last)) if last else []


def first_photometry(db: Connection, source: str, band: str, before_night: str) -> Row | None:
    """The first magnitude of the archive, if it is of an earlier night."""
    first = db.select(Result, Result.id).where(
        _photometry(source, band) & (Result.night < before_night)).order_by(
            Result.jd_mid, Result.id).limit(1).scalar()
    return _last(db, Result.id == first) if first else None


def last_as_bright(db: Connection, source: str, band: str, before_jd: float, mag: float, *,
                   besides: Collection[int] = ()) -> Row | None:
    """The last magnitude before a JD that was as bright, but some results."""
    return _last(db, _before(source, band, before_jd, besides) & (Result.mag <= mag))


def last_as_faint(db: Connection, source: str, band: str, before_jd: float, mag: float, *,
                  besides: Collection[int] = ()) -> Row | None:
    """The last magnitude before a JD that was as faint, but some results."""
    return _last(db, _before(source, band, before_jd, besides) & (Result.mag >= mag))


def polarimetry_of_night(db: Connection, source: str, night: str, until_jd: float) -> list[Row]:
    """Polarisation of a night in all bands, until a JD."""
    return _points(db, _polarimetry(source) & (Result.night == night)
                   & (Result.jd_mid <= until_jd))


def preceding_polarimetry(db: Connection, source: str, band: str, night: str) -> Row | None:
    """The last polarisation of a band before a night."""
    return _last(db, _polarimetry(source, band) & (Result.night < night))


def newest_jd(db: Connection, source: str) -> float | None:
    """When the latest of them was measured; None if there is none."""
    newest: float | None = db.select(Result, Result.jd_mid).where(
        _photometry(source) | _polarimetry(source)).order_by(
            Result.jd_mid.desc()).limit(1).scalar()
    return newest


def flags_of_all(db: Connection, source: str, since_jd: float,
                 until_jd: float) -> list[tuple[int, list[Any]]]:
    """The flags and the human flags of every result between two JD, good or not."""
    return list(db.select(Result, Result.flags, Result.human_flags).where(
        (Result.source == source) & STANDS
        & Result.jd_mid.between(since_jd, until_jd)).tuples())


def _photometry(source: str, band: str | None = None) -> Any:
    column = Result.band if band is None else band
    return (good_points(source, column) & Result.mag_err.is_null(False)
            & (Result.mag_err > 0) & STANDS)


def _before(source: str, band: str, jd: float, besides: Collection[int]) -> Any:
    return (_photometry(source, band) & (Result.jd_mid < jd)
            & Result.id.not_in(list(besides)))


def _polarimetry(source: str, band: str | None = None) -> Any:
    column = Result.band if band is None else band
    return (good_points(source, column, needs_mag=False) & Result.p.is_null(False)
            & Result.p_err.is_null(False) & (Result.p_err > 0)
            & (Result.flags.bin_and(int(Flag.POOR_FIT)) == 0)
            & STANDS)


def _last(db: Connection, condition: Any) -> Row | None:
    rows = _points(db, condition, limit=1)
    return rows[0] if rows else None


def _points(db: Connection, condition: Any, *, limit: int = _MOST,
            calibrators: bool = False) -> list[Row]:
    """The latest points that meet a condition.

    Their calibrators are read where they are wanted: of thousands of points it takes a second.
    """
    wanted = [Result.calibrators] if calibrators else []
    rows = db.select(Result, *_PLAIN, *(getattr(Result, name) for name in (*NUMBERS, *COMMON)),
                     *wanted).where(
        condition).order_by(Result.jd_mid.desc(), Result.id.desc()).limit(limit).dicts()
    return list(reversed(list(rows)))
