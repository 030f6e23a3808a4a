"""Sections of a site file, as TOML has them, to frozen dataclasses."""

from __future__ import annotations

import re
import types
import typing
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

from iop4d.config.redact import expected, named
from iop4d.config.renamed import new_key, new_value
from iop4d.config.site import ARRAYS, TABLES, Site, keys_of
from iop4d.config.where import Where
from iop4d.model.errors import ConfigError
from iop4d.model.source import similar

_VARIABLE = re.compile(r"\$\{?[A-Za-z_]")


class Parser:
    """Makes sections; relative paths start at ``root``, and ``where`` names what is wrong."""

    def __init__(self, root: Path, where: Where) -> None:
        self.root = root
        self.where = where

    def site(self, data: dict[str, Any]) -> Site:
        """All of a file."""
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
        """A section of a class; raises ConfigError that names the key."""
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
