"""The engine of Dask: gives requests to the workers that are there, one each at a time.

As many requests are under way as there are places, so that the ledger chooses at the last moment
what comes next: a new frame passes a backlog here as it does with local processes.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import pickle
import re
import secrets
import socket
import time
from importlib.metadata import version as installed
from pathlib import Path

from iop4d import __version__
from iop4d.config import FolderArchive, Site
from iop4d.ledger.engines import RequestLostError, WorkerStatus
from iop4d.ledger.engines.dask import node
from iop4d.ledger.engines.dask.calls import call, is_reached
from iop4d.ledger.engines.dask.carrier import Carrier, NoRoomError, NotCarriedError
from iop4d.ledger.engines.dask.connect import Link
from iop4d.ledger.engines.dask.members import Member, Members, Seat, WorkerGoneError
from iop4d.ledger.engines.dask.node import Answer, Terms, What
from iop4d.ledger.engines.dask.versions import differences, versions
from iop4d.ledger.engines.local import WORKER
from iop4d.model.messages import Crashed, Outcome, Request

log = logging.getLogger(__name__)

_LOOK = 0.5  # seconds between looks at the scheduler
_PAUSE, _LONGEST_PAUSE = 1.0, 15.0  # seconds until a scheduler that is away is tried again
_INTRODUCE_IN = 60.0  # seconds
_ASK_AGAIN = 20.0  # seconds until a worker that was refused is asked again
_FREE_IN = 1.0  # seconds to wait for a free worker before it is asked whether there is any
_ALONE = 10.0  # seconds without workers before that is trouble
_STARTS_IN = 120.0  # the same, where they are started for the jobs that there are
_PROBE = ".probe-"  # how the names of probes begin
_GIVE_UP_IN = 3.0  # seconds for a worker to end what was given up


class DaskWorkers:
    """An engine of Dask's workers; see :class:`engines.Engine`.

    ``worker_module``: what a worker process runs, ``python -m`` of it.
    """

    def __init__(self, site: Site, *, worker_module: str = WORKER) -> None:
        self._site = site
        self._module = worker_module
        self._here = socket.gethostname()
        self._name = f"{self._here}:{site.root}"
        self._link = Link(site)
        self._carrier = Carrier(site, self._name, self._link)
        self._members = Members()
        self._context = b""
        self._digest = ""
        self._scheduler = ""  # its id
        self._tasks: set[asyncio.Task[None]] = set()
        self._away = "not connected yet"  # why there is no scheduler; empty if there is
        self._away_since = self._alone_since = time.monotonic()
        self._jobs = 0
        self.is_up = False

    # What the protocol asks for.

    @property
    def size(self) -> int:
        """How many requests are done at the same time now."""
        return len(self._members.seats)

    @property
    def statuses(self) -> list[WorkerStatus]:
        """What each worker does."""
        return [seat.status for seat in self._members.seats]

    @property
    def trouble(self) -> str:
        """Why nothing is done; empty while something is."""
        now = time.monotonic()
        if self._away:
            waited = now - self._away_since > _ALONE or self.is_up
            return f"the Dask scheduler {self._link.place} is unreachable: {self._away}" \
                if waited else ""
        if self._members.seats:
            return self._members.not_started
        if refused := self._members.refused:
            address, why = next(iter(refused.items()))
            return f"the worker {address} is refused: {why}" + (
                f"; {len(refused) - 1} more" if len(refused) > 1 else "")
        why, patience = self._link.failure, _STARTS_IN if self._may_have_none else _ALONE
        if self._needs_none or (not why and now - self._alone_since < patience):
            return ""
        return f"the Dask scheduler {self._link.place} has no workers{why and f': {why}'}"

    @property
    def _may_have_none(self) -> bool:
        """Whether there are workers only while there are jobs."""
        return self._site.workers.adaptive[:1] == (0,)

    @property
    def _needs_none(self) -> bool:
        """Whether there need be none now, as there are no jobs."""
        return self._may_have_none and not self._jobs

    @property
    def adapts(self) -> bool:
        """Whether the number of workers follows the queue."""
        return bool(self._site.workers.adaptive)

    def set_context(self, context: object, version: int) -> None:
        """What workers must know, from the next request on."""
        self._context = pickle.dumps(context, protocol=pickle.HIGHEST_PROTOCOL)
        settings = repr((self._site.daemon, self._module, version)).encode()
        self._digest = hashlib.sha256(settings + self._context).hexdigest()

    def want(self, jobs: int) -> None:
        """Have more workers started, or fewer, where the site file allows that."""
        self._jobs = jobs

    async def start(self) -> None:
        """Begin to look for the scheduler."""
        await asyncio.to_thread(_remove_probe, self._site.root / _PROBE)  # of a daemon that crashed
        self._start(self._follow(), "the scheduler")

    async def ready(self) -> bool:
        """Wait for a free worker for a moment; whether one can begin a request at once."""
        seat = await self._members.take(_FREE_IN)
        if seat is None:
            return False
        try:
            await self._prepare(seat.member)
            self.is_up = True
            return True
        except (WorkerGoneError, RequestLostError) as error:
            if isinstance(error, NoRoomError):
                self._members.dismiss(seat.member, error)
            # This may fail at once, and is tried again at once: the connection must have its turn.
            await asyncio.sleep(_LOOK)
            return False
        finally:
            await self._members.give_back([seat])

    async def submit(self, request: Request, *, label: str) -> Outcome:
        """Have a request done by a worker that is free."""
        seat = await self._members.take(_FREE_IN)
        if seat is None:
            raise RequestLostError("no worker is free")
        status = seat.status
        status.state, status.job, status.since = "busy", label, time.time()
        try:
            return await self._done(seat, request, label)
        finally:
            status.state, status.job = "idle", ""
            status.jobs += 1
            await self._members.give_back([seat])

    async def stop(self) -> None:
        """End all worker processes of this site, and the cluster if it is ours."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._link.client is not None:
            await asyncio.gather(*(
                self._link.run(node.leave, self._name, address=member.address,
                               seconds=_GIVE_UP_IN) for member in self._members.known))
        self._members.dismiss_all("the daemon stopped")
        await self._link.close()

    # A request.

    async def _done(self, seat: Seat, request: Request, label: str) -> Outcome:
        member = seat.member
        job = f"{member.session}-{secrets.token_hex(8)}"
        try:
            if not member.is_staged:
                return await self._performed(seat, request, job, label)
            try:
                return await self._carried(seat, request, job, label)
            except NotCarriedError as error:
                return error.outcome
        except WorkerGoneError as error:
            if not member.gone.done():  # it still does what is awaited no more
                self._start(self._link.run(node.give_up, self._name, job, address=member.address,
                                           seconds=_GIVE_UP_IN), f"end of {label}")
            return Crashed(how=f"its worker {member.address} was lost: {error}")
        except NoRoomError as error:
            self._members.dismiss(member, error)  # it is asked again, and refused while it is full
            raise
        except RequestLostError:
            raise
        except asyncio.CancelledError:
            await self._link.run(node.give_up, self._name, job, address=member.address,
                                 seconds=_GIVE_UP_IN)
            raise
        except Exception as error:  # noqa: BLE001 - of Dask or of reading: that one job's
            return Crashed(how=f"the worker {member.address} cannot do it: {error!r}")

    async def _carried(self, seat: Seat, request: Request, job: str, label: str) -> Outcome:
        """Have a request done by a worker to which its files must travel."""
        member = seat.member
        try:
            try:
                await self._carrier.send(member, job, request)
            except WorkerGoneError as error:  # it did not get the request
                self._members.dismiss(member, error)
                raise RequestLostError(f"its worker {member.address} was lost: {error}") from error
            return await self._performed(seat, request, job, label)
        finally:
            if not member.gone.done():
                self._start(self._carrier.clear(member, job, request), f"end of {label}")

    async def _performed(self, seat: Seat, request: Request, job: str, label: str) -> Outcome:
        member = seat.member
        body = pickle.dumps(request, protocol=pickle.HIGHEST_PROTOCOL)
        for _ in range(2):  # the context may have changed since
            try:
                await self._prepare(member)
            except WorkerGoneError as error:  # it did not get the request
                raise RequestLostError(f"its worker {member.address} was lost: {error}") from error
            answer: Answer = await call(
                self._link, member, node.perform, member.node, self._name, member.digest, job,
                body, label)
            if answer.what is What.DONE:
                await self._carrier.fetch(member, job, request, answer.products)
                seat.status.pid = answer.pid if seat.status.host == self._here else 0
                seat.status.rss_mb = answer.rss_mb
                return _outcome(answer.outcome)
            member.digest = ""
            if answer.what is What.NO_ROOM:
                raise NoRoomError(f"the worker {member.address} keeps no files: {answer.why}")
            if answer.what is What.OTHER_PROCESS:
                gone = WorkerGoneError("another process took its place")
                self._members.dismiss(member, gone)
                raise gone
        raise RequestLostError(answer.why or answer.what.value)

    async def _prepare(self, member: Member) -> None:
        """Have the worker know the site's settings and the catalogue as they are now."""
        digest = f"{self._digest}{'-staged' if member.is_staged else ''}"
        if member.digest == digest:
            return
        terms = Terms(site=self._name, digest=digest, settings=self._site.daemon,
                      size=member.threads, module=self._module, staged=member.is_staged)
        try:
            if member.is_staged:
                await self._carrier.send_index(member)
            answer: Answer = await call(self._link, member, node.take_context, member.node, terms,
                                        self._context)
        except (WorkerGoneError, RequestLostError):
            raise
        except Exception as error:
            await asyncio.sleep(_PAUSE)
            raise RequestLostError(f"{member.address}: {error!r}") from error
        if answer.what is What.OTHER_PROCESS:
            self._members.dismiss(member, WorkerGoneError("another process took its place"))
            raise WorkerGoneError("another process took its place")
        if answer.what is What.NOT_STARTED:
            member.not_started = f"no worker process starts at {member.address}: {answer.why}"
            raise RequestLostError(member.not_started)
        member.digest, member.not_started = digest, ""

    # The scheduler and its workers.

    async def _follow(self) -> None:
        """Keep the connection, and follow which workers come and go."""
        pause = _PAUSE
        while True:
            try:
                await self._link.open()
                self._scheduler = ""
                while True:
                    await self._look()
                    pause = _PAUSE
                    await asyncio.sleep(_LOOK)
            except Exception as error:  # noqa: BLE001 - whatever Dask raises: it is tried again
                self._lose(error)
            await self._link.close()
            await asyncio.sleep(pause)
            pause = min(2.0 * pause, _LONGEST_PAUSE)

    async def _look(self) -> None:
        found = await self._link.look()
        if self._scheduler not in ("", found["id"]):
            raise ConnectionError("it was restarted")
        if self._away:
            log.info("connected with the Dask scheduler %s", self._link.place)
        self._scheduler, self._away = found["id"], ""
        for member in self._members.follow(found["workers"]):
            self._start(self._introduce(member), f"introduction of {member.address}")
        self.is_up = self.is_up or self._may_have_none
        if self.size or self._needs_none:
            self._alone_since = time.monotonic()
        await self._link.scale(self._jobs, len(found["workers"]))

    def _lose(self, error: Exception) -> None:
        """The scheduler is gone: what is under way goes back to the ledger and costs nothing."""
        if not self._away:
            self._away_since = time.monotonic()
            log.error("the Dask scheduler %s is unreachable: %s", self._link.place, _said(error))
        self._away = _said(error)
        self._members.dismiss_all("the scheduler is unreachable")

    async def _introduce(self, member: Member) -> None:
        """Ask a new worker who it is, until it is fit or gone."""
        while not member.gone.done():
            try:
                async with asyncio.timeout(_INTRODUCE_IN):
                    why = await self._ask(member)
            except (WorkerGoneError, RequestLostError):
                await asyncio.wait({member.gone}, timeout=_PAUSE)
                continue  # the connection may have been lost for a moment only
            except Exception as error:  # noqa: BLE001 - whatever it raises is why it is refused
                why = await self._other_version(member) or (
                    f"it cannot introduce itself: {_said(error)}")
            if not why or member.gone.done():
                return
            if self._members.refused.get(member.address) != why:
                log.error("the Dask worker %s is refused: %s", member.address, why)
            self._members.refuse(member, why)
            await asyncio.wait({member.gone}, timeout=_ASK_AGAIN)

    async def _ask(self, member: Member) -> str:
        """Why a worker is not fit; empty if it is, and has its places."""
        member.is_direct = await is_reached(self._link, member.address)
        probe = self._site.root / f"{_PROBE}{secrets.token_hex(8)}"
        content = secrets.token_bytes(16)
        await asyncio.to_thread(probe.write_bytes, content)
        try:
            said: node.Introduction = await call(
                self._link, member, node.introduce, self._name, member.session, probe, content,
                self._folders())
            if wrong := differences(versions(), said.versions):
                return wrong
            answer = probe.with_name(f"{probe.name}-{said.node}")
            sees_files = not said.files and await asyncio.to_thread(answer.exists)
        finally:
            await asyncio.to_thread(_remove_probe, probe)
        why = said.files or "what it wrote does not arrive here"
        if not (sees_files or self._site.workers.transfer):
            return f"the site's files are not there under the same paths: {why}"
        member.node, member.is_staged = said.node, not sees_files
        if member.is_staged:
            if no_room := await self._carrier.open(member):
                return no_room
            log.info("files travel to the Dask worker %s: %s", member.address, why)
        await self._members.admit(member, said, here=self._here)
        return ""

    async def _other_version(self, member: Member) -> str:
        """That a worker which does not understand us has another iop4d, or none; else nothing."""
        try:
            async with asyncio.timeout(_INTRODUCE_IN):
                theirs = await call(self._link, member, installed, "iop4d")
        except Exception as error:  # noqa: BLE001 - it is said then why it does not understand
            return "iop4d is not installed there" if "PackageNotFound" in repr(error) else ""
        return differences({"iop4d": __version__}, {"iop4d": str(theirs)})

    def _folders(self) -> list[Path]:
        return [*self._site.astrometry.index, *(
            archive.path for archive in self._site.archive if isinstance(archive, FolderArchive))]

    def _start(self, work: object, name: str) -> None:
        assert asyncio.iscoroutine(work)
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _outcome(body: bytes) -> Outcome:
    try:
        outcome: Outcome = pickle.loads(body)  # noqa: S301 - from our own worker
    except Exception as error:  # noqa: BLE001 - whatever cannot be unpickled is one job's fault
        return Crashed(how=f"its answer cannot be read: {error!r}")
    return outcome


def _said(error: BaseException) -> str:
    """An error in words, with what it arose from where Dask says no more than that it is one."""
    text = " ".join(str(error).split())[:300] or type(error).__name__
    below = error.__cause__
    if isinstance(below, OSError) and str(below) and (why := _said(below)) not in text:
        return f"{text}: {re.sub(r'^in <[^>]*>: ', '', why)}"
    return text


def _remove_probe(probe: Path) -> None:
    for path in probe.parent.glob(f"{probe.name}*"):
        with contextlib.suppress(OSError):
            path.unlink()
