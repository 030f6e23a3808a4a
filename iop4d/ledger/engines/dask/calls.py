"""One call of a function on one worker of Dask, with one end whatever happens there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from distributed.core import clean_exception, send_recv
from distributed.protocol.pickle import dumps

from iop4d.ledger.engines import RequestLostError
from iop4d.ledger.engines.dask.connect import Link
from iop4d.ledger.engines.dask.members import Member, WorkerGoneError

_CONNECT_IN = 5.0  # seconds
#: Seconds to wait, once a connection broke, until the scheduler tells whose end that was.
_ANSWER_OF_SCHEDULER_IN = 2.0


async def call(link: Link, member: Member, function: Callable[..., Any], *args: Any) -> Any:
    """What a function, async or not, answers on that worker and no other.

    It goes to the worker itself, not through the tasks of the scheduler, which would run it again
    where the worker died. Raises WorkerGoneError if the worker is gone, RequestLostError if the
    scheduler is, or if the worker was not reached, and what the function raised.
    """
    if member.gone.done():
        raise member.gone.result()
    if link.client is None:
        raise RequestLostError("there is no scheduler")
    asking = _directly if member.is_direct else _through_scheduler
    asked = asyncio.create_task(asking(link.client, member.address, function, args),
                                name=f"answer of {member.address}")
    try:
        await asyncio.wait({asked, member.gone}, return_when=asyncio.FIRST_COMPLETED)
        if not asked.done():
            raise member.gone.result()
        if asked.cancelled():
            raise RequestLostError("the connection to the scheduler was lost")
        return asked.result()
    except OSError as error:
        await asyncio.wait({member.gone}, timeout=_ANSWER_OF_SCHEDULER_IN)
        if member.gone.done():
            raise member.gone.result() from None
        raise WorkerGoneError(f"the connection to it was lost: {error}") from error
    finally:
        asked.add_done_callback(_forget)
        asked.cancel()


async def is_reached(link: Link, address: str) -> bool:
    """Whether there is a way from here to a worker that does not lead through the scheduler."""
    pool = link.client.rpc
    try:
        async with asyncio.timeout(_CONNECT_IN):
            pool.reuse(address, await pool.connect(address))
    except OSError:
        return False
    return True


async def _directly(client: Any, address: str, function: Any, args: tuple[Any, ...]) -> Any:
    pool = client.rpc
    try:
        async with asyncio.timeout(_CONNECT_IN):
            comm = await pool.connect(address)
    except (OSError, RuntimeError) as error:  # the latter: the client was closed meanwhile
        raise RequestLostError(f"the worker {address} cannot be reached: {error}") from error
    try:
        answer = await send_recv(comm, op="run", function=dumps(function), args=dumps(args),
                                 kwargs=dumps({}), wait=True)
    finally:
        pool.reuse(address, comm)
    if answer["status"] == "error":
        raise RuntimeError(repr(clean_exception(**answer)[1]))
    return answer["result"]


async def _through_scheduler(client: Any, address: str, function: Any,
                             args: tuple[Any, ...]) -> Any:
    answers = await client.run(function, *args, workers=[address])
    return answers[address]


def _forget(asked: asyncio.Task[Any]) -> None:
    """Its answer came too late, and is dropped."""
    if not asked.cancelled():
        asked.exception()
