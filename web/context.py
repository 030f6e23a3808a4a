"""What a view works with: the site, the database, the live stream, and how a page is made."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, ParamSpec, TypeVar, cast

from flask import Flask, current_app, g, render_template, request

from iop4d.config import Site
from iop4d.web import sources, status
from iop4d.web.reader import LiveSite, Read, Reader
from iop4d.web.stream import Hub

_EXTENSION = "iop4d"
P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What the views work with."""

    file: LiveSite
    reader: Reader
    hub: Hub

    @property
    def read(self) -> Read:
        """The site file as this request found it: one request sees one file."""
        if "site_file" not in g:
            g.site_file = self.file.now()
        return cast(Read, g.site_file)

    @property
    def site(self) -> Site:
        """The site as its file says it now."""
        return self.read.site


def install(app: Flask, installed: Parts) -> None:
    """Give an application its parts."""
    app.extensions[_EXTENSION] = installed


def parts(app: Flask | None = None) -> Parts:
    """The parts of an application, by default of the one that answers this request."""
    return cast(Parts, (app or current_app).extensions[_EXTENSION])


def reading(view: Callable[P, R]) -> Callable[P, R]:
    """Run a view, and the rendering of its template, within a connection."""

    @wraps(view)
    def connected(*args: P.args, **kwargs: P.kwargs) -> R:
        with parts().reader.connected():
            return view(*args, **kwargs)

    return connected


def page_number() -> int:
    """Which page of a long list is asked for."""
    return max(1, request.args.get("page", 1, type=int))


def render(template: str, **context: Any) -> str:
    """A page, with what every page shows; within a connection."""
    now = time.time()
    return _rendered(template, now, status.read(now), context)


def render_without_database(template: str, **context: Any) -> str:
    """A page for when there is nothing to read."""
    now = time.time()
    return _rendered(template, now, status.Status(now=now), context)


def _rendered(template: str, now: float, found: status.Status, context: dict[str, Any]) -> str:
    read = parts().read
    return render_template(template, site=read.site, site_wrong=read.wrong, now=now, status=found,
                           site_waits=_waits(read, found), **context)


def _waits(read: Read, found: status.Status) -> bool:
    """Whether the daemon that runs was begun before the site file was changed."""
    begun = found.beat.get("started_at")
    return bool(found.daemon == "running" and begun and read.written_at
                and read.written_at > begun and not read.wrong and not found.config_error)


def also_called(name: str) -> str:
    """What else a source is called, as far as there is a database; read once for a request."""
    if "other_names" not in g:
        g.other_names = sources.other_names()
    return cast(str, g.other_names.get(name, ""))
