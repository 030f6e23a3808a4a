"""The way to a Dask scheduler: one that others run, or a cluster that iop4d starts."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import re
import shutil
import ssl
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import dask
import distributed

from iop4d.config import Site, Workers

log = logging.getLogger(__name__)

_TIMEOUT = 5.0  # seconds for an answer of the scheduler
_CONNECT_IN = 20.0  # seconds for all that makes a connection with it
_IDLE = 60.0  # seconds without a job after which workers are ended
_CLOSE_IN = 5.0  # seconds
_AGAIN = 30.0  # seconds until what ended is started again
_SSH_IN = 15  # seconds for a machine to answer
_OVERHEAD_MB = 500  # memory of a Dask worker beside its worker process
#: Settings of every Dask process that the daemon starts: no profile of tasks, and no
#: limit of its own, since the worker processes have theirs.
_CONFIG = {"distributed.worker.profile.enabled": False,
           "distributed.scheduler.allowed-failures": 0,
           "distributed.worker.memory.target": False, "distributed.worker.memory.spill": False,
           "distributed.worker.memory.pause": False, "distributed.worker.memory.terminate": False}


_PLAIN = re.compile(r"[\w/.,:@%+=-]+")
#: Dask serves pages over HTTP nevertheless: on this machine, at any free port.
_NO_PAGES = {"dashboard": False, "dashboard_address": "127.0.0.1:0"}
#: Their records are tracebacks of what the engine says in its own words.
_LOUD = ("distributed.client", "distributed.utils", "distributed.core", "distributed.comm",
         "distributed.nanny", "tornado.application", "distributed.scheduler", "distributed.deploy")


class Link:
    """A connection to the scheduler, and the cluster that it belongs to if that is ours."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._settings = site.workers
        self._cluster: Any = None
        self._wanted = 0  # workers; of the cluster ssh: machines with workers
        self._each = 1  # workers of one of these
        self._scaled_at = 0.0
        self._down: set[object] = set()  # names of what was not up when it was looked at last
        self._config = contextlib.ExitStack()  # settings of Dask while there is a cluster
        self._idle_since = time.monotonic()
        self.failure = ""  # why no workers could be started
        self.client: Any = None
        self.place = self._settings.scheduler or f"of the cluster '{self._settings.cluster}'"

    async def open(self) -> None:
        """Connect; the cluster is started first if it is ours. Raises OSError or TimeoutError."""
        for name in _LOUD:
            logging.getLogger(name).setLevel(logging.CRITICAL)
        address, security = self._settings.scheduler, security_of(self._settings)
        if not address:
            # As long as it is there, since workers that follow later get the same settings.
            self._config.enter_context(dask.config.set(_CONFIG | _tls_config(self._settings)))
            # Known before it is up: one that fails or is given up meanwhile is closed too.
            self._cluster = self._new_cluster(security)
            await self._up()
            if self._settings.cluster == "slurm":
                await self._scale_to(self._wanted)
            address, security = self._cluster.scheduler_address, self._cluster.security
        client = distributed.Client(address, asynchronous=True, security=security,
                                    timeout=_TIMEOUT, set_as_default=False, name="iop4d")
        try:
            async with asyncio.timeout(_CONNECT_IN):
                self.client = await client
        except BaseException as error:
            await _ended(client.close(timeout=1))
            if type(error) is TimeoutError:
                raise TimeoutError(f"what is there gives no answer of a Dask scheduler within "
                                   f"{_CONNECT_IN:g} s") from error
            if isinstance(error, OSError) and not str(error.__cause__ or ""):
                raise error from await _why_unreached(str(address))
            raise

    async def _up(self) -> None:
        """Wait for the cluster; one of its machines that is away must not hold up the others."""
        try:
            await self._cluster
        except Exception as error:
            if not any(_is_up(worker) for worker in self._cluster.workers.values()):
                raise
            log.error("a part of the Dask cluster '%s' does not start: %s",
                      self._settings.cluster, error)

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

    async def scale(self, jobs: int, there: int) -> None:
        """Have as many workers as the jobs need, within the limits of the site file.

        ``there``: how many there are. Those that ended, as their wall time or their machine did,
        are started again: Dask alone does that when it is given a number.
        """
        if self._cluster is None:
            return
        now = time.monotonic()
        if self._settings.adaptive:
            low, high = self._settings.adaptive
            wanted = min(max(jobs, low), high)
            if jobs:
                self._idle_since = now
            if wanted > self._wanted or (wanted < self._wanted
                                         and now - self._idle_since > _IDLE):
                self._wanted, self._scaled_at = wanted, now
                await self._scale_to(wanted)
        if there < self._wanted * self._each and now - self._scaled_at > _AGAIN:
            self._scaled_at = now
            await self._forget_ended()
            await self._scale_to(self._wanted)

    async def _forget_ended(self) -> None:
        """Forget what did not start or ended with its machine, which Dask would keep for ever."""
        if self._settings.cluster == "local":
            return  # their nannies start them again
        down = {name: worker for name, worker in self._cluster.workers.items()
                if not _is_up(worker)}
        for name, worker in down.items():
            if name not in self._down:
                log.error("the worker %s of the Dask cluster '%s' ended or does not start; it is "
                          "tried again", getattr(worker, "address", None) or name,
                          self._settings.cluster)
            self._cluster.workers.pop(name, None)
            await _ended(worker.close())
        self._down = set(down)

    async def _scale_to(self, wanted: int) -> None:
        scaled = self._cluster.scale(wanted)
        if asyncio.iscoroutine(scaled):
            await scaled
        if self._settings.cluster == "slurm":
            await self._note_failure()

    async def _note_failure(self) -> None:
        """Why SLURM does not take the jobs; nothing where it does, or takes its time."""
        cluster = self._cluster

        async def settled() -> str:
            try:
                await cluster
            except Exception as error:  # noqa: BLE001 - whatever its programs answer
                return f"SLURM takes no job: {_last_words(error)}"
            return ""

        asked = asyncio.create_task(settled(), name="jobs of SLURM")
        if (await asyncio.wait({asked}, timeout=_TIMEOUT))[0]:
            if asked.result() not in ("", self.failure):
                log.error("%s", asked.result())
            self.failure = asked.result()

    async def close(self) -> None:
        """End the connection, and the cluster if it is ours."""
        client, self.client = self.client, None
        cluster, self._cluster, self._wanted = self._cluster, None, 0
        if client is not None:
            await _ended(client.close(timeout=1))
        if cluster is not None:
            await _ended(cluster.close())
        self._config.close()

    # Clusters.

    def _new_cluster(self, security: Any) -> Any:
        kind = self._settings.cluster
        number = self._site.daemon.workers or os.cpu_count() or 1
        self._wanted = number = self._settings.adaptive[0] if self._settings.adaptive else number
        self._scaled_at = time.monotonic()
        if kind == "local":
            return distributed.LocalCluster(
                n_workers=number, threads_per_worker=1, processes=True, asynchronous=True,
                host="127.0.0.1", dashboard_address=None, memory_limit=0,
                scheduler_kwargs=_NO_PAGES,
                security=security or True)  # temporary keys: other accounts reach its port too
        if kind == "ssh":
            protocol = "tls://" if security else "tcp://"
            self._wanted, self._each = len(self._settings.hosts) - 1, number
            return distributed.SSHCluster(
                list(self._settings.hosts), asynchronous=True, security=security,
                connect_options={"connect_timeout": _SSH_IN, "keepalive_interval": _SSH_IN},
                worker_options={"nthreads": 1, "n_workers": number, "memory_limit": "0",
                                "protocol": protocol},
                scheduler_options={"port": 0, "protocol": protocol} | _NO_PAGES)
        return self._slurm(security)

    def _slurm(self, security: Any) -> Any:
        from dask_jobqueue import SLURMCluster

        if shutil.which("sbatch") is None:
            raise FileNotFoundError("SLURM's program sbatch is not found on this machine")
        memory = self._site.daemon.worker_memory_mb + _OVERHEAD_MB
        folder = self._site.folder("logs") / "slurm"
        for path in (folder, *filter(None, self._settings.tls_files)):
            if not _PLAIN.fullmatch(str(path)):  # they stand in a script as they are
                raise OSError("jobs of SLURM take no path with spaces and the like, as this one "
                              f"has: {path}")
        return SLURMCluster(
            cores=1, processes=1, memory=f"{memory} MB", asynchronous=True, protocol="tls://",
            security=security or distributed.Security.temporary(), scheduler_options=_NO_PAGES,
            shared_temp_directory=str(_private(folder)), log_directory=str(folder))


def security_of(settings: Workers) -> Any:
    """TLS as the site file says it; None without."""
    if not all(settings.tls_files):
        return None
    ca, cert, key = map(str, settings.tls_files)
    _check_tls(ca, cert, key)
    return distributed.Security(
        tls_ca_file=ca, tls_client_cert=cert, tls_client_key=key, tls_scheduler_cert=cert,
        tls_scheduler_key=key, tls_worker_cert=cert, tls_worker_key=key, require_encryption=True)


def _check_tls(ca: str, cert: str, key: str) -> None:
    """Raises OSError, which names the file, where one of TLS is not there or of no use."""
    for name, path in (("ca_file", ca), ("cert_file", cert), ("key_file", key)):
        try:
            Path(path).open("rb").close()
        except OSError as error:
            raise OSError(f"[workers] {name} cannot be read: {path}: {error.strerror}") from None
    what = f"ca_file holds no certificates: {ca}"
    try:
        context = ssl.create_default_context(cafile=ca)
        what = f"cert_file and key_file do not belong together, or the key needs a password: {cert}"
        context.load_cert_chain(cert, key, password="")
    except (ssl.SSLError, ValueError):
        raise OSError(f"[workers] {what}") from None


async def _why_unreached(address: str) -> OSError | None:
    """Why no connection is made, in the system's words; None where one is.

    Dask names the fault of its last attempt alone, which is none where no time was left for it.
    """
    place = urlsplit(address)
    try:
        async with asyncio.timeout(_TIMEOUT):
            _, writer = await asyncio.open_connection(place.hostname, place.port)
    except OSError as error:  # the time that is up among them
        number = error.errno or 0  # below 0: of the search for the host, which has words of its own
        return OSError(os.strerror(number)) if number > 0 else error
    writer.close()
    return None


def _last_words(error: Exception) -> str:
    """What a program said as it failed, without how it was called."""
    text = " ".join(str(error).split())
    return re.sub(r"^.*stderr:\s*", "", text)[:300] or type(error).__name__


def _tls_config(settings: Workers) -> dict[str, object]:
    """The same for processes that are started over SSH, which get settings of Dask alone."""
    if not all(settings.tls_files):
        return {}
    ca, cert, key = map(str, settings.tls_files)
    return {"distributed.comm.require-encryption": True, "distributed.comm.tls.ca-file": ca, **{
        f"distributed.comm.tls.{whose}.{what}": path for whose in ("scheduler", "worker", "client")
        for what, path in (("cert", cert), ("key", key))}}


def _is_up(worker: Any) -> bool:
    """Whether what holds a worker, a job or a connection over SSH, is there still."""
    connection = getattr(worker, "connection", None)
    process = getattr(worker, "proc", None)
    return worker.status is distributed.Status.running and not (
        (connection is not None and connection.is_closed())
        or (process is not None and process.exit_status is not None))


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
