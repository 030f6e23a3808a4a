"""What the checks of a release run, and the table of what came of it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from iop4d import __version__

ROOT = Path(__file__).resolve().parents[2]
UNPRIVILEGED = 65534  # user id of an account without rights, for where we are root


@dataclass(frozen=True)
class Outcome:
    """What was run, and what came of it; ``failed`` where it should have gone otherwise."""

    what: str
    said: str
    failed: bool = False


def run(words: list[str], *, as_user: bool = False, at: Path | None = None,
         fails: bool = False) -> str:
    """Run a command, as an account without rights where we are root; its output."""
    root = as_user and os.geteuid() == 0
    env = {name: value for name, value in os.environ.items()
           if name not in ("PYTHONPATH", "IOP4D_SITE", "VIRTUAL_ENV")}
    done = subprocess.run(
        words, cwd=at, check=False, capture_output=True, text=True, timeout=600,
        user=UNPRIVILEGED if root else None, group=UNPRIVILEGED if root else None,
        extra_groups=[] if root else None,
        env=env | ({"HOME": str(at)} if root else {}))
    if done.returncode and not fails:
        raise subprocess.CalledProcessError(done.returncode, words, done.stdout, done.stderr)
    return done.stdout


def report(outcomes: Iterable[Outcome]) -> int:
    """Show what came of everything; 1 if anything failed."""
    table = Table("what", "came of it", title=f"iop4d {__version__}")
    failed = 0
    for one in outcomes:
        table.add_row(one.what, one.said, style="red" if one.failed else None)
        failed |= one.failed
    Console(width=150).print(table)
    return failed
