"""The pages for people."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from flask import Blueprint, Response, abort, request, send_file
from werkzeug.utils import secure_filename

from iop4d.explained import lines_of, modulation
from iop4d.model.errors import Iop4dError
from iop4d.store import provenance
from iop4d.web import lightcurve, queries, sources
from iop4d.web.context import parts, reading, render
from iop4d.web.files import RefusedError, open_inside
from iop4d.web.security import relax

blueprint = Blueprint("pages", __name__)

_CARDS = 24
_FEW = 8
_PNG = b"\x89PNG\r\n\x1a\n"
_PREVIEW_LIMIT = 32 << 20


def _page_number() -> int:
    return max(1, request.args.get("page", 1, type=int))


@blueprint.get("/")
@reading
def live() -> str:
    """What happens now."""
    return render("live.html", **_now(), **_frames(), **_results(), **_alerts(), **_failed())


def _now() -> dict[str, object]:
    return {"newest": next(iter(queries.latest_frames(1)), None)}


def _frames() -> dict[str, object]:
    return {"lines": queries.latest_frames(_CARDS)}


def _results() -> dict[str, object]:
    night = queries.last_night()
    return {"night": night, "summary": queries.summarise(night) if night else []}


def _alerts() -> dict[str, object]:
    return {"episodes": queries.episodes(1, _FEW), "mails": queries.latest_mails(_FEW)}


def _failed() -> dict[str, object]:
    return {"failed": queries.failed_frames(1, _FEW)}


_FRAGMENTS = {"banner": dict, "now": _now, "frames": _frames, "results": _results,
              "alerts": _alerts, "failed": _failed}


@blueprint.get("/fragments/<name>")
@reading
def fragment(name: str) -> str:
    """A part of the live page as it is now."""
    if name not in _FRAGMENTS:
        abort(404)
    return render(f"part_{name}.html", **_FRAGMENTS[name]())


@blueprint.get("/sources")
@reading
def source_list() -> str:
    """Every source."""
    return render("sources.html", lines=sources.listed())


@blueprint.get("/sources/<path:key>")
@reading
def source(key: str) -> str:
    """A source: its light curve, results, catalogue entry and calibrators."""
    found = sources.find(key)
    if found is None:
        abort(404, f"No source has the id or name {key}.")
    # Bokeh puts <style> elements into its shadow roots and cannot give them a nonce.
    relax(style_src="'self' 'unsafe-inline'")
    name, entry = found
    results = sources.latest_results(name, 60)
    return render("source.html", name=name, entry=entry, results=results,
                  count=sources.count(name), shown=lightcurve.LIMIT,
                  calibrators=sources.calibrators(name), frames=queries.frame_ids(results))


@blueprint.get("/nights")
@reading
def night_list() -> str:
    """Every night."""
    return render("nights.html", nights=queries.nights())


@blueprint.get("/nights/<night>")
@reading
def night(night: str) -> str:
    """A night: its frames by state and its results."""
    if not re.fullmatch(r"\d{4}-\d\d-\d\d", night):
        abort(404, "A night is named by the date of its evening, such as 2025-11-22.")
    states = queries.night_states(night)
    summary = queries.summarise(night)
    if not states and not summary:
        abort(404, f"There is no frame of the night {night}.")
    state = request.args.get("state") or None
    return render("night.html", night=night, states=states, summary=summary, chosen=state,
                  page=queries.night_frames(night, state, _page_number()))


@blueprint.get("/failed")
@reading
def failed() -> str:
    """Every frame that was not used, and why."""
    return render("failed.html", page=queries.failed_frames(_page_number()))


@blueprint.get("/alerts")
@reading
def alerts() -> str:
    """Every episode of an alert, and the mails of each."""
    return render("alerts.html", page=queries.episodes(_page_number()),
                  mails=queries.latest_mails(50))


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


@blueprint.get("/results/<int:id_>")
@reading
def result(id_: int) -> str:
    """Why a result is what it is."""
    chain = _chain(id_)
    return render("result.html", chain=chain, result=chain["result"], lines=lines_of(chain))


@blueprint.get("/results/<int:id_>/modulation.png")
@reading
def modulation_of(id_: int) -> Response:
    """The modulation of a result's group, with all fits."""
    try:
        picture = modulation(_chain(id_), parts().site)
    except Iop4dError as error:
        abort(404, str(error))
    return Response(picture, mimetype="image/png")


def _chain(id_: int) -> dict[str, Any]:
    try:
        return provenance.explain(id_)
    except Iop4dError as error:
        abort(404, str(error))


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
