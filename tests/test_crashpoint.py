"""Crash points: all are listed, they end a process as a power failure does, and cost nothing."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import iop4d
from iop4d import crashpoint
from iop4d.crashpoint import KILLED, LABELS

ROOT = Path(iop4d.__file__).parents[1]
PASS = ("import sys; from iop4d.crashpoint import crash_point\n"
        "for label in sys.argv[1:]: crash_point(label); print(label, flush=True)\n")


def passing(at: str, *labels: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", PASS, *labels], capture_output=True, text=True,
                          env={**os.environ, "IOP4D_CRASH_AT": at}, check=False)


def test_the_labels_are_those_in_the_code() -> None:
    found = []
    for folder in ("iop4d", "alerts", "web", "instruments"):
        for path in (ROOT / folder).rglob("*.py"):
            found += re.findall(r'crash_point\("([\w-]+)"\)', path.read_text(encoding="utf-8"))
    assert sorted(found) == sorted(LABELS)


def test_the_process_dies_at_the_passing_that_was_named() -> None:
    ended = passing("rename-after:2", "rename-after", "commit-before", "rename-after", "never")
    assert ended.returncode == KILLED
    assert ended.stdout.split() == ["rename-after", "commit-before"]


def test_of_several_processes_only_the_first_dies(tmp_path: Path) -> None:
    at = f"rename-before:1:{tmp_path / 'once'}"
    assert passing(at, "rename-before").returncode == KILLED
    assert passing(at, "rename-before").returncode == 0


def test_without_the_variable_there_is_nothing_to_pass() -> None:
    assert crashpoint.crash_point is crashpoint._pass_by
    assert passing("", *LABELS).returncode == 0
