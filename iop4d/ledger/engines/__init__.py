"""Who does the work of the ledger: local processes, or whatever else speaks this protocol."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from iop4d.model.messages import Outcome, Request


class RequestLostError(Exception):
    """The engine could not have a request done, through no fault of the request: give it back."""


@dataclass(kw_only=True)
class WorkerStatus:
    """What a worker does, for people. ``pid``: of its process, 0 if it is none of this machine;
    ``host``: the machine it is on, where workers may be on others."""

    pid: int = 0
    state: str = "starting"
    job: str = ""
    since: float = 0.0
    jobs: int = 0
    rss_mb: float = 0.0
    host: str = ""


class Engine(Protocol):
    """Does requests. Whatever happens to a worker is an outcome of the one request it had.

    An engine that loses a request loses no frame: the ledger is the truth.
    """

    @property
    def size(self) -> int:
        """How many requests are done at the same time now; workers may come and go."""

    @property
    def statuses(self) -> list[WorkerStatus]:
        """What each worker does."""

    @property
    def is_up(self) -> bool:
        """Whether a worker has ever come up."""

    @property
    def trouble(self) -> str:
        """Why no worker comes up, after some tries; empty while they do."""

    @property
    def adapts(self) -> bool:
        """Whether it gets more workers where there are more jobs, and wants to know how many."""

    def set_context(self, context: object, version: int) -> None:
        """What workers must know, from the next request on; plain frozen values."""

    async def start(self) -> None:
        """Begin; workers may still be coming up when it returns."""

    async def ready(self) -> bool:
        """Wait for a worker to come up; whether one can begin a request at once."""

    async def submit(self, request: Request, *, label: str) -> Outcome:
        """Have a request done; if this is cancelled, the request is given up.

        Raises RequestLostError where the engine lost it, through no fault of the request.
        """

    def want(self, jobs: int) -> None:
        """Say how many jobs there are to do, for an engine that can get more workers."""

    async def stop(self) -> None:
        """End all workers."""
