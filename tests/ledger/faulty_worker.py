"""A worker that does whatever its request's file name says, for the tests of the pool."""

from __future__ import annotations

import os
import signal
import time
from typing import Any

from iop4d.ledger.engines.pipe import pack, read_message
from iop4d.model.messages import Done, SeriesCalibrated
from tests.support.stub_worker import misbehave


class Unreadable:
    """Pickles, but fails when it is read."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (int, ("no number",))


def main() -> None:
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    requests = os.fdopen(os.dup(0), "rb")
    while True:
        try:
            what, content = read_message(requests)
        except EOFError:
            return
        if what == "context":
            answers.write(pack("ready"))
            continue
        match content.path.name:
            case "kill" | "segv" | "exit" as fault:
                misbehave(fault)
            case "hang":
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
                time.sleep(60)  # the pool must not wait for this
            case "noise":
                print("x" * 200_000)  # noqa: T201 - noise is what it makes
            case "words":
                print("a library says something")  # noqa: T201
            case "flood":
                print("x" * 20_000_000)  # noqa: T201
            case "unreadable":
                answers.write(pack(Unreadable()))
                continue
        answers.write(pack(Done(value=SeriesCalibrated(results=()))))


if __name__ == "__main__":
    main()
