"""``python -m tests.support.daemon_under_test PID ...`` is ``iop4d ...`` as a trial wants it.

It ends when process PID does; its workers are those of the module that ``TRIAL_WORKER`` names; and
it dies at the crash point of ``TRIAL_CRASH_AT``.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
from functools import partial

from iop4d import daemon
from iop4d.ledger.engines.local import LocalProcesses
from iop4d.ledger.engines.worker import die_with_parent
from tests.support import crash_points

WORKER = "TRIAL_WORKER"


def use_workers(module: str) -> None:
    """Have daemons of this process start workers of another module."""
    vars(daemon)["LocalProcesses"] = partial(LocalProcesses, worker_module=module)


def main() -> None:
    """Arrange what was asked for, then run the command line."""
    die_with_parent(int(sys.argv.pop(1)), signal.SIGTERM)
    if module := os.environ.get(WORKER):
        use_workers(module)
    if (crash_point := crash_points.of_environment()) is not None:
        crash_points.install(crash_point)
    runpy.run_module("iop4d", run_name="__main__")


if __name__ == "__main__":
    main()
