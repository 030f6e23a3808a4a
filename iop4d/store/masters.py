"""Masters: the rows, the frames that they are made of, and what was calibrated with them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from peewee import fn

from iop4d.model.frame import (
    Detector,
    FrameFacts,
    FrameKind,
    celsius_of,
    is_part_of,
    layout_of,
    near_darks,
    region_of,
    settings_of,
)
from iop4d.model.states import FrameState, MasterState
from iop4d.store.database import Connection, Transaction
from iop4d.store.events import emit
from iop4d.store.frames import facts_of as frames_facts_of
from iop4d.store.schema import Frame, Master
from iop4d.store.table import in_json

_APART = 20.0  # pixels: wider than any star
_MOST_OF_PATTERN = 240  # frames whose median has all the certainty that a pattern needs
_ALIKE = 3  # frames of one place that a median does not see
_REDUCED = (FrameState.DONE, FrameState.FAILED)


def by_id(db: Connection, id_: int) -> Master:
    """The master of an id that is known."""
    return db.by_id(Master, id_)


def of_kind(db: Connection, kind: FrameKind, facts: FrameFacts) -> list[Master]:
    """The masters of a kind, of any night and layout, of the camera of a frame.

    Flats are those of the frame's band.
    """
    which = ((Master.node == db.node) & (Master.kind == kind.value)
             & (Master.telescope == facts.telescope)
             & (Master.instrument == facts.instrument))
    if kind is FrameKind.FLAT:
        which &= Master.band.is_null() if facts.band is None else Master.band == facts.band
    return list(db.select(Master).where(which))


def master_for(tx: Transaction, facts: FrameFacts, now: float, *,
               one_exposure: bool = False) -> Master:
    """The master that a calibration frame is part of, made if need be.

    ``one_exposure``: it is one of frames of the same exposure time.
    """
    key = _key(tx, facts, *([_exposure(facts.exptime_s)] if one_exposure else []))
    return tx.get_or_create(Master, key=key, defaults={
        "kind": facts.kind.value, "telescope": facts.telescope, "instrument": facts.instrument,
        "layout": layout_of(facts), "band": facts.band, "night": facts.night,
        "exptime_s": facts.exptime_s, "changed_at": now, "node": tx.node})


def beside(db: Connection, facts: FrameFacts, *, one_exposure: bool = False) -> list[Master]:
    """The masters of the next temperatures that a dark near the edge of its own is part of."""
    more = [_exposure(facts.exptime_s)] if one_exposure else []
    found = (db.get(Master, Master.key == _key(db, near, *more)) for near in near_darks(facts))
    return [master for master in found if master is not None]


def find_for(db: Connection, facts: FrameFacts) -> Master | None:
    """The master that ``master_for`` gives for frames of any exposure time, if there is one."""
    return db.get(Master, Master.key == _key(db, facts))


def _key(db: Connection, facts: FrameFacts, *more: str) -> str:
    return "/".join([*([db.node] if db.node else []), facts.telescope, facts.instrument,
                     facts.night, facts.kind.value,
                     layout_of(facts).replace(" ", ""), facts.band or "-", *more])


def is_of_one_exposure(master: Master) -> bool:
    """Whether a master is made of frames of the same exposure time alone."""
    return str(master.key).endswith("/" + _exposure(master.exptime_s))


def _exposure(exptime_s: float) -> str:
    return f"{exptime_s:.3g}s"


def frames_of(db: Connection, master: Master) -> list[Frame]:
    """The frames that a master is made of, in order of time."""
    if master.kind == FrameKind.PATTERN:
        ids = fields_apart(db, _facts_of_pattern(master), _MOST_OF_PATTERN)
        return list(db.select(Frame).where(Frame.id.in_(ids)).order_by(
            Frame.jd_start.asc(nulls="FIRST"), Frame.name))
    return calibration_frames_of(db, master)


def folders_of(db: Connection, master: Master) -> set[Path]:
    """The folders in which its frames may be."""
    if master.kind != FrameKind.PATTERN:
        return {Path(row.path).parent for row in calibration_frames_of(db, master)}
    folder = fn.RTRIM(Frame.path, fn.REPLACE(Frame.path, "/", ""))  # up to the last slash
    return {Path(name) for (name,) in db.select(Frame, folder).where(
        _measured_like(db, _facts_of_pattern(master))).distinct().tuples()}


def facts_of(master: Master, frame: Frame) -> FrameFacts:
    """What is calibrated when a master is made of a frame and others like it."""
    facts = replace(frames_facts_of(frame), kind=FrameKind(master.kind), band=master.band)
    if facts.kind is not FrameKind.DARK:
        return facts
    return replace(facts, detector=replace(facts.detector, celsius=celsius_of(master.layout)))


def measured_like(db: Connection, facts: FrameFacts) -> int:
    """How many science frames of a night and a camera are measured."""
    return int(db.select(Frame).where(_measured_like(db, facts)).count())


def fields_apart(db: Connection, facts: FrameFacts, most: int) -> list[int]:
    """Measured science frames of a night, camera and layout whose stars lie on other pixels.

    Ids in order of time, at most so many; of frames that point to within ``_APART`` pixels of the
    same place the first few.
    """
    (ny, nx), (x0, y0) = facts.shape, facts.origin
    settings = fn.COALESCE(in_json(Frame.detector, "settings"), "")
    rows = db.select(Frame, Frame.id, in_json(Frame.info, "wcs")).where(
        _measured_like(db, facts) & (Frame.binning == facts.binning) & (Frame.nx == nx)
        & (Frame.ny == ny) & (Frame.x0 == x0) & (Frame.y0 == y0)
        & (settings == facts.detector.settings)).order_by(
        Frame.jd_start.asc(nulls="FIRST"), Frame.name)
    found: list[int] = []
    places: list[_Place] = []
    counts: Counter[int] = Counter()
    for id_, wcs in rows.tuples().iterator():
        if len(found) == most:
            break
        if not wcs or "CRPIX1" not in wcs:
            continue
        place = _place(wcs)
        near = next((n for n, other in enumerate(places) if _is_near(place, other)), len(places))
        if near == len(places):
            places.append(place)
        if counts[near] < _ALIKE:
            counts[near] += 1
            found.append(id_)
    return found


class _Place(NamedTuple):
    """Where a frame's first pixel points, degrees: a tangent point, and east and north of it."""

    ra: float
    dec: float
    east: float
    north: float
    pixel: float  # degrees


def _place(wcs: dict[str, Any]) -> _Place:
    value = {name: float(wcs[name]) for name in (
        "CRVAL1", "CRVAL2", "CRPIX1", "CRPIX2", "CD1_1", "CD1_2", "CD2_1", "CD2_2")}
    dx, dy = value["CRPIX1"], value["CRPIX2"]
    area = value["CD1_1"] * value["CD2_2"] - value["CD1_2"] * value["CD2_1"]
    return _Place(ra=value["CRVAL1"], dec=value["CRVAL2"],
                  east=-value["CD1_1"] * dx - value["CD1_2"] * dy,
                  north=-value["CD2_1"] * dx - value["CD2_2"] * dy, pixel=math.sqrt(abs(area)))


def _is_near(one: _Place, other: _Place) -> bool:
    ra = (one.ra - other.ra + 180.0) % 360.0 - 180.0
    east = ra * math.cos(math.radians(other.dec)) + one.east - other.east
    return math.hypot(east, one.dec - other.dec + one.north - other.north) < _APART * other.pixel


def _measured_like(db: Connection, facts: FrameFacts) -> Any:
    return ((Frame.node == db.node) & (Frame.telescope == facts.telescope)
            & (Frame.instrument == facts.instrument)
            & (Frame.kind == FrameKind.SCIENCE.value) & (Frame.night == facts.night)
            & (Frame.state == FrameState.DONE.value))


def _facts_of_pattern(master: Master) -> FrameFacts:
    binning, x, y, nx, ny = region_of(master.layout)
    return FrameFacts(
        telescope=master.telescope, instrument=master.instrument, kind=FrameKind.PATTERN,
        night=master.night, jd_start=math.nan, exptime_s=master.exptime_s, shape=(ny, nx),
        binning=binning, origin=(x, y), detector=Detector(settings=",".join(
            f"{name}={value}" for name, value in settings_of(master.layout).items())))


def calibration_frames_of(db: Connection, master: Master) -> list[Frame]:
    """The calibration frames of a master, in order of time; none of a pattern."""
    rows = db.select(Frame).where(
        (Frame.node == master.node)
        & (Frame.telescope == master.telescope) & (Frame.instrument == master.instrument)
        & (Frame.kind == master.kind) & (Frame.night == master.night)
        & Frame.state.not_in((FrameState.REJECTED, FrameState.DUPLICATE, FrameState.SUPERSEDED))
        & (Frame.band == master.band if master.band else Frame.band.is_null())
    ).order_by(Frame.jd_start.asc(nulls="FIRST"), Frame.name)
    alone = is_of_one_exposure(master)
    return [row for row in rows if is_part_of(master.layout, frames_facts_of(row))
            and not (alone and _exposure(row.exptime_s) != _exposure(master.exptime_s))]


def peers_of(db: Connection, master: Master) -> list[Master]:
    """The other masters in use of its camera, kind and band."""
    return list(db.select(Master).where(
        (Master.node == master.node)
        & (Master.instrument == master.instrument) & (Master.kind == master.kind)
        & (Master.state == MasterState.READY) & (Master.id != master.id)
        & (Master.band.is_null() if master.band is None else Master.band == master.band)))


def update(tx: Transaction, master_id: int, now: float, **columns: Any) -> None:
    """Write columns of a master."""
    tx.update(Master, changed_at=now, **columns).where(Master.id == master_id).execute()
    emit(tx, "master", now, id=master_id)


def among(db: Connection, ids: Iterable[int], *, built: bool = False) -> list[Master]:
    """The masters of some ids; ``built``: only those that were ever built."""
    query = db.select(Master).where(Master.id.in_(list(ids)))
    return list(query.where(Master.path.is_null(False)) if built else query)


def listed(db: Connection, *, night: str | None = None,
           instrument: str | None = None) -> list[Master]:
    """The masters of a night, of an instrument, or all."""
    query = db.select(Master).order_by(Master.night, Master.instrument, Master.kind)
    if night:
        query = query.where(Master.night == night)
    if instrument:
        query = query.where(Master.instrument == instrument)
    return list(query)


def in_use(db: Connection) -> list[Master]:
    """The masters of this node in use."""
    return list(db.select(Master).where(
        (Master.node == db.node) & (Master.state == MasterState.READY)
        & Master.path.is_null(False)))


def ready_of_kinds(db: Connection, instrument: str, kinds: Iterable[FrameKind],
                   nights: tuple[str, str]) -> list[Master]:
    """The masters in use of an instrument, of some kinds, in a range of nights."""
    return list(db.select(Master).where(
        (Master.node == db.node)
        & (Master.instrument == instrument) & (Master.state == MasterState.READY)
        & Master.kind.in_([kind.value for kind in kinds]) & Master.night.between(*nights)))


def masters_with(db: Connection, master: Master) -> list[Master]:
    """The masters in use that were calibrated with a master."""
    return [other for other in db.select(Master).where(
                (Master.node == master.node) & (Master.state == MasterState.READY))
            if any(id_ == master.id for id_, _ in other.masters)]


def frames_with(db: Connection, master: Master) -> list[int]:
    """The ids of the science frames that were calibrated with a master, of whatever nights."""
    named = fn.COALESCE(Frame.masters, "").contains(f"[{master.id},")  # as JSON, of pairs
    return [id_ for (id_,) in db.select(Frame, Frame.id).where(
        (Frame.node == master.node)
        & (Frame.instrument == master.instrument) & (Frame.kind == FrameKind.SCIENCE.value)
        & Frame.state.in_(_REDUCED) & named).order_by(Frame.id).tuples()]


def frames_within_reach(db: Connection, master: Master, nights: tuple[str, str]) -> list[Frame]:
    """The science frames that a master could serve better than what they have.

    Those of its night, and those within some nights that have no master of their own night or
    temperature; of its binning, and of its band if it has one.
    """
    return list(db.select(Frame).where(
        (Frame.node == master.node)
        & (Frame.telescope == master.telescope) & (Frame.instrument == master.instrument)
        & (Frame.binning == region_of(master.layout)[0])
        & (Frame.band == master.band if master.band else Frame.id > 0)
        & (Frame.kind == FrameKind.SCIENCE.value) & Frame.state.in_(_REDUCED)
        & Frame.night.between(*nights)  # apart: an index tells it
        & ((Frame.provisional == True) | (Frame.night == master.night))))  # noqa: E712 - SQL
