"""The names under which our pages hear of an event: its kind, and for what it is about.

A part of a page names what concerns it, so that the page of a source is not fetched again for a
frame of another one: ``about("result", source="BL Lac")`` is such a name.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

from flask import request
from markupsafe import Markup

PAGE_PREFIX = "iop4d-"
MANY = "many"  # in the place of the nights of an event of which there are too many to name

_ABOUT: dict[str, tuple[str, ...]] = {
    "frame": ("id", "night"), "result": ("source", "nights"), "flag": ("id", "source"),
    "master": ("id",), "alert": ("id", "source"), "trigger": ("source",),
    "mail": ("alert",), "mail-failed": ("alert",)}


def about(kind: str, **what: Any) -> str:
    """The name of the events of a kind that are about one thing."""
    ((key, value),) = what.items()
    return f"{kind}-{zlib.crc32(f'{key}={value}'.encode()):08x}"


def names_of(kind: str, content: Any) -> list[str]:
    """All names of an event."""
    about_it = _ABOUT.get(kind, ()) if isinstance(content, dict) else ()
    found = [(key.removesuffix("s"), content.get(key)) for key in about_it]
    return [kind, *(about(kind, **{key: one}) for key, some in found
                    for one in (some if isinstance(some, list) else [some]) if one is not None)]


def live_trigger(*names: str) -> str:
    """When a part of a page is fetched again: at events of these names, by htmx's words."""
    return ", ".join(f"{PAGE_PREFIX}{name} from:body throttle:500ms"
                     for name in dict.fromkeys((*names, "reset")))


def live_self(id_: str, *names: str | Iterable[str]) -> Markup:
    """The attributes of a part that is taken from the page itself, as it is then."""
    path = f"{request.script_root}{quote(request.path)}"
    query = request.query_string.decode("latin-1")
    every = [one for some in names for one in ([some] if isinstance(some, str) else some)]
    return Markup('hx-get="{}" hx-select="#{}" hx-trigger="{}" hx-swap="outerMorph"').format(
        f"{path}?{query}" if query else path, id_, live_trigger(*every))


def of_night(kind: str, night: str) -> list[str]:
    """The names of the events of a kind that are about a night."""
    return [about(kind, night=night), about(kind, night=MANY)]


def of_sources(kind: str, sources: Iterable[str]) -> list[str]:
    """The names of the events of a kind that are about any of some sources."""
    return [about(kind, source=source) for source in dict.fromkeys(sources) if source]


FOR_TEMPLATES = {"live": live_trigger, "live_self": live_self, "about": about,
                 "of_night": of_night, "of_sources": of_sources}
