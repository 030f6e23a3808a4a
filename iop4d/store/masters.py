"""Masters: the rows, the frames that they are made of, and what was calibrated with them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from iop4d.model.frame import FrameFacts, FrameKind, layout_of, region_of
from iop4d.model.states import FrameState, MasterState
from iop4d.store.database import Connection, Transaction
from iop4d.store.frames import facts_of as frames_facts_of
from iop4d.store.schema import Frame, Master

_APART = 20.0  # pixels: wider than any star
_ALIKE = 3  # frames of one place that a median does not see
_REDUCED = (FrameState.DONE, FrameState.FAILED)


def by_id(db: Connection, id_: int) -> Master:
    """The master of an id that is known."""
    return db.by_id(Master, id_)


def of_kind(db: Connection, kind: FrameKind, facts: FrameFacts) -> list[Master]:
    """The masters of a kind, of any night and layout, of the camera of a frame.

    Flats are those of the frame's band.
    """
    which = ((Master.kind == kind.value) & (Master.telescope == facts.telescope)
             & (Master.instrument == facts.instrument))
    if kind is FrameKind.FLAT:
        which &= Master.band.is_null() if facts.band is None else Master.band == facts.band
    return list(db.select(Master).where(which))


def master_for(tx: Transaction, facts: FrameFacts, now: float, *,
               one_exposure: bool = False) -> Master:
    """The master that a calibration frame is part of, made if need be.

    ``one_exposure``: it is one of frames of the same exposure time.
    """
    key = "/".join([facts.telescope, facts.instrument, facts.night, facts.kind.value,
                    layout_of(facts).replace(" ", ""), facts.band or "-",
                    *([_exposure(facts.exptime_s)] if one_exposure else [])])
    return tx.get_or_create(Master, key=key, defaults={
        "kind": facts.kind.value, "telescope": facts.telescope, "instrument": facts.instrument,
        "layout": layout_of(facts), "band": facts.band, "night": facts.night,
        "exptime_s": facts.exptime_s, "changed_at": now})


def is_of_one_exposure(master: Master) -> bool:
    """Whether a master is made of frames of the same exposure time alone."""
    return str(master.key).endswith("/" + _exposure(master.exptime_s))


def _exposure(exptime_s: float) -> str:
    return f"{exptime_s:.3g}s"


def frames_of(db: Connection, master: Master) -> list[Frame]:
    """The frames that a master is made of, in order of time."""
    if master.kind == FrameKind.PATTERN:
        return fields_apart(db, _facts_of_pattern(master))
    return calibration_frames_of(db, master)


def facts_of(master: Master, frame: Frame) -> FrameFacts:
    """What is calibrated when a master is made of a frame and others like it."""
    facts = frames_facts_of(frame)
    return replace(facts, kind=FrameKind(master.kind), band=master.band)


def measured_like(db: Connection, facts: FrameFacts) -> int:
    """How many science frames of a night and a camera are measured."""
    return int(db.select(Frame).where(_measured_like(facts)).count())


def fields_apart(db: Connection, facts: FrameFacts) -> list[Frame]:
    """Measured science frames of a night, camera and layout whose stars lie on other pixels.

    In order of time; of frames that point to within ``_APART`` pixels of each other the first few.
    """
    found: list[Frame] = []
    near: Counter[tuple[int, int]] = Counter()
    for frame in db.select(Frame).where(_measured_like(facts)).order_by(
            Frame.jd_start, Frame.name):
        wcs = frame.info.get("wcs") or {}
        if layout_of(frames_facts_of(frame)) != layout_of(facts) or "CRPIX1" not in wcs:
            continue
        cell = _cell(wcs)
        if near[cell] < _ALIKE:
            near[cell] += 1
            found.append(frame)
    return found


def _cell(wcs: dict[str, Any]) -> tuple[int, int]:
    """In which square of ``_APART`` pixels on the sky the frame's first pixel points."""
    step = _APART * math.sqrt(abs(
        float(wcs["CD1_1"]) * float(wcs["CD2_2"]) - float(wcs["CD1_2"]) * float(wcs["CD2_1"])))
    dx, dy = float(wcs["CRPIX1"]), float(wcs["CRPIX2"])
    east = float(wcs["CRVAL1"]) * math.cos(math.radians(float(wcs["CRVAL2"]))) \
        - float(wcs["CD1_1"]) * dx - float(wcs["CD1_2"]) * dy
    north = float(wcs["CRVAL2"]) - float(wcs["CD2_1"]) * dx - float(wcs["CD2_2"]) * dy
    return math.floor(east / step), math.floor(north / step)


def _measured_like(facts: FrameFacts) -> Any:
    return ((Frame.telescope == facts.telescope) & (Frame.instrument == facts.instrument)
            & (Frame.kind == FrameKind.SCIENCE.value) & (Frame.night == facts.night)
            & (Frame.state == FrameState.DONE.value))


def _facts_of_pattern(master: Master) -> FrameFacts:
    binning, x, y, nx, ny = region_of(master.layout)
    return FrameFacts(
        telescope=master.telescope, instrument=master.instrument, kind=FrameKind.PATTERN,
        night=master.night, jd_start=math.nan, exptime_s=master.exptime_s, shape=(ny, nx),
        binning=binning, origin=(x, y))


def calibration_frames_of(db: Connection, master: Master) -> list[Frame]:
    """The calibration frames of a master, in order of time; none of a pattern."""
    rows = db.select(Frame).where(
        (Frame.telescope == master.telescope) & (Frame.instrument == master.instrument)
        & (Frame.kind == master.kind) & (Frame.night == master.night)
        & Frame.state.not_in((FrameState.REJECTED, FrameState.DUPLICATE, FrameState.SUPERSEDED))
        & (Frame.band == master.band if master.band else Frame.band.is_null())
    ).order_by(Frame.jd_start, Frame.name)
    alone = is_of_one_exposure(master)
    return [row for row in rows if layout_of(frames_facts_of(row)) == master.layout
            and not (alone and _exposure(row.exptime_s) != _exposure(master.exptime_s))]


def peers_of(db: Connection, master: Master) -> list[Master]:
    """The other masters in use of its camera, kind and band."""
    return list(db.select(Master).where(
        (Master.instrument == master.instrument) & (Master.kind == master.kind)
        & (Master.state == MasterState.READY) & (Master.id != master.id)
        & (Master.band.is_null() if master.band is None else Master.band == master.band)))


def update(tx: Transaction, master_id: int, now: float, **columns: Any) -> None:
    """Write columns of a master."""
    tx.update(Master, changed_at=now, **columns).where(Master.id == master_id).execute()


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


def ready_of_kinds(db: Connection, instrument: str, kinds: Iterable[FrameKind],
                   nights: tuple[str, str]) -> list[Master]:
    """The masters in use of an instrument, of some kinds, in a range of nights."""
    return list(db.select(Master).where(
        (Master.instrument == instrument) & (Master.state == MasterState.READY)
        & Master.kind.in_([kind.value for kind in kinds]) & Master.night.between(*nights)))


def masters_with(db: Connection, master: Master) -> list[Master]:
    """The masters in use that were calibrated with a master."""
    return [other for other in db.select(Master).where(Master.state == MasterState.READY)
            if any(id_ == master.id for id_, _ in other.masters)]


def frames_with(db: Connection, master: Master) -> list[Frame]:
    """The science frames that were calibrated with a master."""
    return [frame for frame in db.select(Frame).where(
        (Frame.instrument == master.instrument) & (Frame.kind == FrameKind.SCIENCE.value)
        & Frame.state.in_(_REDUCED)) if any(id_ == master.id for id_, _ in frame.masters)]


def frames_within_reach(db: Connection, master: Master, nights: tuple[str, str]) -> list[Frame]:
    """The science frames that a master could serve better than what they have.

    Those of its night, and those within some nights that have no master of their own night.
    """
    return list(db.select(Frame).where(
        (Frame.telescope == master.telescope) & (Frame.instrument == master.instrument)
        & (Frame.kind == FrameKind.SCIENCE.value) & Frame.state.in_(_REDUCED)
        & (((Frame.provisional == True) & Frame.night.between(*nights))  # noqa: E712 - SQL
           | (Frame.night == master.night))))
