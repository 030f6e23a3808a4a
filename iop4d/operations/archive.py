"""The file of a backup: a tar file with a manifest, by which every other file in it is checked."""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from functools import lru_cache
from pathlib import Path
from typing import Any

from iop4d.model.errors import Iop4dError

MANIFEST, DATABASE, SITE_FILE = "manifest.json", "iop4d.db", "iop4d.toml"
FORMAT = 1
_LEVEL = 3  # of gzip: half of the time of the usual one, for a tenth more of size
_LARGEST_MANIFEST = 64 << 20  # bytes
_PIECE = 1 << 20


class BackupError(Iop4dError):
    """A backup cannot be made, read or restored; the message says why."""


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What a backup holds. ``identity``: of its site, wherever that is; empty in those of older
    versions; ``rows``: of each table; ``files``: size and SHA-256 by name;
    ``secrets``: where the site file says that they are; ``left_out``: those that stood in it;
    ``indexes``: folder to the names of its index files, which are not in the backup."""

    made_at: float
    software: str
    schema: int
    site: str
    root: str
    database: str
    format: int = FORMAT
    identity: str = ""
    rows: dict[str, int] = field(default_factory=dict)
    files: dict[str, tuple[int, str]] = field(default_factory=dict)
    secrets: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    indexes: dict[str, tuple[str, ...]] = field(default_factory=dict)


def pack(path: Path, manifest: Manifest, files: Mapping[str, Path]) -> None:
    """Write a backup of some files, for its owner alone, as a whole or not at all."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    content = json.dumps(asdict(manifest), indent=1).encode()
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as out:
            with tarfile.open(fileobj=out, mode="w:gz", compresslevel=_LEVEL) as tar:
                tar.addfile(_entry(MANIFEST, len(content)), io.BytesIO(content))
                for name, source in files.items():
                    with source.open("rb") as file:
                        tar.addfile(_entry(name, source.stat().st_size), file)
            out.flush()
            os.fsync(out.fileno())
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def read_manifest(path: Path) -> Manifest:
    """What a backup says of itself; raises BackupError where it is none."""
    try:
        info = path.stat()
    except OSError as error:
        raise _not_read(path, error) from error
    return _read_once(path, info.st_mtime_ns, info.st_size)


@lru_cache(maxsize=500)
def _read_once(path: Path, _mtime_ns: int, _size: int) -> Manifest:
    """A file that did not change since says the same."""
    with _opened(path) as tar:
        return _manifest(path, tar)


def unpack(path: Path, folder: Path | None = None) -> Manifest:
    """Check every file of a backup by the manifest, and write them into a folder, if one is given.

    Raises BackupError where one is missing, is more, or differs.
    """
    with _opened(path) as tar:
        manifest = _manifest(path, tar)
        left = dict(manifest.files)
        try:
            while (entry := tar.next()) is not None:
                if entry.name not in left or not entry.isreg():
                    raise BackupError(f"{path} holds {entry.name!r}, of which its manifest says "
                                      "nothing: it is not restored")
                size, digest = left.pop(entry.name)
                found = _copied(tar, entry, None if folder is None else folder / entry.name)
                if found != (size, digest):
                    raise BackupError(f"{path} is damaged: {entry.name} in it differs from what "
                                      "was written")
        except OSError as error:
            if error.errno and folder is not None:
                raise BackupError(f"{path} cannot be unpacked into {folder.parent}: "
                                  f"{error.strerror}") from error
            raise _not_read(path, error) from error
        except (EOFError, tarfile.TarError) as error:
            raise _damaged(path, error) from error
    if left:
        raise BackupError(f"{path} is damaged: {', '.join(left)} is missing in it")
    return manifest


def sum_of(path: Path) -> tuple[int, str]:
    """Size and SHA-256 of a file."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return path.stat().st_size, digest


def _entry(name: str, size: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode, entry.mtime = size, 0o600, int(time.time())
    return entry


def _opened(path: Path) -> tarfile.TarFile:
    try:
        return tarfile.open(path, mode="r:gz")
    except OSError as error:
        raise _not_read(path, error) from error
    except (tarfile.TarError, EOFError) as error:
        raise _damaged(path, error) from error


def _not_read(path: Path, error: OSError) -> BackupError:
    if isinstance(error, FileNotFoundError):
        return BackupError(f"no backup at {path}")
    if error.errno:
        return BackupError(f"{path} cannot be read: {error.strerror}")
    return _damaged(path, error)  # of gzip


def _damaged(path: Path, error: BaseException) -> BackupError:
    return BackupError(f"{path} is no backup of iop4d, or is damaged: {error}")


def _manifest(path: Path, tar: tarfile.TarFile) -> Manifest:
    try:
        entry = tar.next()
        if entry is None or entry.name != MANIFEST or entry.size > _LARGEST_MANIFEST:
            raise BackupError(f"{path} is no backup of iop4d: it does not begin with a manifest")
        file = tar.extractfile(entry)
        assert file is not None
        return _parsed(json.loads(file.read()))
    except (ValueError, TypeError, KeyError, OSError, EOFError, tarfile.TarError) as error:
        raise _damaged(path, error) from error


def _parsed(said: dict[str, Any]) -> Manifest:
    if said["format"] > FORMAT:
        raise BackupError(f"the backup was written by a newer iop4d ({said['software']}): install "
                          "that version to restore it")
    known = {f.name: said[f.name] for f in fields(Manifest) if f.name in said}
    known["files"] = {_safe(name): (int(size), str(digest))
                      for name, (size, digest) in said["files"].items()}
    return Manifest(**known)


def _safe(name: str) -> str:
    """A name of a file below the folder of the site, or ValueError."""
    path = Path(name)
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise ValueError(f"the name {name!r}")
    return name


def _copied(tar: tarfile.TarFile, entry: tarfile.TarInfo, to: Path | None) -> tuple[int, str]:
    file = tar.extractfile(entry)
    assert file is not None
    digest, size = hashlib.sha256(), 0
    if to is not None:
        to.parent.mkdir(parents=True, exist_ok=True)
    out = None if to is None else os.fdopen(
        os.open(to, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb")
    try:
        for piece in _pieces(file):
            digest.update(piece)
            size += len(piece)
            if out is not None:
                out.write(piece)
        if out is not None:
            out.flush()
            os.fsync(out.fileno())
    finally:
        if out is not None:
            out.close()
    return size, digest.hexdigest()


def _pieces(file: Any) -> Iterable[bytes]:
    while piece := file.read(_PIECE):
        yield piece
