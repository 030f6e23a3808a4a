"""Crash points: all of them are passed, they end a process as a power failure does."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
from pathlib import Path

import aiosmtplib
import pytest

from iop4d.fits.atomic import write_atomic
from iop4d.store.database import Database
from tests.bench.killing import every_crash_point
from tests.support import crash_points
from tests.support.crash_points import KILLED, LABELS, VARIABLE

PASS = ("import sys; from tests.support.crash_points import of_environment\n"
        "crash_point = of_environment()\n"
        "for label in sys.argv[1:]: crash_point(label); print(label, flush=True)\n")


def passing(at: str, *labels: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", PASS, *labels], capture_output=True, text=True,
                          env={**os.environ, VARIABLE: at}, check=False)


def test_the_process_dies_at_the_passing_that_was_named() -> None:
    ended = passing("rename-after:2", "rename-after", "commit-before", "rename-after", "never")
    assert ended.returncode == KILLED
    assert ended.stdout.split() == ["rename-after", "commit-before"]


def test_of_several_processes_only_the_first_dies(tmp_path: Path) -> None:
    at = f"rename-before:1:{tmp_path / 'once'}"
    assert passing(at, "rename-before").returncode == KILLED
    assert passing(at, "rename-before").returncode == 0


@pytest.fixture
def passed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The places that this process passes."""
    for owner, name in ((Path, "replace"), (Database, "write"),
                        (aiosmtplib.SMTP, "send_message")):
        monkeypatch.setattr(owner, name, getattr(owner, name))
    found: list[str] = []
    crash_points.install(found.append)
    return found


def test_a_file_is_not_in_place_before_its_renaming(passed: list[str], tmp_path: Path) -> None:
    write_atomic(tmp_path / "file", (b"whole",), durable=True)
    assert passed == ["rename-before", "rename-after"]


def test_a_commit_is_passed_once_whether_it_is_seen_or_not(
        passed: list[str], tmp_path: Path) -> None:
    database = Database(tmp_path / "iop4d.db")
    passed.clear()
    with database.write():
        assert passed == []
    assert passed == ["commit-before", "commit-after"]
    with pytest.raises(ValueError, match="no"), database.write():
        raise ValueError("no")
    assert passed == ["commit-before", "commit-after"]
    database.close()


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_daemon_that_dies_before_it_can_mark_a_mail_as_sent_loses_nothing() -> None:
    """All places, at several passings each, are the business of ``make chaos``."""
    crashes = every_crash_point([1], ["send-after"])
    assert (crashes.crashes, crashes.not_reached, crashes.wrong) == (1, [], [])


def test_every_place_is_passed_by_chaos() -> None:
    assert {label.split("-")[0] for label in LABELS} == {"commit", "rename", "send", "mark"}
    assert inspect.signature(every_crash_point).parameters["labels"].default is LABELS
