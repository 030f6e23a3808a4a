"""Polarimetry groups: which frames they hold, and what was measured on these."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from iop4d.model.flags import Flag
from iop4d.model.frame import FrameKind
from iop4d.model.messages import UNSOLVED, MeasuredFrame, StarList
from iop4d.model.result import FieldStar
from iop4d.model.states import FrameState
from iop4d.store.schema import Frame, FrameStars, Group, Result
from iop4d.store.series import with_measurements
from iop4d.store.table import is_filled


def _measured() -> Any:
    """Frames whose measurements stand: those that are being done again keep their old ones."""
    return (Frame.state == FrameState.DONE.value) | (
        (Frame.state == FrameState.QUEUED.value) & Frame.group_id.is_null(False))


def frames_like(frame: Frame) -> list[Frame]:
    """The measured polarimetry frames that could be of a frame's group, in order of time.

    Of one target, camera, night, band, exposure, binning.
    """
    return list(Frame.select(
        Frame.id, Frame.name, Frame.jd_start, Frame.exptime_s, Frame.polariser_deg, Frame.group_id,
    ).where(
        (Frame.telescope == frame.telescope) & (Frame.instrument == frame.instrument)
        & (Frame.night == frame.night) & (Frame.band == frame.band)
        & (Frame.kind == FrameKind.SCIENCE.value) & (Frame.mode == "polarimetry")
        & (Frame.target == frame.target) & (Frame.binning == frame.binning)
        & (Frame.exptime_s.between(frame.exptime_s - 0.05, frame.exptime_s + 0.05)) & _measured()
    ).order_by(Frame.jd_start, Frame.name, Frame.id))


def members(group_id: int) -> list[Frame]:
    """The frames of a group in order of time."""
    return list(Frame.select().where(
        (Frame.group_id == group_id) & _measured()
    ).order_by(Frame.jd_start, Frame.name, Frame.id))


def measured_group(group_id: int) -> tuple[MeasuredFrame, ...]:
    """The frames of a group with all that was measured on them."""
    frames = members(group_id)
    stars = {row.frame_id: row.field for row in FrameStars.select().where(
        FrameStars.frame.in_([frame.id for frame in frames]))}
    return tuple(
        replace(measured, field_stars=tuple(
            FieldStar(ra_deg=ra, dec_deg=dec, flux=flux, flux_err=err)
            for ra, dec, flux, err in stars.get(measured.id, ())))
        for measured in with_measurements(frames))


def withdraw(group_id: int, keep: tuple[str, ...], now: float) -> None:
    """Results of a group whose source is not among ``keep`` count no more; their rows stay."""
    Result.update(withdrawn=True, flags=Result.flags.bin_or(int(Flag.WITHDRAWN)),
                  changed_at=now).where(
        (Result.group_id == group_id) & Result.source.not_in(keep)
        & (Result.withdrawn == False)).execute()  # noqa: E712 - SQL


def dissolve(group_id: int, now: float) -> None:
    """A group without frames: another one has taken them."""
    Group.update(state="dissolved", reason="its frames are of another group", changed_at=now,
                 angles=[]).where(Group.id == group_id).execute()
    withdraw(group_id, (), now)


def references_of(frame: Frame) -> list[Frame]:
    """Whole frames by which a frame can be placed, the best first.

    Of the same camera, object and binning, for a sub-frame of the same night as well; those of the
    same band first, then the nearest in time.
    """
    if not frame.object:
        return []
    night = (Frame.night == frame.night) if frame.subframe else (Frame.id != frame.id)
    rows = list(Frame.select(
        Frame.id, Frame.name, Frame.band, Frame.jd_start).join(FrameStars).where(
        (Frame.telescope == frame.telescope) & (Frame.instrument == frame.instrument)
        & night & (Frame.object == frame.object)
        & (Frame.binning == frame.binning) & (Frame.subframe == False)  # noqa: E712 - SQL
        & (Frame.state == FrameState.DONE.value) & is_filled(FrameStars.stars)))
    return sorted(rows, key=lambda row: (row.band != frame.band,
                                         abs(row.jd_start - frame.jd_start), row.name))


def star_list(frame_id: int) -> StarList:
    """The stars of a whole frame."""
    frame = Frame.get_by_id(frame_id)
    stars = FrameStars.get_by_id(frame_id).stars
    x, y, flux = (tuple(column) for column in zip(*stars, strict=True))
    return StarList(frame=frame_id, x=x, y=y, flux=flux, wcs=frame.info["wcs"],
                    binning=frame.binning)


def placed_like(frame: Frame) -> list[Frame]:
    """The frames that a whole frame could place: sub-frames, and what the index did not solve."""
    return [other for other in Frame.select().where(
        (Frame.telescope == frame.telescope) & (Frame.instrument == frame.instrument)
        & (Frame.night == frame.night) & (Frame.object == frame.object)
        & (Frame.binning == frame.binning) & (Frame.kind == FrameKind.SCIENCE.value)
        & (Frame.id != frame.id)
        & Frame.state.in_((FrameState.DONE.value, FrameState.FAILED.value)))
        if other.subframe or is_unsolved(other)]


def is_unsolved(frame: Frame) -> bool:
    """Whether the index did not solve a whole frame, so that another one may help."""
    if frame.state == FrameState.FAILED:
        return bool(frame.reason.startswith(f"{UNSOLVED}: "))
    return frame.info.get("astrometry_from") in ("frame", "catalogue")
