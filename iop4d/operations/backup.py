"""A backup of a site while its daemon works: everything that raw files do not give back.

What is in it: the database as of one moment, the site file without secrets, the drafts that people
edit. Masters, reduced frames and previews are not: they are made again from the raw files.
"""

from __future__ import annotations

import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from iop4d import __version__
from iop4d.config import Site
from iop4d.config.inline_secrets import without_secrets
from iop4d.config.load import site_text
from iop4d.config.secret import secrets_of
from iop4d.config.store import FilePlace, ServerPlace
from iop4d.operations import archive
from iop4d.operations.archive import BackupError, Manifest
from iop4d.store import identity
from iop4d.store.copying import counts, save
from iop4d.store.database import Database, StoreUnavailableError, is_empty
from iop4d.store.schema import SCHEMA_VERSION

_DRAFTS = "drafts"
_SUFFIX = ".tar.gz"
_SCRATCH = ".iop4d-backup-"
_STALE = 86400.0  # seconds after which what a backup works with is of one that was killed
_SPARE = 64 << 20  # bytes that stay free beside a backup


@dataclass(frozen=True, kw_only=True)
class Made:
    """A backup that was made and read back, and the older ones that were removed for it."""

    path: Path
    manifest: Manifest
    removed: tuple[Path, ...] = ()


def make(site: Site, target: Path, *, keep: int = 0, now: float | None = None) -> Made:
    """Make a backup in a folder, or as a file that does not exist yet, and read it back.

    ``keep``: in a folder, how many backups of this site stay, the newest; 0: all. Raises
    BackupError, and then leaves nothing behind.
    """
    now = time.time() if now is None else now
    in_folder = target.is_dir() or not target.name.endswith((_SUFFIX, ".tgz"))
    path = target / _name(site, now) if in_folder else target
    if path.exists():
        raise BackupError(f"{path} exists already and was not changed")
    path.parent.mkdir(parents=True, exist_ok=True)
    _sweep(path.parent, now)
    _check_room(site, path.parent)
    with tempfile.TemporaryDirectory(prefix=_SCRATCH, dir=path.parent) as folder:
        _pack(site, path, Path(folder), now)
    try:
        manifest = archive.unpack(path)
    except BackupError:
        path.unlink(missing_ok=True)
        raise
    removed = _remove_older(site, path.parent, keep) if in_folder and keep else ()
    return Made(path=path, manifest=manifest, removed=tuple(removed))


def refuse_emptied(site: Site) -> None:
    """Raise BackupError where the database is a file of 0 bytes though backups were made of it.

    A new one would begin in its place, without a word: all flags by hand and all alerts forgotten.
    """
    place = site.database
    if isinstance(place, FilePlace) and is_empty(place.path) and (
            found := of_site(site, site.backups)):
        raise BackupError(
            f"the database {place.path} is empty (0 bytes), and there are backups of it, the "
            f"newest {found[0][0]}: restore one (iop4d restore --force), or remove the empty "
            "file to begin with nothing")


def of_site(site: Site, folder: Path, ours: str | None = None) -> list[tuple[Path, Manifest]]:
    """The backups of a site in a folder, the newest first; what cannot be read is passed over.

    Those that were made where the site was before it was moved are among them, unless a site is
    there still. ``ours``: its identity, where that was read already.
    """
    found, ours = [], _identity(site) if ours is None else ours
    for path in folder.glob(f"iop4d-*{_SUFFIX}") if folder.is_dir() else ():
        try:
            manifest = archive.read_manifest(path)
        except BackupError:
            continue
        if manifest.root == str(site.root) or (
                ours and manifest.identity == ours
                and not (Path(manifest.root) / archive.SITE_FILE).exists()):
            found.append((path, manifest))
    return sorted(found, key=lambda one: -one[1].made_at)


def _identity(site: Site) -> str:
    """That of the site's database; empty where it has none, or tells none now."""
    if not isinstance(site.database, ServerPlace) and not site.database.path.exists():
        return ""
    database = Database(site.database, read_only=True)
    try:
        with database.read() as db:
            return identity.of(db)
    except StoreUnavailableError:
        return ""
    finally:
        database.close()


def _name_site(site: Site) -> None:
    """Have the database know its identity; one that this account only reads stays without."""
    if _identity(site):
        return
    with suppress(StoreUnavailableError):
        database = Database(site.database, prepare=False)
        try:
            with database.write() as tx:
                identity.ensure(tx)
        finally:
            database.close()


def unreadable(folder: Path) -> list[str]:
    """What is wrong with the files of a folder that are named like backups and cannot be read."""
    wrong = []
    for path in sorted(folder.glob(f"iop4d-*T??????Z{_SUFFIX}")):
        try:
            archive.read_manifest(path)
        except BackupError as error:
            wrong.append(str(error))
    return wrong


def _pack(site: Site, path: Path, folder: Path, now: float) -> None:
    database, site_file = folder / archive.DATABASE, folder / archive.SITE_FILE
    _name_site(site)
    source = Database(site.database, read_only=True)
    try:
        save(source, database)
    finally:
        source.close()
    text, left_out = without_secrets(site_text(site.root))
    site_file.write_text(text, encoding="utf-8")
    files = {archive.DATABASE: database, archive.SITE_FILE: site_file, **_drafts(site, folder)}
    copy = Database(FilePlace(database), read_only=True)
    copy.kind.node = source.kind.node
    try:
        with copy.read() as db:
            rows, whose = dict(counts(db)), identity.of(db)
    finally:
        copy.close()
    archive.pack(path, Manifest(
        made_at=now, software=__version__, schema=SCHEMA_VERSION, site=site.site.name,
        root=str(site.root), database=str(site.database), rows=rows, identity=whose,
        files={name: archive.sum_of(file) for name, file in files.items()},
        secrets=tuple(_places(site)), left_out=tuple(left_out), indexes={
            str(index): tuple(sorted(file.name for file in index.glob("*.fits")))
            for index in site.astrometry.index}), files)


def _drafts(site: Site, folder: Path) -> dict[str, Path]:
    """The texts of drafts, copied, as a person may be writing one now."""
    found = {}
    for path in sorted(site.folder(_DRAFTS).glob("*/*")):
        if path.is_file() and not any(part.startswith(".") for part in path.parts[-2:]):
            name = str(path.relative_to(site.root))
            copy = folder / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)
            found[name] = copy
    return found


def _places(site: Site) -> Iterator[str]:
    """Where each secret has to be put again, in words; never a secret."""
    for secret in secrets_of(site):
        where = (f"the file {secret.file}" if secret.file else
                 f"the environment variable {secret.env}" if secret.env else
                 f"the credential '{secret.credential}' of systemd")
        yield f"{secret.owner}: {secret.word} in {where}"


def _name(site: Site, now: float) -> str:
    name = re.sub(r"[^A-Za-z0-9]+", "-", site.site.name).strip("-")[:40] or "site"
    return f"iop4d-{name}-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime(now))}{_SUFFIX}"


def _sweep(folder: Path, now: float) -> None:
    """Remove what a backup that was killed left behind."""
    for path in (*folder.glob(f"{_SCRATCH}*"), *folder.glob(".iop4d-*.part")):
        if path.lstat().st_mtime < now - _STALE:
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)


def _check_room(site: Site, folder: Path) -> None:
    """Refuse where the copy of the database and the backup of it do not fit beside each other."""
    if not isinstance(site.database, FilePlace):
        return
    log = site.database.path.with_name(site.database.path.name + "-wal")
    size = sum(file.stat().st_size for file in (site.database.path, log) if file.exists())
    needed, free = 2 * size + _SPARE, shutil.disk_usage(folder).free
    if free < needed:
        raise BackupError(f"the disk of {folder} has {free / 1e9:.2f} GB free, and the backup "
                          f"needs {needed / 1e9:.2f} GB while it is made: name a folder on another "
                          "disk")


def _remove_older(site: Site, folder: Path, keep: int) -> list[Path]:
    older = [path for path, _ in of_site(site, folder)[keep:]]
    for path in older:
        path.unlink(missing_ok=True)  # another backup may have ended meanwhile
    return older
