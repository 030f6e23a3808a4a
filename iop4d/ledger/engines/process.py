"""The daemon's end of one worker process, whatever a frame does to it.

Each worker has a private pipe, so one that crashes, hangs or grows costs the one job it had; it is
killed with its whole process group at the deadline. The ready-made pools were tried and all break
on at least one of these (docs/decisions/0003-own-pool.md).
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
from pathlib import Path
from typing import Any

from iop4d.ledger.engines import WorkerStatus
from iop4d.ledger.engines.pipe import LENGTH, pack
from iop4d.model.messages import Crashed, Failed, Outcome, Request, TimedOut

log = logging.getLogger(__name__)

_START_TIMEOUT = 60.0  # seconds for a worker to import its libraries and load the index
_LONGEST = 64 << 20  # bytes of an answer
_PIECE = 1 << 16  # bytes of its output read at a time
_MOST = 1 << 16  # bytes of its output that are logged of one job
_LONGEST_LINE = 2000
_LAST_WORDS = 0.5  # seconds to wait for what a dead process still said
#: Environment of a process whose numerical libraries are to compute on one core.
ONE_CORE = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"), "1")
#: And of one that reduces frames, by glibc: the memory of an image is kept for the next one rather
#: than given back to the kernel, which would have to clear it again, page by page.
KEPT_MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(64 << 20), "MALLOC_TRIM_THRESHOLD_": str(256 << 20)}


class WorkerStartError(Exception):
    """A worker did not come up; the message says how it ended."""


class Worker:
    """One worker process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._version = -1
        assert process.stderr is not None
        self._output = WorkerOutput(process.stderr, f"worker {process.pid}")
        self.status = WorkerStatus(pid=process.pid)

    @classmethod
    async def start(cls, *, memory_mb: int, module: str) -> Worker:
        """Start a process that runs a module; it is of use once it has its context."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", module, str(os.getpid()), str(memory_mb),
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True, env={**KEPT_MEMORY, **os.environ, **ONE_CORE}, limit=1 << 20)
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
            raise WorkerStartError(self._why(answer))
        self._version = version
        self.status.state = "idle"

    async def perform(self, request: Request, *, label: str, deadline: float) -> Outcome:
        """The outcome of a request; a worker that dies or hangs at it is an outcome too."""
        self.status.state, self.status.job, self.status.since = "busy", label, time.time()
        self._output.next_job()
        try:
            answer = await self._exchange(pack(("request", request)), deadline)
        finally:
            self.status.state, self.status.job = "idle", ""
            self.status.jobs += 1
        if isinstance(answer, str):
            return Failed(stage="worker", reason=f"unexpected answer: {answer}")
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

    def _why(self, answer: object) -> str:
        """Why it did not start: how it ended, and what it said last."""
        how = answer.how if isinstance(answer, Crashed) else str(answer)
        return f"{how}: {self._output.last}" if self._output.last else how

    async def kill(self) -> None:
        """Kill the worker and whatever it started."""
        if self.alive:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
        await self._process.wait()
        if self._process.stdin is not None:
            self._process.stdin.close()
        await self._output.end()

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
            await self._output.end()
        except TimeoutError:
            await self.kill()

    def rss_mb(self) -> float:
        """Resident memory in MB; 0 if it is gone."""
        return rss_mb(self._process.pid)


class WorkerOutput:
    """What a worker prints goes into the daemon's log, as far as anybody would read it.

    A library that prints without end must fill neither the log's disk nor the memory.
    """

    def __init__(self, stream: asyncio.StreamReader, name: str) -> None:
        self._stream = stream
        self._name = name
        self._logged = self._dropped = 0
        self._rest = b""
        self.last = ""  # line
        self._task = asyncio.create_task(self._read(), name=f"output of {name}")

    def next_job(self) -> None:
        """What is printed from now on is of another job."""
        self._log_dropped()
        self._logged = 0

    async def end(self) -> None:
        """The process is gone: log its last words."""
        await asyncio.wait({self._task}, timeout=_LAST_WORDS)
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        self._log(self._rest)
        self._rest = b""
        self._log_dropped()

    async def _read(self) -> None:
        while piece := await self._stream.read(_PIECE):
            room = _MOST - self._logged
            if room <= 0:
                self._dropped += len(piece)
                continue
            self._logged += min(len(piece), room)
            self._dropped += max(len(piece) - room, 0)
            *lines, self._rest = (self._rest + piece[:room]).split(b"\n")
            for line in lines:
                self._log(line)

    def _log(self, line: bytes) -> None:
        if text := line.decode("utf-8", "replace").rstrip():
            self.last = text[:_LONGEST_LINE]
            log.warning("%s: %s", self._name, text[:_LONGEST_LINE])

    def _log_dropped(self) -> None:
        if self._dropped:
            log.warning("%s: %d further bytes of its output discarded", self._name, self._dropped)
        self._dropped = 0


async def _receive(stream: asyncio.StreamReader) -> Any:
    """The next message; raises IncompleteReadError at the stream's end."""
    length = LENGTH.unpack(await stream.readexactly(LENGTH.size))[0]
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
