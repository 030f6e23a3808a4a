"""The state of a site as numbers for Prometheus.

All of them are read from the database when they are asked for, so that a page that was started
again, or a second one, says the same.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import CollectorRegistry

from iop4d import __version__
from iop4d.config import Site
from iop4d.model.states import DaemonState, FrameState, JobState
from iop4d.operations.backup import of_site
from iop4d.store import identity, machine
from iop4d.store.database import Connection
from iop4d.store.jobs import JobKind
from iop4d.store.status import LIVE, Overview

_HOUR = 3600.0
_TO_DO = (JobState.QUEUED, JobState.RUNNING, JobState.WAITING)
_WELL = ("ok", "idle", "paused", "starting")  # states of archives


@dataclass(frozen=True, kw_only=True, eq=False)
class _Said:
    """A collector of what was read already."""

    metrics: tuple[Metric, ...]

    def collect(self) -> Iterator[Metric]:
        """What was read."""
        yield from self.metrics


def exposed(db: Connection, site: Site, found: Overview) -> bytes:
    """The text that Prometheus reads. ``found``: counted."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Said(metrics=(*_of_daemon(site, found), *_of_work(db, found),
                                     *_of_machine(db, site))))
    return generate_latest(registry)


def _of_daemon(site: Site, found: Overview) -> Iterator[Metric]:
    yield InfoMetricFamily("iop4d", "The page that answers, and the site.",
                           value={"version": __version__, "site": site.site.name})
    yield _gauge("iop4d_daemon_up", "1 while the daemon works.", found.is_up)
    state = GaugeMetricFamily("iop4d_daemon_state", "1 for the state of the daemon.",
                              labels=["state"])
    for one in DaemonState:
        state.add_metric([one.value], float(one is found.daemon))
    yield state
    live = found.daemon in LIVE
    yield _gauge("iop4d_heartbeat_age_seconds", "Seconds since the daemon's last heartbeat.",
                 None if found.beat_at is None else max(found.now - found.beat_at, 0.0))
    yield _gauge("iop4d_reducing", "1 while the daemon runs and starts new work; 0 also for a full "
                 "disk or for lack of workers.", live and not found.paused and not found.trouble)
    yield _gauge("iop4d_site_file_wrong", "1 while the daemon rejects the changed site file.",
                 live and bool(found.config_error))
    yield _gauge("iop4d_wrong_rules", "Rules that are not used, as they are wrong.",
                 len(found.wrong_rules))
    beat = found.beat if live else {}
    finished = CounterMetricFamily("iop4d_jobs_finished",
                                   "Jobs that the daemon finished since its start.")
    if "finished_jobs" in beat:
        finished.add_metric([], float(beat["finished_jobs"]))
    yield finished
    yield _gauge("iop4d_event_loop_lag_seconds", "Seconds by which the daemon's loop is late.",
                 beat.get("loop_lag_s"))
    yield _gauge("iop4d_resident_bytes", "Memory of the daemon, without its workers.",
                 _times(beat.get("rss_mb"), 1e6))
    yield _gauge("iop4d_workers", "Worker processes of the daemon.",
                 len(beat.get("workers") or ()))
    yield _gauge("iop4d_workers_resident_bytes", "Memory of all workers.",
                 sum(float(one.get("rss_mb") or 0.0) for one in beat.get("workers") or ()) * 1e6)


def _of_work(db: Connection, found: Overview) -> Iterator[Metric]:
    frames = GaugeMetricFamily("iop4d_frames", "Frames by their state.", labels=["state"])
    for state in FrameState:  # a zero is a number, so that a panel or a rule has one
        frames.add_metric([state.value], found.frames.get(state.value, 0))
    yield frames
    jobs = GaugeMetricFamily("iop4d_jobs", "Jobs by kind and state.", labels=["kind", "state"])
    for kind in sorted({*JobKind, *found.queue}):
        counts = found.queue.get(kind, {})
        for name in sorted({*_TO_DO, *counts}):
            jobs.add_metric([kind, name], counts.get(name, 0))
    yield jobs
    took = sorted(seconds for _, _, seconds in machine.latencies(db, found.now - _HOUR))
    yield _gauge("iop4d_frames_reduced_last_hour", "Science frames that came in the last hour and "
                 "have results.", len(took))
    latency = GaugeMetricFamily("iop4d_latency_seconds", "Seconds from the arrival of a frame to "
                                "its results, of the last hour.", labels=["percentile"])
    for part in (50, 95) if took else ():
        latency.add_metric([str(part)], took[min(part * len(took) // 100, len(took) - 1)])
    yield latency
    yield _gauge("iop4d_alerts_active", "Active alerts.", found.active_alerts)
    lost = GaugeMetricFamily("iop4d_messages_undelivered", "Messages that a channel does not "
                             "deliver.", labels=["channel"])
    for one in found.undelivered:
        lost.add_metric([str(one["channel"])], float(one["messages"]))
    yield lost
    archives = GaugeMetricFamily("iop4d_archive_up", "1 while an archive can be read.",
                                 labels=["archive"])
    files = GaugeMetricFamily("iop4d_archive_files", "Files that an archive holds.",
                              labels=["archive"])
    for archive in found.archives:
        if found.is_up:
            archives.add_metric([archive["name"]], float(archive.get("state") in _WELL))
        files.add_metric([archive["name"]], float(archive.get("files") or 0))
    yield archives
    yield files


def _of_machine(db: Connection, site: Site) -> Iterator[Metric]:
    yield _gauge("iop4d_disk_free_bytes", "Bytes free on the disk of the site.",
                 shutil.disk_usage(site.root).free)
    yield _gauge("iop4d_disk_min_free_bytes", "Bytes below which no new work starts.",
                 site.daemon.min_free_gb * 1e9)
    backups = of_site(site, site.backups, identity.of(db))
    yield _gauge("iop4d_backup_timestamp_seconds", "When the newest backup was made.",
                 backups[0][1].made_at if backups else None)


def _times(value: Any, factor: float) -> float | None:
    return None if value is None else float(value) * factor


def _gauge(name: str, doc: str, value: float | None) -> Metric:
    """A number without labels; what is not known has no sample."""
    family = GaugeMetricFamily(name, doc)
    if value is not None:
        family.add_metric([], float(value))
    return family
