"""A frame has the same results to the last digit with however many threads numpy may use."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

_REDUCES = """
import sys, tempfile
from dataclasses import replace
from pathlib import Path
from iop4d.simulator.night import Night, NightPlan
from tests.support.lab import Lab, value_of
with tempfile.TemporaryDirectory() as folder:
    night = Night(NightPlan(seed=3, fields=("S50716+714",), frames=1, n_bias=0, n_flat=0))
    lab = Lab(Path(folder), night.sky.catalogue_csv(1))
    path = lab.put(next(iter(night.frames())))
    print(replace(value_of(lab.reduce(path, lab.classify(path)[0], ())), stages={}))
"""


def reduced(threads: int) -> str:
    """All that a frame's reduction gives, in words; in a process of its own."""
    ran = subprocess.run(
        [sys.executable, "-c", _REDUCES], capture_output=True, text=True, check=False,
        cwd=Path(__file__).parents[2], env=os.environ | {"OPENBLAS_NUM_THREADS": str(threads)})
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def test_threads_change_no_digit() -> None:
    one = reduced(1)
    assert "flux=" in one
    assert reduced(4) == one
