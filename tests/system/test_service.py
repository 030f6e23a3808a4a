"""The daemon under a service manager: what it says, and the site file read anew."""

from __future__ import annotations

import gc
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from iop4d.store.database import Database
from iop4d.store.status import heartbeat
from iop4d.system import service
from iop4d.system.service import ServedDaemon, _stuck

SITE = """\
[daemon]
workers = 1
settle = 0.1
settle_after_scan = 0.2
scan_interval = 1.0

[[archive]]
name = "one"
path = "one"
"""
SECOND = """
[[archive]]
name = "two"
path = "two"
"""


class Manager:
    """A service manager's end of the socket: what came, and when."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._socket.settimeout(0.1)
        self.heard: list[tuple[float, str]] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        while not self._over.is_set():
            try:
                text = self._socket.recv(65536).decode()
            except TimeoutError:
                continue
            self.heard.append((time.monotonic(), text))

    def close(self) -> None:
        self._over.set()
        self._thread.join()
        self._socket.close()

    def times(self, word: str) -> list[float]:
        """When something was said."""
        return [at for at, text in [*self.heard] if word in text]

    def wait(self, word: str, *, after: float = 0.0, seconds: float = 30.0) -> float:
        """When it is said next."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if later := [at for at in self.times(word) if at > after]:
                return later[0]
            time.sleep(0.02)
        raise AssertionError(f"no {word} in {[text for _, text in self.heard]}")


class Running:
    """``iop4d run`` on a site, under the manager."""

    def __init__(self, site: Path, manager: Manager, code: str = "",
                 before: tuple[str, ...] = (), **environ: str) -> None:
        self.site, self.manager = site, manager
        start = [sys.executable, "-c", code] if code else [sys.executable, "-m", "iop4d", "run"]
        self.process = subprocess.Popen(
            [*before, *start, "--site", str(site)], stderr=subprocess.PIPE, text=True,
            env={**os.environ, "NOTIFY_SOCKET": str(manager.path), **environ})

    def stop(self) -> str:
        """Stop it; what it wrote."""
        if self.process.poll() is None:
            self.process.terminate()
        return self.process.communicate(timeout=60)[1]

    def beat(self) -> dict[str, Any]:
        with Database(self.site / "iop4d.db", read_only=True).read() as db:
            return heartbeat(db)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "site" / "one").mkdir(parents=True)
    (tmp_path / "site" / "two").mkdir()
    (tmp_path / "site" / "iop4d.toml").write_text(SITE)
    return tmp_path / "site"


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    made = Manager(tmp_path / "notify")
    yield made
    made.close()


@pytest.fixture
def running(site: Path, manager: Manager) -> Iterator[Running]:
    made = Running(site, manager)
    yield made
    made.stop()


def until(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_it_says_when_it_is_ready_how_it_is_and_when_it_stops(
        site: Path, manager: Manager, running: Running) -> None:
    manager.wait("READY=1")
    assert manager.times("STATUS=no frame yet")
    running.process.send_signal(signal.SIGTERM)
    asked = time.monotonic()
    assert manager.wait("STOPPING=1") - asked < 2.0
    assert running.process.wait(60) == 0


def test_a_wrong_site_file_is_rejected_and_a_right_one_reloaded(
        site: Path, manager: Manager, running: Running) -> None:
    ready = manager.wait("READY=1")
    (site / "iop4d.toml").write_text(SITE + "[daemon]\n")
    running.process.send_signal(signal.SIGHUP)
    manager.wait("STATUS=site file rejected")
    until(lambda: "not valid TOML" in running.beat()["config_error"])
    asked = subprocess.run([sys.executable, "-m", "iop4d", "reload", "--site", str(site)],
                           capture_output=True, text=True, check=False)
    assert asked.returncode == 78
    assert "not valid TOML" in asked.stderr
    assert running.process.poll() is None

    (site / "two" / "x.fit").write_bytes(b"no frame")
    (site / "iop4d.toml").write_text(SITE + SECOND)
    asked = subprocess.run([sys.executable, "-m", "iop4d", "reload", "--site", str(site)],
                           capture_output=True, text=True, check=False)
    assert (asked.returncode, asked.stdout) == (0, "Site file reloaded.\n"), asked.stderr
    reloading = manager.wait("RELOADING=1", after=ready)
    manager.wait("READY=1", after=reloading)
    until(lambda: [a["files"] for a in running.beat()["archives"]] == [0, 1])
    assert running.beat()["config_error"] == ""


def test_what_cannot_be_built_is_rejected(site: Path, manager: Manager, running: Running) -> None:
    manager.wait("READY=1")
    for wrong, said in (
            ('[[polarimeter]]\ninstrument = "Nothing"\n', "Nothing"),
            ('[[rule]]\nname = "r"\ncondition = "silent > 30 parsec"\n', "parsec"),
            ('[[rule]]\nname = "r"\nsource = "tag:x"\ncondition = "mag < 3"\n', "tag"),
            ('[[archive]]\nname = "new"\npath = "new"\nfile_pattern = "*.fit"\n', "regular")):
        (site / "iop4d.toml").write_text(SITE + wrong)
        running.process.send_signal(signal.SIGHUP)
        until(lambda said=said: said in running.beat()["config_error"])  # type: ignore[misc]
        assert running.process.poll() is None
    manager.wait("STATUS=site file rejected")


WRONG_RULES = """
[[rule]]
name = "typo"
source = "tag:tve"
condition = "mag < 13"
[[rule]]
name = "late"
condition = "silent > 2 h"
[[rule]]
name = "deaf"
condition = "mag < 13"
channels = ["mial"]
"""


def test_a_start_with_wrong_rules_goes_on_without_them_and_says_so(
        site: Path, manager: Manager) -> None:
    def command(*words: str) -> tuple[int, str]:
        ran = subprocess.run([sys.executable, "-m", "iop4d", *words, "--site", str(site)],
                             capture_output=True, text=True, check=False)
        return ran.returncode, ran.stdout + ran.stderr

    (site / "iop4d.toml").write_text(SITE + WRONG_RULES)
    running = Running(site, manager)
    try:
        manager.wait("READY=1")
        assert manager.times("STATUS=running without the rule 'deaf'")
        typo, line = "there is no [[tag]] 'tve'", WRONG_RULES.count("\n") + SITE.count("\n")
        deaf = f"line {line}: rule.channels names 'mial'"
        assert {rule["name"] for rule in running.beat()["wrong_rules"]} == {"typo", "deaf"}
        code, said = command("status")
        assert (code, typo in said, deaf in said) == (1, True, True), said
        code, said = command("rules")
        assert (typo in said, deaf in said, "late: silent > 2 h" in said) == (True, True, True)
        assert command("reload")[0] == 78  # as ever: a wrong file is not taken
        mended = WRONG_RULES.replace("tag:tve", "BL Lac").replace('channels = ["mial"]', "")
        (site / "iop4d.toml").write_text(SITE + mended)
        assert command("reload")[0] == 0
        assert running.beat()["wrong_rules"] == []
        assert command("status")[0] == 0
    finally:
        log = running.stop()
    assert "running without the rule 'typo'" in log


def test_a_second_daemon_is_refused_with_the_process_of_the_first(
        site: Path, manager: Manager, running: Running) -> None:
    manager.wait("READY=1")
    second = subprocess.run([sys.executable, "-m", "iop4d", "run", "--site", str(site)],
                            capture_output=True, text=True, check=False, timeout=60)
    assert second.returncode == 1
    assert f"process {running.process.pid}" in second.stderr


def test_without_a_daemon_there_is_nothing_to_reload(site: Path) -> None:
    asked = subprocess.run([sys.executable, "-m", "iop4d", "reload", "--site", str(site)],
                           capture_output=True, text=True, check=False)
    assert asked.returncode == 1
    assert "no daemon runs" in asked.stderr


BLOCKED = """\
import signal, sys, time
sys.argv = ["iop4d", "run", *sys.argv[1:]]
# A part that blocks the loop: on this signal, as a handler runs on the loop's own thread.
signal.signal(signal.SIGUSR1, lambda *_: time.sleep(4))
from iop4d.cli import main
main()
"""
STUCK = """\
import sys
sys.argv = ["iop4d", "run", *sys.argv[1:]]
import iop4d.archives.folder as folder
import asyncio
async def hang(self, stop):
    await stop.wait()  # it never ticks
folder.WatchedFolder.run = hang
from iop4d.cli import main
main()
"""


def test_a_start_that_waits_for_something_is_not_ended_by_the_service_manager(
        site: Path, manager: Manager) -> None:
    """Which gives it 90 s, five times, and then leaves it down: a scheduler may be away longer."""
    with (site / "iop4d.toml").open("a") as file:
        file.write('\n[workers]\nengine = "dask"\nscheduler = "tcp://127.0.0.1:1"\n')
    running = Running(site, manager, WATCHDOG_USEC="1500000")
    try:
        first = manager.wait("EXTEND_TIMEOUT_USEC=60000000")
        manager.wait("EXTEND_TIMEOUT_USEC=60000000", after=first)
        assert not manager.times("READY=1")
    finally:
        running.stop()


def test_watchdog_pings_come_from_the_loop_alone(site: Path, manager: Manager) -> None:
    running = Running(site, manager, BLOCKED, WATCHDOG_USEC="1500000")
    try:
        ready = manager.wait("READY=1")
        manager.wait("WATCHDOG=1", after=ready)
        running.process.send_signal(signal.SIGUSR1)
        blocked = time.monotonic()
        time.sleep(5.5)
        during = [at for at in manager.times("WATCHDOG=1") if blocked + 0.3 < at < blocked + 3.7]
        assert during == []
        manager.wait("WATCHDOG=1", after=blocked + 4.0)
    finally:
        running.stop()


class AtWork:
    """A daemon whose parts all make progress."""

    def __init__(self) -> None:
        self.heartbeat = SimpleNamespace(beaten_at=time.monotonic())

    def stuck(self) -> list[str]:
        return []


@pytest.mark.parametrize(("late", "stuck"), [
    (4.9, []), (5.1, ["the event loop is 5.1 s late"])])
def test_a_loop_that_is_more_than_five_seconds_late_is_stuck(late: float, stuck: list[str]) -> None:
    assert _stuck(cast(ServedDaemon, AtWork()), late) == stuck


def test_an_archive_that_does_nothing_withholds_the_ping(site: Path, manager: Manager) -> None:
    running = Running(site, manager, STUCK, WATCHDOG_USEC="1500000")
    try:
        manager.wait("READY=1")
        stuck = manager.wait("STATUS=stuck: the archive one did nothing")
        time.sleep(2.0)
        assert [at for at in manager.times("WATCHDOG=1") if at > stuck] == []
    finally:
        running.stop()


#: Starts the rest as the manager does: the variable names standard error.
_OF_JOURNAL = ("sh", "-c", 'export JOURNAL_STREAM=$(stat -L -c %d:%i /proc/self/fd/2); exec "$@"',
               "sh")


def test_the_journal_gets_priorities(site: Path, manager: Manager) -> None:
    running = Running(site, manager, before=_OF_JOURNAL)
    manager.wait("READY=1")
    written = running.stop()
    assert "<6>" in written
    odd = [line for line in written.splitlines() if not line.startswith("<")]
    assert not odd, "\n".join(odd)


def test_no_collection_of_garbage_goes_through_the_modules(
        monkeypatch: pytest.MonkeyPatch) -> None:
    frozen = []

    class Noted:
        def __init__(self, *_: object) -> None: ...

        async def run(self) -> None:
            frozen.append(gc.get_freeze_count())

    monkeypatch.setattr(service, "Service", Noted)
    try:
        service.serve(cast(Any, None), cast(Any, None), cast(Any, None))
    finally:
        gc.unfreeze()
    assert frozen[0] > 10_000
