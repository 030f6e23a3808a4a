"""What runs here: iop4d, Python, the libraries, and the index files."""

from __future__ import annotations

import platform
import re
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path

from iop4d import __version__
from iop4d.config import Site
from iop4d.store.database import sqlite_version

_NAME = re.compile(r"[A-Za-z0-9._-]+")


@dataclass(frozen=True, kw_only=True)
class IndexFolder:
    """A folder of index files. ``trouble``: why it cannot be read, empty if it can."""

    path: Path
    files: int = 0
    size: int = 0
    trouble: str = ""


@cache
def programs() -> dict[str, str]:
    """Versions that do not change while this process runs."""
    return {"iop4d": __version__, "Python": platform.python_version(), "SQLite": sqlite_version(),
            "system": f"{platform.system()} {platform.release()}"}


@cache
def libraries() -> dict[str, str]:
    """The libraries that iop4d asks for, as far as they are installed."""
    found: dict[str, str] = {}
    try:
        asked = metadata.requires("iop4d") or []
    except metadata.PackageNotFoundError:
        asked = []
    for line in asked:
        name = _NAME.match(line)
        if name is None:
            continue
        try:
            found[name[0]] = metadata.version(name[0])
        except metadata.PackageNotFoundError:
            continue
    return dict(sorted(found.items(), key=lambda one: one[0].casefold()))


def index_folders(site: Site) -> list[IndexFolder]:
    """The folders of index files, as they are now."""
    found = []
    for folder in site.astrometry.index:
        try:
            sizes = [path.stat().st_size for path in folder.glob("*.fits")]
            found.append(IndexFolder(path=folder, files=len(sizes), size=sum(sizes)))
        except OSError as error:
            found.append(IndexFolder(path=folder, trouble=error.strerror or str(error)))
    return found
