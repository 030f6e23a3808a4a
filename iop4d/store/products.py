"""What was written of frames besides results: reduced frames and previews, which can be made again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from iop4d.store.database import Connection, Transaction
from iop4d.store.frames import PRUNED
from iop4d.store.results import standing
from iop4d.store.schema import Frame, Result, ResultFrame


class Product(StrEnum):
    """A kind of product; its value is the folder of the site that it is in."""

    REDUCED = "reduced"
    PREVIEWS = "previews"

    @property
    def column(self) -> str:
        """The column of a frame with the path of its file."""
        return "reduced_path" if self is Product.REDUCED else "preview_path"


@dataclass(frozen=True, kw_only=True)
class Written:
    """A product of a frame."""

    frame: int
    night: str
    path: str
    has_result: bool


def written(db: Connection, product: Product) -> list[Written]:
    """The products of a kind that this node has written, of the oldest night first."""
    column = getattr(Frame, product.column)
    used = {id_ for (id_,) in db.select(ResultFrame, ResultFrame.frame).where(
        ResultFrame.result.in_(standing(db, Result.id))).distinct().tuples()}
    rows = db.select(Frame, Frame.id, Frame.night, column).where(
        (Frame.node == db.node) & column.is_null(False)).order_by(
        Frame.night, Frame.id).tuples()
    return [Written(frame=id_, night=night, path=path, has_result=id_ in used)
            for id_, night, path in rows]


def nights(db: Connection, number: int) -> set[str]:
    """The newest nights that frames are of."""
    rows = db.select(Frame, Frame.night).distinct().order_by(Frame.night.desc()).limit(number)
    return {night for (night,) in rows.tuples()}


def forget(tx: Transaction, product: Product, frames: Iterable[int], now: float) -> None:
    """The files of some frames are about to be removed: their rows say so."""
    for frame in tx.select(Frame, Frame.id, Frame.info).where(Frame.id.in_(list(frames))):
        info = dict(frame.info or {})
        info[PRUNED] = {**info.get(PRUNED, {}), product.value: now}
        tx.set_by_key(Frame, frame.id, info=info, **{product.column: None})
