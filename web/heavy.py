"""Heavy answers are bounded in number: a light page gets through, whatever is asked for."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import wraps
from typing import ParamSpec

from flask import Flask, Response, current_app, jsonify, make_response
from flask.typing import ResponseReturnValue

P = ParamSpec("P")

_AT_ONCE = 1
_WAITING = 6
_WAIT_SECONDS = 2.0
_RETRY_SECONDS = 2
_EXTENSION = "iop4d.heavy"


class HeavyAnswers:
    """How many heavy answers are made at the same time. A few more wait; the rest is refused."""

    def __init__(self, threads: int, *, wait_s: float = _WAIT_SECONDS) -> None:
        places = max(1, min(_AT_ONCE + _WAITING, threads // 4))
        self._wait_s = wait_s
        self._places = threading.Semaphore(places)
        self._made = threading.Semaphore(min(_AT_ONCE, places))

    @contextmanager
    def one(self) -> Iterator[bool]:
        """Whether this one may be made; it counts until the end of the block."""
        with ExitStack() as taken:
            for semaphore, wait_s in ((self._places, 0.0), (self._made, self._wait_s)):
                if not semaphore.acquire(timeout=wait_s):
                    yield False
                    return
                taken.callback(semaphore.release)
            yield True


def install(app: Flask, threads: int) -> None:
    """Bound the heavy answers of an application that has so many threads."""
    app.extensions[_EXTENSION] = HeavyAnswers(threads)


def heavy(view: Callable[P, ResponseReturnValue]) -> Callable[P, ResponseReturnValue]:
    """A view whose answers are heavy: what is too many gets 503 at once, and when to try again.

    An answer in parts keeps its place until the last of them is sent, or its reader left.
    """

    @wraps(view)
    def bounded(*args: P.args, **kwargs: P.kwargs) -> ResponseReturnValue:
        with ExitStack() as held:
            if not held.enter_context(current_app.extensions[_EXTENSION].one()):
                return _too_many()
            answer = make_response(view(*args, **kwargs))
            if answer.is_streamed:
                answer.call_on_close(held.pop_all().close)
            return answer

    return bounded


def _too_many() -> Response:
    answer = jsonify(error="too many large answers are being made; try again in a moment")
    answer.status_code = 503
    answer.headers["Retry-After"] = str(_RETRY_SECONDS)
    return answer
