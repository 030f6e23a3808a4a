"""Heavy answers are bounded in number: a light page gets through, whatever is asked for."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from functools import wraps
from typing import Any, ParamSpec, cast

from flask import Flask, Response, current_app, jsonify, make_response, request
from flask.typing import ResponseReturnValue
from waitress.channel import ClientDisconnected

P = ParamSpec("P")

_AT_ONCE = 1  # large answers of which a part is made at one moment
_WAITING = 6  # more of them that wait for their turn; others get 503
_WAIT_SECONDS = 2.0  # that one waits for its turn before it gets 503
_RETRY_SECONDS = 2
#: An answer in parts that takes longer ends where it is.
_LONGEST_SECONDS = 120.0
#: Octets that a reader may be behind before its answer ends. The server blocks no thread below
#: that, and the longest list is a fourth of it.
UNREAD = 64 << 20
_EXTENSION = "iop4d.heavy"
_IMAGES = "iop4d.heavy.images"
_IMAGES_AT_ONCE = 2  # that are read from their files
_IMAGE_SECONDS = 6.0  # that one waits for its turn: a file of 61 Mpx takes some


class HeavyAnswers:
    """How many heavy answers are made at the same time. A few more wait; the rest is refused."""

    def __init__(self, threads: int, *, wait_s: float = _WAIT_SECONDS,
                 at_once: int = _AT_ONCE) -> None:
        places = max(1, min(at_once + _WAITING, threads // 4))
        self._wait_s = wait_s
        self._places = threading.Semaphore(places)
        self._made = threading.Semaphore(min(at_once, places))

    def admit(self, held: ExitStack) -> bool:
        """Whether one more may wait for its turn; it counts until the end of the stack."""
        return _taken(self._places, held, 0.0)

    def turn(self, held: ExitStack, wait_s: float | None = None) -> bool:
        """Whether it may be made now, until the end of the stack."""
        return _taken(self._made, held, self._wait_s if wait_s is None else wait_s)

    @contextmanager
    def one(self) -> Iterator[bool]:
        """Whether one that is made in one piece may be; it counts until the end of the block."""
        with ExitStack() as held:
            yield self.admit(held) and self.turn(held)


def _taken(semaphore: threading.Semaphore, held: ExitStack, wait_s: float) -> bool:
    if not semaphore.acquire(timeout=wait_s):
        return False
    held.callback(semaphore.release)
    return True


def install(app: Flask, threads: int) -> None:
    """Bound the heavy answers of an application that has so many threads."""
    app.extensions[_EXTENSION] = HeavyAnswers(threads)
    app.extensions[_IMAGES] = HeavyAnswers(threads, wait_s=_IMAGE_SECONDS, at_once=_IMAGES_AT_ONCE)


@contextmanager
def turn() -> Iterator[bool]:
    """Whether a heavy piece of a page may be made now; it counts until the end of the block."""
    answers: HeavyAnswers = current_app.extensions[_EXTENSION]
    with answers.one() as may:
        yield may


def reads_image(view: Callable[P, ResponseReturnValue]) -> Callable[P, ResponseReturnValue]:
    """A view that may read the file of an image: few do at a time, and few more wait for it."""

    @wraps(view)
    def bounded(*args: P.args, **kwargs: P.kwargs) -> ResponseReturnValue:
        images: HeavyAnswers = current_app.extensions[_IMAGES]
        with images.one() as may:
            return view(*args, **kwargs) if may else _too_many(
                "too many images are being read; try again in a moment")

    return bounded


def heavy(view: Callable[P, ResponseReturnValue]) -> Callable[P, ResponseReturnValue]:
    """A view whose answers are heavy: what is too many gets 503 at once, and when to try again.

    An answer in parts has its turn while a part is made, and none while its reader reads.
    """

    @wraps(view)
    def bounded(*args: P.args, **kwargs: P.kwargs) -> ResponseReturnValue:
        answers: HeavyAnswers = current_app.extensions[_EXTENSION]
        with ExitStack() as place, ExitStack() as turn:
            if not (answers.admit(place) and answers.turn(turn)):
                return _too_many()
            answer = make_response(view(*args, **kwargs))
            if answer.is_streamed:
                made, kept = cast(Iterable[str], answer.response), place.pop_all()
                answer.response = _in_turns(answers, kept, iter(made), _unread())
                # Also of an answer of which no part is asked for.
                answer.call_on_close(kept.close)
            return answer

    return bounded


def _in_turns(answers: HeavyAnswers, place: ExitStack, made: Iterator[str],
              unread: Callable[[], int]) -> Iterator[str]:
    """The parts of an answer, each made in its turn; raises ClientDisconnected to end it early.

    A reader that stalls thus holds neither a place nor a thread: what is made is in the server's
    buffers, which it empties or loses with its connection.
    """
    end = time.monotonic() + _LONGEST_SECONDS
    with place:
        while True:
            with ExitStack() as turn:
                left = end - time.monotonic()
                if left <= 0 or unread() > UNREAD or not answers.turn(turn, left):
                    raise ClientDisconnected
                part = next(made, None)
            if part is None:
                return
            yield part


def _unread() -> Callable[[], int]:
    """How many octets the server holds for this request's connection."""
    channel: Any = getattr(request.environ.get("waitress.client_disconnected"), "__self__", None)
    return lambda: int(getattr(channel, "total_outbufs_len", 0))


def _too_many(why: str = "too many large answers are being made; try again in a moment",
              ) -> Response:
    answer = jsonify(error=why)
    answer.status_code = 503
    answer.headers["Retry-After"] = str(_RETRY_SECONDS)
    return answer
