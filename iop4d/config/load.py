"""Read a site file: TOML to frozen dataclasses, with the line of whatever is wrong."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from iop4d.config.camera import wants_unknown_masters
from iop4d.config.consistency import check_certificates, check_indexes, check_whole
from iop4d.config.parse import Parser
from iop4d.config.redact import is_shown, named
from iop4d.config.site import ARRAYS, TABLES, Site, WrongRule
from iop4d.config.where import Where
from iop4d.model.errors import ConfigError

SITE_FILE = "iop4d.toml"
_MERGE = re.compile(r"(<{7}|={7}|>{7})( |$)")  # what git leaves between two versions


def load_site(folder: Path, overrides: Iterable[str] = (), *, has_indexes: bool = True,
              skip_wrong_rules: bool = False) -> Site:
    """The site of a folder, its keys overridden by ``section.key=value`` texts.

    ``has_indexes``: whether the folders of index files must be there. ``skip_wrong_rules``: as in
    ``parse_site``. Raises ConfigError with the line, the key and what was expected.
    """
    text = site_text(folder)
    return parse_site(text, root=folder.resolve(), name=str(folder / SITE_FILE),
                      overrides=overrides, has_indexes=has_indexes, has_certificates=True,
                      skip_wrong_rules=skip_wrong_rules)


def site_text(folder: Path) -> str:
    """The text of a folder's site file; raises ConfigError if it cannot be read."""
    path = folder / SITE_FILE
    try:
        return path.read_text(encoding="utf-8-sig")  # Windows editors write the mark
    except FileNotFoundError:
        raise ConfigError(
            f"no {SITE_FILE} in {folder.resolve()}: make a site with 'iop4d init {folder}', "
            "or name one with --site DIR or IOP4D_SITE"
        ) from None
    except UnicodeDecodeError as error:
        line = path.read_bytes().count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{path}, line {line}, cannot be read: it is not UTF-8 text; save the "
                          "file as UTF-8") from error
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error}") from error


def place_of(folder: Path, section: str, key: str = "", item: int = 0) -> str:
    """Where a key of a folder's site file stands, for messages: the file, the line, the key."""
    path = folder / SITE_FILE
    text = path.read_text(encoding="utf-8-sig", errors="replace")
    return Where(str(path), text)(section, key, item)


def parse_site(text: str, *, root: Path, name: str = SITE_FILE,
               overrides: Iterable[str] = (), has_indexes: bool = False,
               has_certificates: bool = False, skip_wrong_rules: bool = False) -> Site:
    """Parse a site file's text. ``name`` stands in messages; relative paths start at ``root``.

    ``has_indexes``, ``has_certificates``: whether the folders of index files and the files of
    certificates must be there. ``skip_wrong_rules``: rules that are wrong are put into
    ``wrong_rules`` instead of raising.
    """
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line = next((n for n, one in enumerate(text.splitlines(), 1) if _MERGE.match(one)), 0)
        if line:
            raise ConfigError(f"{name}, line {line}: a mark of a merge that is not resolved: keep "
                              "one of the two versions, and remove the marks") from error
        raise ConfigError(f"{name}: not valid TOML: {error}") from error
    where = Where(name, text)
    for override in overrides:
        _override(data, override, where)
    try:
        site = _parsed(data, root, where)
    except ConfigError:
        if not skip_wrong_rules or not isinstance(data.get("rule"), list):
            raise
        site = _without_wrong_rules(data, root, where)
    if has_indexes:
        check_indexes(site, where)
    if has_certificates:
        check_certificates(site, where)
    return site


def _parsed(data: dict[str, Any], root: Path, where: Where) -> Site:
    site = Parser(root, where).site(data)
    check_whole(site, where)
    for number, camera in enumerate(site.camera):
        if "masters" in data["camera"][number] and wants_unknown_masters(camera):
            raise ConfigError(
                f"{where('camera', 'masters', number)}: expected kind_card or kind_names with it, "
                "which tell the frames of masters from others; or masters = []")
    return site


def _without_wrong_rules(data: dict[str, Any], root: Path, where: Where) -> Site:
    """The site with those rules that are right one after the other; raises what else is wrong."""
    site = _parsed({**data, "rule": []}, root, where)
    kept: list[Any] = []
    wrong: list[WrongRule] = []
    for number, item in enumerate(data["rule"]):
        where.rules.append(number)
        try:
            site = _parsed({**data, "rule": [*kept, item]}, root, where)
            kept.append(item)
        except ConfigError as error:
            where.rules.pop()
            name = item.get("name") if isinstance(item, dict) else None
            wrong.append(WrongRule(name=str(name or f"rule {number + 1}"), why=str(error)))
    return replace(site, wrong_rules=tuple(wrong))


def _override(data: dict[str, Any], text: str, where: Where) -> None:
    """Apply one ``section.key=value`` (``section.name.key=value`` for one item of a ``[[list]]``).

    The value is TOML, or plain text where it is no TOML.
    """
    left, equals, value = text.partition("=")
    section, dot, key = left.strip().partition(".")
    left = left if is_shown(left) else "..."
    if not equals or not dot:
        raise ConfigError(f"-o {left}: expected section.key=value, such as daemon.workers=1")
    if section not in TABLES and section not in ARRAYS:
        known = ", ".join([*TABLES, *ARRAYS])
        raise ConfigError(f"-o {left}: no section {named(section)}; there are {known}")
    try:
        parsed = tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        parsed = value.strip()
    if section in ARRAYS:
        _override_item(data, section, key.strip(), parsed, left.strip())
        return
    table = data.setdefault(section, {})
    if not isinstance(table, dict):
        raise ConfigError(f"{where(section)}: expected a table, [{section}]")
    table[key.strip()] = parsed
    where.overridden.add((section, key.strip()))


def _override_item(data: dict[str, Any], section: str, path: str, value: Any, left: str) -> None:
    name, dot, key = path.rpartition(".")
    items = data.get(section, [])
    if not dot or not isinstance(items, list):
        raise ConfigError(f"-o {left}: expected {section}.NAME.key=value")
    for item in items:
        if isinstance(item, dict) and item.get("name") == name:
            item[key] = value
            return
    names = ", ".join(str(item.get("name")) for item in items if isinstance(item, dict))
    raise ConfigError(f"-o {left}: no [[{section}]] is named '{name}'; there is "
                      f"{names or 'none'}")
