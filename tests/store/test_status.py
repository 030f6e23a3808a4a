"""Whether the daemon runs: one answer, of its heartbeat and the site's lock."""

from __future__ import annotations

from pathlib import Path

import pytest

from iop4d.model.states import DaemonState
from iop4d.store.database import Database
from iop4d.store.schema import Frame
from iop4d.store.status import beat, daemon_state, heartbeat, status
from iop4d.system.lock import SiteLock, is_locked

NOW = 1_700_000_000.0


@pytest.mark.parametrize(("said", "age", "locked", "expected"), [
    (None, 0.0, False, "never"), (None, 0.0, True, "starting"),
    ("running", 1.0, True, "running"), ("running", 15.1, True, "silent"),
    ("running", 1.0, False, "silent"),  # it was killed: its lock is free
    ("stopping", 1.0, True, "stopping"), ("stopping", 1.0, False, "silent"),
    ("stopped", 1.0, False, "stopped"), ("stopped", 1e6, False, "stopped"),
    ("stopped", 1.0, True, "starting"),  # on another site file
])
def test_the_state_follows_from_the_heartbeat_and_the_lock(
        said: str | None, age: float, locked: bool, expected: str) -> None:
    last = {} if said is None else {"state": said, "beat_at": NOW - age}
    state = daemon_state(last, NOW, locked=locked)
    assert state is DaemonState(expected)


def test_a_daemon_that_stopped_a_moment_ago_does_not_run(database: Database,
                                                         tmp_path: Path) -> None:
    lock = SiteLock(tmp_path / "lock")
    with database.write() as tx:
        beat(tx, {"state": "running", "beat_at": NOW, "pid": 1})
        assert status(tx, NOW + 1, locked=is_locked(tmp_path / "lock"))["daemon"] == {
            "state": "running", "beat_at": NOW, "pid": 1, "archives": [], "workers": []}
        beat(tx, heartbeat(tx) | {"state": "stopped"})
    lock.close()
    with database.read() as db:
        found = status(db, NOW + 1, locked=is_locked(tmp_path / "lock"))
    assert found["daemon"]["state"] == "stopped"


def test_of_many_frames_that_failed_the_reasons_alone_are_read(
        database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    with database.write() as tx:
        tx.insert_many(Frame, [{
            "archive": "a", "name": f"{number}.fits", "path": f"/raw/{number}.fits", "size": 1,
            "state": "waiting" if number % 10 == 9 else "failed", "mtime_ns": 1,
            "reason": f"{number} stars found", "completed_at": 1.0, "seen_at": 1.0,
            "changed_at": 1.0} for number in range(50)])
    made: list[str] = []
    real = Frame.__init__

    def note(self: Frame, **given: object) -> None:
        made.append(str(given))
        real(self, **given)

    monkeypatch.setattr(Frame, "__init__", note)
    with database.read() as db:
        found = status(db, NOW, locked=False)
    assert made == []
    assert [(one["frames"], one["reason"], [row["name"] for row in one["newest"]])
            for one in found["failed_by_reason"]] == [
        (45, "48 stars found", ["48.fits", "47.fits", "46.fits"])]
    assert [one["frames"] for one in found["waiting_by_reason"]] == [5]
    with database.read() as db:
        assert len(status(db, NOW, locked=False, each=True)["failed"]) == 45
