"""Secrets that stand in the text of a site file, although a file or a credential should hold them.

The site file has no key for a secret; but an address may hold one (of a webhook, of a proxy), and
the settings of a package's channel may be anything.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from iop4d.model.errors import Iop4dError

LEFT_OUT = "LEFT-OUT-OF-THE-BACKUP"
_ADDRESS = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]*://")
_OF_DATABASES = ("sqlite", "postgresql", "postgres")
_SECRET_NAME = re.compile(r"(?i)pass|token|secret|api_?key|^key$")
_PLACE = re.compile(r"_(file|env|credential)$")
_KEY_LIKE = re.compile(r"(?=[^/?&=]*\d)(?=[^/?&=]*[A-Za-z])[A-Za-z0-9_:~.+-]{16,}")


@dataclass(frozen=True, kw_only=True)
class InlineSecret:
    """Where one stands: ``channel 'hook': url``; never the secret in a message."""

    where: str
    key: str
    value: str


def inline_secrets(text: str) -> list[InlineSecret]:
    """Those of a site file's text, which is valid TOML."""
    found: list[InlineSecret] = []
    for section, content in tomllib.loads(text).items():
        for item in content if isinstance(content, list) else [content]:
            if isinstance(item, dict):
                name = f" '{item['name']}'" if isinstance(item.get("name"), str) else ""
                _look(f"[{section}]{name}", item, found)
    return found


def without_secrets(text: str) -> tuple[str, list[str]]:
    """The text with a mark in the place of each, and where they were.

    Raises Iop4dError where one is written so that it cannot be found in the text.
    """
    found = inline_secrets(text)
    for one in found:
        place = rf"""(["']?{re.escape(one.key)}["']?\s*=\s*)(["']){re.escape(one.value)}\2"""
        marked = _marked(one.value)
        text = re.sub(place, lambda match, to=marked: f"{match[1]}{match[2]}{to}{match[2]}",  # type: ignore[misc]
                      text)
    for one in inline_secrets(text) if found else ():
        raise Iop4dError(f"the site file holds a secret ({one.where}) that cannot be left out, as "
                         "it is written with escapes or in several lines: write it into a file of "
                         "its own, or plainly in one line")
    return text, [one.where for one in found]


def _look(where: str, item: dict[str, Any], found: list[InlineSecret]) -> None:
    for key, value in item.items():
        if isinstance(value, dict):
            _look(f"{where}: {key}", value, found)
        elif isinstance(value, str) and _is_secret(key, value):
            found.append(InlineSecret(where=f"{where}: {key}", key=key, value=value))


def _is_secret(key: str, value: str) -> bool:
    if not value or LEFT_OUT in value or _PLACE.search(key):
        return False
    if _ADDRESS.match(value):
        try:
            parts = urlsplit(value)
        except ValueError:
            return True
        if parts.scheme in _OF_DATABASES:  # whose paths are names of files, databases and schemas
            return bool(parts.password or "password" in parts.query.lower())
        return bool(parts.password or _KEY_LIKE.search(parts.path)
                    or (parts.query and _KEY_LIKE.search(parts.query)))
    return bool(_SECRET_NAME.search(key)) and key != "SECRET"


def _marked(value: str) -> str:
    """What stands in the place of a secret: of an address its machine stays."""
    if not _ADDRESS.match(value):
        return LEFT_OUT
    try:
        parts = urlsplit(value)
        return f"{parts.scheme}://{parts.hostname or 'host.invalid'}/{LEFT_OUT}"
    except ValueError:
        return LEFT_OUT
