"""The way to a Dask scheduler: one that others run, or a cluster that iop4d starts."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import time
from pathlib import Path
from typing import Any

import dask
import distributed

from iop4d.config import Site, Workers

_TIMEOUT = 5.0  # seconds for an answer of the scheduler
_IDLE = 60.0  # seconds without a job after which workers are ended
_CLOSE_IN = 5.0  # seconds
_OVERHEAD_MB = 500  # memory of a Dask worker beside its worker process
#: Settings of every Dask process that the daemon starts: no profile of tasks, and no
#: limit of its own, since the worker processes have theirs.
_CONFIG = {"distributed.worker.profile.enabled": False,
           "distributed.scheduler.allowed-failures": 0,
           "distributed.worker.memory.target": False, "distributed.worker.memory.spill": False,
           "distributed.worker.memory.pause": False, "distributed.worker.memory.terminate": False}


#: Their records are tracebacks of what the engine says in its own words.
_LOUD = ("distributed.client", "distributed.utils", "distributed.core", "distributed.comm",
         "distributed.nanny", "distributed.scheduler", "distributed.deploy")


class Link:
    """A connection to the scheduler, and the cluster that it belongs to if that is ours."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._settings = site.workers
        self._cluster: Any = None
        self._wanted = 0  # workers
        self._idle_since = time.monotonic()
        self.client: Any = None
        self.place = self._settings.scheduler or f"of the cluster '{self._settings.cluster}'"

    async def open(self) -> None:
        """Connect; the cluster is started first if it is ours. Raises OSError or TimeoutError."""
        for name in _LOUD:
            logging.getLogger(name).setLevel(logging.CRITICAL)
        address, security = self._settings.scheduler, security_of(self._settings)
        if not address:
            with dask.config.set(_CONFIG | _tls_config(self._settings)):
                # Known before it is up: one that fails or is given up meanwhile is closed too.
                self._cluster = self._new_cluster(security)
                await self._cluster
                if self._settings.cluster == "slurm":
                    await self._scale_to(self._wanted)
            address, security = self._cluster.scheduler_address, self._cluster.security
        client = distributed.Client(address, asynchronous=True, security=security,
                                    timeout=_TIMEOUT, set_as_default=False, name="iop4d")
        try:
            self.client = await client
        except BaseException:
            await _ended(client.close(timeout=1))
            raise

    async def look(self) -> dict[str, Any]:
        """What the scheduler says of itself and its workers. Raises OSError or TimeoutError."""
        if self.client.status != "running":
            raise ConnectionError("the connection was lost")
        async with asyncio.timeout(_TIMEOUT):
            found: dict[str, Any] = await self.client.scheduler.identity(n_workers=-1)
            return found

    async def run(self, function: Any, *args: Any, address: str, seconds: float) -> None:
        """Have a function run on a worker at once, beside its tasks, as far as that is possible."""
        with contextlib.suppress(Exception):
            async with asyncio.timeout(seconds):
                await self.client.run(function, *args, workers=[address], on_error="ignore")

    async def scale(self, jobs: int) -> None:
        """Have as many workers as the jobs need, within the limits of the site file."""
        if self._cluster is None or not self._settings.adaptive:
            return
        low, high = self._settings.adaptive
        now, wanted = time.monotonic(), min(max(jobs, low), high)
        if jobs:
            self._idle_since = now
        if wanted > self._wanted or (wanted < self._wanted and now - self._idle_since > _IDLE):
            self._wanted = wanted
            await self._scale_to(wanted)

    async def _scale_to(self, wanted: int) -> None:
        scaled = self._cluster.scale(wanted)
        if asyncio.iscoroutine(scaled):
            await scaled

    async def close(self) -> None:
        """End the connection, and the cluster if it is ours."""
        client, self.client = self.client, None
        cluster, self._cluster, self._wanted = self._cluster, None, 0
        if client is not None:
            await _ended(client.close(timeout=1))
        if cluster is not None:
            await _ended(cluster.close())

    # Clusters.

    def _new_cluster(self, security: Any) -> Any:
        kind = self._settings.cluster
        number = self._site.daemon.workers or os.cpu_count() or 1
        self._wanted = number = self._settings.adaptive[0] if self._settings.adaptive else number
        if kind == "local":
            return distributed.LocalCluster(
                n_workers=number, threads_per_worker=1, processes=True, asynchronous=True,
                host="127.0.0.1", dashboard_address=None, memory_limit=0,
                security=security or True)  # temporary keys: other accounts reach its port too
        if kind == "ssh":
            protocol = "tls://" if security else "tcp://"
            return distributed.SSHCluster(
                list(self._settings.hosts), asynchronous=True, security=security,
                worker_options={"nthreads": 1, "n_workers": number, "memory_limit": "0",
                                "protocol": protocol},
                scheduler_options={"port": 0, "dashboard": False, "protocol": protocol})
        return self._slurm(security)

    def _slurm(self, security: Any) -> Any:
        from dask_jobqueue import SLURMCluster

        memory = self._site.daemon.worker_memory_mb + _OVERHEAD_MB
        folder = self._site.folder("logs") / "slurm"
        return SLURMCluster(
            cores=1, processes=1, memory=f"{memory} MB", asynchronous=True, protocol="tls://",
            security=security or distributed.Security.temporary(),
            shared_temp_directory=str(_private(folder)), log_directory=str(folder))


def security_of(settings: Workers) -> Any:
    """TLS as the site file says it; None without."""
    if not all(settings.tls_files):
        return None
    ca, cert, key = map(str, settings.tls_files)
    return distributed.Security(
        tls_ca_file=ca, tls_client_cert=cert, tls_client_key=key, tls_scheduler_cert=cert,
        tls_scheduler_key=key, tls_worker_cert=cert, tls_worker_key=key, require_encryption=True)


def _tls_config(settings: Workers) -> dict[str, object]:
    """The same for processes that are started over SSH, which get settings of Dask alone."""
    if not all(settings.tls_files):
        return {}
    ca, cert, key = map(str, settings.tls_files)
    return {"distributed.comm.require-encryption": True, "distributed.comm.tls.ca-file": ca, **{
        f"distributed.comm.tls.{whose}.{what}": path for whose in ("scheduler", "worker", "client")
        for what, path in (("cert", cert), ("key", key))}}


def _private(folder: Path) -> Path:
    """A folder that its owner alone may read: keys are kept in it."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    return folder


async def _ended(closing: Any) -> None:
    """Wait for an end, but neither for ever nor for its errors: what is left is not ours."""
    with contextlib.suppress(Exception):
        async with asyncio.timeout(_CLOSE_IN):
            await closing
