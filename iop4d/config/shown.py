"""A site file as it was read, for people to look at: never what is, or may be, a secret."""

from __future__ import annotations

import json
import math
import re
from dataclasses import MISSING, Field, dataclass, fields
from pathlib import Path
from typing import Any

from iop4d.config.redact import is_shown
from iop4d.config.site import ARRAYS, TABLES, Site

HIDDEN = "not shown"
_PRIVATE = ("archive", "channel", "triggers")
#: Keys of those sections whose texts are shown, where they look like what they should be.
_OPEN = ("name", "kind", "telescope", "file_pattern", "observing_hours", "host", "encoding", "tls",
         "max_tls_version", "night_folder", "name_prefixes", "topics", "domain")
_PATTERN = r"(?i)^[^.~].*\.(fits?|fts)(\.gz|\.fz)?$"  # of all archives that say none
_ADDRESS = re.compile(r"https?://[\w.-]+(:\d{1,5})?(/[\w./~-]*)?")
_KEY_LIKE = re.compile(r"[A-Za-z0-9_+=]{24,}|@|:")


@dataclass(frozen=True, kw_only=True)
class ShownKey:
    """A key with its value as a text. ``is_set``: whether it is not the default."""

    name: str
    value: str
    doc: str
    is_set: bool


@dataclass(frozen=True, kw_only=True)
class ShownSection:
    """A section with its keys; ``title``: as the file has it, with the name of an item."""

    title: str
    keys: list[ShownKey]

    @property
    def changed(self) -> int:
        """How many keys are not the default."""
        return sum(key.is_set for key in self.keys)


def shown_site(site: Site) -> list[ShownSection]:
    """The sections of a site file with their keys."""
    found = [_section(f"[{name}]", name, getattr(site, name)) for name in TABLES]
    for name in ARRAYS:
        for item in getattr(site, name):
            called = getattr(item, "name", "") or getattr(item, "instrument", "")
            title = f"[[{name}]] {called if is_shown(called) else ''}".rstrip()
            found.append(_section(title, name, item))
    return found


def _section(title: str, section: str, values: Any) -> ShownSection:
    return ShownSection(title=title, keys=[
        ShownKey(name=field.name, doc=field.metadata["doc"],
                 value=_text(section, field.name, getattr(values, field.name)),
                 is_set=_is_set(field, getattr(values, field.name)))
        for field in fields(values) if "doc" in field.metadata])


def _is_set(field: Field[Any], value: Any) -> bool:
    if field.default_factory is not MISSING:
        return bool(value != field.default_factory())
    default = field.default
    both_unset = isinstance(value, float) and isinstance(default, float) and (
        math.isnan(value) and math.isnan(default))
    return bool(value != default) and not both_unset


def _text(section: str, key: str, value: Any) -> str:
    """A value as the file would have it; what may hold a secret is named without it."""
    if value in ("", None, (), {}):
        return "empty"
    if isinstance(value, bool | int | float):
        # A number in the place of a text may be a secret; the numbers of keys are small.
        shown = "unset" if math.isnan(value) else json.dumps(value)
        return shown if is_shown(value, section) else HIDDEN
    many = isinstance(value, tuple | dict)
    if section in _PRIVATE and key not in (*_OPEN, "path"):
        return f"{len(value)}, {HIDDEN}" if many else HIDDEN
    return _of_many(value) if many else _one(value)


def _of_many(value: tuple[Any, ...] | dict[str, str]) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{name} = {_one(one)}" for name, one in value.items()) + " }"
    return "[" + ", ".join(map(_one, value)) + "]"


def _one(value: Any) -> str:
    if isinstance(value, Path):
        return HIDDEN if any(map(_KEY_LIKE.search, value.parts)) else str(value)
    if not isinstance(value, str):
        return json.dumps(value)
    is_safe = is_shown(value) or value == _PATTERN or _ADDRESS.fullmatch(value)
    return json.dumps(value, ensure_ascii=False) if is_safe else HIDDEN
