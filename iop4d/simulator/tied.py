"""``python -m iop4d.simulator.tied PID ...`` is ``iop4d ...`` that ends when process PID does."""

from __future__ import annotations

import signal
import sys

from iop4d.cli import main
from iop4d.work.worker import die_with_parent

if __name__ == "__main__":
    die_with_parent(int(sys.argv.pop(1)), signal.SIGTERM)
    main()
