"""The daemon's heartbeat, and the state of the whole site as commands and pages show it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from peewee import fn

from iop4d.model.states import DaemonState, FrameState, JobState
from iop4d.store import alerts, events, groups, nodes, troubles
from iop4d.store.counts import frames_by_state, jobs_by_kind_and_state
from iop4d.store.database import Connection, Transaction
from iop4d.store.deliveries import undelivered
from iop4d.store.results import standing
from iop4d.store.schema import Alert, Frame, Job, Master, Meta, Mute, Outbox

#: Frames that were not used.
TROUBLE = (FrameState.REJECTED, FrameState.FAILED, FrameState.QUARANTINED)
#: States that the line of a night names also with no frame in them.
_ALWAYS_SHOWN = (FrameState.DONE, FrameState.QUEUED, FrameState.QUARANTINED)
#: States of a daemon in which what its heartbeat says of archives and workers is so now.
LIVE = (DaemonState.STARTING, DaemonState.RUNNING, DaemonState.STOPPING)
#: What stays true of an archive when the daemon has ended.
_LASTING = ("name", "path", "telescope", "kind", "files", "last_scan_at")
_GROUPS_SHOWN = 50  # newest groups without polarisation


def beat(tx: Transaction, status: dict[str, Any]) -> None:
    """Write the daemon's heartbeat."""
    tx.replace(Meta, key=nodes.of_node(nodes.HEARTBEAT, tx.node), value=status)


def heartbeat(db: Connection) -> dict[str, Any]:
    """The last heartbeat of this node's daemon; empty if it never ran."""
    row = db.get(Meta, Meta.key == nodes.of_node(nodes.HEARTBEAT, db.node))
    return dict(row.value) if row else {}


def daemon_state(beat: dict[str, Any], now: float, *, locked: bool) -> DaemonState:
    """Whether the daemon runs: the one answer that pages, commands and monitors give.

    ``beat``: its last heartbeat; ``locked``: whether a process holds the site's lock. The kernel
    frees the lock however a daemon ends, so one whose lock is free does not run, whatever its last
    heartbeat says.
    """
    said = beat.get("state")
    if not locked:
        if not beat:
            return DaemonState.NEVER
        return DaemonState.STOPPED if said == DaemonState.STOPPED else DaemonState.SILENT
    if said in (None, DaemonState.STOPPED):
        return DaemonState.STARTING
    if now - float(beat.get("beat_at") or 0.0) > nodes.SILENT_AFTER:
        return DaemonState.SILENT
    return DaemonState(said)


def daemon_of(db: Connection, now: float, *, locked: bool) -> dict[str, Any]:
    """The daemon as its last heartbeat tells; of one that does not run, only what lasts.

    ``locked``: whether a process holds the site's lock.
    """
    last = heartbeat(db)
    state = daemon_state(last, now, locked=locked)
    if last:
        last |= {"archives": archives_of(last, state),
                 "workers": last.get("workers", []) if state in LIVE else []}
    return {**last, "state": state.value}


def status(db: Connection, now: float, *, locked: bool, each: bool = False) -> dict[str, Any]:
    """Counts by state, the queue, the daemon, and for which reasons how many frames failed.

    ``locked``: whether a process holds the site's lock. ``each``: every frame that failed or waits,
    with its reason, instead of how many: on a large site that takes its time.
    """
    troubles_of = troubles.each if each else troubles.grouped
    end = "" if each else "_by_reason"
    return {
        "daemon": daemon_of(db, now, locked=locked),
        "nodes": [asdict(node) for node in nodes.listed(db, now)],
        "frames": frames_by_state(db),
        "queue": [{"kind": kind, "state": state, "jobs": count} for kind, state, count in
                  db.select(Job, Job.kind, Job.state, fn.COUNT(Job.id))
                  .where(Job.state.in_((JobState.QUEUED, JobState.RUNNING, JobState.WAITING)))
                  .group_by(Job.kind, Job.state).order_by(Job.kind, Job.state).tuples()],
        "results": standing(db).count(),
        "masters": _counts(db, Master.state),
        "alerts": _counts(db, Alert.state),
        "mails": _counts(db, Outbox.state),
        "undelivered": undelivered(db, now),
        "mutes": [{"of": alerts.name_of_mute(mute), "rule": mute.rule, "source": mute.source,
                   "until": mute.until, "by": mute.by} for mute in alerts.mutes(db, now)],
        f"failed{end}": troubles_of(db, TROUBLE),
        "groups": [{"id": group.id, "group": groups.described(group), "night": group.night,
                    "state": group.state, "reason": group.reason}
                   for group in groups.without_polarisation(db, limit=_GROUPS_SHOWN)],
        f"waiting{end}": troubles_of(db, (FrameState.WAITING,)),
    }


def archives_of(beat: dict[str, Any], state: DaemonState) -> list[dict[str, Any]]:
    """The archives as the daemon sees them; of one that does not run, only what lasts."""
    found = [dict(archive) for archive in beat.get("archives") or ()]
    if state in LIVE:
        return found
    return [{name: archive.get(name) for name in _LASTING} |
            {"state": DaemonState.STOPPED.value, "watch": "not watched",
             "reason": "the daemon does not run"} for archive in found]


def _counts(db: Connection, column: Any) -> dict[str, int]:
    rows = db.select(column.model, column, fn.COUNT(column)).group_by(
        column).order_by(column).tuples()
    return {str(state): count for state, count in rows}


def night_line(db: Connection) -> str:
    """The newest night's frames by state, in a line."""
    night = db.select(Frame, fn.MAX(Frame.night)).scalar()
    if night is None:
        return "no frame yet"
    rows = db.select(Frame, Frame.state, fn.COUNT(Frame.id)).where(Frame.night == night).group_by(
        Frame.state).order_by(Frame.state).tuples()
    counts = {str(state): count for state, count in rows}
    shown = {name.value: counts.pop(name, 0) for name in _ALWAYS_SHOWN} | counts
    return f"night {night}: " + ", ".join(f"{count} {name}" for name, count in shown.items())


@dataclass(frozen=True, kw_only=True)
class Overview:
    """The state of the site at one moment, as every page shows it.

    ``queue`` maps kind of job to state to count, ``frames`` state to count, ``nodes`` are the
    daemons that share the database; all are empty unless it was ``counted``.
    """

    now: float
    daemon: DaemonState
    beat: dict[str, Any] = field(default_factory=dict)
    queue: dict[str, dict[str, int]] = field(default_factory=dict)
    frames: dict[str, int] = field(default_factory=dict)
    active_alerts: int = 0
    last_event: int = 0
    undelivered: list[dict[str, Any]] = field(default_factory=list)
    mutes: list[Mute] = field(default_factory=list)
    nodes: list[nodes.Node] = field(default_factory=list)
    counted: bool = False

    @property
    def is_up(self) -> bool:
        """Whether a daemon works now."""
        return self.daemon in (DaemonState.RUNNING, DaemonState.STOPPING)

    @property
    def beat_at(self) -> float | None:
        """When the daemon gave its last heartbeat."""
        at = self.beat.get("beat_at")
        return float(at) if isinstance(at, int | float) else None

    @property
    def pending(self) -> int:
        """Jobs to be done."""
        return self._jobs(JobState.QUEUED) + self._jobs(JobState.RUNNING)

    @property
    def waiting(self) -> int:
        """Jobs that wait for a master or a reference."""
        return self._jobs(JobState.WAITING)

    @property
    def unused_frames(self) -> int:
        """Frames that were not used."""
        return sum(self.frames.get(state, 0) for state in TROUBLE)

    @property
    def config_error(self) -> str:
        """Why the daemon rejected the site file; empty if it did not."""
        return str(self.beat.get("config_error") or "")

    @property
    def wrong_rules(self) -> list[dict[str, str]]:
        """The rules without which the daemon runs: name and why."""
        return list(self.beat.get("wrong_rules") or ())

    @property
    def trouble(self) -> str:
        """Why the daemon reduces nothing, though it runs; empty while it does."""
        return str(self.beat.get("trouble") or "")

    @property
    def paused(self) -> str:
        """Why the daemon starts no new work; empty while it does."""
        return str(self.beat.get("paused") or "")

    @property
    def archives(self) -> list[dict[str, Any]]:
        """The archives as the daemon sees them."""
        return archives_of(self.beat, self.daemon)

    @property
    def workers(self) -> list[dict[str, Any]]:
        """The worker processes as the daemon sees them."""
        return list(self.beat.get("workers") or ())

    def _jobs(self, state: JobState) -> int:
        return sum(counts.get(state, 0) for counts in self.queue.values())


def overview(db: Connection, now: float, *, locked: bool, counted: bool = True) -> Overview:
    """What every page shows of the site. ``locked``: whether a process holds the site's lock.

    ``counted``: also its jobs and frames, all of which are looked at for that, now and then.
    """
    last = heartbeat(db)
    return Overview(
        now=now, daemon=daemon_state(last, now, locked=locked), beat=last,
        queue=jobs_by_kind_and_state(db) if counted else {},
        frames=frames_by_state(db) if counted else {}, last_event=events.newest(db),
        active_alerts=alerts.count_active(db),
        undelivered=undelivered(db, now), mutes=alerts.mutes(db, now), counted=counted,
        nodes=nodes.listed(db, now) if counted else [])
