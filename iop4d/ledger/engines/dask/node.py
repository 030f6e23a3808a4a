"""What runs within a Dask worker: it holds worker processes of iop4d, and hands them requests.

Its functions are what the daemon calls on a worker (``calls.call``). Requests, context and outcomes
are bytes on their way, as on the pipe: Dask looks into none of them.
"""

from __future__ import annotations

import asyncio
import logging
import os
import pickle
import secrets
import shutil
import socket
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from iop4d.config import Daemon
from iop4d.ledger.engines.dask.stage import Part, Product, Stage
from iop4d.ledger.engines.dask.travel import files_of, moved, moved_context, named_here
from iop4d.ledger.engines.dask.versions import versions
from iop4d.ledger.engines.local import LocalProcesses
from iop4d.model.messages import NO_SPACE, Crashed, Failed, Outcome, Request

#: This process: another one at the same address is another worker.
NODE = secrets.token_hex(8)
_LEAST_FREE = 512 << 20  # bytes, below which a worker's disk is too full for files to come
_MAX_SITES = 2  # whose worker processes a Dask worker keeps at the same time


class What(StrEnum):
    """What became of a request."""

    DONE = "done"
    OTHER_PROCESS = "other process"  # the one that had it is gone
    NO_CONTEXT = "no context"  # the site's settings are not known here, or others
    NOT_STARTED = "not started"  # no worker process starts
    GIVEN_UP = "given up"
    NO_FILES = "no files"  # what was sent did not arrive so
    NO_ROOM = "no room"  # on the disk where files are kept


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What became of a request, its outcome as bytes, and the worker process that had it.

    ``products``: the files that it wrote, where they are not the daemon's.
    """

    what: What
    outcome: bytes = b""
    why: str = ""
    pid: int = 0
    rss_mb: float = 0.0
    products: tuple[Product, ...] = ()


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
    """How worker processes of a site are kept. ``digest``: of all this and of the context;
    ``staged``: whether its files travel."""

    site: str
    digest: str
    settings: Daemon
    size: int
    module: str
    staged: bool = False


@dataclass(kw_only=True)
class _Held:
    terms: Terms
    engine: LocalProcesses
    contexts: int = 1


_held: dict[str, _Held] = {}  # by the site
_stages: dict[str, Stage] = {}  # of those whose files travel, by the site
_running: dict[tuple[str, str], asyncio.Task[Outcome]] = {}  # by the site and the job
#: Of who changes what is held: two requests of one daemon may introduce its site together.
_changing = asyncio.Lock()


async def introduce(site: str, session: str, probe: Path, content: bytes,
                    folders: Iterable[Path]) -> Introduction:
    """Who this is, and whether the site's files are here under the same paths.

    What is still done here from before it joined (``session``: how its jobs begin from now on) is
    given up: nothing waits for it.
    """
    logging.getLogger("distributed.worker").addFilter(_is_news)
    await asyncio.gather(*(give_up(site, job) for of, job in list(_running)
                           if of == site and not job.startswith(session)))
    files = await asyncio.to_thread(_wrong_with_files, probe, content, folders)
    return Introduction(node=NODE, host=socket.gethostname(), pid=os.getpid(),
                        versions=versions(), files=files)


def _is_news(record: logging.LogRecord) -> bool:
    """Whether Dask has more to log than that one of our functions was called."""
    return not record.msg.startswith("Run out-of-band function")


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
    if node != NODE or (terms.staged and terms.site not in _stages):
        return Answer(what=What.OTHER_PROCESS)
    async with _changing:
        held = await _keep(terms, context)
    return await _ready(held)


async def _keep(terms: Terms, context: bytes) -> _Held:
    """The worker processes of a site, on these terms and with this context."""
    held = _held.get(terms.site)
    if held is not None and (held.terms.settings, held.terms.size, held.terms.module) != (
            terms.settings, terms.size, terms.module):
        await _end_processes(terms.site)
        held = None
    if held is None:
        while len(_held) >= _MAX_SITES:
            await leave(next(iter(_held)))
        held = _Held(terms=terms, engine=LocalProcesses(
            terms.settings, terms.size, worker_module=terms.module))
        _held[terms.site] = held
        held.engine.set_context(_context(terms, context), 1)
        await held.engine.start()
    elif held.terms.digest != terms.digest:
        held.contexts += 1
        held.engine.set_context(_context(terms, context), held.contexts)
        held.terms = terms
    return held


def _context(terms: Terms, context: bytes) -> object:
    """What worker processes must know, with the paths of here."""
    known: object = pickle.loads(context)  # noqa: S301 - from our own daemon
    return moved_context(known, _stages[terms.site].places("").kept) if terms.staged else known


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
    stage = _stages[site] if held.terms.staged else None
    there = moved(wanted, stage.places(job)) if stage else wanted
    task = asyncio.create_task(held.engine.submit(there, label=label), name=label)
    _running[site, job] = task
    try:
        await asyncio.wait({task})
    finally:
        del _running[site, job]
        task.cancel()
    if task.cancelled():
        return Answer(what=What.GIVEN_UP)
    if isinstance(task.result(), Crashed) and _held.get(site) is not held:
        return Answer(what=What.NO_CONTEXT)  # its worker processes were ended, for another site
    status = held.engine.statuses[-1]
    answer = Answer(what=What.DONE, pid=status.pid, rss_mb=status.rss_mb)
    return await _with_outcome(answer, task.result(), wanted, stage, job)


async def _with_outcome(answer: Answer, outcome: Outcome, wanted: Request, stage: Stage | None,
                        job: str) -> Answer:
    if stage is not None and isinstance(outcome, Failed) and outcome.stage == NO_SPACE:
        return replace(answer, what=What.NO_ROOM, why=outcome.reason)
    if stage is not None:
        outcome = named_here(outcome, stage.places(job))
        answer = replace(answer, products=await asyncio.to_thread(
            stage.products, job, files_of(wanted).products))
    return replace(answer, outcome=pickle.dumps(outcome, protocol=pickle.HIGHEST_PROTOCOL))


async def give_up(site: str, job: str) -> None:
    """End the worker process that does a job, and wait until it is gone."""
    task = _running.get((site, job))
    if task is not None:
        task.cancel()
        await asyncio.wait({task})


async def leave(site: str) -> None:
    """End the worker processes of a site, and remove its files that came here."""
    await _end_processes(site)
    stage = _stages.pop(site, None)
    if stage is not None:
        await asyncio.to_thread(stage.remove)


async def _end_processes(site: str) -> None:
    held = _held.pop(site, None)
    if held is not None:
        await held.engine.stop()


# Files that travel.

async def open_stage(node: str, site: str, dask_worker: Any = None) -> Answer:
    """Make an empty place for the files of a site, in the folder of Dask's worker."""
    if node != NODE:
        return Answer(what=What.OTHER_PROCESS)
    await leave(site)
    folder = Path(dask_worker.local_directory)
    try:
        free = await asyncio.to_thread(lambda: shutil.disk_usage(folder).free)
    except OSError as error:
        return Answer(what=What.NO_ROOM, why=f"{folder}: {error.strerror}")
    if free < _LEAST_FREE:
        return Answer(what=What.NO_ROOM, why=f"{free >> 20} MB are free in {folder}, less than "
                                             f"{_LEAST_FREE >> 20}")
    _stages[site] = Stage(folder / f"iop4d-{secrets.token_hex(4)}")
    return Answer(what=What.DONE)


async def take_part(node: str, site: str, part: Part) -> Answer:
    """Keep a piece of a file."""
    if node != NODE or site not in _stages:
        return Answer(what=What.OTHER_PROCESS)
    try:
        why = await asyncio.to_thread(_stages[site].put, part)
    except OSError as error:
        return Answer(what=What.NO_ROOM, why=f"{error.strerror}: {error.filename or part.path}")
    return Answer(what=What.NO_FILES if why else What.DONE, why=why)


async def give_part(site: str, job: str, path: Path, offset: int, length: int) -> bytes:
    """A piece of a file that a job wrote."""
    return await asyncio.to_thread(_stages[site].read, job, path, offset, length)


async def clear(site: str, job: str, forget: tuple[Path, ...]) -> None:
    """Remove the files of a job that is over, and kept ones that are not needed."""
    if site in _stages:
        await asyncio.to_thread(_stages[site].clear, job)
        await asyncio.to_thread(_stages[site].forget, forget)
