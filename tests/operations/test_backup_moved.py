"""Backups follow a site to another folder, disk or version; those of other sites are left alone."""

from __future__ import annotations

import errno
import gzip
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pysqlite3
import pytest

from iop4d.config import Site
from iop4d.config.load import load_site
from iop4d.operations import archive, backup
from iop4d.operations.archive import BackupError, Manifest
from iop4d.operations.restore import check, restore
from iop4d.store.database import Database
from iop4d.store.schema import SCHEMA_VERSION, Audit, Frame
from tests.support.rows import rows

DAY = 86400.0
OLD = Path(__file__).parents[1] / "store" / "data" / "schema-3.sql.gz"


def site_in(folder: Path, more: str = "") -> Site:
    folder.mkdir(parents=True)
    (folder / "iop4d.toml").write_text(f'[site]\nname = "Sierra"\n{more}')
    site = load_site(folder)
    database = Database(site.database)
    with database.write() as tx:
        tx.create(Audit, at=1.0, by="ana", act="flag", subject="result 1")
    database.close()
    return site


def days(site: Site, folder: Path) -> list[float]:
    return [manifest.made_at / DAY for _, manifest in backup.of_site(site, folder)]


@pytest.mark.sqlite  # on a server the tests give each folder a schema of its own
def test_backups_of_before_a_site_was_moved_are_listed_and_thinned(tmp_path: Path) -> None:
    kept, here = tmp_path / "kept", site_in(tmp_path / "here")
    for day in (1, 2, 3):
        backup.make(here, kept, now=day * DAY)
    (tmp_path / "here").rename(tmp_path / "there")
    there = load_site(tmp_path / "there")
    assert days(there, kept) == [3, 2, 1]
    made = backup.make(there, kept, keep=2, now=4 * DAY)
    assert len(made.removed) == 2
    assert days(there, kept) == [4, 3]


def test_those_of_another_site_of_the_same_name_are_not(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    one, other = site_in(tmp_path / "one"), site_in(tmp_path / "other")
    backup.make(one, kept, now=DAY)
    shutil.rmtree(tmp_path / "one")
    backup.make(other, kept, keep=1, now=2 * DAY)
    assert days(other, kept) == [2]
    assert len(list(kept.iterdir())) == 2


def test_a_copy_beside_the_site_is_another_site(tmp_path: Path) -> None:
    kept, site = tmp_path / "kept", site_in(tmp_path / "site")
    made = backup.make(site, kept, now=DAY)
    copy = restore(made.path, tmp_path / "trial", by="ana").site
    backup.make(copy, kept, keep=1, now=2 * DAY)
    assert days(copy, kept) == [2]
    shutil.rmtree(tmp_path / "trial")
    assert days(site, kept) == [1]


def test_a_site_that_was_destroyed_and_restored_elsewhere_keeps_its_backups(
        tmp_path: Path) -> None:
    kept, site = tmp_path / "kept", site_in(tmp_path / "site")
    made = backup.make(site, kept, now=DAY)
    shutil.rmtree(tmp_path / "site")
    new = restore(made.path, tmp_path / "new", by="ana").site
    assert days(new, kept) == [1]
    backup.make(new, kept, keep=1, now=2 * DAY)
    assert days(new, kept) == [2]


def test_a_backup_that_another_one_removed_meanwhile_is_no_error(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept, site = tmp_path / "kept", site_in(tmp_path / "site")
    for day in (1, 2, 3):
        backup.make(site, kept, now=day * DAY)
    real = backup.of_site

    def and_remove(*given: object) -> object:
        found = real(*given)  # type: ignore[arg-type]
        found[-1][0].unlink()
        return found

    monkeypatch.setattr(backup, "of_site", and_remove)
    backup.make(site, kept, keep=2, now=4 * DAY)
    monkeypatch.setattr(backup, "of_site", real)
    assert days(site, kept) == [4, 3]


@pytest.mark.sqlite
def test_a_backup_of_an_older_version_is_restored_and_brought_to_this_one(tmp_path: Path) -> None:
    old = tmp_path / "old.db"
    plain = pysqlite3.connect(old)
    plain.executescript(gzip.decompress(OLD.read_bytes()).decode())
    held = {name: plain.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0]
            for (name,) in plain.execute("SELECT name FROM sqlite_master WHERE type = 'table' "
                                         "AND name NOT LIKE 'sqlite_%'").fetchall()}
    plain.close()
    text = tmp_path / "old.toml"
    text.write_text('[site]\nname = "old"\n')
    files = {archive.DATABASE: old, archive.SITE_FILE: text}
    archive.pack(tmp_path / "b.tar.gz", Manifest(
        made_at=1.0, software="0.0.9", schema=3, site="old", root="/gone", database="iop4d.db",
        rows={name: count for name, count in held.items() if count},
        files={name: archive.sum_of(file) for name, file in files.items()}), files)
    assert check(tmp_path / "b.tar.gz").schema == 3
    site = restore(tmp_path / "b.tar.gz", tmp_path / "new", by="ana").site
    database = Database(site.database, read_only=True)
    assert len(rows(database, Frame)) == held["frame"] > 0
    with database.read() as db:
        assert db.rows("PRAGMA user_version") == [(SCHEMA_VERSION,)]
    database.close()


def test_a_backup_of_a_newer_version_says_which_and_changes_nothing(tmp_path: Path) -> None:
    made = backup.make(site_in(tmp_path / "site"), tmp_path / "kept", now=DAY)
    files = {name: tmp_path / "out" / name for name in made.manifest.files}
    archive.unpack(made.path, tmp_path / "out")
    archive.pack(tmp_path / "new.tar.gz", replace(
        made.manifest, schema=SCHEMA_VERSION + 1, software="9.9"), files)
    with pytest.raises(BackupError, match=r"written by a newer iop4d \(9\.9\)"):
        restore(tmp_path / "new.tar.gz", tmp_path / "elsewhere", by="ana")
    assert not (tmp_path / "elsewhere").exists()


@pytest.fixture
def other_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to and from which nothing can be renamed."""
    folder = tmp_path / "disk"
    folder.mkdir()
    for name in ("rename", "replace"):
        real = getattr(Path, name)

        def move(path: Path, target: Path, real: object = real) -> Path:
            if path.is_relative_to(folder) != Path(target).is_relative_to(folder):
                raise OSError(errno.EXDEV, "Invalid cross-device link")
            return real(path, target)  # type: ignore[operator, no-any-return]

        monkeypatch.setattr(Path, name, move)
    return folder


@pytest.mark.sqlite
def test_a_database_on_another_disk_is_restored_and_the_one_before_kept_beside(
        tmp_path: Path, other_disk: Path) -> None:
    place = other_disk / "iop4d.db"
    site = site_in(tmp_path / "site", f'[store]\nurl = "sqlite:///{place}"\n')
    made = backup.make(site, tmp_path / "kept", now=DAY)
    done = restore(made.path, tmp_path / "site", by="ana", force=True)
    assert [row.act for row in rows(Database(place, read_only=True), Audit)] == ["flag", "restore"]
    assert done.before is not None
    assert (done.before / "iop4d.toml").exists()
    (before,) = other_disk.glob("before-restore-*/iop4d.db")
    assert [row.act for row in rows(Database(before, read_only=True), Audit)] == ["flag"]
    assert not list(other_disk.glob(".*"))


@pytest.mark.sqlite
def test_where_the_other_disk_is_full_nothing_changes(
        tmp_path: Path, other_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = other_disk / "iop4d.db"
    site = site_in(tmp_path / "site", f'[store]\nurl = "sqlite:///{place}"\n')
    made = backup.make(site, tmp_path / "kept", now=DAY)

    def full(_: Path, to: Path) -> None:
        to.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(shutil, "copyfile", full)
    there = sorted(path.name for path in other_disk.iterdir())
    with pytest.raises(OSError, match="No space left"):
        restore(made.path, tmp_path / "site", by="ana", force=True)
    assert sorted(path.name for path in other_disk.iterdir()) == there
    assert not list((tmp_path / "site").glob("before-restore-*"))
    assert (tmp_path / "site" / "iop4d.toml").exists()


def test_a_full_disk_is_not_said_to_be_a_damaged_backup(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = backup.make(site_in(tmp_path / "site"), tmp_path / "kept", now=DAY)
    real = os.fsync

    def full(descriptor: int) -> None:
        real(descriptor)
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(BackupError, match=r"cannot be unpacked into .*new: No space left"):
        restore(made.path, tmp_path / "new", by="ana")
    assert not (tmp_path / "new").exists()
