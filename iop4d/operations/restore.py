"""A backup is restored into the folder of a site; raw files are never touched.

What was there before is moved beside, never deleted. What raw files give back (masters that are
missing, frames that came since) the daemon finds and makes by itself.
"""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from iop4d.config import Site
from iop4d.config.load import parse_site
from iop4d.config.store import FilePlace, Place
from iop4d.model.errors import Iop4dError
from iop4d.operations import archive
from iop4d.operations.archive import BackupError, Manifest
from iop4d.store import audit, restored
from iop4d.store.copying import copy, counts, save
from iop4d.store.database import Database, StoreUnavailableError, is_there, make_private
from iop4d.store.schema import SCHEMA_VERSION, TABLES
from iop4d.system.lock import SiteLock

_FOLDERS = ("raw", "masters", "reduced", "previews")
_DATABASE_FILES = ("", "-wal", "-shm", "-journal")
_KNOWN = frozenset(str(table._meta.table_name) for table in TABLES)


@dataclass(frozen=True, kw_only=True)
class Restored:
    """What was restored. ``before``: where what was there is now; None where nothing was."""

    site: Site
    manifest: Manifest
    before: Path | None = None


def check(path: Path) -> Manifest:
    """Read a whole backup, and have its database checked; raises BackupError."""
    with tempfile.TemporaryDirectory(prefix="iop4d-check-") as folder:
        return _unpacked(path, Path(folder))


def restore(path: Path, root: Path, *, by: str, force: bool = False,
            overrides: Iterable[str] = (), now: float | None = None) -> Restored:
    """Restore a backup into a folder. ``force``: also where a site is, which is moved beside.

    ``overrides``: of keys of its site file, such as another database. Raises BackupError, and then
    changes nothing.
    """
    now = time.time() if now is None else now
    made = not root.exists()
    root.mkdir(parents=True, exist_ok=True)
    root = root.resolve()
    try:
        with tempfile.TemporaryDirectory(prefix=".iop4d-restore-", dir=root) as folder:
            manifest = _unpacked(path, Path(folder))
            text = (Path(folder) / archive.SITE_FILE).read_text(encoding="utf-8")
            site = parse_site(text, root=root, overrides=overrides, skip_wrong_rules=True)
            lock = SiteLock(site.lock)
            try:
                before = _put(site, Path(folder), manifest, force=force, by=by, now=now)
            finally:
                lock.close()
    except BaseException:
        if made:
            shutil.rmtree(root, ignore_errors=True)
        raise
    return Restored(site=site, manifest=manifest, before=before)


def _unpacked(path: Path, folder: Path) -> Manifest:
    """Unpack a backup, and check that its database is sound and holds what was counted."""
    manifest = archive.unpack(path, folder)
    if not {archive.DATABASE, archive.SITE_FILE} <= set(manifest.files):
        raise BackupError(f"{path} holds no database, or no site file")
    if manifest.schema > SCHEMA_VERSION:
        raise BackupError(f"the backup was written by a newer iop4d ({manifest.software}): install "
                          "that version to restore it")
    database = Database(FilePlace(folder / archive.DATABASE), read_only=True)
    try:
        with database.read() as db:
            wrong = database.kind.wrong()
            rows = dict(counts(db, manifest.rows)) if not wrong else {}
    finally:
        database.close()
    if wrong:
        raise BackupError(f"the database in {path} is damaged: {wrong[0]}")
    if rows != {name: count for name, count in manifest.rows.items() if name in _KNOWN}:
        raise BackupError(f"the database in {path} does not hold the rows that its manifest names")
    return manifest


def _put(site: Site, folder: Path, manifest: Manifest, *, force: bool, by: str,
         now: float) -> Path | None:
    """Bring what was unpacked into its place."""
    there = _what_is_there(site, manifest)
    if there and not force:
        raise BackupError(f"{site.root} holds a site already ({', '.join(there)}), which was not "
                          "changed: restore into another folder with --site DIR, or over it with "
                          "--force, which keeps what is there beside")
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
    before = site.root / f"before-restore-{stamp}" if there else None
    unpacked = folder / archive.DATABASE
    _adapt(unpacked, manifest, site, by=by, now=now)
    staged = _beside(site.database, unpacked)
    if before is not None:
        before.mkdir()
        _move_beside(site, manifest, before)
    try:
        _put_database(site.database, staged)
    except Iop4dError as error:
        kept = f"; what was there is in {before}" if before else ""
        raise BackupError(f"{error}{kept}") from error
    for name in manifest.files:
        if name not in (archive.DATABASE, archive.SITE_FILE):
            (site.root / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).replace(site.root / name)
    for name in _FOLDERS:
        site.folder(name).mkdir(exist_ok=True)
    site_file = folder / archive.SITE_FILE
    site_file.chmod(0o644)
    site_file.replace(site.root / archive.SITE_FILE)  # last: without it nothing starts
    return before


def _what_is_there(site: Site, manifest: Manifest) -> list[str]:
    found = [name for name in (archive.SITE_FILE, *_tops(manifest)) if (site.root / name).exists()]
    if not isinstance(site.database, FilePlace):
        return found + [str(site.database)] * _has_rows(site.database)
    return found + [site.database.path.name] * site.database.path.exists()


def _has_rows(place: Place) -> bool:
    if not is_there(place):
        return False
    database = Database(place, read_only=True)
    try:
        with database.read() as db:
            return any(table != "meta" for table, _ in counts(db))
    except StoreUnavailableError as error:
        if error.absent:
            return False
        raise
    finally:
        database.close()


def _tops(manifest: Manifest) -> list[str]:
    """The folders that a backup brings with it."""
    return sorted({Path(name).parts[0] for name in manifest.files if len(Path(name).parts) > 1})


def _move_beside(site: Site, manifest: Manifest, before: Path) -> None:
    for name in (archive.SITE_FILE, *_tops(manifest)):
        if (site.root / name).exists():
            (site.root / name).rename(before / name)
    if isinstance(site.database, FilePlace):
        path = site.database.path
        for end in _DATABASE_FILES:
            if (file := path.with_name(path.name + end)).exists():
                _move(file, before)
    elif _has_rows(site.database):
        source = Database(site.database, read_only=True)
        try:
            save(source, before / archive.DATABASE)
        finally:
            source.close()


def _move(file: Path, before: Path) -> None:
    """Into a folder, or into one of the same name beside the file where that is on another disk."""
    try:
        file.rename(before / file.name)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        (file.parent / before.name).mkdir(exist_ok=True)
        file.rename(file.parent / before.name / file.name)


def _beside(place: Place, unpacked: Path) -> Path:
    """What was unpacked, on the disk of the database: a full one changes nothing yet."""
    if not isinstance(place, FilePlace):
        return unpacked
    place.path.parent.mkdir(parents=True, exist_ok=True)
    staged = place.path.with_name(f".{place.path.name}.restored")
    try:
        unpacked.rename(staged)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        try:
            _copied(unpacked, staged)
        except OSError:
            staged.unlink(missing_ok=True)
            raise
    return staged


def _copied(source: Path, target: Path) -> None:
    """Copy a file, so that it stays whatever happens to the power."""
    shutil.copyfile(source, target)
    with target.open("rb") as file:
        os.fsync(file.fileno())


def _adapt(path: Path, manifest: Manifest, site: Site, *, by: str, now: float) -> None:
    """Have the database know where it is now, and that it was restored."""
    database = Database(FilePlace(path))
    try:
        with database.write() as tx:
            restored.adapt(
                tx, was=manifest.root, root=str(site.root), now=now, node=site.site.node,
                is_copy=manifest.root != str(site.root)
                and (Path(manifest.root) / archive.SITE_FILE).exists())
            audit.record(tx, at=now, by=by, act="restore", subject="site", was=manifest.made_at,
                         now=now, why="restored from a backup")
    finally:
        database.close()


def _put_database(place: Place, unpacked: Path) -> None:
    if isinstance(place, FilePlace):
        unpacked.replace(place.path)
        make_private(place.path)
        return
    alone = replace(place, node="")  # no other node's daemon may run meanwhile
    source, target = Database(FilePlace(unpacked), read_only=True), Database(alone)
    try:
        target.kind.claim()
        try:
            copy(source, target, replace=True)
        finally:
            target.kind.unclaim()
    finally:
        source.close()
        target.close()
