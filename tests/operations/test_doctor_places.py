"""Doctor looks at folders, files and disks: what cannot be read, written or stay is named."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from iop4d.cli import cli
from iop4d.model.errors import Iop4dError
from iop4d.operations import backup
from iop4d.operations.doctor.findings import Level, Surroundings
from iop4d.simulator.sky import index_folder
from iop4d.store import disk_history
from iop4d.store.schema import Frame
from tests.operations.sound_site import DAY, NOW, Lab
from tests.support.index_files import with_further_columns


def without_rights_to(path: Path, around: Surroundings) -> Surroundings:
    """The account may do nothing with a path; as root it may do everything."""
    return replace(around, may=lambda one, rights: one != path and os.access(one, rights))


@pytest.mark.parametrize("one", ["folder", "file"])
def test_index_files_that_may_not_be_read_are_named_as_such(lab: Lab, one: str) -> None:
    path = index_folder() if one == "folder" else max(index_folder().glob("*.fits"))
    (found,) = lab.only("index files", without_rights_to(path, lab.around()))
    assert found.level is Level.FAULT
    assert str(path) in found.what
    assert "right to read" in found.do


def test_index_files_of_another_scale_than_the_camera_sees_are_named(lab: Lab) -> None:
    with lab.database.write() as tx:
        for number, (instrument, pixels) in enumerate([("AndorT90", 2048), ("DIPOL", 400)]):
            path = lab.root / f"raw/T090/{number}.fits"
            path.touch()
            tx.create(Frame, archive="T090", path=str(path), name=path.name, size=1, mtime_ns=1,
                      state="done", completed_at=1.0, seen_at=1.0, changed_at=1.0, binning=1,
                      kind="science", instrument=instrument, nx=pixels, ny=pixels)
    (found,) = lab.only("index files")
    assert found.level is Level.WARNING
    assert found.what.startswith("DIPOL sees 0.4 arcmin, ")
    assert "3C345" in found.what
    assert "--scales" in found.do


def test_index_files_that_cost_time_with_each_frame_are_named(lab: Lab, tmp_path: Path) -> None:
    files = with_further_columns(tmp_path / "slow")
    text = (lab.root / "iop4d.toml").read_text()
    lab.write_site(text.replace(str(index_folder()), str(tmp_path / "slow")))
    (found,) = lab.only("index files")
    assert found.level is Level.WARNING
    assert f"{len(files)} index files, such as {files[0]}, hold further columns" in found.what
    assert found.do == f"iop4d index {tmp_path / 'slow'} --strip"


def test_an_archive_that_is_a_file_is_named_as_one(lab: Lab) -> None:
    shutil.rmtree(lab.root / "raw/away")
    (lab.root / "raw/away").touch()
    (found,) = lab.only("archives")
    assert "is a file, not a folder" in found.what


def test_an_archive_that_cannot_be_reached_hides_no_other(
        lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = lab.root / "raw/T090"
    real = Path.is_dir

    def is_dir(path: Path) -> bool:
        if path == gone:
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(Path, "is_dir", is_dir)
    shutil.rmtree(lab.root / "raw/away")
    first, second = lab.only("archives")
    assert f"{gone} cannot be reached: Permission denied" in first.what
    assert "raw/away is not there" in second.what


@pytest.mark.parametrize("name", ["reduced", "drafts", "logs"])
def test_a_file_in_the_place_of_a_folder_is_named(lab: Lab, name: str) -> None:
    (lab.root / name).touch()
    (found,) = lab.only("folders")
    assert found.what == f"{lab.root / name} is no folder: nothing can be written into it"


@pytest.mark.parametrize("name", ["backups", "drafts"])
def test_folders_of_backups_and_drafts_must_be_writable_too(lab: Lab, name: str) -> None:
    (lab.root / name).mkdir(exist_ok=True)
    (found,) = lab.only("folders", without_rights_to(lab.root / name, lab.around()))
    assert str(lab.root / name) in found.what


def test_a_site_in_memory_is_named(lab: Lab) -> None:
    (found,) = lab.only("folders", replace(lab.around(), kind_of=lambda _: "tmpfs"))
    assert "lost when the machine starts again" in found.what


@pytest.mark.parametrize(("gb_a_day", "level"), [(20, Level.FAULT), (6, Level.WARNING)])
def test_a_disk_that_is_full_in_days_is_a_fault(lab: Lab, gb_a_day: int, level: Level) -> None:
    with lab.database.write() as tx:
        for day in range(5):
            disk_history.note(tx, NOW - (4 - day) * DAY + 1, (60 + gb_a_day * (4 - day)) * 10**9)
    lab.free = 60 * 10**9
    (found,) = lab.only("disk")
    assert found.level is level
    assert "no new work starts in" in found.what
    assert f"full in {60 / gb_a_day:.0f} days" in found.what


@pytest.mark.sqlite
def test_a_database_that_may_not_be_written_is_named_with_its_files(lab: Lab) -> None:
    (found,) = lab.only("store", without_rights_to(lab.root / "iop4d.db", lab.around()))
    assert f"may not write {lab.root / 'iop4d.db'}" in found.what
    assert "chmod u+w" in found.do


@pytest.mark.parametrize(("statement", "named"), [
    ('DROP TABLE "mute"', "the table mute is missing"),
    ('ALTER TABLE "outbox" DROP COLUMN "last_error"',
     "the column last_error of the table outbox is missing"),
])
def test_a_table_or_a_column_that_is_missing_is_named_and_not_backed_up(
        lab: Lab, statement: str, named: str, tmp_path: Path) -> None:
    with lab.database.write():
        lab.database.db.execute_sql(statement)
    assert any(named in one.what for one in lab.bad() if one.check == "store")
    site = lab.around().site
    with pytest.raises(Iop4dError, match=named):
        backup.make(site, tmp_path / "elsewhere", now=NOW)
    assert list((tmp_path / "elsewhere").iterdir()) == []


@pytest.mark.sqlite
def test_a_damaged_value_is_a_finding_and_no_traceback(lab: Lab) -> None:
    with lab.database.write():
        lab.database.db.execute_sql("UPDATE source SET magnitudes = '{damaged'")
    found = lab.bad()
    assert {"catalogue", "index files"} >= {one.check for one in found} >= {"catalogue"}
    assert all("JSONDecodeError" in one.what and "restore" in one.do for one in found)


def test_with_a_wrong_site_file_nothing_is_said_of_what_it_alone_tells(lab: Lab) -> None:
    lab.write_site("[[\n")
    ran = CliRunner().invoke(cli, ["doctor", "--site", str(lab.root), "--offline"])
    assert ran.exit_code == 1
    assert "not valid TOML" in ran.output
    assert "no frame" not in ran.output


@pytest.mark.sqlite
def test_what_several_checks_meet_is_said_once(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    def closed(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", "iop4d.lock")

    monkeypatch.setattr("iop4d.system.lock.os.open", closed)
    assert sum("iop4d.lock" in one.what for one in lab.bad()) == 1


@pytest.mark.sqlite
def test_unreadable_backups_stand_in_the_list(lab: Lab) -> None:
    (path,) = (lab.root / "backups").iterdir()
    os.truncate(path, 100)
    ran = CliRunner().invoke(cli, ["backup", "--list", "--site", str(lab.root)])
    assert f"! {path}" in ran.stderr


def test_a_unit_of_a_site_that_is_not_there_is_named(lab: Lab, tmp_path: Path) -> None:
    text = f"# The daemon of the site {tmp_path}/moved. Written by 'iop4d systemd install'\n"
    (lab.root / "units/iop4d.service").write_text(text)
    (found,) = lab.only("units")
    assert f"{tmp_path}/moved, which is not there" in found.what


def test_another_python_than_is_needed_is_named(
        lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.python_version", lambda: "3.10.13")
    (found,) = lab.only("versions")
    assert "this is Python 3.10.13" in found.what


def test_a_heartbeat_that_is_seconds_ahead_is_said(lab: Lab) -> None:
    (found,) = lab.only("clock", replace(lab.around(), clock=lambda: NOW - 41.0))
    assert "40 s in the future" in found.what
