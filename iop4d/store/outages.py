"""When archives were in trouble: a row for each time, for the summary of the night."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from iop4d.store.database import Connection, Transaction
from iop4d.store.schema import Outage

_WELL = ("ok", "idle", "paused")
_UNDECIDED = ("starting",)


@dataclass(frozen=True, kw_only=True)
class Away:
    """What became of an archive in some time: how often and for how long it was in trouble."""

    times: int
    seconds: float
    until: float | None  # None: it still is
    reason: str


def is_well(state: str | None) -> bool:
    """Whether an archive in this state is as it should be."""
    return state in _WELL or state in _UNDECIDED


def note(tx: Transaction, archives: Iterable[Mapping[str, Any]], now: float) -> None:
    """Record which archives got into trouble and which are well again."""
    states = {str(archive["name"]): archive for archive in archives}
    for row in list(tx.select(Outage).where(Outage.ended_at.is_null())):
        archive = states.pop(row.archive, {"state": "ok"})
        if archive["state"] in _WELL:
            tx.update(Outage, ended_at=now).where(Outage.id == row.id).execute()
        elif (reason := str(archive.get("reason") or "")) not in ("", row.reason):
            tx.update(Outage, reason=reason).where(Outage.id == row.id).execute()
    for name, archive in states.items():
        if not is_well(archive.get("state")):
            tx.create(Outage, archive=name, began_at=now, state=str(archive["state"]),
                      reason=str(archive.get("reason") or ""))


def between(db: Connection, since: float, until: float) -> dict[str, Away]:
    """What befell each archive within some time; those that were well are not in it."""
    found: dict[str, list[Outage]] = {}
    rows = db.select(Outage).where((Outage.began_at < until) & (
        Outage.ended_at.is_null() | (Outage.ended_at > since))).order_by(Outage.began_at)
    for row in rows:
        found.setdefault(row.archive, []).append(row)
    return {name: Away(
        times=len(outages), reason=outages[-1].reason, until=outages[-1].ended_at,
        seconds=sum(min(row.ended_at or until, until) - max(row.began_at, since)
                    for row in outages))
        for name, outages in found.items()}
