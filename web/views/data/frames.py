"""Frames: each with all that is known of it and its files."""

from __future__ import annotations

from pathlib import Path

from flask import Blueprint, Response, abort, flash, redirect, request, send_file, url_for
from werkzeug.utils import secure_filename
from werkzeug.wrappers import Response as AnyResponse

from iop4d.config import Site
from iop4d.fits.window import headers_of
from iop4d.ledger.requests import RETRY
from iop4d.model.errors import FrameError
from iop4d.model.states import REPLACED_FRAMES, RequestKind
from iop4d.store import audit, frame_pages, frames, pages
from iop4d.store.database import Connection
from iop4d.store.schema import Frame
from iop4d.store.status import TROUBLE
from iop4d.web import frame_charts
from iop4d.web.auth import who
from iop4d.web.context import kept, parts, picture, reading, render, request_of_daemon
from iop4d.web.reader import RefusedError, open_inside
from iop4d.web.thumbnails import MIMETYPE, thumbnail

blueprint = Blueprint("frames", __name__)

_REASON = 300  # characters of a reason
_LONGEST = 80  # characters of what is looked for in a header


@blueprint.get("/frames/<int:id_>")
@reading
def frame(db: Connection, id_: int) -> str:
    """Everything that is known of a frame."""
    row = _frame(db, id_)
    results = pages.with_results(db, [row])[0].results
    images = [{"name": name, "label": name.capitalize(),
               "address": f"{request.script_root}/frames/{id_}/image/{name}.json"}
              for name, path in (("reduced", row.reduced_path), ("raw", row.path)) if path]
    return render(db, "frame.html", frame=row, info=row.info or {}, results=results,
                  images=images, is_ignored=frames.is_ignored(row),
                  beside=frame_pages.beside(db, row),
                  work=frame_pages.jobs_of(db, row), changes=audit.of_subject(db, f"frame {id_}"),
                  measurements=pages.measurements(db, id_), versions=pages.versions(db, row),
                  masters=pages.masters_of(db, row), history=pages.history(db, results),
                  vectors=frame_charts.vectors(row.info or {}, (row.ny, row.nx)),
                  offsets=frame_charts.offsets(frame_pages.places(db, id_), row.info or {}))


@blueprint.get("/frames/<int:id_>/header")
@reading
def header(db: Connection, id_: int) -> str:
    """Every card of a frame's raw or reduced file, or those that hold a text."""
    row = _here(_frame(db, id_))
    which = "reduced" if request.args.get("of") == "reduced" and row.reduced_path else "raw"
    wanted = request.args.get("find", "").strip()[:_LONGEST]
    wrong, found = "", []
    try:
        with open_inside(row.reduced_path if which == "reduced" else row.path,
                         _roots(parts().site)) as file:
            found = headers_of(file)
    except (RefusedError, FrameError, OSError) as error:
        wrong = f"The header cannot be read: it {error}." if isinstance(error, FrameError) else \
            "The file no longer exists, or it lies outside the site."
    shown = [[card for card in cards if wanted.casefold() in " ".join(card).casefold()]
             for cards in found]
    return render(db, "header.html", frame=row, which=which, find=wanted, wrong=wrong,
                  headers=shown, total=sum(map(len, found)))


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
    row = _here(_frame(db, id_))
    return _download(row.path, row.name, _roots(parts().site))


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
    request_of_daemon(RequestKind.REPROCESS, {"frames": [id_], "act": RETRY,
                                              "by": who() or "a browser of this machine"})
    flash("Requested: the daemon takes the frame up again.", "good")
    return redirect(url_for("frames.frame", id_=id_), code=303)


@blueprint.post("/frames/<int:id_>/ignore")
@reading
def ignore(db: Connection, id_: int) -> AnyResponse:
    """Request that the daemon leaves a frame out; back to the page of the frame."""
    row = _frame(db, id_)
    why = request.form.get("reason", "").strip()[:_REASON]
    if row.state in REPLACED_FRAMES or frames.is_ignored(row):
        abort(409, f"Frame {id_} is {row.state}: it cannot be left out.")
    if not why:
        abort(400, "Say why the frame is left out.")
    request_of_daemon(RequestKind.IGNORE, {"frames": [id_], "reason": why, "by": who()})
    flash("Requested: the daemon leaves the frame out, and computes without it what rests on it.",
          "good")
    return redirect(url_for("frames.frame", id_=id_), code=303)


def _roots(site: Site) -> list[Path]:
    """The folders in which raw files may be."""
    return [site.root, *(site.root / archive.path for archive in site.archive)]


def _frame(db: Connection, id_: int) -> Frame:
    row = frames.find(db, id_)
    if row is None:
        abort(404, f"There is no frame {id_}.")
    if row.node != db.node:  # its files lie on another machine, and may not be taken for ours
        row.reduced_path = row.preview_path = None
    return row


def _here(row: Frame) -> Frame:
    """A frame whose raw file may lie on this machine."""
    if row.node != parts().site.site.node:
        abort(404, f"The raw file lies on the machine of the node {row.node or 'without one'}.")
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
