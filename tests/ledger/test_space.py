"""Work pauses while the disk is full, and nothing fails for it."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from iop4d.config import Site
from iop4d.ledger.space import Space, is_full
from iop4d.model.messages import NO_SPACE, UNREADABLE, ClassifyRequest, Failed, ReduceRequest
from iop4d.model.source import Catalogue
from iop4d.model.states import FrameState
from iop4d.reduction.context import WorkerContext
from iop4d.reduction.workbench import Workbench
from iop4d.store.database import Database, StoreUnavailableError
from iop4d.store.schema import Meta
from tests.conftest import FakeClock
from tests.ledger.one_camera import CALIBRATION, Bench


class Disk:
    """Free space that is told."""

    def __init__(self, gb: float) -> None:
        self.gb, self.looks = gb, 0

    def __call__(self, _path: Path) -> int:
        self.looks += 1
        return int(self.gb * 1e9)


def test_work_stops_below_the_minimum_and_goes_on_at_half_as_much_again(tmp_path: Path) -> None:
    disk = Disk(3.0)
    space = Space(tmp_path, minimum_gb=2.0, free=disk)
    told = []
    for second, gb in enumerate((3.0, 2.1, 1.9, 2.1, 2.9, 3.1, 2.1)):
        disk.gb = gb
        told.append(space.is_short(10.0 * second))
    assert told == [False, False, True, True, True, False, False]


def test_the_disk_is_looked_at_now_and_then_only(tmp_path: Path) -> None:
    disk = Disk(1.0)
    space = Space(tmp_path, minimum_gb=2.0, free=disk)
    for tenth in range(100):
        assert space.is_short(1000.0 + tenth / 10)
    assert disk.looks == 2
    assert space.looks_again_at == pytest.approx(1010.0, abs=0.2)
    assert "less than 3 GB" in space.reason


def test_frames_are_taken_in_and_wait_while_the_disk_is_full(
        site: Site, database: Database, clock: FakeClock) -> None:
    bench = Bench(site, database, clock)
    disk = Disk(0.1)
    bench.ledger.ledger.space = Space(site.root, minimum_gb=2.0, free=disk)
    bench.drop(*CALIBRATION, "science-R-7.fit")
    assert bench.ledger.claim(4) == []
    assert bench.state("science-R-7.fit") == FrameState.QUEUED
    disk.gb = 10.0
    clock.advance(10.0)
    bench.work()
    assert bench.state("science-R-7.fit") == FrameState.DONE


@pytest.mark.parametrize("stage", [NO_SPACE, UNREADABLE])
def test_a_job_that_meets_trouble_of_the_machine_is_done_again_and_has_not_failed(
        stage: str, site: Site, database: Database, clock: FakeClock) -> None:
    bench = Bench(site, database, clock)
    troubles = iter([True] * 12)
    bench.drop(*CALIBRATION, "science-R-7.fit")
    began = clock()
    bench.work(lambda claim: Failed(stage=stage, reason="Input/output error: frame.fits")
               if isinstance(claim.request, ReduceRequest) and next(troubles, False)
               else bench.answer(claim))
    assert bench.state("science-R-7.fit") == FrameState.DONE
    assert 5 + 10 + 20 + 40 + 80 + 160 + 6 * 300 <= clock() - began < 2200


@pytest.mark.parametrize(("number", "stage"), [
    (errno.ENOSPC, NO_SPACE), (errno.EDQUOT, NO_SPACE), (errno.EIO, UNREADABLE),
    (errno.ESTALE, UNREADABLE), (errno.EACCES, UNREADABLE), (errno.ENOENT, "start")])
def test_errors_of_the_system_that_pass_are_told_apart(
        number: int, stage: str, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(number, os.strerror(number), "/raw/a.fit")

    monkeypatch.setattr(Workbench, "_value", fail)
    worker = Workbench(WorkerContext(site=site, catalogue=Catalogue(version=0, sources=())))
    failed = worker.perform(ClassifyRequest(path=Path("/raw/a.fit")))
    assert isinstance(failed, Failed)
    assert (failed.stage, failed.reason) == (stage, f"{os.strerror(number)}: /raw/a.fit")


def test_what_says_that_a_disk_is_full() -> None:
    assert is_full(str(OSError(28, "No space left on device")))
    assert is_full("database or disk is full")
    assert not is_full("a full field of stars")


def _can_mount() -> bool:
    tool = shutil.which("unshare")
    return tool is not None and subprocess.run(
        [tool, "-rm", "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True,
        check=False).returncode == 0


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.skipif(not _can_mount(), reason="no mount namespaces for this user here")
def test_a_daemon_on_a_disk_that_fills_pauses_and_goes_on(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    inside = ('mount -t tmpfs -o size=200m tmpfs "$1" && shift && exec "$@"')
    ran = subprocess.run(
        ["unshare", "-rm", "sh", "-c", inside, "sh", str(tmp_path / "disk"), sys.executable, "-m",
         "tests.support.full_disk", str(tmp_path / "disk")],
        capture_output=True, text=True, check=False, timeout=110,
        cwd=Path(__file__).parents[2], env={**os.environ})
    assert ran.returncode == 0, ran.stderr[-3000:]


@pytest.mark.sqlite
def test_what_a_full_database_says_is_known_as_a_full_disk(database: Database) -> None:
    """By these words the daemon keeps an outcome and writes it later, rather than lose it."""
    database.db.execute_sql("PRAGMA max_page_count = 1")
    with pytest.raises(StoreUnavailableError) as caught, database.write() as tx:
        tx.replace(Meta, key="large", value="x" * 10_000_000)
    assert is_full(str(caught.value))
