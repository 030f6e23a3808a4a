"""Where the files of frames are, and which of them hold one exposure."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from iop4d.model.frame import ROUNDED_S, FrameKind, is_same_exposure
from iop4d.model.states import REPLACED_FRAMES, FrameState
from iop4d.model.units import SECONDS_A_DAY
from iop4d.store.database import Connection
from iop4d.store.schema import Frame
from iop4d.store.statement import Statement

_NEAREST = 60  # frames that begin at the same time, of which one may be another with added noise


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
    bit: several of them may begin within a second, and what a camera adds to each is alike. Where
    a camera's clock stands still, the last frames alone are looked at for added noise.
    """
    if not frame.exposure:
        return []
    since, until = (frame.jd_start + sign * 1.5 / SECONDS_A_DAY for sign in (-1, 1))
    found = {other.id: other for other in db.found(_SAME_PIXELS, **frame.__data__)
             if _is_alike(other, frame) and since <= other.jd_start <= until}
    if frame.exptime_s > ROUNDED_S:
        found |= {other.id: other for other in db.found(
            _NEAR, **frame.__data__, since=since, until=until)
            if other.exposure and is_same_exposure(other.exposure, frame.exposure)}
    return [found[id_] for id_ in sorted(found)]


def _is_alike(one: Frame, other: Frame) -> bool:
    """Whether frames are of one kind, camera and night."""
    return all(getattr(one, name) == getattr(other, name)
               for name in ("telescope", "instrument", "kind", "night"))


def _known_others(given: Callable[[str], Any], *more: Any) -> Any:
    return Frame.select(
        Frame.id, Frame.node, Frame.path, Frame.sha256, Frame.state, Frame.identity,
        Frame.version, Frame.exposure, *more).where(
        (Frame.id != given("id")) & Frame.identity.is_null(False)
        & Frame.state.not_in([*REPLACED_FRAMES, FrameState.REJECTED, FrameState.QUARANTINED]))


_SAME_PIXELS = Statement(lambda given: _known_others(
    given, Frame.jd_start, Frame.telescope, Frame.instrument, Frame.kind, Frame.night).where(
    Frame.exposure == given("exposure")))
_NEAR = Statement(lambda given: _known_others(given).where(
    (Frame.telescope == given("telescope")) & (Frame.instrument == given("instrument"))
    & (Frame.kind == given("kind")) & (Frame.night == given("night"))
    & Frame.jd_start.between(given("since"), given("until")),
).order_by(Frame.jd_start.desc()).limit(_NEAREST))
