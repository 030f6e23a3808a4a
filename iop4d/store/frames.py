"""Frames and what is measured on them: the rows, and how outcomes become rows.

A frame with too few stars, or with clouds, gets its astrometric solution from another frame of its
field: its reference.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from iop4d.model.errors import UNKNOWN_INSTRUMENT
from iop4d.model.flags import Flag
from iop4d.model.frame import (
    AstrometryFrom,
    Detector,
    FrameFacts,
    FrameKind,
    is_same_exposure,
)
from iop4d.model.messages import UNSOLVED, Reduced, Solution, StarList
from iop4d.model.result import Measurement
from iop4d.model.states import REPLACED_FRAMES, FrameState, JobState
from iop4d.model.units import SECONDS_A_DAY
from iop4d.store import schema
from iop4d.store.database import Connection, Transaction, finite
from iop4d.store.events import emit
from iop4d.store.jobs import JobKind
from iop4d.store.nodes import of_node
from iop4d.store.schema import Frame, FrameStars, Job
from iop4d.store.statement import Statement, same
from iop4d.store.table import as_number, in_json, is_filled

#: How the reason of a frame begins that a person wants left out.
IGNORED = "ignored by hand"
#: In a frame's info: when which product was removed to make room.
PRUNED = "pruned"
_KNOWN = "cameras_described"  # key of which instruments are known
_SECOND_CHOICES = [found.value for found in AstrometryFrom if found.is_second_choice]
_MEASURED = [field.name for field in fields(Measurement) if field.name != "growth"]
_NEAREST = 30  # exposures: more than are measured at the same time
_ROUNDED_S = 2.0  # seconds within which the times of headers may be rounded


def by_id(db: Connection, id_: int) -> Frame:
    """The frame of an id that is known."""
    return db.by_id(Frame, id_)


def id_of_name(db: Connection, name: str) -> int | None:
    """The newest frame whose file has a name."""
    row = db.select(Frame, Frame.id).where(Frame.name == name).order_by(Frame.id.desc()).first()
    return None if row is None else int(row.id)


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
    tx.set_by_key(Frame, frame_id, state=state, reason=reason, changed_at=now, **columns)
    night = tx.rows('SELECT "night" FROM "frame" WHERE "id" = ?', frame_id)
    emit(tx, "frame", now, id=frame_id, state=state.value, night=night[0][0] if night else None)


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


def that_last_until(db: Connection, frame: Frame) -> list[Frame]:
    """Frames of the same camera and band, measured or being measured, within which one began.

    Of the nearest before it: each of those that follow an exposure looks at it in turn. Without
    those of a doubtful time, and those that wait to be measured, which are compared with others
    when that begins.
    """
    return [row for row in db.found(_LAST, **frame.__data__)
            if frame.jd_start < row.jd_start + _least_s(row.exptime_s) / SECONDS_A_DAY
            and not (row.said or 0) & Flag.TIME_DOUBTFUL]


def _least_s(exptime_s: float) -> float:
    """Seconds that an exposure takes at least."""
    return exptime_s - max(_ROUNDED_S, 0.05 * exptime_s)


def _like(given: Callable[[str], Any], *more: Any) -> Any:
    """Other science frames of the same night, camera, part of it, and band as a frame's."""
    return Frame.select(Frame.id, Frame.name, Frame.jd_start, Frame.exptime_s, *more).where(
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
    return _like(given, as_number(
        in_json(Frame.info, "frame_flags"), "BIGINT").alias("said")).where(
        (Frame.jd_start <= given("jd_start"))
        & ((its_job == JobState.RUNNING)
           | (Frame.state == FrameState.DONE) & (its_job == JobState.DONE))
    ).order_by(Frame.jd_start.desc()).limit(_NEAREST)


_LAST = Statement(_last)


def known_files(db: Connection, archive: str) -> dict[str, tuple[int, int]]:
    """Path to (size, mtime_ns) of the newest version of every file known of an archive of this
    node."""
    rows = (db.select(Frame, Frame.path, Frame.size, Frame.mtime_ns)
            .where((Frame.archive == archive) & (Frame.node == db.node))
            .order_by(Frame.id).tuples())
    return {path: (size, mtime) for path, size, mtime in rows.iterator()}


def known_part(db: Connection, archive: str, after: tuple[str, int],
               ) -> list[tuple[str, int, int, int]]:
    """The same, part by part, of all versions: path, id, size, mtime_ns of those that follow upon
    a path and id."""
    return db.rows(_KNOWN_PART, *after, archive, db.node)


#: All from an index: no frame is read.
_KNOWN_PART = """SELECT "path", "id", "size", "mtime_ns" FROM "frame"
WHERE ("path", "id") > (?, ?) AND "archive" = ? AND "node" = ? ORDER BY "path", "id" LIMIT 5000"""


def archive_names(db: Connection) -> list[str]:
    """The archives that frames came from."""
    return [name for (name,) in db.select(Frame, Frame.archive).distinct().tuples() if name]


def reduced_info(reduced: Reduced, core_s: float) -> dict[str, Any]:
    """What the reduction found, for the frame's ``info`` column."""
    plain = {name: getattr(reduced, name) for name in (
        "n_detected", "n_matched", "wcs_rms_px", "fwhm_px", "fwhm_arcsec", "sky", "sky_sigma",
        "aperture_px", "psf_beta", "airmass", "bjd_tdb", "frame_flags", "astrometry_from")}
    info: dict[str, Any] = {
        name: finite(value) if isinstance(value, float) else value
        for name, value in plain.items()}
    return info | {"wcs": dict(reduced.wcs), "wcs_ordinary": dict(reduced.wcs_ordinary),
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
    rows = []
    for measurement in measurements:
        values = ((name, getattr(measurement, name)) for name in _MEASURED)
        rows.append({"frame": frame_id} | {
            name: finite(value) if isinstance(value, float) else value
            for name, value in values} | {"growth": [
                [point.radius_arcsec, point.flux, point.flux_err, point.photon_err, point.flags,
                 point.neighbours, point.confusion_err] for point in measurement.growth]})
    tx.insert_many(schema.Measurement, rows)


_WITHOUT_MEASUREMENTS = Statement(lambda given: schema.Measurement.delete().where(
    schema.Measurement.frame == given("frame")))
_WITHOUT_STARS = Statement(lambda given: FrameStars.delete().where(
    FrameStars.frame == given("frame")))


def save_stars(tx: Transaction, frame: Frame, reduced: Reduced) -> None:
    """Keep the field stars of a frame, where it has any, and its star list, where it has to serve.

    One frame's list serves all others of its night, camera and object; but of those that give
    sub-frames their astrometric solution all are kept.
    """
    tx.run(_WITHOUT_STARS, frame=frame.id)
    stars = reduced.stars
    serves_subframes = frame.beams > 1 and frame.mode == "photometry"
    if stars and not serves_subframes and _has_star_list(tx, frame):
        stars = ()
    if reduced.field_stars or stars:
        tx.create(
            FrameStars, frame=frame.id, stars=[list(star) for star in stars],
            field=[[star.ra_deg, star.dec_deg, star.flux, star.flux_err,
                    [list(point) for point in star.growth]] for star in reduced.field_stars])


def _has_star_list(db: Connection, frame: Frame) -> bool:
    """Whether the list of another frame of the same night, camera and object is kept."""
    return not frame.object or bool(db.tuples(_STAR_LISTS, **frame.__data__))


_STAR_LISTS = Statement(lambda given: FrameStars.select(FrameStars.frame).join(Frame).where(
    (Frame.node == given("node")) & (Frame.telescope == given("telescope"))
    & (Frame.instrument == given("instrument"))
    & (Frame.night == given("night")) & (Frame.object == given("object"))
    & (Frame.binning == given("binning")) & is_filled(FrameStars.stars)).limit(1))


def is_back(db: Connection, frame: Frame) -> bool:
    """Whether a file that another place of the same bytes replaced lies here again, alone.

    It was moved away and back, or what it was a duplicate of is gone.
    """
    if frame.state not in REPLACED_FRAMES or not frame.sha256:
        return False
    same = Frame.sha256 == frame.sha256
    if frame.exposure:
        same = same | (Frame.exposure == frame.exposure)
    others = db.select(Frame, Frame.path, Frame.node).where(
        same
        & (Frame.id != frame.id) & Frame.state.not_in(REPLACED_FRAMES))
    return not any(has_file(db, other) for other in others)


def has_file(db: Connection, frame: Frame) -> bool:
    """Whether the file of a frame is where it was found; of another node's, no one here can tell
    otherwise."""
    return frame.node != db.node or Path(frame.path).exists()


def moved_back(db: Connection, frame: Frame) -> Frame | None:
    """The row of an earlier path of a frame at which its file lies again, and not at its own."""
    if not frame.sha256 or Path(frame.path).exists():
        return None
    before = db.select(Frame).where(
        (Frame.sha256 == frame.sha256) & (Frame.id != frame.id) & (Frame.node == frame.node)
        & Frame.state.in_(REPLACED_FRAMES)).order_by(Frame.id.desc())
    return next((row for row in before if Path(row.path).exists()), None)


def by_path(db: Connection, path: Path) -> Frame | None:
    """The newest version of the file at a path; only what tells it from another."""
    return next(iter(db.found(_OF_PATH, path=str(path))), None)


_OF_PATH = Statement(lambda given: Frame.select(
    Frame.id, Frame.size, Frame.mtime_ns, Frame.sha256, Frame.exposure, Frame.state,
).where((Frame.path == given("path")) & (Frame.node == given("node"))
        ).order_by(Frame.id.desc()).limit(1))


def namesakes(db: Connection, frame: Frame) -> list[Frame]:
    """Other frames of the same name in the same night, that have an identity; oldest first."""
    return db.found(_NAMESAKES, **frame.__data__)


_NAMESAKES = Statement(lambda given: Frame.select(
    Frame.id, Frame.node, Frame.path, Frame.sha256, Frame.state, Frame.identity,
    Frame.version).where(
    (Frame.telescope == given("telescope")) & (Frame.night == given("night"))
    & (Frame.name == given("name")) & (Frame.id != given("id"))
    & Frame.identity.is_null(False)).order_by(Frame.id))


def replaced_by(db: Connection, frame: Frame) -> list[Frame]:
    """The older versions of a frame."""
    return list(db.select(Frame).where(
        (Frame.identity == frame.identity) & (Frame.id != frame.id)
        & (Frame.state == FrameState.SUPERSEDED)))


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


def identities(db: Connection, frame: Frame, beginning: str) -> list[str]:
    """Those with a beginning, of science frames that were known before a frame."""
    return [identity for (identity,) in db.tuples(
        _IDENTITIES, **frame.__data__, begin=beginning, end=beginning + "\U0010ffff")]


_IDENTITIES = Statement(lambda given: Frame.select(Frame.identity).where(
    Frame.identity.between(given("begin"), given("end")) & (Frame.id < given("id"))
    & (Frame.identity != given("identity")) & (Frame.kind == FrameKind.SCIENCE.value)))


def twins(db: Connection, frame: Frame) -> list[Frame]:
    """Other frames of the same exposure, under other names or in other containers; oldest first.

    Their starts are as near as rounded times may be. Short exposures must be alike to the last
    bit: several of them may begin within a second, and what a camera adds to each is alike.
    """
    if not frame.exposure:
        return []
    second = 1.5 / SECONDS_A_DAY
    near = db.found(_NEAR, **frame.__data__, since=frame.jd_start - second,
                    until=frame.jd_start + second)
    return [other for other in near if other.exposure == frame.exposure or (
        frame.exptime_s > _ROUNDED_S and other.exposure
        and is_same_exposure(other.exposure, frame.exposure))]


_NEAR = Statement(lambda given: Frame.select(
    Frame.id, Frame.node, Frame.path, Frame.sha256, Frame.state, Frame.identity, Frame.version,
    Frame.exposure,
).where(
    (Frame.telescope == given("telescope")) & (Frame.instrument == given("instrument"))
    & (Frame.kind == given("kind")) & (Frame.night == given("night")) & (Frame.id != given("id"))
    & Frame.jd_start.between(given("since"), given("until"))
    & Frame.identity.is_null(False) & Frame.state.not_in(
        [*REPLACED_FRAMES, FrameState.REJECTED, FrameState.QUARANTINED])).order_by(Frame.id))


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


# Frames that give others their astrometric solution.


def references_of(db: Connection, frame: Frame) -> list[Frame]:
    """Whole frames that can give a frame its astrometric solution, the best first.

    Of the same camera, object and binning, for a sub-frame of the same night as well; those of the
    same band first, then the nearest in time.
    """
    if not frame.object:
        return []
    rows = db.found(_OF_THE_NIGHT if frame.subframe else _OF_ANY_NIGHT, **frame.__data__)
    return sorted(rows, key=lambda row: (row.band != frame.band,
                                         abs(row.jd_start - frame.jd_start), row.name))


def _references(given: Callable[[str], Any]) -> Any:
    return Frame.select(
        Frame.id, Frame.name, Frame.band, Frame.jd_start).join(FrameStars).where(
        (Frame.node == given("node")) & (Frame.telescope == given("telescope"))
        & (Frame.instrument == given("instrument"))
        & (Frame.object == given("object"))
        & (Frame.binning == given("binning")) & (Frame.subframe == False)  # noqa: E712 - SQL
        & (Frame.state == FrameState.DONE.value) & is_filled(FrameStars.stars))


_OF_THE_NIGHT = Statement(lambda given: _references(given).where(Frame.night == given("night")))
_OF_ANY_NIGHT = Statement(lambda given: _references(given).where(Frame.id != given("id")))


def served_by(db: Connection, frame: Frame) -> list[Frame]:
    """The frames that a whole frame could serve: sub-frames, and what the index did not solve."""
    return db.found(_SERVED, **frame.__data__)


_SERVED = Statement(lambda given: Frame.select().where(
    (Frame.node == given("node")) & (Frame.telescope == given("telescope"))
    & (Frame.instrument == given("instrument"))
    & (Frame.night == given("night")) & (Frame.object == given("object"))
    & (Frame.binning == given("binning")) & (Frame.kind == FrameKind.SCIENCE.value)
    & (Frame.id != given("id"))
    & (((Frame.state == FrameState.FAILED) & (
        (Frame.subframe == True) | Frame.reason.startswith(f"{UNSOLVED}: ")))  # noqa: E712
       | ((Frame.state == FrameState.DONE) & (
           (Frame.subframe == True)  # noqa: E712 - SQL
           | in_json(Frame.info, "astrometry_from").in_(_SECOND_CHOICES))))))


def set_reference(tx: Transaction, frame_id: int, reference_id: int | None) -> None:
    """Have a frame solved by another one."""
    tx.update(Frame, reference_id=reference_id).where(Frame.id == frame_id).execute()


def star_list(db: Connection, frame_id: int) -> StarList:
    """The stars of a whole frame."""
    frame = db.by_id(Frame, frame_id)
    stars = db.by_id(FrameStars, frame_id).stars
    x, y, flux = (tuple(column) for column in zip(*stars, strict=True))
    rows = schema.Measurement
    blended = db.select(rows, rows.source).where(
        (rows.frame == frame_id)
        & (rows.flags.bin_and(int(Flag.BLENDED)) != 0)).distinct().tuples()
    return StarList(frame=frame_id, x=x, y=y, flux=flux, wcs=frame.info["wcs"],
                    binning=frame.binning, blended=tuple(sorted(name for (name,) in blended)))
