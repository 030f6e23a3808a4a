"""Files on their way to a worker that does not see the site's, and what it made on its way back."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import BinaryIO

from iop4d.config import Site
from iop4d.fits.atomic import write_atomic
from iop4d.ledger.engines import RequestLostError
from iop4d.ledger.engines.dask import node
from iop4d.ledger.engines.dask.calls import call
from iop4d.ledger.engines.dask.connect import Link
from iop4d.ledger.engines.dask.members import Member, WorkerGoneError
from iop4d.ledger.engines.dask.node import Answer, What
from iop4d.ledger.engines.dask.stage import Part, Product
from iop4d.ledger.engines.dask.travel import files_of, index_files_of
from iop4d.model.messages import CHANGED, NO_SPACE, UNREADABLE, Failed, MasterRequest, Request

_PIECE = 8 << 20  # bytes
_MOST_KEPT = 4 << 30  # bytes of masters at a worker, the oldest removed beyond
_Stat = tuple[int, int]  # size, and time of the last change in ns


class NoRoomError(RequestLostError):
    """The worker's disk is full: another one is to do what it had."""


class NotCarriedError(Exception):
    """A file did not get to the worker or back; ``outcome``: what that is for the job."""

    def __init__(self, outcome: Failed) -> None:
        super().__init__(outcome.reason)
        self.outcome = outcome


@dataclass(kw_only=True)
class Kept:
    """What a worker keeps of the site's files."""

    files: dict[Path, _Stat] = field(default_factory=dict)  # the one sent last is the last one
    sending: asyncio.Lock = field(default_factory=asyncio.Lock)

    def surplus(self, needed: Iterable[Path]) -> tuple[Path, ...]:
        """Forget the oldest that are too many, but none that is needed now."""
        total, gone, needed = sum(size for size, _ in self.files.values()), [], set(needed)
        for path, (size, _) in list(self.files.items()):
            if total <= _MOST_KEPT:
                break
            if path not in needed:
                total -= size
                gone.append(path)
                del self.files[path]
        return tuple(gone)


class Carrier:
    """Carries the files of requests. ``name``: of the site at the workers."""

    def __init__(self, site: Site, name: str, link: Link) -> None:
        self._site = site
        self._name = name
        self._link = link
        self._kept: dict[str, Kept] = {}  # by the worker's random name

    async def open(self, member: Member) -> str:
        """Have a worker make a place for files: why it has no room for them, or nothing.

        Raises what a call raises.
        """
        answer: Answer = await call(self._link, member, node.open_stage, member.node, self._name)
        if answer.what is What.NO_ROOM:
            return f"it keeps no files: {answer.why}"
        _check(member, answer)
        self._kept = {name: kept for name, kept in self._kept.items() if name != member.node}
        return ""

    async def send_index(self, member: Member) -> None:
        """Send the index files, as far as the worker does not have them."""
        await self._keep(member, await asyncio.to_thread(index_files_of, self._site))

    async def send(self, member: Member, job: str, request: Request) -> None:
        """Send the files of a request; raises NotCarriedError where one cannot be sent."""
        files = files_of(request)
        await self._keep(member, files.masters)
        for path in files.frames:
            try:
                await self._send(member, job, path)
            except OSError as error:
                # It is missed there as it would be here, and that is the worker's to tell.
                if error.errno != errno.ENOENT and not isinstance(request, MasterRequest):
                    raise NotCarriedError(Failed(
                        stage=UNREADABLE, reason=f"{error.strerror}: {path}")) from error

    async def fetch(self, member: Member, job: str, request: Request,
                    products: Iterable[Product]) -> None:
        """Put what a job wrote into its place, each file as a whole, once its checksum is right.

        Raises NotCarriedError where there is no room, or a file did not arrive as it was written.
        """
        loop = asyncio.get_running_loop()
        for product in products:
            pieces = partial(self._pieces, member, job, product, loop)
            try:
                await asyncio.to_thread(_place, product, pieces,
                                        durable=isinstance(request, MasterRequest))
            except OSError as error:
                stage = NO_SPACE if error.errno in (errno.ENOSPC, errno.EDQUOT) else UNREADABLE
                raise NotCarriedError(Failed(
                    stage=stage, reason=f"{error.strerror}: {product.path}")) from error

    async def clear(self, member: Member, job: str, request: Request) -> None:
        """Have the worker remove the files of a job that is over."""
        surplus = self._of(member).surplus(files_of(request).masters)
        await self._link.run(node.clear, self._name, job, surplus, address=member.address,
                             seconds=10.0)

    def _of(self, member: Member) -> Kept:
        return self._kept.setdefault(member.node, Kept())

    async def _keep(self, member: Member, paths: Iterable[Path]) -> None:
        kept = self._of(member)
        async with kept.sending:
            for path in paths:
                try:
                    stat = _identity(await asyncio.to_thread(path.stat))
                    if kept.files.get(path) != stat:
                        await self._send(member, "", path)
                    kept.files.pop(path, None)
                    kept.files[path] = stat
                except FileNotFoundError:
                    continue  # it is missed there as it would be here
                except OSError as error:
                    raise NotCarriedError(Failed(
                        stage=UNREADABLE, reason=f"{error.strerror}: {path}")) from error

    async def _send(self, member: Member, job: str, path: Path) -> None:
        """Send a file piece by piece; raises OSError, and NotCarriedError where it changes."""
        found, offset = hashlib.sha256(), 0
        with await asyncio.to_thread(path.open, "rb") as file:
            before = _identity(os.fstat(file.fileno()))
            is_last = False
            while not is_last:
                data, now = await asyncio.to_thread(_next, file, path, found)
                is_last = offset + len(data) >= before[0] or not data
                if is_last and (now != before or offset + len(data) != before[0]):
                    raise NotCarriedError(Failed(
                        stage=CHANGED, reason="the file changed while it was read"))
                answer: Answer = await call(
                    self._link, member, node.take_part, member.node, self._name,
                    Part(job=job, path=path, offset=offset, data=data, mtime_ns=before[1],
                         sha256=found.hexdigest() if is_last else ""))
                _check(member, answer)
                offset += len(data)

    def _pieces(self, member: Member, job: str, product: Product,
                loop: asyncio.AbstractEventLoop) -> Iterator[bytes]:
        """A product, for a thread that writes it; raises NotCarriedError at its end if wrong."""
        found = hashlib.sha256()
        for offset in range(0, product.size, _PIECE):
            asked = call(self._link, member, node.give_part, self._name, job, product.path,
                         offset, _PIECE)
            data: bytes = asyncio.run_coroutine_threadsafe(asked, loop).result()
            found.update(data)
            yield data
        if found.hexdigest() != product.sha256:
            raise NotCarriedError(Failed(
                stage=UNREADABLE, reason=f"{product.path} did not arrive as {member.address} "
                "wrote it: its checksum is wrong"))


def _place(product: Product, pieces: partial[Iterator[bytes]], *, durable: bool) -> None:
    write_atomic(product.path, pieces(), durable=durable)


def _next(file: BinaryIO, path: Path, found: hashlib._Hash) -> tuple[bytes, _Stat]:
    data = file.read(_PIECE)
    found.update(data)
    return data, _identity(path.stat())


def _identity(stat: os.stat_result) -> _Stat:
    return stat.st_size, stat.st_mtime_ns


def _check(member: Member, answer: Answer) -> None:
    if answer.what is What.OTHER_PROCESS:
        raise WorkerGoneError("another process took its place")
    if answer.what is What.NO_ROOM:
        raise NoRoomError(f"the worker {member.address} keeps no files: {answer.why}")
    if answer.what is What.NO_FILES:
        raise NotCarriedError(Failed(
            stage=UNREADABLE,
            reason=f"the worker {member.address} cannot keep files: {answer.why}"))


