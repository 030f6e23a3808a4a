"""A thread for looks at a file system that may hang."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")
_Task = tuple[Callable[[], Any], "asyncio.Future[Any]", asyncio.AbstractEventLoop]


class BlockingThread:
    """Runs functions one after another in a thread of its own.

    A look at a dead network mount can last for ever. It holds up this thread alone, and the thread
    holds up nobody: it is a daemon thread, so the process ends without it (those of an executor
    are waited for).
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._tasks: queue.SimpleQueue[_Task | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def run(self, function: Callable[..., T], *args: Any) -> asyncio.Future[T]:
        """The future of what a function gives."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name=self._name, daemon=True)
            self._thread.start()
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._tasks.put((lambda: function(*args), future, loop))
        return future

    def close(self) -> None:
        """Let the thread end after what it does now."""
        self._tasks.put(None)

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None:
            function, future, loop = task
            result, error = None, None
            try:
                result = function()
            except BaseException as raised:  # noqa: BLE001 - it is raised where it is waited for
                error = raised
            try:
                loop.call_soon_threadsafe(_give, future, result, error)
            except RuntimeError:
                return  # the loop has ended, and with it whoever waited


def _give(future: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
    if future.cancelled():
        return
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(result)
