"""How much room the site's disk had, day by day, and how that changes."""

from __future__ import annotations

from iop4d.store.database import Connection, Transaction
from iop4d.store.nodes import of_node
from iop4d.store.schema import Meta

_KEY = "disk"
_KEPT = 60  # days
_DAY = 86400.0
_RECENT = 14.0 * _DAY  # seconds that the trend is of
_SPAN = 2.0 * _DAY  # seconds that it needs at least


def note(tx: Transaction, now: float, free: int) -> None:
    """Note the room of a moment; one of each day is kept, the last."""
    kept = [one for one in history(tx) if int(one[0] // _DAY) != int(now // _DAY) and one[0] < now]
    tx.replace(Meta, key=of_node(_KEY, tx.node), value=[*kept, (now, free)][-_KEPT:])


def history(db: Connection) -> list[tuple[float, int]]:
    """(Unix seconds, bytes free), the oldest first."""
    row = db.get(Meta, Meta.key == of_node(_KEY, db.node))
    return [(float(at), int(free)) for at, free in row.value] if row else []


def trend(db: Connection) -> float | None:
    """Bytes by which the room changes a day, of the last two weeks; None where they are too few."""
    found = history(db)
    recent = [one for one in found if one[0] >= found[-1][0] - _RECENT] if found else []
    if len(recent) < 3 or recent[-1][0] - recent[0][0] < _SPAN:
        return None
    mean_at = sum(at for at, _ in recent) / len(recent)
    mean_free = sum(free for _, free in recent) / len(recent)
    square = sum((at - mean_at) ** 2 for at, _ in recent)
    return sum((at - mean_at) * (free - mean_free) for at, free in recent) / square * _DAY
