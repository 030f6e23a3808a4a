"""What a view works with: the site, the database, the live stream, and how a page is made."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, wraps
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

from flask import Flask, Response, abort, current_app, g, render_template, request

from iop4d.config import Site
from iop4d.model.source import Source, similar
from iop4d.model.states import DaemonState
from iop4d.store import catalogue, requests, sources
from iop4d.store.database import Connection, Transaction
from iop4d.store.status import Overview, daemon_state, heartbeat, overview
from iop4d.system.lock import is_locked
from iop4d.web.reader import LiveSite, Read, Reader, RefusedError, picture_inside
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


def reading(view: Callable[Concatenate[Connection, P], R]) -> Callable[P, R]:
    """Hand a view a connection, in which its template is rendered too."""

    @wraps(view)
    def connected(*args: P.args, **kwargs: P.kwargs) -> R:
        with parts().reader.connected() as db:
            return view(db, *args, **kwargs)

    return connected


@contextmanager
def changing() -> Iterator[Transaction]:
    """A short transaction that changes the store beside the daemon; an exception undoes it."""
    with parts().reader.requesting() as tx:
        yield tx


def request_of_daemon(kind: str, content: dict[str, Any]) -> int:
    """Request something of the daemon; the id of the request."""
    with parts().reader.requesting() as tx:
        return requests.put(tx, kind, content, time.time())


#: The largest whole number that the database knows.
LARGEST = 2**63 - 1


def source_named(db: Connection, key: str) -> tuple[str, Source | None]:
    """A source by its number or any of its names; answers 404 for none, with names like it."""
    found = sources.find(db, key)
    if found is None:
        names = [name for one in catalogue.load(db).sources
                 for name in (one.name, *one.other_names)]
        key = key[:80]
        abort(404, f"No source has the id or name {key}{similar(key, names) or '.'}")
    return found


def page_number() -> int:
    """Which page of a long list is asked for."""
    return whole_number("page", 1, least=1)


def whole_number(name: str, otherwise: int, *, least: int = 0, most: int = LARGEST) -> int:
    """A whole number of the address's query, within its limits; ``otherwise`` for what is none."""
    return within(request.args.get(name, ""), otherwise, least=least, most=most)


def within(text: str, otherwise: int, *, least: int = 0, most: int = LARGEST) -> int:
    """A whole number of a text of any length, within limits; ``otherwise`` for what is none."""
    if not (text.isascii() and text.removeprefix("-").isdecimal()):
        return otherwise
    # Python refuses texts of thousands of digits; so many are beyond every limit anyway.
    return min(max(int(text[:24]), least), most)


def state_of_daemon(db: Connection) -> DaemonState:
    """Whether the daemon runs."""
    return daemon_state(heartbeat(db), time.time(), locked=is_locked(parts().site.lock))


def site_overview(db: Connection, *, counted: bool = False) -> Overview:
    """What every page shows of the site; one request that only reads looks once.

    ``counted``: also its jobs and frames by their states.
    """
    found: Overview | None = g.get("overview") if request.method == "GET" else None
    if found is None or (counted and not found.counted):
        found = g.overview = overview(db, time.time(), locked=is_locked(parts().site.lock),
                                      counted=counted)
    return found


def empty_overview() -> Overview:
    """The same of a site without a database."""
    now = time.time()
    state = daemon_state({}, now, locked=is_locked(parts().site.lock))
    return Overview(now=now, daemon=state)


def render(db: Connection, template: str, **context: Any) -> str:
    """A page, with what every page shows."""
    @cache
    def other_names() -> dict[str, str]:
        return sources.other_names(db)

    return _rendered(template, site_overview(db), context | {
        "also_called": lambda name: other_names().get(name, "")})


def render_without_database(template: str, **context: Any) -> str:
    """A page for when there is nothing to read."""
    return _rendered(template, empty_overview(), context)


def _rendered(template: str, found: Overview, context: dict[str, Any]) -> str:
    read = parts().read
    return render_template(template, root=request.script_root, site=read.site,
                           site_wrong=read.wrong, now=found.now, status=found,
                           site_waits=_waits(read, found), **context)


def _waits(read: Read, found: Overview) -> bool:
    """Whether the daemon that runs was started before the site file was changed."""
    started = found.beat.get("started_at")
    return bool(found.daemon == DaemonState.RUNNING and started and read.written_at
                and read.written_at > started and not read.wrong and not found.config_error)


def picture(path: str | Path, root: Path) -> Response:
    """A PNG picture under a root, for a browser to keep: a new one has a new address."""
    try:
        content = picture_inside(path, root)
    except RefusedError:
        abort(404, "There is no such picture.")
    return kept(Response(content, mimetype="image/png"))


def kept(answer: Response) -> Response:
    """An answer that a browser may keep, since what is new has a new address."""
    answer.headers["Cache-Control"] = "private, max-age=86400, immutable"
    return answer
