"""The slow checks: accuracy, speed, chaos, alerts.

They compute on one core in each process, as the daemon's workers do: two threads of linear algebra
on two busy cores made a frame cost half as much again. This stands before anything loads numpy.
"""

import os

from iop4d.ledger.engines.process import ONE_CORE

os.environ.update(ONE_CORE)
