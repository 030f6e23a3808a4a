"""Questions to servers elsewhere: one at a time, and waited for so long and no longer."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from iop4d.model.errors import Iop4dError

T = TypeVar("T")


class _Answer(Generic[T]):
    """What came, or what went wrong."""

    value: T
    error: BaseException | None = None


class RemoteQuestions:
    """Asks one question at a time; one that nobody waits for any more counts until it ends."""

    def __init__(self, server: str, wait_s: float) -> None:
        self._server = server
        self._wait_s = wait_s
        self._free = threading.Lock()

    def ask(self, question: Callable[[], T]) -> T:
        """The answer; raises Iop4dError if it takes too long, or while another is asked."""
        if not self._free.acquire(blocking=False):
            raise Iop4dError(f"another search at {self._server} is under way; try again in a "
                             "moment")
        answer, came = _Answer[T](), threading.Event()

        def ask() -> None:
            try:
                answer.value = question()
            except BaseException as error:  # noqa: BLE001 - told to who waits
                answer.error = error
            finally:
                self._free.release()
                came.set()

        try:
            threading.Thread(target=ask, daemon=True, name=f"ask {self._server}").start()
        except RuntimeError as error:
            self._free.release()
            raise Iop4dError(f"{self._server} is not asked: {error}; try again in a moment"
                             ) from error
        if not came.wait(self._wait_s):
            raise Iop4dError(f"{self._server} did not answer: timed out after {self._wait_s:g} s")
        if answer.error is not None:
            raise answer.error
        return answer.value
