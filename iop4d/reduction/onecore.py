"""Keep a worker process on one core."""

from __future__ import annotations

import os

_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS",
              "VECLIB_MAXIMUM_THREADS", "NUMEXPR_NUM_THREADS")


def use_one_core() -> None:
    """Tell numerical libraries to start no threads; call it before numpy is imported.

    The pool has a process for each core; threads within them would only wait for each other.
    """
    for name in _VARIABLES:
        os.environ.setdefault(name, "1")
