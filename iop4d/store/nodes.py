"""The daemons that share a database: their names, when each was last seen, what each has alone.

Each is a node, with archives, frames, masters and jobs of its own: the rows that have its name in
their column ``node``. Where one daemon has the database alone, the name is empty.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from peewee import fn

from iop4d.model.errors import Iop4dError
from iop4d.model.states import DaemonState
from iop4d.store.database import Connection, Transaction
from iop4d.store.schema import Frame, Group, Job, Master, Meta, Outage, Request, Series

HEARTBEAT = "daemon"
SILENT_AFTER = 15.0  # seconds without a heartbeat; one is written about every 2 s
_ARCHIVES = "archives"
_STOPPED = DaemonState.STOPPED.value
_OWNED = (Frame, Job, Master, Series, Group, Outage, Request)
#: Values that each node has for itself.
_VALUES = (HEARTBEAT, _ARCHIVES, "catalogue_version_of_results", "cameras_described", "disk")


def of_node(key: str, node: str) -> str:
    """The key of a value that each node has for itself."""
    return f"{key} {node}" if node else key


def beats(db: Connection) -> dict[str, dict[str, Any]]:
    """The last heartbeat of every node by its name; of one that is alone by the empty one."""
    return {node: dict(value) for node, value in _values(db, HEARTBEAT).items()}


def others(db: Connection) -> dict[str, dict[str, Any]]:
    """The last heartbeats of the other nodes."""
    return {node: beat for node, beat in beats(db).items() if node != db.node} if db.node else {}


def _values(db: Connection, key: str) -> dict[str, Any]:
    rows = db.select(Meta).where((Meta.key == key) | Meta.key.startswith(f"{key} "))
    return {row.key.removeprefix(key).strip(): row.value for row in rows.order_by(Meta.key)}


def is_seen(beat: Mapping[str, Any], now: float) -> bool:
    """Whether a node's daemon runs, as far as its heartbeat tells."""
    return (beat.get("state") != _STOPPED
            and now - float(beat.get("beat_at") or 0.0) <= SILENT_AFTER)


def is_away(beat: Mapping[str, Any], now: float) -> bool:
    """Whether a node gives no heartbeat though nobody stopped it."""
    return beat.get("state") != _STOPPED and not is_seen(beat, now)


@dataclass(frozen=True, kw_only=True)
class Node:
    """One of the daemons that share a database, as its last heartbeat tells.

    ``leads``: whether it judges the rules, sends the messages and makes the summaries; ``differs``:
    what its site file says of them otherwise than that of the one that leads, such as ``rule x``.
    """

    node: str
    state: DaemonState
    seen_at: float | None
    host: str
    version: str
    leads: bool
    differs: tuple[str, ...]
    archives: tuple[str, ...]
    is_this: bool


def listed(db: Connection, now: float) -> list[Node]:
    """The daemons that share the database, by their names; none where one has it alone."""
    found = beats(db) if db.node else {}
    # One that died said so until another took over.
    leader = max((beat for beat in found.values() if beat.get("leads") and is_seen(beat, now)),
                 key=lambda beat: float(beat.get("leads_since") or 0.0), default={})
    return [Node(
        node=node, state=_state(beat, now), seen_at=beat.get("beat_at"),
        host=str(beat.get("host") or ""), version=str(beat.get("version") or ""),
        leads=beat is leader, is_this=node == db.node,
        differs=_differing(beat.get("alerting"), leader.get("alerting")),
        archives=tuple(str(one["name"]) for one in beat.get("archives") or ()))
        for node, beat in found.items()]


def _differing(one: object, other: object) -> tuple[str, ...]:
    """The names of what two files say otherwise, or one of them alone; none of what is not said."""
    if not (isinstance(one, Mapping) and isinstance(other, Mapping)):
        return ()
    return tuple(sorted(name for name in {*one, *other} if one.get(name) != other.get(name)))


def _state(beat: Mapping[str, Any], now: float) -> DaemonState:
    said = DaemonState(str(beat.get("state") or DaemonState.NEVER.value))
    return DaemonState.SILENT if is_away(beat, now) else said


def leader_beside(db: Connection, now: float) -> str:
    """The other node that judges the rules and sends the messages; empty if none does."""
    return next((one.node for one in listed(db, now) if one.leads and not one.is_this), "")


def seen_now(db: Connection) -> list[str]:
    """The nodes that are seen, by the clock of the one that was seen last."""
    found = beats(db)
    newest = max((float(beat.get("beat_at") or 0.0) for beat in found.values()), default=0.0)
    return [node for node, beat in found.items() if is_seen(beat, newest)]


def why_not_done(db: Connection, node: str, now: float) -> str:
    """Why nothing is done for another node now, in words; empty where its daemon is seen."""
    if node == db.node or is_seen(beats(db).get(node, {}), now):
        return ""
    return f"the frames are those of the node '{node}', whose daemon does not run"


def note_stopped(tx: Transaction) -> None:
    """No daemon runs on this database now, whatever the heartbeats say."""
    for node, beat in beats(tx).items():
        tx.replace(Meta, key=of_node(HEARTBEAT, node), value=beat | {"state": _STOPPED})


def enter(tx: Transaction, archives: Collection[str]) -> None:
    """Begin to work on the database as a node, with archives of these names.

    Raises Iop4dError where what is there belongs to no node, or to nodes while this is none; and
    where another node has an archive of the same name, by which people tell them apart.
    """
    known = beats(tx)
    if tx.node and "" in known:
        raise Iop4dError(
            "the database is that of a site without [site] node: 'iop4d store rename-node - "
            f"{tx.node}' gives what it holds to the node '{tx.node}', where that is this site")
    if not tx.node and (others := [node for node in known if node]):
        raise Iop4dError(
            f"the database is that of {_named(others)}: this site needs a [site] node, the name "
            f"of one of them or a new one; or 'iop4d store rename-node {others[0]} -', where there "
            "is no other")
    if not tx.node:
        return
    for node, names in _values(tx, _ARCHIVES).items():
        if node != tx.node and (twice := sorted(set(names) & set(archives))):
            raise Iop4dError(
                f"the node '{node}' has an archive '{twice[0]}' too: the archives of one database "
                "need different names; rename this one in the site file")
    tx.replace(Meta, key=of_node(_ARCHIVES, tx.node), value=sorted(archives))


def _named(nodes: Collection[str]) -> str:
    return ("the node " if len(nodes) == 1 else "the nodes ") + ", ".join(
        f"'{node}'" for node in nodes)


def rename(tx: Transaction, old: str, new: str) -> int:
    """Give all that belongs to a node to another name, which nothing has yet; how many frames.

    Either may be empty. Raises Iop4dError where there is no such node, or the name is taken.
    """
    known = beats(tx)
    if old not in known:
        raise Iop4dError(f"no node '{old}' ever ran on this database; there are "
                         f"{', '.join(repr(node) for node in known) or 'none'}")
    if new in known:
        raise Iop4dError(f"the database has a node '{new}' already")
    if not new and len(known) > 1:
        raise Iop4dError("a site without a node has its database alone, and there are others: "
                         + ", ".join(repr(node) for node in known if node != old))
    for table in (Master, Series):
        _rename_keys(tx, table, old, new)
    for table in _OWNED:
        tx.update(table, node=new).where(table.node == old).execute()
    for key in _VALUES:
        row = tx.get(Meta, Meta.key == of_node(key, old))
        if row is not None:
            tx.replace(Meta, key=of_node(key, new), value=row.value)
            tx.delete(Meta).where(Meta.key == of_node(key, old)).execute()
    return int(tx.select(Frame, fn.COUNT(Frame.id)).where(Frame.node == new).scalar())


def _rename_keys(tx: Transaction, table: Any, old: str, new: str) -> None:
    """Their keys begin with the node's name."""
    begins: Callable[[str], str] = lambda node: f"{node}/" if node else ""  # noqa: E731
    for row in list(tx.select(table, table.id, table.key).where(table.node == old)):
        key = begins(new) + str(row.key).removeprefix(begins(old))
        tx.update(table, key=key).where(table.id == row.id).execute()
