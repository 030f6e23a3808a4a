"""Frames: each with all that is known of it and its files, and those that were not used."""

from __future__ import annotations

from pathlib import Path

from flask import Blueprint, Response, abort, redirect, send_file, url_for
from werkzeug.utils import secure_filename
from werkzeug.wrappers import Response as AnyResponse

from iop4d.model.states import RequestKind
from iop4d.store import frames, pages
from iop4d.store.database import Connection
from iop4d.store.schema import Frame
from iop4d.store.status import TROUBLE
from iop4d.web.context import kept, page_number, parts, picture, reading, render, request_of_daemon
from iop4d.web.reader import RefusedError, open_inside
from iop4d.web.thumbnails import MIMETYPE, thumbnail

blueprint = Blueprint("frames", __name__)


@blueprint.get("/failed")
@reading
def unused(db: Connection) -> str:
    """Every frame that was not used, and why."""
    return render(db, "failed.html", page=pages.unused_frames(db, page_number()))


@blueprint.get("/frames/<int:id_>")
@reading
def frame(db: Connection, id_: int) -> str:
    """Everything that is known of a frame."""
    row = _frame(db, id_)
    results = pages.with_results(db, [row])[0].results
    return render(db, "frame.html", frame=row, info=row.info or {}, results=results,
                  measurements=pages.measurements(db, id_), versions=pages.versions(db, row),
                  masters=pages.masters_of(db, row), history=pages.history(db, results))


@blueprint.get("/frames/<int:id_>/preview.png")
@reading
def preview(db: Connection, id_: int) -> Response:
    """A frame's preview picture."""
    path = _frame(db, id_).preview_path
    if not path:
        abort(404, "This frame has no preview.")
    # The address carries the frame's time of change: a new picture has a new address.
    return picture(path, parts().site.root)


@blueprint.get("/frames/<int:id_>/thumbnail.jpg")
@reading
def small_preview(db: Connection, id_: int) -> Response:
    """A frame's preview picture made small."""
    row = _frame(db, id_)
    if not row.preview_path:
        abort(404, "This frame has no preview.")
    try:
        content = thumbnail(row.preview_path, parts().site.root, row.changed_at)
    except RefusedError:
        abort(404, "There is no such picture.")
    return kept(Response(content, mimetype=MIMETYPE))


@blueprint.get("/frames/<int:id_>/raw")
@reading
def raw(db: Connection, id_: int) -> Response:
    """A frame's raw file."""
    row = _frame(db, id_)
    root = parts().site.root
    return _download(row.path, row.name,
                     [root, *(root / archive.path for archive in parts().site.archive)])


@blueprint.get("/frames/<int:id_>/reduced")
@reading
def reduced(db: Connection, id_: int) -> Response:
    """A frame's reduced file."""
    path = _frame(db, id_).reduced_path
    return _download(path, Path(path or "").name, [parts().site.root])


@blueprint.post("/frames/<int:id_>/retry")
@reading
def retry(db: Connection, id_: int) -> AnyResponse:
    """Request that the daemon tries a frame again; back to the page of the frame."""
    row = _frame(db, id_)
    if row.state not in TROUBLE:
        abort(409, f"Frame {id_} is {row.state}: it cannot be tried again.")
    request_of_daemon(RequestKind.REPROCESS, {"frames": [id_]})
    return redirect(url_for("frames.frame", id_=id_), code=303)


def _frame(db: Connection, id_: int) -> Frame:
    row = frames.find(db, id_)
    if row is None:
        abort(404, f"There is no frame {id_}.")
    return row


def _download(path: str | None, name: str, roots: list[Path]) -> Response:
    if not path:
        abort(404, "There is no such file.")
    try:
        file = open_inside(path, roots)
    except RefusedError:
        abort(404, "This file cannot be downloaded: it no longer exists, or it lies outside the "
                   "site.")
    return send_file(file, mimetype="application/octet-stream", as_attachment=True,
                     download_name=secure_filename(name) or "frame.fits", etag=False)
