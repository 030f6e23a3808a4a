"""What is calibrated together: the frames of a polarimetry group, and those of a series.

A series is all frames of a source, band and camera in one night.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from peewee import fn

from iop4d.model.flags import Flag
from iop4d.model.frame import FrameFacts, FrameKind
from iop4d.model.messages import MeasuredFrame
from iop4d.model.result import STACK, FieldStar, GrowthPoint, Measurement
from iop4d.model.states import FrameState, GroupState, JobState
from iop4d.model.units import position_angle_deg
from iop4d.store import catalogue
from iop4d.store.database import Connection, Transaction, number
from iop4d.store.frames import facts_of
from iop4d.store.jobs import OF_A_FRAME
from iop4d.store.results import STANDS
from iop4d.store.results import withdraw as withdraw_result
from iop4d.store.schema import Frame, FrameStars, Group, Job, Result, ResultFrame, Series
from iop4d.store.schema import Measurement as Row
from iop4d.store.statement import Statement
from iop4d.store.table import values_of


def _measured() -> Any:
    """Frames whose measurements stand: those that are reduced again keep their old ones."""
    return (Frame.state == FrameState.DONE.value) | (
        (Frame.state == FrameState.QUEUED.value) & Frame.group_id.is_null(False))


def frames_like(db: Connection, frame: Frame) -> list[Frame]:
    """The measured polarimetry frames that could be of a frame's group, in order of time.

    Of one target, camera, night, band, exposure, binning.
    """
    return list(db.select(
        Frame, Frame.id, Frame.name, Frame.jd_start, Frame.exptime_s, Frame.polariser_deg,
        Frame.group_id,
    ).where(
        (Frame.node == frame.node)
        & (Frame.telescope == frame.telescope) & (Frame.instrument == frame.instrument)
        & (Frame.night == frame.night) & (Frame.band == frame.band)
        & (Frame.kind == FrameKind.SCIENCE.value) & (Frame.mode == "polarimetry")
        & (Frame.target == frame.target) & (Frame.binning == frame.binning)
        & (Frame.exptime_s.between(frame.exptime_s - 0.05, frame.exptime_s + 0.05)) & _measured()
    ).order_by(Frame.jd_start, Frame.name, Frame.id))


def find(db: Connection, group_id: int) -> Group | None:
    """The group of an id; None if there is none."""
    return db.get(Group, Group.id == group_id)


def members(db: Connection, group_id: int) -> list[Frame]:
    """The frames of a group in order of time."""
    return list(db.select(Frame).where(
        (Frame.group_id == group_id) & _measured()
    ).order_by(Frame.jd_start, Frame.name, Frame.id))


def measured_group(db: Connection, group_id: int) -> tuple[MeasuredFrame, ...]:
    """The frames of a group with all that was measured on them."""
    frames = members(db, group_id)
    stars = {row.frame_id: row.field for row in db.select(FrameStars).where(
        FrameStars.frame.in_([frame.id for frame in frames]))}
    return tuple(
        replace(measured, field_stars=tuple(
            FieldStar(ra_deg=ra, dec_deg=dec, flux=flux, flux_err=err,
                      growth=tuple((r, f, e) for points in growth for r, f, e in points))
            for ra, dec, flux, err, *growth in stars.get(measured.id, ())))
        for measured in with_measurements(db, frames))


def withdraw(tx: Transaction, group_id: int, keep: tuple[str, ...], now: float) -> None:
    """Results of a group whose source is not among ``keep`` count no more; their rows stay."""
    tx.update(Result, withdrawn=True, flags=Result.flags.bin_or(int(Flag.WITHDRAWN)),
              changed_at=now).where(
        (Result.group_id == group_id) & Result.source.not_in(keep)
        & STANDS).execute()


def withdraw_others(tx: Transaction, group_id: int, frame_ids: list[int], now: float) -> None:
    """Results of other groups that rest on frames of this one count no more.

    They count again when their group is computed from the frames that it has kept.
    """
    resting = ResultFrame.select(ResultFrame.result).where(ResultFrame.frame.in_(frame_ids))
    tx.update(Result, withdrawn=True, flags=Result.flags.bin_or(int(Flag.WITHDRAWN)),
              changed_at=now).where(
        Result.id.in_(resting) & (Result.group_id != group_id)
        & STANDS).execute()


def by_id(db: Connection, id_: int) -> Group:
    """The group of an id that is known."""
    return db.by_id(Group, id_)


def create(tx: Transaction, frame: Frame, now: float) -> Group:
    """A new group for a frame."""
    return tx.create(Group, **_place(frame), exptime_s=frame.exptime_s, changed_at=now,
                     node=frame.node)


def is_for(group: Group, frame: Frame) -> bool:
    """Whether a group is of a frame's target, camera, night, band and binning."""
    return all(getattr(group, name) == value for name, value in _place(frame).items())


def _place(frame: Frame) -> dict[str, Any]:
    return {"source": frame.target, "telescope": frame.telescope, "instrument": frame.instrument,
            "night": frame.night, "band": frame.band or "", "binning": frame.binning or 1}


def update(tx: Transaction, group_id: int, now: float, **columns: Any) -> None:
    """Write columns of a group."""
    tx.update(Group, changed_at=now, **columns).where(Group.id == group_id).execute()


def assign(tx: Transaction, frame_ids: list[int], group_id: int | None) -> None:
    """Put frames into a group, or into none."""
    tx.update(Frame, group_id=group_id).where(Frame.id.in_(frame_ids)).execute()


def more_coming(db: Connection, group: Group) -> bool:
    """Whether frames of the group's night and camera are still to be worked on."""
    pending = Frame.select(Frame.id).where(
        (Frame.node == group.node)
        & (Frame.telescope == group.telescope) & (Frame.night == group.night)
        & ((Frame.kind == FrameKind.SCIENCE.value) | Frame.kind.is_null())
        & (Frame.state == FrameState.QUEUED.value))
    busy = db.select(Job, Job.key).where(
        Job.kind.in_([kind.value for kind in OF_A_FRAME])
        & Job.state.in_((JobState.QUEUED, JobState.RUNNING)) & Job.key.in_(pending))
    return bool(busy.exists())


def with_results(db: Connection) -> list[int]:
    """The groups of this node whose results follow a changed catalogue."""
    return [row.id for row in db.select(Group, Group.id).where(
        (Group.node == db.node) & Group.state.in_(
            (GroupState.COMPLETE, GroupState.CLOSED, GroupState.SHORT)))]


def without_polarisation(db: Connection, *, night: str = "", ids: tuple[int, ...] | None = None,
                         limit: int | None = None) -> list[Group]:
    """Groups of which a target, or all, have no polarisation, with the reason; newest first.

    Of a night, or of all; ``ids``: of these alone; ``limit``: at most so many.
    """
    query = db.select(Group).where((Group.reason != "") & Group.state.not_in(
        (GroupState.DISSOLVED, GroupState.OPEN)))
    if night:
        query = query.where(Group.night == night)
    if ids is not None:
        query = query.where(Group.id.in_(ids))
    return list(query.order_by(Group.night.desc(), Group.id.desc()).limit(limit))


def of_source(db: Connection, source: str, instrument: str) -> list[int]:
    """The ids of a source's groups by an instrument, oldest first."""
    return [row.id for row in db.select(Group, Group.id).where(
        (Group.source == source) & (Group.instrument == instrument)
        & (Group.state != GroupState.DISSOLVED)).order_by(Group.night, Group.id)]


def failed(tx: Transaction, group_id: int, now: float, *, reason: str) -> None:
    """The work on a group failed: one that was open is short of what it needs, and is shown."""
    open_ = by_id(tx, group_id).state == GroupState.OPEN
    update(tx, group_id, now, reason=reason, **({"state": GroupState.SHORT} if open_ else {}))


def described(group: Group) -> str:
    """A group as people name it: ``BL Lac R, AndorT90, 2022-09-08``."""
    return f"{group.source} {group.band}, {group.instrument}, {group.night}"


def dissolve(tx: Transaction, group_id: int, now: float) -> None:
    """A group without frames: another one has taken them, or they fail."""
    update(tx, group_id, now, state=GroupState.DISSOLVED, reason="none of its frames is left",
           angles=[])
    withdraw(tx, group_id, (), now)


# Series: the results of a source in a night that are calibrated together.


def series_of(tx: Transaction, source: str, facts: FrameFacts, now: float) -> Series:
    """The series that a source's result on a frame belongs to; made if need be."""
    key = "/".join([*([tx.node] if tx.node else []), facts.telescope, facts.instrument,
                    facts.night, facts.band or "-", source])
    return tx.by(Series, "key", key) or tx.create(
        Series, key=key, source=source, instrument=facts.instrument, telescope=facts.telescope,
        band=facts.band or "", night=facts.night, changed_at=now, node=tx.node)


def series_by_id(db: Connection, id_: int) -> Series:
    """The series of an id that is known."""
    return db.by_id(Series, id_)


def stack_origin(series: Series) -> str:
    """The beginning of the identity of the result of a series' frames together."""
    return f"{series.telescope}/{series.night}/stack {series.id}"


def withdraw_stack(tx: Transaction, series: Series, now: float) -> list[int]:
    """The result of a series' frames together follows no more: its id, if there is one."""
    return withdraw_result(tx, f"{stack_origin(series)}/{series.source}/{STACK}", now=now)


def all_series(db: Connection) -> list[int]:
    """The ids of all series of this node."""
    return [row.id for row in db.select(Series, Series.id).where(Series.node == db.node)]


def calibrated(tx: Transaction, series_id: int, n_frames: int, now: float) -> None:
    """A series was calibrated on so many frames."""
    tx.update(Series, n_frames=n_frames, changed_at=now).where(Series.id == series_id).execute()


def measured_frames(db: Connection, series: Series) -> tuple[MeasuredFrame, ...]:
    """The frames of a series in order of time, with what is measured of source and calibrators."""
    names = [series.source,
             *(s.name for s in catalogue.load(db).calibrators_of(series.source))]
    return _with(db, db.found(_OF_SERIES, **series.__data__), _MEASURED_OF, names=json.dumps(names))


def _of_series(given: Callable[[str], Any]) -> Any:
    # Asked of each frame of the night: all measurements of a source are those of many years.
    with_source = fn.EXISTS(Row.select(Row.id).where(
        (Row.frame == Frame.id) & (Row.source == given("source"))))
    return Frame.select().where(
        (Frame.node == given("node"))
        & (Frame.telescope == given("telescope")) & (Frame.instrument == given("instrument"))
        & (Frame.night == given("night")) & (Frame.band == given("band"))
        & (Frame.kind == FrameKind.SCIENCE.value) & (Frame.state == FrameState.DONE.value)
        & (Frame.mode == "photometry")
        & with_source).order_by(Frame.jd_start, Frame.name, Frame.id)


_OF_SERIES = Statement(_of_series)


def with_measurements(db: Connection, frames: list[Frame]) -> tuple[MeasuredFrame, ...]:
    """Frames with all their measurements."""
    return _with(db, frames, _MEASURED)


def _with(db: Connection, frames: list[Frame], which: Statement,
          **given: str) -> tuple[MeasuredFrame, ...]:
    measured: dict[int, list[Measurement]] = {frame.id: [] for frame in frames}
    rows = db.tuples(which, frames=json.dumps(list(measured)), **given)
    for frame_id, source, beam, x, y, *values, growth, flags in rows:
        flux, flux_err, mag, mag_err, snr, sky, photons, faint, *more = map(number, values)
        others, psf, psf_err = more
        measured[frame_id].append(Measurement(
            source=source, x=x, y=y, flux=flux, flux_err=flux_err, mag_inst=mag,
            mag_inst_err=mag_err, snr=snr, sky=sky, flags=flags, beam=beam, photon_err=photons,
            confusion_err=faint, neighbours=others, psf_flux=psf, psf_flux_err=psf_err,
            # Those of older releases lack the last fields.
            growth=tuple(GrowthPoint(*point) for point in Row.growth.python_value(growth))))
    return tuple(_measured_frame(frame, tuple(measured[frame.id])) for frame in frames)


def _measurements(given: Callable[[str], Any]) -> Any:
    return Row.select(
        Row.frame, Row.source, Row.beam, Row.x, Row.y, Row.flux, Row.flux_err, Row.mag_inst,
        Row.mag_inst_err, Row.snr, Row.sky, Row.photon_err, Row.confusion_err,
        Row.neighbours, Row.psf_flux, Row.psf_flux_err, Row.growth, Row.flags).where(
        Row.frame.in_(values_of(given("frames"), "BIGINT"))).order_by(
        Row.frame, Row.source, Row.beam)


_MEASURED = Statement(_measurements)
_MEASURED_OF = Statement(lambda given: _measurements(given).where(
    Row.source.in_(values_of(given("names"), "TEXT")) & (Row.beam == "")))


def _measured_frame(frame: Frame, measurements: tuple[Measurement, ...]) -> MeasuredFrame:
    info, wcs = frame.info, frame.info.get("wcs") or {}
    fwhm = number(info.get("fwhm_arcsec"))
    return MeasuredFrame(
        id=frame.id, facts=facts_of(frame), measurements=measurements, fwhm_arcsec=fwhm,
        airmass=number(info.get("airmass")), bjd_tdb=number(info.get("bjd_tdb")),
        sky_angle_deg=position_angle_deg(number(wcs.get("CD1_2")), number(wcs.get("CD2_2"))),
        flags=info.get("frame_flags", 0), psf_beta=number(info.get("psf_beta")),
        aperture_arcsec=number(info.get("aperture_px")) * fwhm / number(info.get("fwhm_px")))


def _ids(frames: list[Frame]) -> list[int]:
    return [frame.id for frame in frames]
