"""What the page of a frame shows besides its row: its neighbours, jobs, group and marks."""

from __future__ import annotations

from dataclasses import dataclass

from peewee import fn

from iop4d.model.frame import FrameKind
from iop4d.model.states import REPLACED_FRAMES
from iop4d.model.units import plus_minus
from iop4d.store.database import Connection
from iop4d.store.jobs import OF_A_FRAME, JobKind
from iop4d.store.results import standing
from iop4d.store.schema import (
    Frame,
    FrameStars,
    Job,
    Master,
    Measurement,
    Result,
    ResultFrame,
    Source,
)

_NAMED = (Frame.id, Frame.name, Frame.jd_start, Frame.state)
_FRAMES_OF = 400  # that are listed of a master or a group


@dataclass(frozen=True, kw_only=True)
class Beside:
    """The frames before and after one; None at the ends."""

    before: Frame | None
    after: Frame | None


def beside(db: Connection, frame: Frame) -> Beside:
    """The frames of the same object, telescope, night and kind around one, in order of time.

    Of a frame that was not read yet by its number among those of its night.
    """
    if frame.jd_start is None:
        same = (Frame.night == frame.night) & Frame.jd_start.is_null()
        at, mine = Frame.id, frame.id
    else:
        same = ((Frame.telescope == frame.telescope) & (Frame.night == frame.night)
                & (Frame.kind == frame.kind) & (Frame.object == frame.object))
        at, mine = Frame.jd_start, frame.jd_start
    rows = db.select(Frame, *_NAMED).where(
        same & (Frame.id != frame.id) & Frame.state.not_in(REPLACED_FRAMES))
    return Beside(before=rows.where((at < mine) | ((at == mine) & (Frame.id < frame.id)))
                  .order_by(at.desc(), Frame.id.desc()).first(),
                  after=rows.where((at > mine) | ((at == mine) & (Frame.id > frame.id)))
                  .order_by(at, Frame.id).first())


def jobs_of(db: Connection, frame: Frame) -> list[Job]:
    """The work on a frame, and on its polarimetry group, in order."""
    which = (Job.kind.in_([kind.value for kind in OF_A_FRAME])) & (Job.key == frame.id)
    if frame.group_id is not None:
        which |= (Job.kind == JobKind.POLARIMETRY.value) & (Job.key == frame.group_id)
    order = [JobKind.CLASSIFY, JobKind.REDUCE, JobKind.POLARIMETRY]
    return sorted(db.select(Job).where(which), key=lambda job: order.index(job.kind))


def jobs_of_master(db: Connection, master_id: int) -> list[Job]:
    """The work on a master."""
    return list(db.select(Job).where((Job.kind == JobKind.MASTER.value) & (Job.key == master_id)))


def jobs_of_group(db: Connection, group_id: int) -> list[Job]:
    """The work on a polarimetry group."""
    return list(db.select(Job).where(
        (Job.kind == JobKind.POLARIMETRY.value) & (Job.key == group_id)))


@dataclass(frozen=True, kw_only=True)
class Mark:
    """A source on a frame; ``measured``: whether its light could be; ``said``: its result."""

    name: str
    kind: str
    x: float
    y: float
    beam: str
    measured: bool
    said: str = ""


def marks(db: Connection, frame_id: int) -> list[Mark]:
    """The sources that lie on a frame, with what became of them."""
    rows = list(db.select(
        Measurement, Measurement.source, Measurement.beam, Measurement.x, Measurement.y,
        Measurement.flux).where(Measurement.frame == frame_id))
    kinds = dict(db.select(Source, Source.name, Source.kind).where(
        Source.name.in_({row.source for row in rows})).tuples())
    said = {result.source: f"{result.band} {plus_minus(result.mag, result.mag_err)}"
            for result in standing(db, Result).join(ResultFrame).where(
                ResultFrame.frame == frame_id) if result.mag is not None}
    both = {row.source for row in rows if row.beam}
    return [Mark(name=row.source, kind=kinds.get(row.source, ""), x=row.x, y=row.y, beam=row.beam,
                 measured=row.flux is not None, said=said.get(row.source, ""))
            for row in rows if row.beam or row.source not in both]


@dataclass(frozen=True, kw_only=True)
class Placed:
    """Where a source was found on a frame, and its place in the catalogue, degrees."""

    name: str
    kind: str
    x: float
    y: float
    beam: str
    ra_deg: float
    dec_deg: float


def places(db: Connection, frame_id: int) -> list[Placed]:
    """Where the sources of the catalogue were found on a frame."""
    rows = db.select(Measurement, Measurement.source, Source.kind, Measurement.x, Measurement.y,
                     Measurement.beam, Source.ra_deg, Source.dec_deg).join(
        Source, on=Measurement.source == Source.name).where(
        (Measurement.frame == frame_id) & (Measurement.beam != "O")).tuples()
    return [Placed(name=name, kind=kind, x=x, y=y, beam=beam, ra_deg=ra, dec_deg=dec)
            for name, kind, x, y, beam, ra, dec in rows]


def stars(db: Connection, frame_id: int) -> FrameStars | None:
    """The stars that are kept of a frame."""
    return db.get(FrameStars, FrameStars.frame == frame_id)


def group_frames(db: Connection, group_id: int) -> list[Frame]:
    """Every frame of a polarimetry group in order of time, whatever its fate."""
    return list(db.select(
        Frame, *_NAMED, Frame.reason, Frame.polariser_deg, Frame.exptime_s, Frame.preview_path,
        Frame.reduced_path, Frame.info, Frame.provisional, Frame.changed_at).where(
        Frame.group_id == group_id).order_by(Frame.jd_start, Frame.name, Frame.id))


def results_of_group(db: Connection, group_id: int) -> list[Result]:
    """The results of a group, withdrawn ones too."""
    return list(db.select(Result).where(Result.group_id == group_id).order_by(
        Result.source, Result.id))


# Masters.


def named_like(db: Connection, master: Master) -> dict[str, Frame]:
    """The calibration frames of a master's night and kind, by name: of what it was made."""
    return {row.name: row for row in db.select(Frame, *_NAMED, Frame.reason).where(
        (Frame.telescope == master.telescope) & (Frame.night == master.night)
        & ((Frame.kind == master.kind) if master.kind != FrameKind.PATTERN.value
           else (Frame.kind == FrameKind.SCIENCE.value)))}


def used_by(db: Connection, master: Master, nights: tuple[str, str],
            number: int = _FRAMES_OF) -> list[Frame]:
    """The newest science frames of a range of nights that were calibrated with a master."""
    rows = db.select(Frame, *_NAMED, Frame.night, Frame.masters, Frame.object, Frame.band,
                     Frame.provisional).where(
        (Frame.instrument == master.instrument) & (Frame.kind == FrameKind.SCIENCE.value)
        & Frame.night.between(*nights) & (fn.INSTR(Frame.masters, f"[{master.id},") > 0))
    return list(rows.order_by(Frame.night.desc(), Frame.jd_start.desc(nulls="LAST"),
                              Frame.id.desc()).limit(number))


def over_nights(db: Connection, master: Master) -> list[Master]:
    """The built masters of the same camera, kind, band and layout, in order of nights."""
    rows = db.select(Master, Master.id, Master.night, Master.level, Master.scatter, Master.state,
                     Master.n_frames).where(
        (Master.telescope == master.telescope) & (Master.instrument == master.instrument)
        & (Master.kind == master.kind) & (Master.layout == master.layout)
        & (Master.band.is_null() if master.band is None else Master.band == master.band)
        & Master.level.is_null(False))
    return list(rows.order_by(Master.night, Master.id))

