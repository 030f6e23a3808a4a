"""Frames: each with all that is known of it and its files, and those that were not used."""

from __future__ import annotations

import time
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path

from flask import Blueprint, Response, abort, redirect, request, send_file
from werkzeug.utils import secure_filename
from werkzeug.wrappers import Response as AnyResponse

from iop4d.store import requests
from iop4d.web import queries
from iop4d.web.auth import refuse_other_pages
from iop4d.web.context import page_number, parts, reading, render
from iop4d.web.reader import RefusedError, open_inside

blueprint = Blueprint("frames", __name__)

_PNG = b"\x89PNG\r\n\x1a\n"
_PREVIEW_LIMIT = 32 << 20
#: States of frames that may be tried again.
STATES = ("failed", "rejected", "quarantined")


@blueprint.get("/failed")
@reading
def failed() -> str:
    """Every frame that was not used, and why."""
    return render("failed.html", page=queries.failed_frames(page_number()))


@blueprint.get("/frames/<int:id_>")
@reading
def frame(id_: int) -> str:
    """Everything that is known of a frame."""
    row = queries.frame(id_)
    if row is None:
        abort(404, f"There is no frame {id_}.")
    results = queries.with_results([row])[0].results
    return render("frame.html", frame=row, info=row.info or {}, results=results,
                  measurements=queries.measurements(id_), versions=queries.versions(row),
                  masters=queries.masters_of(row.masters or ()),
                  history=queries.history(results))


@blueprint.get("/frames/<int:id_>/preview.png")
@reading
def preview(id_: int) -> Response:
    """A frame's preview picture."""
    row = queries.frame(id_)
    if row is None or not row.preview_path:
        abort(404, "This frame has no preview.")
    try:
        with open_inside(row.preview_path, [parts().site.root]) as file:
            content = file.read(_PREVIEW_LIMIT)
    except RefusedError:
        abort(404, "This frame's preview cannot be had.")
    if not content.startswith(_PNG):
        abort(404, "This frame's preview is not a PNG picture.")
    answer = Response(content, mimetype="image/png")
    # The address carries the frame's time of change: a new picture has a new address.
    answer.headers["Cache-Control"] = "private, max-age=86400"
    return answer


@blueprint.get("/frames/<int:id_>/raw")
@reading
def raw(id_: int) -> Response:
    """A frame's raw file."""
    row = queries.frame(id_)
    return _download(row.path if row else None, row.name if row else "",
                     [*(archive.path for archive in parts().site.archive), parts().site.root])


@blueprint.get("/frames/<int:id_>/reduced")
@reading
def reduced(id_: int) -> Response:
    """A frame's reduced file."""
    row = queries.frame(id_)
    path = row.reduced_path if row else None
    return _download(path, Path(path).name if path else "", [parts().site.root])


def _download(path: str | None, name: str, roots: list[Path]) -> Response:
    if not path:
        abort(404, "There is no such file.")
    root = parts().site.root
    try:
        file = open_inside(path, [folder if folder.is_absolute() else root / folder
                                  for folder in roots])
    except RefusedError:
        abort(404, "This file cannot be had: it is no longer there, or lies outside the site.")
    return send_file(file, mimetype="application/octet-stream", as_attachment=True,
                     download_name=secure_filename(name) or "frame.fits", etag=False)


@blueprint.post("/frames/<int:id_>/retry")
@reading
def retry(id_: int) -> AnyResponse:
    """Ask the daemon to try a frame again; back to the page of the frame."""
    if not is_allowed():
        abort(403, "Frames may be tried again from this machine alone, unless the site file says "
                   "[web] allow_retry = 'all'; 'iop4d retry' does it as well.")
    refuse_other_pages()
    row = queries.frame(id_)
    if row is None:
        abort(404, f"There is no frame {id_}.")
    if row.state not in STATES:
        abort(409, f"Frame {id_} is {row.state}: there is nothing to try again.")
    requests.put_from_reader(parts().site.database, "reprocess", {"frames": [id_]}, time.time())
    return redirect(f"/frames/{id_}", code=303)


def is_allowed() -> bool:
    """Whether this browser may."""
    who = parts().site.web.allow_retry
    return who == "all" or (who == "local" and _is_this_machine(request.remote_addr))


def _is_this_machine(address: str | None) -> bool:
    with suppress(ValueError):
        return ip_address(address or "").is_loopback
    return False
