"""``iop4d status`` is short, and says what the daemon does also when the site file is wrong."""

from __future__ import annotations

import asyncio
import json
import time
from functools import partial
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from iop4d import daemon as daemon_module
from iop4d.cli import cli
from iop4d.config.load import load_site
from iop4d.ledger.engines import local as local_engine
from iop4d.ledger.engines.local import LocalProcesses
from iop4d.model.errors import ConfigError
from iop4d.store.database import Database
from iop4d.store.schema import Frame, Job
from iop4d.store.status import beat
from iop4d.system.lock import SiteLock


def status(site: Path, *words: str) -> Result:
    return CliRunner().invoke(cli, ["--site", str(site), "status", *words])


@pytest.fixture
def cloudy(tmp_path: Path) -> Path:
    """A site with a month of clouds: 600 frames without stars, 40 of other reasons."""
    (tmp_path / "iop4d.toml").write_text("", encoding="utf-8")
    database = Database(tmp_path / "iop4d.db")
    with database.write() as tx:
        beat(tx, {"state": "running", "pid": 77, "beat_at": 1.0})
        for number in range(640):
            clouds = number < 600
            reason = f"only {number % 7} stars were found" if clouds \
                else f"card {'ABCDEFGHIJKLMNOPQRST'[number % 20]} is missing"
            tx.create(Frame, archive="raw", name=f"{number}.fits", path=f"/raw/{number}.fits",
                      telescope="T", night="2024-01-01", state="failed", reason=reason,
                      size=1, mtime_ns=1, completed_at=1.0, seen_at=1.0,
                      changed_at=1.0)
    database.close()
    return tmp_path


def test_failures_are_grouped_by_their_reasons(cloudy: Path) -> None:
    lines = status(cloudy).output.splitlines()
    assert len(lines) < 60
    place = lines.index("  600 failed: only 4 stars were found")
    assert [line.split()[-1] for line in lines[place + 1:place + 5]] == [
        "/raw/599.fits", "/raw/598.fits", "/raw/597.fits", "more"]
    assert lines[place + 4].strip() == "and 597 more"
    assert "  and 22 for 11 more reasons" in lines
    assert "  'iop4d status --all' lists each." in lines


def test_with_all_and_for_programs_every_frame_is_listed(cloudy: Path) -> None:
    said = status(cloudy, "--all").output
    assert sum("/raw/" in line for line in said.splitlines()) == 640
    assert len(json.loads(status(cloudy, "--all", "--json").stdout)["failed"]) == 640


def test_for_programs_it_is_short_too_unless_all_is_asked_for(cloudy: Path) -> None:
    state = json.loads(status(cloudy, "--json").stdout)
    first, *others = state["failed_by_reason"]
    assert "failed" not in state
    assert (first["state"], first["frames"]) == ("failed", 600)
    assert [one["path"] for one in first["newest"]] == [
        "/raw/599.fits", "/raw/598.fits", "/raw/597.fits"]
    assert sum(one["frames"] for one in others) == 40


def test_with_a_wrong_site_file_it_says_what_the_daemon_does_and_then_the_line(
        cloudy: Path) -> None:
    (cloudy / "iop4d.toml").write_text("[daemon]\nworkrs = 2\n", encoding="utf-8")
    ended = status(cloudy)
    assert ended.exit_code == 78
    assert "does not run, or hangs" in ended.stdout
    assert "640 failed" in ended.stdout
    assert "the site file is wrong" in ended.stderr
    assert "line 2: daemon.workrs" in ended.stderr


def test_where_nothing_ran_a_wrong_site_file_is_all_there_is_to_say(tmp_path: Path) -> None:
    (tmp_path / "iop4d.toml").write_text("[daemon]\nworkrs = 2\n", encoding="utf-8")
    assert isinstance(status(tmp_path).exception, ConfigError)


#: What an archive's status is while it downloads.
BUSY = {"name": "T90", "path": "/raw/T90", "kind": "ftp", "telescope": "T90", "files": 12,
        "state": "ok", "reason": "", "watch": "ftp://x", "queue": 7, "settling": 3,
        "fetching": {"a.fit": "40 %"}, "failing": {"b\r.fit": "once: denied"}, "breaker": "closed",
        "cut_off": {"/n/closed": "Permission denied"}}


@pytest.fixture
def stopped(tmp_path: Path) -> Path:
    """A site whose daemon ended amid downloads, and a job amid its run."""
    (tmp_path / "iop4d.toml").write_text("", encoding="utf-8")
    database = Database(tmp_path / "iop4d.db")
    with database.write() as tx:
        beat(tx, {"state": "stopped", "pid": 77, "beat_at": 1.0, "archives": [BUSY],
                  "workers": [{"pid": 78}], "trouble": "x"})
        for number, state in enumerate(("queued", "running")):
            tx.create(Job, kind="reduce", key=number, state=state, changed_at=1.0)
    database.close()
    return tmp_path


def test_the_broker_of_triggers_is_named_with_what_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "iop4d.toml").write_text("", encoding="utf-8")
    with Database(tmp_path / "iop4d.db").write() as tx:
        beat(tx, {"state": "running", "pid": 77, "beat_at": 4e9, "archives": [], "triggers": {
            "name": "triggers", "state": "unreachable", "reason": "no such host", "received": 3,
            "last_at": 1795870000.0}})
    lock = SiteLock(tmp_path / "iop4d.lock")
    shown = status(tmp_path).output
    lock.close()
    assert ("triggers unreachable: no such host, 3 received, the last 2026-11-28 12:46 UTC\n"
            in shown)


def test_a_stopped_daemon_shows_nothing_of_its_last_moment_as_if_it_were_so_now(
        stopped: Path) -> None:
    said = status(stopped).stdout
    assert "daemon   stopped since 1970-01-01 00:00 UTC; 'iop4d run' starts it" in said
    assert "archive  T90: stopped, 12 files, /raw/T90" in said
    assert "queue    2 reduce queued, for the next start of the daemon" in said
    assert not any(word in said for word in ("settling", "fetching", "failing", "nothing: x"))
    daemon = json.loads(status(stopped, "--json").stdout)["daemon"]
    assert daemon["workers"] == []
    assert daemon["archives"][0] == {
        "name": "T90", "path": "/raw/T90", "telescope": "T90", "kind": "ftp", "files": 12,
        "last_scan_at": None, "state": "stopped", "watch": "not watched",
        "reason": "the daemon does not run"}
    with Database(stopped / "iop4d.db").write() as tx:
        beat(tx, {"state": "running", "pid": 77, "beat_at": 4e9, "archives": [BUSY]})
    lock = SiteLock(stopped / "iop4d.lock")
    live = status(stopped)
    lock.close()
    assert "queue 7, settling 3\n" in live.stdout
    assert "         downloading a.fit, 40 %\n         not downloaded: b\\r.fit, once: denied\n" \
        in live.stdout
    assert "         not whole: /n/closed, Permission denied\n" in live.stdout
    assert "1 reduce queued, 1 reduce running\n" in live.stdout


def test_workers_of_other_machines_are_shown_with_their_host(tmp_path: Path) -> None:
    (tmp_path / "iop4d.toml").write_text("", encoding="utf-8")
    workers = [{"host": "node1", "state": "busy", "job": "reduce 1.fits", "jobs": 3},
               {"host": "node2", "state": "idle", "job": "", "jobs": 0}]
    with Database(tmp_path / "iop4d.db").write() as tx:
        beat(tx, {"state": "running", "pid": 77, "beat_at": 4e9, "workers": workers,
                  "engine": {"name": "engine", "state": "ok", "reason": ""}})
    lock = SiteLock(tmp_path / "iop4d.lock")
    said = status(tmp_path).stdout
    lock.close()
    assert "worker   node1: busy reduce 1.fits, 3 jobs\n" in said
    assert "worker   node2: idle, 0 jobs\n" in said


@pytest.fixture
def no_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """Worker processes end as soon as they begin."""
    monkeypatch.setattr(local_engine, "_RESTART_PAUSE", 0.01)
    monkeypatch.setattr(daemon_module, "LocalProcesses", partial(
        LocalProcesses, worker_module="tests.no_such_module"))


@pytest.mark.usefixtures("no_worker")
def test_reduce_ends_with_the_reason_where_no_worker_starts(tmp_path: Path) -> None:
    (tmp_path / "iop4d.toml").write_text("[daemon]\nworkers = 1\n", encoding="utf-8")
    (tmp_path / "x.fits").write_bytes(b"x")
    ended = CliRunner().invoke(cli, ["--site", str(tmp_path), "reduce", str(tmp_path / "x.fits")])
    assert str(ended.exception).startswith("no worker process starts: exit code 1: ")
    assert str(ended.exception).endswith("No module named tests.no_such_module")


@pytest.mark.usefixtures("no_worker")
def test_a_daemon_whose_workers_do_not_start_is_not_ready_and_says_why(tmp_path: Path) -> None:
    (tmp_path / "iop4d.toml").write_text("[daemon]\nworkers = 1\n", encoding="utf-8")
    ready: list[object] = []

    async def note(daemon: object) -> None:
        ready.append(daemon)

    async def go() -> tuple[str, Result]:
        stop = asyncio.Event()
        daemon = daemon_module.Daemon(load_site(tmp_path))
        running = asyncio.create_task(daemon.run(stop, ready=note))
        deadline = time.monotonic() + 20.0
        while "nothing: no worker" not in daemon.heartbeat.line:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.05)
        shown = await asyncio.to_thread(status, tmp_path)
        stop.set()
        await running
        return daemon.heartbeat.line, shown

    line, shown = asyncio.run(go())
    assert ready == []
    assert line.startswith("reduces nothing: no worker process starts: exit code 1: ")
    assert shown.exit_code == 1
    assert "daemon   starting" in shown.stdout
    assert "reduces nothing: no worker process starts: exit code 1: " in shown.stdout
