"""One call of a function on one worker of Dask, with one end whatever happens there."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any
from uuid import uuid4

from distributed.client import FutureCancelledError
from distributed.scheduler import KilledWorker

from iop4d.ledger.engines import RequestLostError
from iop4d.ledger.engines.dask.connect import Link
from iop4d.ledger.engines.dask.members import Member, WorkerGoneError


async def call(link: Link, member: Member, function: Any, *args: Any, name: str) -> Any:
    """What a function answers on that worker and no other.

    Dask would run a task again whose worker died: here it ends, with WorkerGoneError, and an answer
    that comes all the same is dropped. Raises RequestLostError if the scheduler is gone, and what
    the function raised.
    """
    if member.gone.done():
        raise member.gone.result()
    if link.client is None:
        raise RequestLostError("there is no scheduler")
    try:
        future = link.client.submit(
            function, *args, key=f"{name}-{uuid4().hex}", workers=[member.address],
            allow_other_workers=False, pure=False, retries=0)
    except Exception as error:
        raise RequestLostError(f"the scheduler is gone: {error}") from error
    answer = asyncio.create_task(_answer(future), name=f"answer of {member.address}")
    try:
        await asyncio.wait({answer, member.gone}, return_when=asyncio.FIRST_COMPLETED)
        if not answer.done():
            raise member.gone.result()
        if answer.cancelled():
            raise RequestLostError("the connection to the scheduler was lost")
        return answer.result()
    except FutureCancelledError:
        raise RequestLostError("the connection to the scheduler was lost") from None
    except KilledWorker:
        raise WorkerGoneError("it died") from None
    finally:
        # It ends by itself once its future is released; ended by us, Dask logs a traceback.
        answer.add_done_callback(_forget)
        with contextlib.suppress(Exception):
            future.release()


def _forget(answer: asyncio.Task[Any]) -> None:
    """Its answer came too late, and is dropped."""
    if not answer.cancelled():
        answer.exception()


async def _answer(future: Any) -> Any:
    return await future.result()
