"""A real Dask scheduler and workers as processes on loopback, to be killed and started again."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from iop4d.ledger.engines.worker import die_with_parent

_DASK = "import sys; from dask.__main__ import main; sys.exit(main())"
_QUIET = {"DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED": "False",
          "DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": "5s"}


#: Whoever runs the tests: what a worker process runs may be a module of theirs.
_OF_TESTS = {"PYTHONPATH": os.pathsep.join(filter(None, (
    str(Path(__file__).resolve().parents[2]), os.environ.get("PYTHONPATH"))))}


def free_port(host: str = "127.0.0.1") -> int:
    """A port that is free now."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


class DaskCluster:
    """A scheduler and its workers, each a process that ends with this one."""

    def __init__(self, folder: Path, *, tls: tuple[Path, Path, Path] | None = None,
                 host: str = "127.0.0.1", environ: Mapping[str, str] | None = None) -> None:
        self._folder = folder
        self._host = host
        self._tls = tls
        self._environ = dict(environ or {})
        self.port = free_port(host)
        self.scheduler: subprocess.Popen[bytes] | None = None
        self.workers: list[subprocess.Popen[bytes]] = []
        self.hidden: tuple[Path, ...] = ()  # folders that are empty for every worker

    @property
    def address(self) -> str:
        """Of the scheduler."""
        return f"{'tls' if self._tls else 'tcp'}://{self._host}:{self.port}"

    @property
    def pids(self) -> list[int]:
        """Of scheduler and workers."""
        running = [*self.workers, *([self.scheduler] if self.scheduler else [])]
        return [process.pid for process in running]

    def start_scheduler(self) -> None:
        """Start it; it is there when this returns."""
        self.scheduler = self._run("scheduler", "--host", self._host, "--port", str(self.port),
                                   "--no-dashboard")
        deadline = time.monotonic() + 90.0
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError), socket.create_connection(
                    (self._host, self.port), 1.0):
                return
            time.sleep(0.05)
        raise TimeoutError("the scheduler did not start")

    def add_worker(self, *, host: str = "", threads: int = 1, hide: Iterable[Path] = (),
                   environ: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
        """Start a worker; it joins when it is up. ``hide``: folders that are empty for it."""
        more = ["--host", host] if host else []
        worker = self._run("worker", self.address, "--nthreads", str(threads), "--no-dashboard",
                           "--no-nanny", "--memory-limit", "0", "--death-timeout", "15", *more,
                           environ=environ, before=_hiding((*self.hidden, *hide)))
        self.workers.append(worker)
        return worker

    def _run(self, what: str, *words: str, before: Iterable[str] = (),
             environ: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
        tls: list[str] = []
        if self._tls:
            ca, cert, key = map(str, self._tls)
            tls = ["--tls-ca-file", ca, "--tls-cert", cert, "--tls-key", key]
        parent = os.getpid()
        with (self._folder / f"{what}.log").open("ab") as log:
            return subprocess.Popen(
                [*before, sys.executable, "-c", _DASK, what, *words, *tls], stdout=log, stderr=log,
                stdin=subprocess.DEVNULL, cwd=self._folder,
                env={**os.environ, **_OF_TESTS, **_QUIET, **self._environ, **(environ or {})},
                preexec_fn=lambda: die_with_parent(parent))  # noqa: PLW1509 - one system call

    def kill_worker(self, worker: subprocess.Popen[bytes]) -> None:
        """Kill a worker as a power failure would."""
        worker.send_signal(signal.SIGKILL)
        worker.wait()
        self.workers.remove(worker)

    def forget_ended(self) -> None:
        """Forget workers that ended by themselves, as they do when their scheduler is gone."""
        self.workers = [worker for worker in self.workers if worker.poll() is None]

    def kill_scheduler(self) -> None:
        """Kill the scheduler."""
        assert self.scheduler is not None
        self.scheduler.kill()
        self.scheduler.wait()
        self.scheduler = None

    def log(self) -> str:
        """What scheduler and workers wrote."""
        return "".join(path.read_text(encoding="utf-8", errors="replace")
                       for path in self._folder.glob("*.log"))

    def close(self) -> None:
        """End all."""
        for process in [*self.workers, *([self.scheduler] if self.scheduler else [])]:
            process.kill()
        for process in [*self.workers, *([self.scheduler] if self.scheduler else [])]:
            process.wait()


def _hiding(folders: Iterable[Path]) -> list[str]:
    """What to write before a command, to run it where some folders are empty."""
    mounts = " && ".join(f"mount -t tmpfs none '{folder}'" for folder in folders)
    return ["unshare", "--map-root-user", "--mount", "sh", "-c", f'{mounts} && exec "$@"', "sh"] \
        if mounts else []


@contextlib.contextmanager
def dask_cluster(folder: Path, workers: int = 2, **how: object) -> Iterator[DaskCluster]:
    """A scheduler with some workers."""
    cluster = DaskCluster(folder, **how)  # type: ignore[arg-type]
    try:
        cluster.start_scheduler()
        for _ in range(workers):
            cluster.add_worker()
        yield cluster
    finally:
        cluster.close()
