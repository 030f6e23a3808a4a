"""The files that rows name: whether they are there is for others to look at; and the formats of
the newest."""

from __future__ import annotations

from iop4d.model.frame import FrameKind
from iop4d.store.database import Connection
from iop4d.store.masters import in_use
from iop4d.store.schema import Frame

_NEWEST = 500


def of_masters(db: Connection) -> list[str]:
    """The files of the masters in use."""
    return [str(master.path) for master in in_use(db)]


def newest_raw(db: Connection) -> list[str]:
    """The files of the frames that came last."""
    rows = db.select(Frame, Frame.path).order_by(Frame.id.desc()).limit(_NEWEST).tuples()
    return [path for (path,) in rows]


def newest_formats(db: Connection) -> dict[str, set[tuple[int, int]]]:
    """Of each instrument the binnings and widths in pixels of the newest whole science frames."""
    newest = db.select(Frame, Frame.id).where(Frame.node == db.node).order_by(
        Frame.id.desc()).limit(_NEWEST)
    rows = db.select(Frame, Frame.instrument, Frame.binning, Frame.nx, Frame.ny).where(
        Frame.id.in_(newest) & (Frame.kind == FrameKind.SCIENCE.value)
        & ~Frame.subframe & Frame.nx.is_null(False)).distinct().tuples()
    found: dict[str, set[tuple[int, int]]] = {}
    for instrument, binning, nx, ny in rows:
        found.setdefault(str(instrument), set()).add((binning or 1, max(nx, ny)))
    return found
