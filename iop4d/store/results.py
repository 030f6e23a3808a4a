"""Results: written in place under one identity with history, and listed."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any

from iop4d import __version__
from iop4d.model.flags import NEVER_ALERTS, Flag
from iop4d.model.result import STACK, CalibratorUse, MethodValue, ResultValue
from iop4d.model.uncertainty import total
from iop4d.store import imported
from iop4d.store.database import Connection, Transaction, plain
from iop4d.store.events import emit, newest
from iop4d.store.schema import Event, Frame, Meta, Result, ResultFrame, ResultHistory
from iop4d.store.statement import Statement
from iop4d.store.table import is_filled, values_of

#: The condition that a result still follows from its frames.
STANDS = Result.withdrawn == False  # noqa: E712 - SQL
_JUDGED = "flags judged"  # the last event up to which the alerts took flags into account
_UNJUDGED = 1000  # events without a flag that are looked at again rather than written down
_VARIABLES = 10_000  # of one statement; SQLite takes 32,766
_NEWS = 0.1  # errors by which a magnitude must change to be news
_USE = tuple(field.name for field in fields(CalibratorUse))
_METHOD = tuple(field.name for field in fields(MethodValue))
#: Values, their errors and what they share, a change of which may be news.
_NEWS_OF = (
    ("mag", "mag_err", "mag_err_common"), ("q", "q_err", "q0_err"), ("u", "u_err", "u0_err"),
    ("host_mjy", "host_mjy_err", ""), ("q_isp", "q_isp_err", ""), ("u_isp", "u_isp_err", ""))
#: What a change of which makes a new revision.
VALUES = ("band", "jd_mid", "bjd_tdb", "exptime_s", "mag", "mag_err", "mag_err_common", "mag_limit",
           "photometry", "aperture_arcsec", "mag_psf", "mag_psf_err", "flux_mjy", "flux_mjy_err",
           "extinction_mag", "colour", "colour_term", "colour_term_err", "zero_point",
           "zero_point_err", "n_calibrators", "p", "p_err", "chi_deg", "chi_err_deg",
           "chi_err_common", "q", "q_err", "u", "u_err", "qu_cov",
           "q0_err", "u0_err", "q_isp", "q_isp_err", "u_isp", "u_isp_err", "p_debiased", "p_limit",
           "method", "host_mjy", "host_mjy_err", "mag_nucleus", "mag_nucleus_err", "q_nucleus",
           "q_nucleus_err", "u_nucleus", "u_nucleus_err", "p_nucleus", "p_nucleus_err",
           "fwhm_arcsec", "airmass", "flags")


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Where results come from: one frame, or a polarimetry group of several.

    ``key`` begins the results' identity; ``frames``: (id, name) in order of time.
    """

    key: str
    telescope: str
    instrument: str
    night: str
    frames: tuple[tuple[int, str], ...]
    provisional: bool = False
    group_id: int | None = None


def of_frame(frame: Frame) -> Origin:
    """A frame as the origin of its results."""
    return Origin(key=str(frame.identity), telescope=frame.telescope, instrument=frame.instrument,
                  night=frame.night, frames=((frame.id, frame.name),),
                  provisional=bool(frame.provisional))


def save_results(tx: Transaction, origin: Origin, values: tuple[ResultValue, ...], *,
                 now: float) -> list[int]:
    """Write the results of a frame or a group; ids of those that are new or changed.

    A result keeps its id and its human flags; what it was goes to its history. One that no
    longer follows from the frame (its source left the catalogue) stays as it is.
    """
    return save_each(tx, [(origin, value) for value in values], now=now)


def save_each(tx: Transaction, found: Sequence[tuple[Origin, ResultValue]], *,
              now: float) -> list[int]:
    """The same of results of several origins, no two of one identity."""
    changed = []
    keys = [f"{origin.key}/{value.source}/{value.mode}" for origin, value in found]
    rows = {row.key: row for row in tx.found(_OF_KEYS, keys=json.dumps(keys))}
    links = _links_of(tx, [row.id for row in rows.values()])
    for key, (origin, value) in zip(keys, found, strict=True):
        names = [name for _, name in origin.frames]
        columns = columns_of(value) | {"provisional": origin.provisional, "frames": names,
                                     "group_id": origin.group_id, "withdrawn": False}
        row = rows.get(key)
        if row is None:
            row = tx.create(
                Result, key=key, telescope=origin.telescope, instrument=origin.instrument,
                night=origin.night, created_at=now, changed_at=now,
                software=__version__, **columns)
            changed += withdraw(tx, imported.key_of(origin.telescope, origin.night, names, value),
                                now=now)
        elif new := {name: value for name, value in columns.items()
                     if getattr(row, name) != value}:
            news = _is_news(row, columns)
            if news:
                tx.create(ResultHistory, result=row.id, revision=row.revision, replaced_at=now,
                          was={name: getattr(row, name)
                               for name in (*VALUES, "provisional", "software")})
            tx.set_by_key(Result, row.id, **new, revision=row.revision + news, changed_at=now,
                          software=__version__)
        else:
            continue
        _link(tx, row.id, origin, links.get(row.id, set()))
        changed.append(row.id)
    return changed


_OF_KEYS = Statement(lambda given: Result.select().where(
    Result.key.in_(values_of(given("keys"), "TEXT"))))


def withdraw(tx: Transaction, key: str, *, now: float) -> list[int]:
    """A result that no longer follows counts no more; its row stays. Its id, if there is one."""
    ids = [id_ for (id_,) in tx.tuples(_STANDS_AS, key=key)]
    if ids:
        tx.update(Result, withdrawn=True, flags=Result.flags.bin_or(int(Flag.WITHDRAWN)),
                  changed_at=now).where(Result.id.in_(ids)).execute()
    return ids


_STANDS_AS = Statement(lambda given: Result.select(Result.id).where(
    (Result.key == given("key")) & STANDS))


def withdraw_of_frame(tx: Transaction, frame: Frame, *, now: float) -> list[int]:
    """Results of a frame by itself count no more: the ids of those that did."""
    if not frame.identity:
        return []
    beginning = f"{frame.identity}/"
    keys = [key for (key,) in tx.select(Result, Result.key).where(
        Result.key.between(beginning, f"{beginning}\U0010ffff") & STANDS).tuples()]
    return [id_ for key in keys for id_ in withdraw(tx, key, now=now)]


def withdraw_replaced(tx: Transaction, origin: Origin, values: Sequence[ResultValue],
                      replaced: Collection[int], *, now: float) -> list[int]:
    """Results that rest on replaced files alone count no more: the ids of those that did.

    ``origin``: the file that replaced the frames ``replaced``; its ``values``, which are saved,
    rest on it from now on, even those that are the same as before.
    """
    beginning = f"{origin.key}/"
    for value in values:
        row = tx.by(Result, "key", f"{beginning}{value.source}/{value.mode}")
        if row is not None:
            _link(tx, row.id, origin, _links_of(tx, [row.id]).get(row.id, set()))
    mine = ResultFrame.select(ResultFrame.result).where(
        ResultFrame.frame.in_([id_ for id_, _ in origin.frames]))
    others = ResultFrame.select(ResultFrame.result).where(ResultFrame.frame.in_(list(replaced)))
    keys = [key for (key,) in tx.select(Result, Result.key).where(
        Result.key.between(beginning, f"{beginning}\U0010ffff") & Result.id.in_(others)
        & Result.id.not_in(mine) & STANDS).tuples()]
    return [id_ for key in keys for id_ in withdraw(tx, key, now=now)]


def _links_of(db: Connection, ids: Sequence[int]) -> dict[int, set[int]]:
    """The ids of the frames that each of some results rests on."""
    found: dict[int, set[int]] = {}
    for result_id, frame_id in db.tuples(_LINKS, ids=json.dumps(ids)) if ids else ():
        found.setdefault(result_id, set()).add(frame_id)
    return found


_LINKS = Statement(lambda given: ResultFrame.select().where(
    ResultFrame.result.in_(values_of(given("ids"), "BIGINT"))))


def _link(tx: Transaction, result_id: int, origin: Origin, before: set[int]) -> None:
    """Write which frames a result rests on, as far as that differs from those ``before``."""
    mine = ResultFrame.result == result_id
    ids = {id_ for id_, _ in origin.frames}
    if origin.group_id is not None or len(ids) > 1:
        for part in _parts(sorted(before - ids)):
            tx.delete(ResultFrame).where(mine & ResultFrame.frame.in_(part)).execute()
    for part in _parts(sorted(ids - before)):
        tx.insert_many(ResultFrame, [{"result": result_id, "frame": id_} for id_ in part])


def _parts(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    """As many at a time as a statement takes."""
    return (ids[start:start + _VARIABLES] for start in range(0, len(ids), _VARIABLES))


def _is_news(row: Result, columns: dict[str, Any]) -> bool:
    """Whether a change deserves a place in the history.

    With each frame of a night the zero points of all others become a little more certain: a change
    of less than a tenth of the error, and of nothing else that matters, does not; nor does one more
    frame of a stack.
    """
    if any(getattr(row, name) != columns[name] for name in (
            "flags", "provisional", "band", "method", "withdrawn",
            *(("frames",) if row.mode != STACK else ()))):
        return True
    if any(_moved(getattr(row, name), columns[name], total(
            getattr(row, err), getattr(row, shared) if shared else None))
            for name, err, shared in _NEWS_OF):
        return True
    # Without errors of their own: a limit moves by 0.1 mag, an extinction as the magnitude does.
    return (_moved(row.mag_limit, columns["mag_limit"], 1.0)
            or _moved(row.extinction_mag, columns["extinction_mag"], row.mag_err or 1.0))


def _moved(before: float | None, after: float | None, err: float | None) -> bool:
    if before is None or after is None or not err:
        return before != after
    return abs(after - before) > _NEWS * err


def columns_of(value: ResultValue) -> dict[str, Any]:
    """The columns of a result's row that hold what was computed; NaN is null."""
    return plain(value, ("source", "mode", *VALUES)) | {
        "calibrators": [plain(use, _USE) for use in value.calibrators],
        "methods": [plain(method, _METHOD) for method in value.methods]}


_NIGHTS_NAMED = 30  # at most, in an event


def emit_newest(tx: Transaction, ids: list[int], now: float) -> None:
    """Tell the page of the newest of some results, of each source and band, and of their nights.

    ``many`` stands for more nights than an event names.
    """
    newest_of: dict[tuple[str, str], int] = {}
    nights: dict[tuple[str, str], set[str]] = {}
    # One value, however many ids.
    for id_, source, band, night in tx.rows(
            'SELECT "id", "source", "band", "night" FROM "result" WHERE "id" IN '
            '(SELECT CAST("value" AS BIGINT) FROM json_each(?)) ORDER BY "id"', json.dumps(ids)):
        newest_of[source, band] = id_
        nights.setdefault((source, band), set()).add(night)
    for (source, band), id_ in newest_of.items():
        found = sorted(nights[source, band])
        emit(tx, "result", now, id=id_, source=source, band=band,
             nights=found if len(found) <= _NIGHTS_NAMED else ["many"])


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Which results: any of the sources' names, bands, and JD(UTC) limits, both ends included.

    ``good``: only those that have no flag by hand and none with which nothing counts for alerts.
    """

    sources: tuple[str, ...] = ()
    bands: tuple[str, ...] = ()
    since_jd: float | None = None
    until_jd: float | None = None
    nights: tuple[str, ...] = ()
    instruments: tuple[str, ...] = ()
    mode: str | None = None
    good: bool = False


def standing(db: Connection, *columns: Any) -> Any:
    """A SELECT of the results that count: whatever lists, counts or compares results begins here.

    Withdrawn ones are read where one is asked for by its id or by the frame's identity, alone.
    """
    return db.select(Result, *columns).where(STANDS)


def select(db: Connection, chosen: Selection) -> Iterator[Result]:
    """The results of a selection, in order of time."""
    return iter(_selected(db, chosen).iterator())


#: After which result a list goes on: its mid-exposure and its id.
Cursor = tuple[float, int]


def select_part(db: Connection, chosen: Selection, columns: Sequence[str], *, count: int,
                after: Cursor | None = None) -> list[Any]:
    """So many results of a selection as plain tuples with names, those after one or the first."""
    wanted = tuple(getattr(Result, name) for name in columns)
    query = _selected(db, chosen, *wanted)
    if after is not None:
        jd, id_ = after
        query = query.where((Result.jd_mid >= jd) & ((Result.jd_mid > jd) | (Result.id > id_)))
    return db.plain(query.limit(count), wanted)


def _selected(db: Connection, chosen: Selection, *columns: Any) -> Any:
    query = standing(db, *columns).order_by(Result.jd_mid, Result.id)
    if chosen.sources:
        query = query.where(Result.source.in_(chosen.sources))
    if chosen.bands:
        query = query.where(Result.band.in_(chosen.bands))
    if chosen.since_jd is not None:
        query = query.where(Result.jd_mid >= chosen.since_jd)
    if chosen.until_jd is not None:
        query = query.where(Result.jd_mid <= chosen.until_jd)
    if chosen.nights:
        query = query.where(Result.night.in_(chosen.nights))
    if chosen.instruments:
        query = query.where(Result.instrument.in_(chosen.instruments))
    if chosen.mode is not None:
        query = query.where(Result.mode == chosen.mode)
    if chosen.good:
        query = query.where((Result.flags.bin_and(int(NEVER_ALERTS)) == 0)
                            & ~is_filled(Result.human_flags))
    return query


def bands_of_results(db: Connection) -> set[str]:
    """The bands in which anything was measured."""
    return {band for (band,) in db.select(Result, Result.band).distinct().tuples()}


def is_of_any(db: Connection, **values: str) -> bool:
    """Whether any result has these values in its columns."""
    conditions = [getattr(Result, name) == value for name, value in values.items()]
    return db.get(Result, *conditions) is not None


def find(db: Connection, id_: int) -> Result | None:
    """The result of an id."""
    return db.get(Result, Result.id == id_)


def among(db: Connection, ids: Collection[int]) -> list[Result]:
    """The results of some ids, in order of their ids."""
    return list(db.select(Result).where(Result.id.in_(list(ids))).order_by(Result.id))


def known_by(db: Connection, source: str, band: str, begin: float, end: float,
             at: float) -> list[Result]:
    """The results of a source and band between two JD that were there at a moment, flagged or
    not."""
    return list(db.select(Result).where(
        (Result.source == source) & (Result.band == band) & Result.jd_mid.between(begin, end)
        & (Result.created_at <= at)).order_by(Result.jd_mid, Result.id))


def frame_ids(db: Connection, ids: Sequence[int]) -> dict[int, int]:
    """The id of a frame of each of some results."""
    # One value, however many ids: a statement takes so many alone, and each costs time.
    return dict(db.rows('SELECT "result_id", "frame_id" FROM "resultframe" '
                        'WHERE "result_id" IN (SELECT CAST("value" AS BIGINT) FROM json_each(?))',
                        json.dumps(list(ids))))


def of_polarimeter(db: Connection, instrument: str, *, since: str | None = None,
                   until: str | None = None) -> list[Result]:
    """The sound polarisations that an instrument measured, by time; nights with both ends.

    Not those of a turned camera, whose zero angle was another.
    """
    spoilt = int(NEVER_ALERTS & ~Flag.NO_CALIBRATORS | Flag.FIELD_ROTATED)
    query = db.select(Result).where(
        (Result.instrument == instrument) & (Result.mode == "polarimetry")
        & Result.q.is_null(False) & (Result.flags.bin_and(spoilt) == 0)
        & ~is_filled(Result.human_flags)).order_by(Result.jd_mid)
    if since:
        query = query.where(Result.night >= since)
    if until:
        query = query.where(Result.night <= until)
    return list(query)


def take_changed_flags(tx: Transaction) -> list[int]:
    """Results whose flags changed since this was asked last; they count as taken into account.

    What was looked at stands in the database alone, so that a transaction that is undone loses
    none.
    """
    row = tx.get(Meta, Meta.key == _JUDGED)
    after, last = int(row.value) if row else 0, newest(tx)
    found = list(tx.select(Event, Event.id, Event.content).where(
        (Event.id > after) & (Event.kind == "flag")).order_by(Event.id))
    if found or last - after > _UNJUDGED:
        tx.replace(Meta, key=_JUDGED, value=last)
    return sorted({int(event.content["id"]) for event in found})
