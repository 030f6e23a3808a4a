"""Run every notebook of docs/ as the plain script that it is: ``make notebooks``.

Each in a process of its own, within a minute of processor time; exits with 1 if any fails.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docs" / "notebooks"
MOST_CPU_S = 60.0
_MOST_S = 600.0  # however busy the machine is


def run(path: Path) -> tuple[bool, float, str]:
    """Whether a notebook ran to its end in its time; its processor seconds; what it wrote."""
    before = _cpu_s()
    try:
        ran = subprocess.run([sys.executable, str(path)], cwd=ROOT, capture_output=True, text=True,
                             check=False, timeout=_MOST_S, env=os.environ | {
                                 "MPLBACKEND": "Agg", "PYTHONPATH": str(ROOT)})
    except subprocess.TimeoutExpired:
        return False, _cpu_s() - before, f"it did not end within {_MOST_S:g} s"
    seconds = _cpu_s() - before
    return ran.returncode == 0 and seconds <= MOST_CPU_S, seconds, ran.stdout + ran.stderr


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Run those that are named, or all."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("names", nargs="*", help="such as polarimetry [all]")
    names = parser.parse_args().names or sorted(path.stem for path in FOLDER.glob("*.py"))
    failed = []
    for name in names:
        began = time.monotonic()
        is_right, cpu_s, said = run(FOLDER / f"{name}.py")
        print(f"{name:20} {'ran' if is_right else 'FAILED'}  {cpu_s:5.1f} s of processor time, "
              f"{time.monotonic() - began:5.1f} s", flush=True)
        if not is_right:
            failed.append(name)
            print("\n".join(said.splitlines()[-25:]), flush=True)
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
