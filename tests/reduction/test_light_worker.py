"""What a worker process loads before its first frame."""

from __future__ import annotations

import subprocess
import sys


def test_a_worker_loads_no_astropy_and_no_plots() -> None:
    """It costs each worker 0.8 s and 30 MB; only compressed frames and plots need them."""
    said = subprocess.run(
        [sys.executable, "-c", "import sys, iop4d.reduction.workbench; print(sorted("
         "{'astropy', 'photutils', 'matplotlib', 'bokeh'} & set(sys.modules)))"],
        capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"
