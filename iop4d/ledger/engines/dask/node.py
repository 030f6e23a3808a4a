"""What runs within a Dask worker: it holds worker processes of iop4d, and hands them requests.

Its functions are the tasks that the daemon gives to Dask. Requests, context and outcomes are bytes
here as on the pipe: Dask looks into none of them.
"""

from __future__ import annotations

import asyncio
import os
import pickle
import secrets
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from iop4d.config import Daemon
from iop4d.ledger.engines.dask.versions import versions
from iop4d.ledger.engines.local import LocalProcesses
from iop4d.model.messages import Crashed, Outcome, Request

#: This process: another one at the same address is another worker.
NODE = secrets.token_hex(8)
_MAX_SITES = 2  # whose worker processes a Dask worker keeps at the same time


class What(StrEnum):
    """What became of a request."""

    DONE = "done"
    OTHER_PROCESS = "other process"  # the one that had it is gone
    NO_CONTEXT = "no context"  # the site's settings are not known here, or others
    NOT_STARTED = "not started"  # no worker process starts
    GIVEN_UP = "given up"


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What became of a request, its outcome as bytes, and the worker process that had it."""

    what: What
    outcome: bytes = b""
    why: str = ""
    pid: int = 0
    rss_mb: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Introduction:
    """What a Dask worker says of itself. ``files``: what is wrong with the site's files there."""

    node: str
    host: str
    pid: int
    versions: dict[str, str]
    files: str


@dataclass(frozen=True, kw_only=True)
class Terms:
    """How worker processes of a site are kept. ``digest``: of all this and of the context."""

    site: str
    digest: str
    settings: Daemon
    size: int
    module: str


@dataclass(kw_only=True)
class _Held:
    terms: Terms
    engine: LocalProcesses
    contexts: int = 1


_held: dict[str, _Held] = {}  # by the site
_running: dict[str, asyncio.Task[Outcome]] = {}  # by the job
#: Of who changes what is held: two requests of one daemon may introduce its site together.
_changing = asyncio.Lock()


def introduce(probe: Path, content: bytes, folders: Iterable[Path]) -> Introduction:
    """Who this is, and whether the site's files are here under the same paths."""
    return Introduction(node=NODE, host=socket.gethostname(), pid=os.getpid(),
                        versions=versions(), files=_wrong_with_files(probe, content, folders))


def _wrong_with_files(probe: Path, content: bytes, folders: Iterable[Path]) -> str:
    """What is wrong: a probe of the daemon must be read, an answer written, folders be there."""
    try:
        if probe.read_bytes() != content:
            return f"{probe.parent} is another folder there"
        probe.with_name(f"{probe.name}-{NODE}").write_bytes(content)
    except OSError as error:
        return f"{error.filename}: {error.strerror}"
    return "; ".join(f"{folder}: cannot be read" for folder in folders
                     if not os.access(folder, os.R_OK | os.X_OK))


async def take_context(node: str, terms: Terms, context: bytes) -> Answer:
    """Keep what workers of a site must know, and have one come up."""
    if node != NODE:
        return Answer(what=What.OTHER_PROCESS)
    async with _changing:
        held = await _keep(terms, context)
    return await _ready(held)


async def _keep(terms: Terms, context: bytes) -> _Held:
    """The worker processes of a site, on these terms and with this context."""
    held = _held.get(terms.site)
    if held is not None and (held.terms.settings, held.terms.size, held.terms.module) != (
            terms.settings, terms.size, terms.module):
        await leave(terms.site)
        held = None
    if held is None:
        while len(_held) >= _MAX_SITES:
            await leave(next(iter(_held)))
        held = _Held(terms=terms, engine=LocalProcesses(
            terms.settings, terms.size, worker_module=terms.module))
        _held[terms.site] = held
        held.engine.set_context(pickle.loads(context), 1)  # noqa: S301 - from our own daemon
        await held.engine.start()
    elif held.terms.digest != terms.digest:
        held.contexts += 1
        held.engine.set_context(pickle.loads(context), held.contexts)  # noqa: S301
        held.terms = terms
    return held


async def _ready(held: _Held) -> Answer:
    if await held.engine.ready():
        return Answer(what=What.DONE)
    return Answer(what=What.NOT_STARTED, why=held.engine.last_failure)


async def perform(node: str, site: str, digest: str, job: str, request: bytes,
                  label: str) -> Answer:
    """Have a request done by a worker process of the site."""
    if node != NODE:
        return Answer(what=What.OTHER_PROCESS)
    held = _held.get(site)
    if held is None or held.terms.digest != digest:
        return Answer(what=What.NO_CONTEXT)
    answer = await _ready(held)
    if answer.what is not What.DONE:
        return answer
    wanted: Request = pickle.loads(request)  # noqa: S301 - from our own daemon
    task = asyncio.create_task(held.engine.submit(wanted, label=label), name=label)
    _running[job] = task
    try:
        await asyncio.wait({task})
    finally:
        del _running[job]
        task.cancel()
    if task.cancelled():
        return Answer(what=What.GIVEN_UP)
    if isinstance(task.result(), Crashed) and _held.get(site) is not held:
        return Answer(what=What.NO_CONTEXT)  # its worker processes were ended, for another site
    status = held.engine.statuses[-1]
    return Answer(what=What.DONE, pid=status.pid, rss_mb=status.rss_mb,
                  outcome=pickle.dumps(task.result(), protocol=pickle.HIGHEST_PROTOCOL))


async def give_up(job: str) -> None:
    """End the worker process that does a job, and wait until it is gone."""
    task = _running.get(job)
    if task is not None:
        task.cancel()
        await asyncio.wait({task})


async def leave(site: str) -> None:
    """End the worker processes of a site."""
    held = _held.pop(site, None)
    if held is not None:
        await held.engine.stop()
