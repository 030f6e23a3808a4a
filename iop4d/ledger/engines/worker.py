"""A worker process: reads requests, answers outcomes, until its input ends.

Started as ``python -m iop4d.ledger.engines.worker``. Its standard output is the private pipe to the
daemon; whatever a library prints goes to standard error, which the daemon logs.
"""

from __future__ import annotations

import contextlib
import ctypes
import faulthandler
import os
import resource
import signal
import sys

from iop4d.ledger.engines.pipe import pack, read_message

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def die_with_parent(parent: int, sign: signal.Signals = signal.SIGKILL) -> None:
    """Ask the kernel to end this process when its parent dies, however that happens."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, sign, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def limit_memory(megabytes: int) -> None:
    """Bound private memory; mapped files do not count. Says so where the system does not let it."""
    try:
        resource.setrlimit(resource.RLIMIT_DATA, (megabytes << 20, megabytes << 20))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    except (AttributeError, OSError, ValueError) as error:  # not every system has each limit
        sys.stderr.write(f"its memory is not limited: {error}\n")


def main() -> None:
    """Serve requests until the daemon closes the pipe."""
    parent, memory_mb = int(sys.argv[1]), int(sys.argv[2])
    die_with_parent(parent)
    limit_memory(memory_mb)
    faulthandler.enable()
    faulthandler.register(signal.SIGUSR1, all_threads=True)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the daemon's to handle
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    requests = os.fdopen(os.dup(0), "rb")

    from iop4d.reduction.workbench import Workbench

    bench: Workbench | None = None
    with contextlib.suppress(EOFError, BrokenPipeError, KeyboardInterrupt):
        while True:
            what, content = read_message(requests)
            if what == "context":
                bench = Workbench(content)
                answer: object = "ready"
            else:
                assert bench is not None, "a request came before the context"
                answer = bench.perform(content)
            answers.write(pack(answer))


if __name__ == "__main__":
    main()
