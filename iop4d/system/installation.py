"""Units written into a folder of systemd, and what stands in their way on this machine."""

from __future__ import annotations

import os
import pwd
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from iop4d.config import Site
from iop4d.system.units import credential_files, group_of, paths_read, paths_written

_OF_SITE = re.compile(r"^# .* of the site (.+?)(?: listens)?\. Written by 'iop4d systemd install'",
                      re.MULTILINE)


def write_units(made: Mapping[str, str], folder: Path) -> list[Path]:
    """Write the units; gives the copies of those that were there and said something else.

    Somebody may have changed them by hand, or they are those of another site; systemd reads no
    copy, and a copy is never written over.
    """
    kept = []
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in made.items():
        unit, part = folder / name, folder / f".{name}.part"
        if unit.is_file() and unit.read_text(encoding="utf-8", errors="replace") != text:
            kept.append(_free_name(unit))
            os.link(unit, kept[-1])
        part.write_text(text, encoding="utf-8")
        part.replace(unit)
    return kept


def _free_name(unit: Path) -> Path:
    number = 1
    while (copy := unit.with_name(f"{unit.name}.old{number}")).exists():
        number += 1
    return copy


def site_of_unit(unit: Path) -> str:
    """The folder of the site that a unit was written for; empty where it does not say."""
    found = _OF_SITE.search(unit.read_text(encoding="utf-8", errors="replace"))
    return found.group(1).replace("%%", "%") if found else ""


def obstacles(site: Site, *, user: str = "", group: str = "") -> Iterator[str]:
    """What keeps the services from starting or working, a sentence for each.

    What an account may do can be told as root alone. ``user``: empty for the user's own service
    manager.
    """
    if not user or os.geteuid() == 0:
        for name, path in credential_files(site, own=not user).items():
            if not path.is_file():
                yield f"the credential '{name}' is missing: write the secret into {path}"
    written = [*paths_written(site), *([site.backup.folder] if site.backup.folder else [])]
    for path in written:
        if user and not path.is_dir():
            yield (f"the folder {path} does not exist: make it, and give it to the account "
                   f"'{user}', before the services start")
    if not user or os.geteuid() or pwd.getpwnam(user).pw_uid == 0:
        return
    program = [Path(sys.executable)]
    for right, verb, paths in (("x", "run", program), ("w", "write to", written),
                               ("r", "read", paths_read(site))):
        for path in paths:
            if path.exists() and not _may(right, path, user, group):
                yield f"the account '{user}' cannot {verb} {path}"


def _may(right: str, path: Path, user: str, group: str) -> bool:
    """Whether an account has a right, as the kernel itself judges."""
    name = group_of(user, group)
    asked = subprocess.run(
        ["/usr/bin/test", f"-{right}", str(path)], check=False, cwd="/", user=user,
        group=int(name) if name.isdigit() else name,
        extra_groups=os.getgrouplist(user, pwd.getpwnam(user).pw_gid))
    return asked.returncode == 0
