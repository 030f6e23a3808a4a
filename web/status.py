"""What the daemon does now: its heartbeat, the queue, the counts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import peewee as pw

from iop4d.model.states import ACTIVE_ALERTS
from iop4d.store import mutes
from iop4d.store.database import ambient
from iop4d.store.outbox import undelivered
from iop4d.store.schema import Alert, Event, Frame, Job, Mute
from iop4d.store.status import heartbeat

#: A heartbeat is written about every 2 s; one older than this means that nobody works.
STALE_SECONDS = 15.0

FAILED_STATES = ("failed", "rejected", "quarantined")


@dataclass(frozen=True, kw_only=True)
class Status:
    """The state of the site at one moment.

    ``daemon`` is running, stopping, down, or never (it has not run yet). ``queue`` maps kind of
    job to state to count, ``frames`` state to count.
    """

    now: float
    daemon: str = "never"
    beat: dict[str, Any] = field(default_factory=dict)
    queue: dict[str, dict[str, int]] = field(default_factory=dict)
    frames: dict[str, int] = field(default_factory=dict)
    firing: int = 0
    last_event: int = 0
    undelivered: list[dict[str, Any]] = field(default_factory=list)
    mutes: list[Mute] = field(default_factory=list)
    trouble: str = ""

    @property
    def up(self) -> bool:
        """Whether a daemon works now."""
        return self.daemon in ("running", "stopping")

    @property
    def beat_at(self) -> float | None:
        """When the daemon last said that it lives."""
        at = self.beat.get("beat_at")
        return float(at) if isinstance(at, int | float) else None

    @property
    def pending(self) -> int:
        """Jobs to be done."""
        return self._jobs("queued") + self._jobs("running")

    @property
    def waiting(self) -> int:
        """Jobs that wait for something else."""
        return self._jobs("waiting")

    @property
    def failed(self) -> int:
        """Frames that were not used."""
        return sum(self.frames.get(state, 0) for state in FAILED_STATES)

    @property
    def config_error(self) -> str:
        """Why a new site file was not taken; empty if none was wrong."""
        return str(self.beat.get("config_error") or "")

    @property
    def paused(self) -> str:
        """Why nothing new is begun; empty while work goes on."""
        return str(self.beat.get("paused") or "")

    @property
    def archives(self) -> list[dict[str, Any]]:
        """The archives as the daemon sees them."""
        return list(self.beat.get("archives") or ())

    @property
    def workers(self) -> list[dict[str, Any]]:
        """The worker processes as the daemon sees them."""
        return list(self.beat.get("workers") or ())

    def _jobs(self, state: str) -> int:
        return sum(counts.get(state, 0) for counts in self.queue.values())


def read(now: float) -> Status:
    """The site's status; within a connection."""
    beat = heartbeat(ambient())
    queue: dict[str, dict[str, int]] = {}
    jobs = (Job.select(Job.kind, Job.state, pw.fn.COUNT(Job.id)).group_by(Job.kind, Job.state)
            .order_by(Job.kind))
    for kind, state, count in jobs.tuples():
        queue.setdefault(kind, {})[state] = count
    frames = Frame.select(Frame.state, pw.fn.COUNT(Frame.id)).group_by(Frame.state)
    return Status(
        now=now, daemon=daemon_state(beat, now), beat=beat, queue=queue,
        frames=dict(frames.tuples()), last_event=newest_event(),
        undelivered=undelivered(ambient(), now), mutes=mutes.current(ambient(), now),
        firing=Alert.select().where(Alert.state.in_(ACTIVE_ALERTS)).count())


def daemon_state(beat: dict[str, Any], now: float) -> str:
    """The daemon's state from its last heartbeat."""
    if not beat:
        return "never"
    if now - float(beat.get("beat_at") or 0) > STALE_SECONDS:
        return "down"
    return "stopping" if beat.get("state") == "stopping" else "running"


def newest_event() -> int:
    """The id of the last event, 0 if there is none."""
    return int(Event.select(pw.fn.MAX(Event.id)).scalar() or 0)
