"""The program: its version and its libraries, the site file, the units of systemd."""

from __future__ import annotations

import platform
import re
import shlex
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from iop4d import __version__
from iop4d.model.errors import Iop4dError
from iop4d.operations.doctor.findings import Finding, Surroundings, fault, good, warning
from iop4d.store.database import Database, is_there, sqlite_version
from iop4d.store.status import heartbeat
from iop4d.system.installation import site_of_unit
from iop4d.system.lock import is_locked
from iop4d.system.units import NAMES, units

_VERSIONS, _SITE_FILE, _UNITS = "versions", "site file", "units"


def versions(around: Surroundings) -> Iterator[Finding]:
    """Whether every library is as new as it must be, and the daemon is of this version."""
    wrong = [text for text in map(_wrong_with, _required()) if text]
    asked = _python()
    if not asked.contains(platform.python_version(), prereleases=True):
        wrong.append(f"this is Python {platform.python_version()} ({around.executable}), and "
                     f"iop4d needs {asked}")
    for text in wrong:
        yield fault(_VERSIONS, text, "install iop4d again: pip install --upgrade iop4d")
    site = around.site
    if is_there(site.database) and is_locked(site.lock):
        with Database(site.database, read_only=True).read() as db:
            runs = heartbeat(db).get("version")
        if runs and runs != __version__:
            yield warning(_VERSIONS, f"the daemon that runs is iop4d {runs}, this one is "
                          f"{__version__}", "restart the daemon")
    if not wrong:
        yield good(_VERSIONS, f"iop4d {__version__}, SQLite {sqlite_version()}, and "
                   f"{len(_required())} libraries as new as they must be")


def _python() -> SpecifierSet:
    """The versions of Python that iop4d needs."""
    try:
        return SpecifierSet(metadata.metadata("iop4d")["Requires-Python"] or "")
    except (metadata.PackageNotFoundError, KeyError):
        return SpecifierSet()


def _required() -> list[Requirement]:
    try:
        asked = map(Requirement, metadata.requires("iop4d") or ())
    except metadata.PackageNotFoundError:
        return []
    return [one for one in asked if one.marker is None or one.marker.evaluate({"extra": ""})]


def _wrong_with(required: Requirement) -> str:
    try:
        found = metadata.version(required.name)
    except metadata.PackageNotFoundError:
        return f"the library {required.name} is not installed"
    if required.specifier.contains(found, prereleases=True):
        return ""
    return f"the library {required.name} is {found}, and iop4d needs {required.specifier}"


def site_file(around: Surroundings) -> Iterator[Finding]:
    """Rules that are not used, and a changed file that the daemon does not use."""
    site, found = around.site, 0
    for rule in site.wrong_rules:
        found += 1
        yield fault(_SITE_FILE, f"the rule '{rule.name}' is not used: {rule.why}",
                    "mend it in the site file, then: iop4d reload")
    if is_there(site.database) and is_locked(site.lock):
        with Database(site.database, read_only=True).read() as db:
            if error := heartbeat(db).get("config_error"):
                found += 1
                yield fault(_SITE_FILE, f"the daemon uses the previous site file: {error}",
                            "mend the line, then: iop4d reload")
    if not found:
        yield good(_SITE_FILE, f"{site.root / 'iop4d.toml'} is right")


def units_of_site(around: Surroundings) -> Iterator[Finding]:
    """Whether the units start an interpreter that is there, and are as they would be written now.
    """
    written = [path for folder in around.unit_folders for path in map(folder.joinpath, NAMES)
               if path.is_file()]
    there = [path for path in written if site_of_unit(path) == str(around.site.root)]
    gone = [path for path in written if path not in there
            and (place := site_of_unit(path)) and not Path(place).exists()]
    for path in gone:
        yield fault(_UNITS, f"{path} starts a site in {site_of_unit(path)}, which is not there",
                    "where this site was moved from there: iop4d systemd install again, then "
                    "restart; else remove the unit")
    if not there and gone:
        return
    if not there:
        yield good(_UNITS, "the site is no service of systemd ('iop4d systemd install' makes one)")
        return
    wrong = 0
    for path in there:
        for finding in _of_unit(around, path):
            wrong += 1
            yield finding
    if not wrong:
        yield good(_UNITS, f"{len(there)} units in {there[0].parent} are as they should be")


def _of_unit(around: Surroundings, path: Path) -> Iterator[Finding]:
    text = path.read_text(encoding="utf-8")
    system = "User=" in text
    again = "iop4d systemd install " + (
        f"--system --as {_value(text, 'User')}" if system else "--user")
    program = _program(text)
    if program is not None and not program.exists():
        yield fault(_UNITS, f"{path} starts {program}, which is not there",
                    f"{again}, then restart")
        return
    if program is not None and program != around.executable:
        yield warning(_UNITS, f"{path} starts {program}, and this command is run by "
                      f"{around.executable}: they may be of different versions",
                      "use the same one, or: " + again)
        return
    try:
        wanted = units(around.site, user=_value(text, "User"), group=_value(text, "Group"),
                       memory=_value(text, "MemoryMax") if path.name == NAMES[0] else "")
    except Iop4dError as error:
        yield fault(_UNITS, f"{path} could not be written again: {error}", again)
        return
    if wanted[path.name] != text:
        yield warning(_UNITS, f"{path} differs from what would be written now, as the site file or "
                      "iop4d changed, or it was edited", f"{again}, then restart")


def _value(text: str, key: str) -> str:
    found = re.search(rf"(?m)^{key}=(.*)$", text)
    return found.group(1) if found else ""


def _program(text: str) -> Path | None:
    try:
        words = shlex.split(_value(text, "ExecStart").replace("%%", "%"))
    except ValueError:
        return None
    return Path(words[0]) if words else None
