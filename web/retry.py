"""The one thing that the page can ask of the daemon: to try a frame again."""

from __future__ import annotations

import time
from contextlib import suppress
from ipaddress import ip_address

from flask import Blueprint, abort, redirect, request
from werkzeug.wrappers import Response

from iop4d.store import requests
from iop4d.web import queries
from iop4d.web.context import parts, reading
from iop4d.web.origin import refuse_other_pages

blueprint = Blueprint("retry", __name__)

#: States of frames that may be tried again.
STATES = ("failed", "rejected", "quarantined")


@blueprint.post("/frames/<int:id_>/retry")
@reading
def retry(id_: int) -> Response:
    """Ask the daemon to try a frame again; back to the page of the frame."""
    if not is_allowed():
        abort(403, "Frames may be tried again from this machine alone, unless the site file says "
                   "[web] retry = 'all'; 'iop4d retry' does it as well.")
    refuse_other_pages()
    row = queries.frame(id_)
    if row is None:
        abort(404, f"There is no frame {id_}.")
    if row.state not in STATES:
        abort(409, f"Frame {id_} is {row.state}: there is nothing to try again.")
    requests.put_beside(parts().site.database, "reprocess", {"frames": [id_]}, time.time())
    return redirect(f"/frames/{id_}", code=303)


def is_allowed() -> bool:
    """Whether this browser may."""
    who = parts().site.web.retry
    return who == "all" or (who == "local" and _is_this_machine(request.remote_addr))


def _is_this_machine(address: str | None) -> bool:
    with suppress(ValueError):
        return ip_address(address or "").is_loopback
    return False
