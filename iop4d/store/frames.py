"""Frames and what is measured on them: the rows, and how outcomes become rows."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, fields
from typing import Any

from peewee import Case

from iop4d.model.errors import UNKNOWN_INSTRUMENT
from iop4d.model.flags import Flag
from iop4d.model.frame import ROUNDED_S, AstrometryFrom, Detector, FrameFacts, FrameKind
from iop4d.model.messages import Reduced, Solution
from iop4d.model.result import Measurement
from iop4d.model.states import REPLACED_FRAMES, FrameState, JobState
from iop4d.model.units import SECONDS_A_DAY
from iop4d.store import schema
from iop4d.store.database import Connection, Transaction, finite, plain
from iop4d.store.events import emit
from iop4d.store.jobs import JobKind
from iop4d.store.nodes import of_node
from iop4d.store.schema import Frame, Job
from iop4d.store.statement import Statement, same
from iop4d.store.table import in_json, values_of

#: How the reason of a frame begins that a person wants left out.
IGNORED = "ignored by hand"
#: In a frame's info: when which product was removed to make room.
PRUNED = "pruned"
_KNOWN = "cameras_described"  # key of which instruments are known
_SECOND_CHOICES = [found.value for found in AstrometryFrom if found.is_second_choice]
_MEASURED = [field.name for field in fields(Measurement) if field.name != "growth"]
_NEAREST = 30  # exposures: more than are measured at the same time


def by_id(db: Connection, id_: int) -> Frame:
    """The frame of an id that is known."""
    return db.by_id(Frame, id_)


def id_of_name(db: Connection, name: str) -> int | None:
    """The newest frame whose file has a name."""
    row = db.select(Frame, Frame.id).where(Frame.name == name).order_by(Frame.id.desc()).first()
    return None if row is None else int(row.id)


def by_ids(db: Connection, ids: Iterable[int]) -> dict[int, Frame]:
    """The frames of some ids that there are, by their ids."""
    return {row.id: row for row in db.found(_OF_IDS, ids=json.dumps(list(ids)))}


_OF_IDS = Statement(lambda given: Frame.select().where(
    Frame.id.in_(values_of(given("ids"), "BIGINT"))))


def find(db: Connection, id_: int) -> Frame | None:
    """The frame of an id; None if there is none."""
    return db.get(Frame, Frame.id == id_)


def among(db: Connection, ids: Iterable[int]) -> list[Frame]:
    """The frames of some ids that there are: only what became of them."""
    return list(db.select(Frame, Frame.id, Frame.state, Frame.reason).where(
        Frame.id.in_(list(ids))))


def create(tx: Transaction, now: float, **columns: Any) -> Frame:
    """The row of a file that was found, to be worked on."""
    return tx.create(Frame, state=FrameState.QUEUED, seen_at=now, changed_at=now, node=tx.node,
                     **columns)


def count(db: Connection, states: Iterable[FrameState]) -> int:
    """How many frames are in any of some states."""
    return int(db.select(Frame).where(Frame.state.in_(list(states))).count())


def set_state(tx: Transaction, frame_id: int, state: FrameState, now: float, *, reason: str = "",
              **columns: Any) -> None:
    """Write a frame's state, and other columns with it."""
    night = tx.set_and_ask(Frame, frame_id, "night", state=state, reason=reason, changed_at=now,
                           **columns)
    emit(tx, "frame", now, id=frame_id, state=state.value, night=night)


def requeue(tx: Transaction, frame_id: int, now: float, **columns: Any) -> None:
    """A frame is to be worked on again; its row may say where and how its file is now."""
    tx.set_by_key(Frame, frame_id, state=FrameState.QUEUED, reason="", changed_at=now, **columns)


def is_ignored(frame: Frame) -> bool:
    """Whether a person wants it left out."""
    return frame.state == FrameState.REJECTED and str(frame.reason).startswith(IGNORED)


def is_replaced(frame: Frame) -> bool:
    """Whether another frame stands in its place, so that nothing is left to do for it."""
    return frame.state in REPLACED_FRAMES


def is_measured(frame: Frame) -> bool:
    """Whether a frame was reduced before, whatever became of it since."""
    return "software" in frame.info


def facts_of(frame: Frame) -> FrameFacts:
    """The facts of a classified frame's row."""
    return FrameFacts(
        telescope=frame.telescope, instrument=frame.instrument, kind=FrameKind(frame.kind),
        night=frame.night, jd_start=frame.jd_start, exptime_s=frame.exptime_s,
        shape=(frame.ny, frame.nx), binning=frame.binning, band=frame.band, object=frame.object,
        pointing_deg=None if frame.ra_deg is None else (frame.ra_deg, frame.dec_deg),
        mode=frame.mode, polariser_deg=frame.polariser_deg, beams=frame.beams,
        origin=(frame.x0, frame.y0), subframe=frame.subframe, flipped=frame.flipped,
        beam_element=frame.beam_element, detector=_detector_of(frame.detector))


def _detector_of(said: dict[str, Any]) -> Detector:
    values: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value
                              for name, value in said.items()}
    return Detector(**values)


def facts_columns(facts: FrameFacts) -> dict[str, Any]:
    """The columns of a frame's row that its facts fill."""
    ra, dec = facts.pointing_deg or (None, None)
    return {
        "telescope": facts.telescope, "instrument": facts.instrument, "kind": facts.kind.value,
        "night": facts.night, "jd_start": facts.jd_start, "exptime_s": facts.exptime_s,
        "ny": facts.shape[0], "nx": facts.shape[1], "binning": facts.binning, "band": facts.band,
        "object": facts.object, "ra_deg": ra, "dec_deg": dec, "mode": facts.mode,
        "polariser_deg": facts.polariser_deg, "beams": facts.beams, "x0": facts.origin[0],
        "y0": facts.origin[1], "subframe": facts.subframe, "flipped": facts.flipped,
        "beam_element": facts.beam_element,
        "detector": {name: value for name, value in asdict(facts.detector).items()
                     if value is not False and value not in (None, "", ())},
    }


def begun_within(db: Connection, frame: Frame) -> Frame | None:
    """The first measured exposure of the same camera and band that began before a frame's ended.

    A camera takes one exposure at a time; two seconds, or a twentieth of the exposure, are left
    for times that are rounded. Only name and start; None if there is none.
    """
    end = frame.jd_start + _least_s(frame.exptime_s) / SECONDS_A_DAY
    if end <= frame.jd_start:
        return None
    return next(iter(db.found(_BEGUN_WITHIN, **frame.__data__, end=end)), None)


def that_last_until(db: Connection, frame: Frame) -> list[int]:
    """The ids of frames of the same camera and band, measured or being measured, within which one
    began.

    Of the nearest before it: each of those that follow an exposure looks at it in turn. Without
    those of a doubtful time, and those that wait to be measured, which are compared with others
    when that begins.
    """
    lasting = [id_ for id_, _, jd_start, exptime_s in db.tuples(_LAST, **frame.__data__)
               if frame.jd_start < jd_start + _least_s(exptime_s) / SECONDS_A_DAY]
    return [id_ for id_ in lasting
            if not by_id(db, id_).info.get("frame_flags", 0) & Flag.TIME_DOUBTFUL]


def _least_s(exptime_s: float) -> float:
    """Seconds that an exposure takes at least."""
    return exptime_s - max(ROUNDED_S, 0.05 * exptime_s)


def _like(given: Callable[[str], Any]) -> Any:
    """Other science frames of the same night, camera, part of it, and band as a frame's."""
    return Frame.select(Frame.id, Frame.name, Frame.jd_start, Frame.exptime_s).where(
        (Frame.node == given("node"))
        & (Frame.instrument == given("instrument")) & (Frame.kind == FrameKind.SCIENCE.value)
        & (Frame.night == given("night")) & (Frame.telescope == given("telescope"))
        & same(Frame.band, given("band")) & (Frame.x0 == given("x0")) & (Frame.y0 == given("y0"))
        & (Frame.id != given("id"))
        & Frame.state.not_in([*REPLACED_FRAMES, FrameState.REJECTED]))


_BEGUN_WITHIN = Statement(lambda given: _like(given).where(
    (Frame.jd_start >= given("jd_start")) & (Frame.jd_start < given("end"))
    & (Frame.state == FrameState.DONE)).order_by(Frame.jd_start).limit(1))


def _last(given: Callable[[str], Any]) -> Any:
    its_job = Job.select(Job.state).where(
        (Job.kind == JobKind.REDUCE.value) & (Job.key == Frame.id))
    is_measured = Case(its_job, ((JobState.RUNNING, True),
                                 (JobState.DONE, Frame.state == FrameState.DONE)), False)
    return _like(given).where(
        (Frame.jd_start <= given("jd_start")) & is_measured
    ).order_by(Frame.jd_start.desc()).limit(_NEAREST)


_LAST = Statement(_last)


def reduced_info(reduced: Reduced, core_s: float) -> dict[str, Any]:
    """What the reduction found, for the frame's ``info`` column."""
    return plain(reduced, (
        "n_detected", "n_matched", "wcs_rms_px", "fwhm_px", "fwhm_arcsec", "sky", "sky_sigma",
        "aperture_px", "psf_beta", "airmass", "bjd_tdb", "frame_flags", "astrometry_from")) | {
        "wcs": dict(reduced.wcs), "wcs_ordinary": dict(reduced.wcs_ordinary),
        "annulus_px": list(reduced.annulus_px), "warnings": list(reduced.warnings),
        "core_s": core_s, "solution": _plain_solution(reduced.solution),
        "stages": {name: round(s, 5) for name, s in reduced.stages.items()}}


def _plain_solution(found: Solution) -> dict[str, Any]:
    return {"steps": list(found.steps), "attempts": found.attempts,
            "log_odds": finite(round(found.log_odds, 1)),
            "matched": [list(star) for star in found.matched]}


def save_measurements(tx: Transaction, frame_id: int,
                      measurements: tuple[Measurement, ...]) -> None:
    """Replace a frame's measurements."""
    tx.run(_WITHOUT_MEASUREMENTS, frame=frame_id)
    tx.insert_many(schema.Measurement, [
        {"frame": frame_id, **plain(one, _MEASURED), "growth": list(map(list, one.growth))}
        for one in measurements])


_WITHOUT_MEASUREMENTS = Statement(lambda given: schema.Measurement.delete().where(
    schema.Measurement.frame == given("frame")))


def take_known(tx: Transaction, instruments: str) -> bool:
    """Note which instruments are known now; whether others were before, or it was not noted."""
    digest = hashlib.sha256(instruments.encode()).hexdigest()
    key = of_node(_KNOWN, tx.node)
    row = tx.get(schema.Meta, schema.Meta.key == key)
    tx.replace(schema.Meta, key=key, value=digest)
    return row is None or row.value != digest


def of_no_instrument(db: Connection) -> list[int]:
    """The frames that were rejected because no instrument knows them."""
    return [id_ for (id_,) in db.select(Frame, Frame.id).where(
        (Frame.node == db.node) & (Frame.state == FrameState.REJECTED)
        & Frame.reason.startswith(UNKNOWN_INSTRUMENT)
    ).tuples()]


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """Which frames: those that meet all that is given."""

    source: str = ""  # measured on them
    nights: tuple[str, ...] = ()
    instrument: str = ""
    archive: str = ""
    states: tuple[FrameState, ...] = ()
    science: bool = False  # no calibration frames
    ids: tuple[int, ...] = ()  # these besides those of the states
    pruned: bool = False  # a product was removed to make room


def choose(db: Connection, chosen: Chosen) -> list[Frame]:
    """The frames that were chosen, in order of time."""
    return list(_chosen(db, chosen))


def choose_names(db: Connection, chosen: Chosen) -> list[tuple[int, str, str]]:
    """The id, name and reason of the frames that were chosen, however many."""
    return list(_chosen(db, chosen, Frame.id, Frame.name, Frame.reason).tuples())


def reduced_among(db: Connection, ids: Iterable[int]) -> list[int]:
    """Those of some frames that are reduced science frames, whose files were read."""
    return [id_ for id_, in db.rows(_REDUCED_AMONG, json.dumps(list(ids)))]


_REDUCED_AMONG = """SELECT "id" FROM "frame" WHERE "id" IN
(SELECT CAST("value" AS BIGINT) FROM json_each(?))
AND "state" = 'done' AND "kind" = 'science' AND "sha256" IS NOT NULL ORDER BY "id"
"""


def _chosen(db: Connection, chosen: Chosen, *columns: Any) -> Any:
    query = db.select(Frame, *columns).order_by(
        Frame.jd_start.asc(nulls="FIRST"), Frame.name, Frame.id)
    if chosen.states or chosen.ids:
        query = query.where(Frame.state.in_(chosen.states) | Frame.id.in_(chosen.ids))
    if chosen.science:
        query = query.where(Frame.kind == FrameKind.SCIENCE.value)
    if chosen.source:
        query = query.where(Frame.id.in_(schema.Measurement.select(
            schema.Measurement.frame).where(schema.Measurement.source == chosen.source)))
    if chosen.nights:
        query = query.where(Frame.night.in_(chosen.nights))
    if chosen.instrument:
        query = query.where(Frame.instrument == chosen.instrument)
    if chosen.archive:
        query = query.where(Frame.archive == chosen.archive)
    if chosen.pruned:
        query = query.where(in_json(Frame.info, PRUNED).is_null(False))
    return query
