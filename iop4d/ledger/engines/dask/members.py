"""The workers of Dask that do a site's work: who is there, who is free, who is refused."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from iop4d.ledger.engines import RequestLostError, WorkerStatus
from iop4d.ledger.engines.dask.node import Introduction
from iop4d.ledger.engines.process import rss_mb

_SILENT = 20.0  # seconds without a heartbeat after which a worker counts as gone


class WorkerGoneError(Exception):
    """The worker that had a request is gone; the message says how."""


@dataclass(kw_only=True, eq=False)
class Member:
    """A worker of Dask. ``gone``: once it is lost, what calls that wait for it raise; ``session``:
    how the names of its jobs begin, another one each time that it joins."""

    address: str
    threads: int
    gone: asyncio.Future[WorkerGoneError | RequestLostError]
    session: str = field(default_factory=lambda: secrets.token_hex(4))
    host: str = ""
    node: str = ""
    digest: str = ""  # of the context that it has
    not_started: str = ""  # why no worker process starts there
    seats: list[Seat] = field(default_factory=list)
    is_staged: bool = False  # whether files travel to it, as it does not see the site's
    is_direct: bool = True  # whether it is reached from here, not through the scheduler alone
    seen: float = 0.0  # by the scheduler's clock
    changed_at: float = field(default_factory=time.monotonic)  # when that changed, by ours


@dataclass(kw_only=True, eq=False)
class Seat:
    """The place of one request at a worker of Dask."""

    member: Member
    status: WorkerStatus


class Members:
    """The workers that are there, by their address."""

    def __init__(self) -> None:
        self._known: dict[str, Member] = {}
        self._free: list[Seat] = []
        self._changed = asyncio.Condition()
        self.refused: dict[str, str] = {}  # address to why

    @property
    def seats(self) -> list[Seat]:
        """All places."""
        return [seat for member in self._known.values() for seat in member.seats]

    @property
    def not_started(self) -> str:
        """Why no worker process starts anywhere; empty where one can."""
        failures = [member.not_started for member in self._known.values() if member.seats]
        return failures[0] if failures and all(failures) else ""

    @property
    def known(self) -> list[Member]:
        """All workers, those that have not introduced themselves too."""
        return list(self._known.values())

    def follow(self, workers: Mapping[str, Mapping[str, Any]]) -> list[Member]:
        """Dismiss workers that are gone or silent; those that are new."""
        now = time.monotonic()
        for address, member in list(self._known.items()):
            worker = workers.get(address)
            if worker is None:
                self.dismiss(member, WorkerGoneError("it left the scheduler"))
                continue
            if worker["last_seen"] != member.seen and member.gone.done():
                del self._known[address]  # it was silent: it introduces itself again
            elif worker["last_seen"] != member.seen:
                member.seen, member.changed_at = worker["last_seen"], now
            elif now - member.changed_at > _SILENT and not member.gone.done():
                self.silence(member)
        new = [Member(address=address, threads=int(worker["nthreads"]),
                      gone=asyncio.get_running_loop().create_future(),
                      seen=worker["last_seen"])
               for address, worker in workers.items() if address not in self._known]
        self._known |= {member.address: member for member in new}
        self.refused = {address: why for address, why in self.refused.items()
                        if address in workers}
        return new

    async def admit(self, member: Member, said: Introduction, *, here: str) -> None:
        """Give places to a worker that introduced itself, unless it is gone by now."""
        if member.gone.done():
            return
        member.node, member.host = said.node, said.host
        self.refused.pop(member.address, None)
        pid = said.pid if said.host == here else 0
        member.seats = [Seat(member=member, status=WorkerStatus(
            state="idle", pid=pid, host=said.host, rss_mb=rss_mb(pid) if pid else 0.0))
                        for _ in range(member.threads)]
        async with self._changed:
            self._free += member.seats
            self._changed.notify_all()

    def refuse(self, member: Member, why: str) -> None:
        """Leave a worker out; it is asked again while it is there."""
        self.refused[member.address] = why

    def dismiss(self, member: Member, why: WorkerGoneError | RequestLostError) -> None:
        """Forget a worker that is gone; what it had is lost."""
        self._known.pop(member.address, None)
        self._take_places(member, why)

    def silence(self, member: Member) -> None:
        """Give a worker that sends no heartbeat nothing; it may come back."""
        self._take_places(member, WorkerGoneError(f"no heartbeat for {_SILENT:g} s"))
        self.refused[member.address] = f"it has shown no heartbeat for {_SILENT:g} s"

    def _take_places(self, member: Member, why: WorkerGoneError | RequestLostError) -> None:
        self._free = [seat for seat in self._free if seat.member is not member]
        member.seats = []
        if not member.gone.done():
            member.gone.set_result(why)

    def dismiss_all(self, why: str) -> None:
        """Forget all workers."""
        for member in list(self._known.values()):
            self.dismiss(member, RequestLostError(why))

    async def take(self, seconds: float) -> Seat | None:
        """A place that is free, the one that came free last first; None if none comes free."""
        try:
            async with asyncio.timeout(seconds), self._changed:
                await self._changed.wait_for(lambda: self._free)
                return self._free.pop()
        except TimeoutError:
            return None

    async def give_back(self, seats: Iterable[Seat]) -> None:
        """A place is free again, unless its worker is gone."""
        async with self._changed:
            self._free += [seat for seat in seats if seat in seat.member.seats]
            self._changed.notify_all()
