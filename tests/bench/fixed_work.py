"""A fixed piece of numerical work, which says how fast a machine is while something is measured.

Numbers of different hours or machines can be compared by it: other programs slow both down alike,
though not by the same factor to the last tenth.
"""

from __future__ import annotations

import os
import time

import numpy as np

_SORTS = 20
_NUMBERS = 1_000_000
#: Core-milliseconds on the machine on which the speed in docs/numbers.md was measured.
THERE_MS = 98.0


def fixed_work_ms() -> float:
    """Core-milliseconds of 20 sorts of a million random numbers; the median sort counts."""
    numbers = np.random.default_rng(0).random(_NUMBERS)
    times = []
    for _ in range(_SORTS):
        began = time.process_time()
        np.sort(numbers)
        times.append(time.process_time() - began)
    return 1e3 * _SORTS * float(np.median(times))


def speed_of_machine() -> str:
    """How long the fixed work takes now, beside what it takes on the machine of docs/numbers.md."""
    work = fixed_work_ms()
    return (f"this machine: fixed work took {work:.0f} ms, {work / THERE_MS:.1f} times as long as "
            f"on the machine of docs/numbers.md ({THERE_MS:.0f} ms); load {os.getloadavg()[0]:.1f}")
