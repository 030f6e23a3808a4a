"""``python -m iop4d.simulator.tied PID ...`` is ``iop4d ...`` that ends when process PID does."""

from __future__ import annotations

import runpy
import signal
import sys

from iop4d.ledger.engines.worker import die_with_parent

if __name__ == "__main__":
    die_with_parent(int(sys.argv.pop(1)), signal.SIGTERM)
    # By name, as a user calls it: the command line stands above the simulator.
    runpy.run_module("iop4d", run_name="__main__")
