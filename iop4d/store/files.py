"""The files that rows name: whether they are there is for others to look at."""

from __future__ import annotations

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
