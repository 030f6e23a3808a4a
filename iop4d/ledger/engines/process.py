"""A pool of worker processes that survives anything a frame can do to one.

Each worker has a private pipe, so a worker that crashes, hangs or grows costs the one job it had;
it is killed with its whole process group at the deadline and replaced. The ready-made pools were
tried and all break on at least one of these (docs/decisions/0003-own-pool.md).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import pickle
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from iop4d.ledger.engines import pipe
from iop4d.ledger.engines.output import Overheard
from iop4d.model.messages import Crashed, Failed, Outcome, Request, TimedOut

log = logging.getLogger(__name__)

#: What a worker runs.
_MODULE = "iop4d.ledger.engines.worker"
_START_TIMEOUT = 60.0  # seconds for a worker to import its libraries and load the index
_LONGEST = 64 << 20  # bytes of an answer
_ONE_CORE = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"), "1")


class WorkerStartError(Exception):
    """A worker did not come up; the message says how it ended."""


@dataclass(kw_only=True)
class WorkerStatus:
    """What a worker does, for people."""

    pid: int
    state: str = "starting"
    job: str = ""
    since: float = 0.0
    jobs: int = 0


class Worker:
    """One worker process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._version = -1
        assert process.stderr is not None
        self._overheard = Overheard(process.stderr, f"worker {process.pid}")
        self.status = WorkerStatus(pid=process.pid)

    @classmethod
    async def start(cls, *, memory_mb: int, module: str = "") -> Worker:
        """Start a process; it is of use once it has its context."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", module or _MODULE, str(os.getpid()), str(memory_mb),
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True, env={**os.environ, **_ONE_CORE}, limit=1 << 20)
        return cls(process)

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process.returncode is None

    async def give_context(self, context: bytes, version: int) -> None:
        """Hand over the site's settings and the catalogue, unless it has them already."""
        if version == self._version:
            return
        answer = await self._exchange(context, _START_TIMEOUT)
        if answer != "ready":
            raise WorkerStartError(str(answer))
        self._version = version
        self.status.state = "idle"

    async def perform(self, request: Request, *, label: str, deadline: float) -> Outcome:
        """The outcome of a request; a worker that dies or hangs at it is an outcome too."""
        self.status.state, self.status.job, self.status.since = "busy", label, time.time()
        self._overheard.next_job()
        try:
            answer = await self._exchange(pipe.pack(("request", request)), deadline)
        finally:
            self.status.state, self.status.job = "idle", ""
            self.status.jobs += 1
        if isinstance(answer, str):
            return Failed(stage="worker", reason=f"an answer that makes no sense: {answer}")
        outcome: Outcome = answer
        return outcome

    async def _exchange(self, message: bytes, deadline: float) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            async with asyncio.timeout(deadline):
                self._process.stdin.write(message)
                await self._process.stdin.drain()
                return await _receive(self._process.stdout)
        except TimeoutError:
            await self._dump_stack()
            await self.kill()
            return TimedOut(seconds=deadline)
        except (asyncio.IncompleteReadError, BrokenPipeError, ConnectionResetError):
            await self._end(0.5)  # it closed its pipe: let it tell how it ended
            return Crashed(how=self._how())
        except Exception as error:  # noqa: BLE001 - whatever cannot be unpickled is one job's fault
            await self.kill()
            return Crashed(how=f"its answer cannot be read: {error!r}")

    async def _dump_stack(self) -> None:
        """Have the worker write where it hangs to the log, before it is killed."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._process.pid, signal.SIGUSR1)
            await asyncio.sleep(0.02)

    def _how(self) -> str:
        code = self._process.returncode
        if code is not None and code < 0:
            with contextlib.suppress(ValueError):
                return f"killed by {signal.Signals(-code).name}"
        return f"exit code {code}"

    async def kill(self) -> None:
        """Kill the worker and whatever it started."""
        if self.alive:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
        await self._process.wait()
        if self._process.stdin is not None:
            self._process.stdin.close()
        await self._overheard.end()

    async def close(self) -> None:
        """End an idle worker."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        await self._end(2.0)

    async def _end(self, seconds: float) -> None:
        """Let the process end by itself for a while, then kill it."""
        try:
            async with asyncio.timeout(seconds):
                await self._process.wait()
            await self._overheard.end()
        except TimeoutError:
            await self.kill()

    def rss_mb(self) -> float:
        """Resident memory in MB; 0 if it is gone."""
        return rss_mb(self._process.pid)


async def _receive(stream: asyncio.StreamReader) -> Any:
    """The next message; raises IncompleteReadError at the stream's end."""
    length = pipe.LENGTH.unpack(await stream.readexactly(pipe.LENGTH.size))[0]
    if length > _LONGEST:
        raise ValueError(f"a message of {length} bytes")
    return pickle.loads(await stream.readexactly(length))  # noqa: S301 - from our own worker


def rss_mb(pid: int | str = "self") -> float:
    """Resident memory of a process in MB; 0 if it is gone."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
    except OSError:
        return 0.0
