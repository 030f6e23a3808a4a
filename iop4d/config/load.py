"""Read a site file: TOML to frozen dataclasses, with the line of whatever is wrong."""

from __future__ import annotations

import math
import re
import tomllib
import types
import typing
from collections.abc import Iterable
from dataclasses import MISSING, fields, replace
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from iop4d.config.archive import Archive, FolderArchive
from iop4d.config.camera import contradictions, wants_unknown_masters
from iop4d.config.channel import Channel
from iop4d.config.redact import expected, is_shown, key_named, named
from iop4d.config.renamed import new_key, new_value
from iop4d.config.secret import secret_of, wrong_with_certificates
from iop4d.config.site import ARRAYS, TABLES, Site, WrongRule, keys_of
from iop4d.config.store import FilePlace
from iop4d.config.triggers import contradictions_of_triggers
from iop4d.config.workers import contradictions as contradictions_of_workers
from iop4d.model.errors import ConfigError
from iop4d.model.source import similar

SITE_FILE = "iop4d.toml"
_HEADER = re.compile(r"^\s*\[(\[)?\s*([A-Za-z0-9_-]+)(?:\.([A-Za-z0-9_.-]+))?\s*\]")
_VARIABLE = re.compile(r"\$\{?[A-Za-z_]")
_KEY = re.compile(r"^\s*([A-Za-z0-9_-]+|\"[^\"]*\")\s*[.=]")


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
    return _Where(str(path), _LineTable(text))(section, key, item)


_MERGE = re.compile(r"(<{7}|={7}|>{7})( |$)")  # what git leaves between two versions


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
    where = _Where(name, _LineTable(text))
    for override in overrides:
        _override(data, override, where)
    try:
        site = _parsed(data, root, where)
    except ConfigError:
        if not skip_wrong_rules or not isinstance(data.get("rule"), list):
            raise
        site = _without_wrong_rules(data, root, where)
    if has_indexes:
        _check_indexes(site, where)
    if has_certificates:
        _check_certificates(site, where)
    return site


def _parsed(data: dict[str, Any], root: Path, where: _Where) -> Site:
    site = _Parser(root, where).site(data)
    _check_whole(site, where)
    for number, camera in enumerate(site.camera):
        if "masters" in data["camera"][number] and wants_unknown_masters(camera):
            raise ConfigError(
                f"{where('camera', 'masters', number)}: expected kind_card or kind_names with it, "
                "which tell the frames of masters from others; or masters = []")
    return site


def _without_wrong_rules(data: dict[str, Any], root: Path, where: _Where) -> Site:
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


class _LineTable:
    """Line numbers of the sections and keys of a TOML text; ``tomllib`` keeps none."""

    def __init__(self, text: str) -> None:
        self._lines: dict[tuple[str, str, int], int] = {}
        counts: dict[str, int] = {}
        section, item = "", 0
        for number, line in enumerate(text.splitlines(), start=1):
            if header := _HEADER.match(line):
                section = header.group(2)
                if header.group(1):
                    counts[section] = counts.get(section, -1) + 1
                item = counts.get(section, 0)
                self._lines.setdefault((section, header.group(3) or "", item), number)
            elif found := _KEY.match(line):
                name = found.group(1).strip('"')
                place = (section, name, item) if section else (name, "", 0)
                self._lines.setdefault(place, number)

    def find(self, section: str, key: str = "", item: int = 0) -> int:
        """The line of a key (or of its section), counted from 1; 0 if unknown."""
        return self._lines.get((section, key, item)) or self._lines.get((section, "", item), 0)


class _Where:
    """Names the place of a key in messages: the file's line, or the override on the command."""

    def __init__(self, name: str, lines: _LineTable) -> None:
        self.name = name
        self.lines = lines
        self.overridden: set[tuple[str, str]] = set()
        self.rules: list[int] = []  # the places in the file of the rules that are looked at

    def __call__(self, section: str, key: str = "", item: int = 0) -> str:
        label = f"{section}.{key_named(key)}" if key else f"[{key_named(section)}]"
        if (section, key) in self.overridden:
            return f"-o {label}"
        if section == "rule" and item < len(self.rules):
            item = self.rules[item]
        line = self.lines.find(section, key, item)
        return f"{self.name}, line {line}: {label}" if line else f"{self.name}: {label}"


def _override(data: dict[str, Any], text: str, where: _Where) -> None:
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


class _Parser:
    def __init__(self, root: Path, where: _Where) -> None:
        self.root = root
        self.where = where

    def site(self, data: dict[str, Any]) -> Site:
        values: dict[str, Any] = {"root": self.root}
        for section, content in data.items():
            if section in TABLES:
                if not isinstance(content, dict):
                    raise ConfigError(f"{self.where(section)}: expected a table, [{section}]")
                values[section] = self.table(TABLES[section], section, content)
            elif section in ARRAYS:
                if not isinstance(content, list) or not all(isinstance(c, dict) for c in content):
                    raise ConfigError(
                        f"{self.where(section)}: expected [[{section}]], in double brackets")
                values[section] = tuple(
                    self.item(section, item, number) for number, item in enumerate(content))
            else:
                known = ", ".join([*TABLES, *(f"[{name}]" for name in ARRAYS)])
                raise ConfigError(f"{self.where(section)}: no such section; there are {known}")
        return Site(**values)

    def item(self, section: str, content: dict[str, Any], number: int) -> Any:
        """One item of a ``[[list]]``, of the class of its kind."""
        kinds = ARRAYS[section]
        if "" in kinds:
            return self.table(kinds[""], section, content, number)
        usual = next(iter(kinds))
        kind = content.get("kind", usual)
        if not isinstance(kind, str) or kind not in kinds:
            self._refuse_renamed(section, "kind", kind, number)
            if "*" not in kinds or not isinstance(kind, str):
                near = similar(str(kind), [k for k in kinds if k != "*"])
                raise ConfigError(f"{self.where(section, 'kind', number)}: expected "
                                  f"one of {', '.join(kinds)}{near}")
        content = {**_defaults(section, kind, content), **content}
        return self.table(kinds.get(kind) or kinds["*"], section, content, number)

    def table(self, kind: type, section: str, content: dict[str, Any], item: int = 0) -> Any:
        hints = typing.get_type_hints(kind)
        known = {f.name: f for f in fields(kind)}
        values = {}
        for name, raw in content.items():
            if name not in known:
                raise ConfigError(f"{self.where(section, name, item)}: "
                                  f"{_unknown_key(section, name, content, list(known))}")
            self._refuse_renamed(section, name, raw, item)
            try:
                values[name] = self.value(hints[name], raw)
                wanted, meets = known[name].metadata["check"] or ("", lambda _: True)
                if not meets(values[name]):
                    raise ValueError(wanted)
            except (ValueError, TypeError) as error:
                raise ConfigError(f"{self.where(section, name, item)}{expected(raw, section)} "
                                  f"{error}") from None
        for name, f in known.items():
            if name not in values and f.default is MISSING and f.default_factory is MISSING:
                raise ConfigError(f"{self.where(section, '', item)}: the key '{name}' is missing "
                                  f"({f.metadata['doc']})")
        return kind(**values)

    def _refuse_renamed(self, section: str, name: str, raw: Any, item: int) -> None:
        old, new = new_value(section, name, raw)
        if old:
            raise ConfigError(f"{self.where(section, name, item)}: the value '{old}' is now called "
                              f"'{new}'")

    def value(self, hint: Any, raw: Any) -> Any:
        """A value of a type, or ValueError that says what was expected."""
        origin = typing.get_origin(hint)
        if origin in (typing.Union, types.UnionType):
            inner = next(arg for arg in typing.get_args(hint) if arg is not type(None))
            return self.value(inner, raw)
        if origin is tuple:
            if not isinstance(raw, list):
                raise ValueError("a list, in brackets")
            return tuple(self.value(typing.get_args(hint)[0], item) for item in raw)
        if origin is dict:
            if not isinstance(raw, dict):
                raise ValueError('a table, such as { CARD = "value" }')
            return {str(name): str(item) for name, item in raw.items()}
        return self.plain(hint, raw)

    def plain(self, hint: type, raw: Any) -> Any:
        """A value of a plain type."""
        accepted, wanted = _PLAIN[hint]
        if not isinstance(raw, accepted) or (isinstance(raw, bool) and hint is not bool):
            raise ValueError(wanted)
        if hint is Path and isinstance(raw, str):
            if not raw:
                raise ValueError(wanted)
            if _VARIABLE.search(raw):
                raise ValueError("a path without variables of a shell; ~ is your home folder")
            return self.root / Path(raw).expanduser()
        return hint(raw)


def _defaults(section: str, kind: str, item: dict[str, Any]) -> dict[str, Any]:
    """Defaults that follow from the name: the folder of an archive, what a webhook's messages say
    of their recipient."""
    if not isinstance(name := item.get("name"), str):
        return {}
    if section == "archive":
        return {"path": f"raw/{name}"}
    return {"to": [name]} if kind == "webhook" else {}


def _unknown_key(section: str, name: str, content: dict[str, Any], known: list[str]) -> str:
    """What is wrong with a key that a section does not have."""
    if new := new_key(section, name):
        return f"the key '{name}' is now called '{new}'"
    kinds = ARRAYS.get(section, {})
    having = [kind or section for kind, cls in kinds.items() if name in keys_of(cls)]
    if having:
        kind = content.get("kind", next(iter(kinds)))
        others = ", ".join("of installed packages" if k == "*" else k for k in having)
        more = "" if kind in kinds else (
            f" (kinds of iop4d itself: {', '.join(k for k in kinds if k != '*')})")
        return (f"a {section} of the kind {named(str(kind))}{more} has no such key, only the kinds "
                f"{others}; it has {', '.join(known)}")
    return f"no such key; [{section}] has {', '.join(known)}"


_PLAIN: dict[type, tuple[tuple[type, ...], str]] = {
    bool: ((bool,), "true or false"), float: ((int, float), "a number"),
    int: ((int,), "a whole number"), str: ((str,), "text, in quotes"),
    Path: ((str,), "a path, in quotes"),
}


def _check_whole(site: Site, where: _Where) -> None:
    """What one section must know of another."""
    for section in ARRAYS:
        if section in ("polarimeter", "colour_term", "want"):
            continue  # an instrument has any number of them, each for its nights; sources too
        seen: set[str] = set()
        for number, item in enumerate(getattr(site, section)):
            if item.name in seen:
                raise ConfigError(f"{where(section, 'name', number)}"
                                  f"{expected(item.name)} a name that no other [[{section}]] has")
            seen.add(item.name)
    for number, camera in enumerate(site.camera):
        for name, wanted in contradictions(camera):
            raise ConfigError(f"{where('camera', name, number)}: expected {wanted}")
    _check_workers(site, where)
    _check_node(site, where)
    places: dict[Path, str] = {}
    for number, archive in enumerate(site.archive):
        _check_archive(archive, number, where)
        if (other := places.setdefault(archive.path, archive.name)) != archive.name:
            raise ConfigError(f"{where('archive', 'path', number)} is the folder of the archive "
                              f"'{other}'; expected one of its own")
    for number, want in enumerate(site.want):
        if math.isnan(want.mag_err) and math.isnan(want.p_err):
            raise ConfigError(f"{where('want', '', number)}: expected mag_err, p_err or both: the "
                              "random errors that are wanted")
    _check_channels(site, where)
    if site.photometry.annulus_outer <= site.photometry.annulus_inner:
        raise ConfigError(f"{where('photometry', 'annulus_outer')}; expected more than "
                          f"annulus_inner, {site.photometry.annulus_inner:g}")
    if site.web.max_streams > site.web.threads // 2:
        raise ConfigError(f"{where('web', 'max_streams')} is {site.web.max_streams}; expected "
                          f"at most half of web.threads, {site.web.threads // 2}")


def _check_node(site: Site, where: _Where) -> None:
    if site.site.node and isinstance(site.database, FilePlace):
        raise ConfigError(f"{where('site', 'node')} is '{site.site.node}', but the database is "
                          "SQLite's file, which one daemon has alone; expected nothing, or a "
                          "[store] url of a PostgreSQL server, which several daemons share")


def _check_workers(site: Site, where: _Where) -> None:
    for name, wanted in contradictions_of_workers(site.workers):
        raise ConfigError(f"{where('workers', name)}: expected {wanted}")
    for name, wanted in contradictions_of_triggers(site.triggers):
        raise ConfigError(f"{where('triggers', name)}: expected {wanted}")


def _check_indexes(site: Site, where: _Where) -> None:
    """That there are index files: without them no frame gets a magnitude."""
    for folder in site.astrometry.index:
        if not folder.is_dir():
            raise ConfigError(f"{where('astrometry', 'index')} names {folder}, which is no folder; "
                              "'iop4d index' makes one ('iop4d docs indexes')")
        if next(folder.glob("*.fits"), None) is None:
            inner = sorted({path.parent.name for path in folder.glob("*/*.fits")})
            hint = f"; name its folder {', '.join(inner)}" if inner else ""
            raise ConfigError(f"{where('astrometry', 'index')} names {folder}, which holds no "
                              f"index files (*.fits){hint}")


def _check_certificates(site: Site, where: _Where) -> None:
    """That every ``ca_file`` holds certificates: without them no connection is trusted."""
    for section in ("archive", "channel"):
        for number, item in enumerate(getattr(site, section)):
            path = getattr(item, "ca_file", None)
            if path is not None and (wrong := wrong_with_certificates(path)):
                raise ConfigError(f"{where(section, 'ca_file', number)} names {path}, {wrong}")


def _check_channels(site: Site, where: _Where) -> None:
    """That channels are there where they are named, and send no password in clear text."""
    channels = {channel.name for channel in site.channel}
    for number, rule in enumerate(site.rule):
        for name in rule.channels:
            if name not in channels:
                raise ConfigError(f"{where('rule', 'channels', number)} names {named(name)}; "
                                  "expected one of the channels: "
                                  f"{', '.join(channels) or 'there are none'}"
                                  f"{similar(name, channels)}")
    for name in site.summary.channels:
        if name not in channels:
            raise ConfigError(f"{where('summary', 'channels')} names {named(name)}; expected one "
                              f"of the channels: {', '.join(channels) or 'there are none'}"
                              f"{similar(name, channels)}")
    for number, channel in enumerate(site.channel):
        _check_channel(channel, number, where)


def _check_channel(channel: Channel, number: int, where: _Where) -> None:
    """What the keys of a channel must know of each other."""
    secret = secret_of(channel)
    for need, what in channel.NEEDS.items():
        is_secret = need == secret.word
        keys = secret.keys if is_secret else (need,)
        if not (secret.is_named if is_secret else getattr(channel, need)):
            raise ConfigError(f"{where('channel', '', number)}: the key '{keys[0]}' is missing, "
                              f"{what}" + (f" (or {' or '.join(keys[1:])})" if keys[1:] else ""))
    if channel.RECIPIENT and any(re.search("//|:", one) for one in channel.recipients):
        raise ConfigError(f"{where('channel', 'to', number)}: expected {channel.RECIPIENT}; "
                          "addresses of services belong in the file of the secret")
    if not channel.are_recipients_right:
        raise ConfigError(f"{where('channel', 'to', number)}: expected {channel.RECIPIENT}")
    if getattr(channel, "tls", "") == "none" and secret.is_named:
        raise ConfigError(f"{where('channel', 'tls', number)} is 'none'; expected starttls or "
                          "tls, because a password must not cross the network in clear text")


def _check_archive(archive: Archive, number: int, where: _Where) -> None:
    """What the keys of an archive must know of each other."""
    try:
        re.compile(archive.file_pattern)
    except re.error as error:
        raise ConfigError(f"{where('archive', 'file_pattern', number)}"
                          f"{expected(archive.file_pattern)} a regular expression "
                          f"such as \\.fits$ ({error})") from None
    if isinstance(archive, FolderArchive):
        return
    try:
        night = datetime.combine(date(2023, 3, 13), time())
        folder = archive.night_folder.format(night=night)
        changes = all(folder != archive.night_folder.format(night=night + timedelta(days=days))
                      for days in (1, 366)) and "00:00:00" not in folder
    except (KeyError, IndexError, ValueError, AttributeError):
        changes = False
    if not changes:
        raise ConfigError(f"{where('archive', 'night_folder', number)}"
                          f"{expected(archive.night_folder)} the date of the night in braces, "
                          "such as /{night:%Y%m%d}")
    try:
        if "a/b.fits".encode(archive.encoding) != b"a/b.fits":
            raise LookupError
    except (LookupError, UnicodeError):
        raise ConfigError(f"{where('archive', 'encoding', number)}"
                          f"{expected(archive.encoding)} an encoding, such as utf-8 or "
                          "latin-1") from None
