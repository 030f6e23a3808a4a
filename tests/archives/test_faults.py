"""Roots that go, are replaced or hang; lost events; files that cannot be read: nothing is lost."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from iop4d.archives import folder, settle, tree
from iop4d.model.frame import CompleteFile
from tests.archives.watched import Watched, known


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks at the root, and tries after a refusal, that come soon."""
    monkeypatch.setattr(folder, "_ROOT_LOOK", 0.1)
    monkeypatch.setattr("iop4d.archives.retry._FILE_FIRST", 0.1)


def test_a_root_that_goes_and_comes_back_forgets_nothing(tmp_path: Path) -> None:
    root, aside = tmp_path / "raw", tmp_path / "aside"
    root.mkdir()
    watched = Watched(root, known=known(root, "a.fit", "b.fit"), scan=60.0)

    def act() -> None:
        root.rename(aside)
        assert "No such file" in watched.wait_for("degraded")
        assert watched.archive.status["files"] == 2
        aside.rename(root)
        watched.wait_for("ok")
        (root / "c.fit").write_text("c")

    assert watched.run(act, until=1) == ["c.fit"]


def test_a_root_made_anew_is_degraded_until_it_holds_frames(tmp_path: Path) -> None:
    root = tmp_path / "raw"
    root.mkdir()
    watched = Watched(root, known=known(root, "a.fit"), scan=60.0)

    def act() -> None:
        (tmp_path / "beside").mkdir()
        (root / "a.fit").unlink()
        root.rmdir()
        watched.wait_for("degraded")
        (tmp_path / "beside").rename(root)
        _until(lambda: "created again" in watched.wait_for("degraded"), 30)
        (root / "b.fit").write_text("b")

    assert watched.run(act, until=1) == ["b.fit"]
    assert watched.archive.status["files"] == 2


def test_a_root_that_is_empty_at_the_start_is_told(tmp_path: Path) -> None:
    before = {str(tmp_path / "a.fit"): (1, 1)}
    watched = Watched(tmp_path, known=before, scan=60.0)

    def act() -> None:
        assert "is its disk mounted" in watched.wait_for("degraded")
        (tmp_path / "b.fit").write_text("b")

    assert watched.run(act, until=1) == ["b.fit"]


def test_a_root_from_which_all_was_moved_away_is_no_trouble(tmp_path: Path) -> None:
    watched = Watched(tmp_path, known=known(tmp_path, "a.fit"), scan=0.1)
    scan, begun = watched.archive._tree.scan, []

    def counted(*given: object) -> object:
        begun.append(given)
        return scan(*given)  # type: ignore[arg-type]

    watched.archive._tree.scan = counted  # type: ignore[method-assign,assignment]

    def act() -> None:
        (tmp_path / "a.fit").unlink()
        before = len(begun)
        _until(lambda: len(begun) > before + 2, 30)  # two whole looks without it

    assert watched.run(act, until=0) == []
    assert watched.state == "ok"


MOUNT = """
import subprocess, sys
from pathlib import Path
from iop4d.archives import folder
from tests.archives.watched import Watched, known
folder._ROOT_LOOK = 0.1
root = Path(sys.argv[1])
watched = Watched(root, known=known(root, "a.fit"), scan=60.0)
reasons = []
def act():
    subprocess.run(["mount", "-t", "tmpfs", "none", str(root)], check=True)
    reasons.append(watched.wait_for("degraded"))
    subprocess.run(["umount", str(root)], check=True)
    watched.wait_for("ok")
    (root / "b.fit").write_text("b")
print(watched.run(act, until=1), watched.archive.status["files"], *reasons)
"""


def test_a_root_that_is_mounted_over_is_degraded_and_comes_back(tmp_path: Path) -> None:
    inside = ["unshare", "--map-root-user", "--mount"]
    try:
        tried = subprocess.run([*inside, "mount", "-t", "tmpfs", "none", str(tmp_path)],
                               capture_output=True, text=True, check=False, timeout=20)
    except FileNotFoundError:
        pytest.skip("there is no unshare")
    if tried.returncode:
        pytest.skip(f"no private mounts on this machine: {tried.stderr.strip()}")
    ran = subprocess.run([*inside, sys.executable, "-c", MOUNT, str(tmp_path)], timeout=60,
                         capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.startswith("['b.fit'] 2 is empty now: another file system is mounted over")


@pytest.mark.parametrize("filesystem", ["nfs4", "fuse.sshfs"])
def test_a_network_mount_is_polled_and_settles_for_longer(tmp_path: Path,
                                                          filesystem: str) -> None:
    watched = Watched(tmp_path, filesystem=filesystem, settle=0.6)
    began: list[float] = []

    def act() -> None:
        (tmp_path / "a.fit").write_text("a")
        began.append(time.monotonic())

    assert watched.run(act, until=1, then=0.0) == ["a.fit"]
    assert time.monotonic() - began[0] > 0.6
    assert watched.archive.status["watch"] == f"polling ({filesystem})"


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EMFILE])
def test_where_the_kernel_has_no_more_watches_the_folder_is_polled(
        tmp_path: Path, number: int, monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("watchdog.observers.inotify.InotifyEmitter.on_thread_start", refuse)
    watched = Watched(tmp_path, scan=0.1)
    assert watched.run(lambda: (tmp_path / "a.fit").write_text("a") and None,
                       until=1) == ["a.fit"]
    assert os.strerror(number) in watched.archive.status["watch"]
    assert caplog.text.count("no inotify events") == 1


def test_an_emitter_that_died_is_replaced(tmp_path: Path) -> None:
    watched = Watched(tmp_path, scan=0.2)

    def act() -> None:
        first = watched.archive._events._observer
        for emitter in first.emitters:
            emitter.stop()
        events = watched.archive._events
        _until(lambda: events._observer is not first and events.on, 30)

    assert watched.run(act, until=0) == []


def test_lost_events_are_made_good_by_a_scan(tmp_path: Path) -> None:
    (tmp_path / "a.fit").write_text("a")
    watched = Watched(tmp_path, scan=600.0)

    def act() -> None:
        watched.archive._events._overflow._logger.warning("Inotify queue overflowed; ...")

    scans = []
    scan = watched.archive._tree.scan
    watched.archive._tree.scan = lambda: scans.append(1) or scan()  # type: ignore[method-assign]
    watched.run(act, until=1)
    assert len(scans) == 2
    assert watched.archive.status["overflows"] == 1


STOPPED = """
import asyncio, json, sys
from pathlib import Path
from iop4d.config import FolderArchive
from iop4d.archives.folder import WatchedFolder
from iop4d.archives.known import KnownFiles
root, out = Path(sys.argv[1]), open(sys.argv[2], "a", buffering=1)
async def deliver(_, files):
    for file in files:
        out.write(file.path.name + "\\n")
async def main():
    archive = WatchedFolder(
        archive=FolderArchive(name="raw", path=root), known=KnownFiles(), deliver=deliver,
        settle=0.2, settle_unannounced=0.5, scan_interval=3600.0, clock=lambda: 0.0)
    task = asyncio.create_task(archive.run(asyncio.Event()))
    while True:
        Path(sys.argv[3] + ".new").write_text(json.dumps(archive.status))
        Path(sys.argv[3] + ".new").rename(sys.argv[3])
        await asyncio.sleep(0.1)
asyncio.run(main())
"""


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_20_000_files_that_come_while_it_is_stopped_are_all_found(tmp_path: Path) -> None:
    root, out, status = tmp_path / "raw", tmp_path / "out", tmp_path / "status"
    (root / "night").mkdir(parents=True)
    child = subprocess.Popen([sys.executable, "-c", STOPPED, root, out, status])
    try:
        _until(lambda: status.exists() and json.loads(status.read_text())["state"] == "ok", 20)
        os.kill(child.pid, signal.SIGSTOP)
        for number in range(20_000):
            (root / "night" / f"{number}.fit").write_bytes(b"x")
        os.kill(child.pid, signal.SIGCONT)
        began = time.monotonic()
        _until(lambda: len(out.read_text().split()) >= 20_000, 90)
        took = time.monotonic() - began
        time.sleep(1.0)
    finally:
        child.kill()
        child.wait()
    names = out.read_text().split()
    assert len(names) == len(set(names)) == 20_000
    assert json.loads(status.read_text())["overflows"] >= 1
    assert took < 90


def _until(holds: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize("number", [errno.EACCES, errno.EBUSY, errno.EIO])
def test_a_file_that_cannot_be_read_is_kept_until_it_can(
        tmp_path: Path, number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder, "_UNREADABLE", 0.3)
    broken = threading.Event()
    read = tree.try_read

    def fail(path: Path) -> object:
        if path.name == "bad.fit" and not broken.is_set():
            raise OSError(number, os.strerror(number), str(path))
        return read(path)

    monkeypatch.setattr(folder, "try_read", fail)
    watched = Watched(tmp_path, scan=0.2)

    def act() -> None:
        for name in ("bad.fit", "good.fit"):
            (tmp_path / name).write_text(name)
        _until(lambda: watched.archive.status["troubles"] == 1, 10)
        assert watched.delivered == ["good.fit"]
        assert os.strerror(number) in watched.archive.status["trouble"][0]
        broken.set()

    assert watched.run(act, until=2, then=0.5) == ["bad.fit", "good.fit"]
    assert watched.archive.status["troubles"] == 0


def test_a_file_that_never_stands_still_waits_and_is_told(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder, "_RESTLESS", 0.5)
    watched = Watched(tmp_path, scan=0.1)

    def act() -> None:
        with (tmp_path / "a.fit").open("w") as file:
            while not watched.archive.status["troubles"]:
                file.write("x")
                file.flush()
                time.sleep(0.02)
        assert watched.delivered == []

    def is_over() -> bool:  # with the next scan
        return bool(watched.delivered) and not watched.archive.status["troubles"]

    assert watched.run(act, until=1, then=is_over) == ["a.fit"]
    assert watched.archive.status["troubles"] == 0


def test_a_delivery_that_fails_is_made_again(tmp_path: Path) -> None:
    watched = Watched(tmp_path, scan=60.0)
    fails = [OSError("disk is full"), OSError("still")]

    async def failing(name: str, files: list[CompleteFile]) -> None:
        if fails:
            raise fails.pop()
        await watched.record(name, files)

    watched.deliver = failing
    assert watched.run(lambda: (tmp_path / "a.fit").write_text("a") and None,
                       until=1) == ["a.fit"]


def test_a_root_that_hangs_is_told_and_does_not_hold_up_the_end(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder, "_HANGS", 0.2)
    release = threading.Event()
    watched = Watched(tmp_path, scan=0.2)

    async def main() -> None:
        stop = asyncio.Event()
        watched.archive._tree.scan = release.wait  # type: ignore[method-assign,assignment]
        task = asyncio.create_task(watched.archive.run(stop))
        async with asyncio.timeout(30):
            while "has not answered" not in watched.archive.status["reason"]:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        stop.set()
        async with asyncio.timeout(10):
            await task

    asyncio.run(main())
    release.set()


def test_complete_files_become_read_only_where_that_is_asked_for(tmp_path: Path) -> None:
    watched = Watched(tmp_path, make_read_only=True)
    watched.run(lambda: (tmp_path / "a.fit").write_text("a") and None, until=1)
    assert (tmp_path / "a.fit").stat().st_mode & 0o222 == 0


@pytest.mark.parametrize("ahead", [3600.0, 40 * 365 * 86400.0, -50 * 365 * 86400.0])
def test_a_time_in_the_future_or_before_all_time_is_no_matter(tmp_path: Path,
                                                              ahead: float) -> None:
    def act() -> None:
        (tmp_path / "a.fit").write_text("a")
        os.utime(tmp_path / "a.fit", (0, time.time() + ahead))

    assert Watched(tmp_path, scan=0.2).run(act, until=1, then=0.6) == ["a.fit"]


def test_the_events_of_a_folder_that_is_gone_are_told_once(
        tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    watch = settle.Events("raw", hint=lambda *_: None, lost=lambda: None)
    for _ in range(3):
        watch.watch(tmp_path / "none")
    assert not watch.on
    assert caplog.text.count("no inotify events") == 1
