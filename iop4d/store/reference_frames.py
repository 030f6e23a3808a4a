"""Star lists, and the frames that give others their astrometric solution: their references.

A frame with too few stars, or with clouds, gets its solution from another frame of its field.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from iop4d.model.flags import Flag
from iop4d.model.frame import AstrometryFrom, FrameKind
from iop4d.model.messages import UNSOLVED, Reduced, StarList
from iop4d.model.states import FrameState
from iop4d.store import schema
from iop4d.store.database import Connection, Transaction
from iop4d.store.schema import Frame, FrameStars
from iop4d.store.statement import Statement
from iop4d.store.table import in_json, is_filled

_SECOND_CHOICES = [found.value for found in AstrometryFrom if found.is_second_choice]

_WITHOUT_STARS = Statement(lambda given: FrameStars.delete().where(
    FrameStars.frame == given("frame")))
_OWN_LIST = Statement(lambda given: FrameStars.select(FrameStars.frame).where(
    (FrameStars.frame == given("frame")) & is_filled(FrameStars.stars)))


def save_stars(tx: Transaction, frame: Frame, reduced: Reduced) -> bool:
    """Keep the field stars of a frame, where it has any, and its star list, where it has to serve;
    whether there are other lists now than before.

    One frame's list serves all others of its night, camera and object; but of those that give
    sub-frames their astrometric solution all are kept.
    """
    had_list = bool(tx.tuples(_OWN_LIST, frame=frame.id))
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
    return had_list or bool(stars)


def _has_star_list(db: Connection, frame: Frame) -> bool:
    """Whether the list of another frame of the same night, camera and object is kept."""
    return not frame.object or bool(db.tuples(_STAR_LISTS, **frame.__data__))


_STAR_LISTS = Statement(lambda given: FrameStars.select(FrameStars.frame).join(Frame).where(
    (Frame.node == given("node")) & (Frame.telescope == given("telescope"))
    & (Frame.instrument == given("instrument"))
    & (Frame.night == given("night")) & (Frame.object == given("object"))
    & (Frame.binning == given("binning")) & is_filled(FrameStars.stars)).limit(1))


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
