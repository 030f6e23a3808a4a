"""Series: the results of a source in a night that are calibrated together."""

from __future__ import annotations

from typing import Any

from iop4d.model.frame import FrameFacts, FrameKind
from iop4d.model.messages import MeasuredFrame
from iop4d.model.result import Measurement
from iop4d.model.states import FrameState
from iop4d.store import catalogue
from iop4d.store.database import number
from iop4d.store.frames import facts_of
from iop4d.store.schema import Frame, Series
from iop4d.store.schema import Measurement as Row


def series_of(source: str, facts: FrameFacts, now: float) -> Series:
    """The series that a source's result on a frame belongs to; made if need be."""
    key = "/".join([facts.telescope, facts.instrument, facts.night, facts.band or "-", source])
    series: Series = Series.get_or_create(key=key, defaults={
        "source": source, "instrument": facts.instrument, "telescope": facts.telescope,
        "band": facts.band or "", "night": facts.night, "changed_at": now})[0]
    return series


def measured_frames(series: Series) -> tuple[MeasuredFrame, ...]:
    """The frames of a series in order of time, with what is measured of source and calibrators."""
    names = [series.source,
             *(s.name for s in catalogue.load().calibrators_of(series.source))]
    with_source = Row.select(Row.frame).where(Row.source == series.source)
    frames = list(Frame.select().where(
        (Frame.telescope == series.telescope) & (Frame.instrument == series.instrument)
        & (Frame.night == series.night) & (Frame.band == series.band)
        & (Frame.kind == FrameKind.SCIENCE.value) & (Frame.state == FrameState.DONE.value)
        & (Frame.mode == "photometry")
        & Frame.id.in_(with_source)).order_by(Frame.jd_start, Frame.name, Frame.id))
    return with_measurements(frames, Row.source.in_(names) & (Row.beam == ""))


def with_measurements(frames: list[Frame], which: Any = None) -> tuple[MeasuredFrame, ...]:
    """Frames with their measurements, all or those that a condition selects."""
    measured: dict[int, list[Measurement]] = {frame.id: [] for frame in frames}
    columns = (Row.source, Row.beam, Row.x, Row.y, Row.flux, Row.flux_err, Row.mag_inst,
               Row.mag_inst_err, Row.snr, Row.sky, Row.photon_err, Row.neighbours, Row.flags)
    rows = Row.select(Row.frame_id, *columns).where(Row.frame.in_(_ids(frames))).order_by(
        Row.frame_id, Row.source, Row.beam)
    if which is not None:
        rows = rows.where(which)
    for frame_id, source, beam, x, y, *values, flags in rows.tuples():
        flux, flux_err, mag, mag_err, snr, sky, photons, others = map(number, values)
        measured[frame_id].append(Measurement(
            source=source, x=x, y=y, flux=flux, flux_err=flux_err, mag_inst=mag,
            mag_inst_err=mag_err, snr=snr, sky=sky, flags=flags, beam=beam, photon_err=photons,
            neighbours=others))
    return tuple(_measured(frame, tuple(measured[frame.id])) for frame in frames)


def _measured(frame: Frame, measurements: tuple[Measurement, ...]) -> MeasuredFrame:
    info = frame.info
    fwhm = number(info.get("fwhm_arcsec"))
    return MeasuredFrame(
        id=frame.id, facts=facts_of(frame), measurements=measurements, fwhm_arcsec=fwhm,
        airmass=number(info.get("airmass")), bjd_tdb=number(info.get("bjd_tdb")),
        flags=info.get("frame_flags", 0),
        aperture_arcsec=number(info.get("aperture_px")) * fwhm / number(info.get("fwhm_px")))


def _ids(frames: list[Frame]) -> list[int]:
    return [frame.id for frame in frames]
