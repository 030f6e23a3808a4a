"""The pixels of frames and masters: what the viewer of a page asks for, part by part."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

from flask import Blueprint, Response, abort, current_app, jsonify, make_response, request

from iop4d.fits.window import Cut
from iop4d.science import tan
from iop4d.store import frame_pages, frames, masters
from iop4d.store.database import Connection
from iop4d.store.schema import Frame, Master
from iop4d.web.context import kept, parts, reading, whole_number
from iop4d.web.frame_charts import matched
from iop4d.web.heavy import reads_image
from iop4d.web.reader import RefusedError
from iop4d.web.tiles import Pictures, Place, cutout, still

blueprint = Blueprint("images", __name__)

_EXTENSION = "iop4d.pictures"
_UNITS = {"bias": "ADU", "dark": "ADU/s", "pattern": "ADU/s", "flat": ""}
_WIDEST = 120  # pixels of a side of a cutout


def pictures() -> Pictures:
    """The images that this application holds."""
    found: Pictures = current_app.extensions.setdefault(_EXTENSION, Pictures(parts().site.root))
    return found


def place_of(frame: Frame, which: str) -> Place:
    """Where the raw or the reduced image of a frame is; raises RefusedError where there is none."""
    site = parts().site
    check_is_here(frame)
    if which == "reduced":
        if not frame.reduced_path:
            raise RefusedError("this frame has no reduced image")
        return Place(path=frame.reduced_path, roots=(site.root,), cut=Cut())
    said: dict[str, Any] = frame.detector or {}
    trim = said.get("trim")
    cut = Cut(trim=None if trim is None else (trim[0], trim[1], trim[2], trim[3]),
              mosaic=said.get("mosaic", ""), flipped=bool(frame.flipped))
    roots = (site.root, *(site.root / archive.path for archive in site.archive))
    return Place(path=frame.path, roots=roots, cut=cut)


def check_is_here(row: Frame | Master) -> None:
    """Raise RefusedError where the files of a frame or a master are another node's."""
    if row.node != parts().site.site.node:
        raise RefusedError(f"its file lies on the machine of the node {row.node or 'without one'}")


def place_of_master(master: Master) -> Place:
    """Where the image of a master is; raises RefusedError where there is none."""
    if not master.path:
        raise RefusedError("this master was never built")
    check_is_here(master)
    return Place(path=master.path, roots=(parts().site.root,), cut=Cut())


@blueprint.get("/frames/<int:id_>/image/<any(raw,reduced):which>.json")
@reads_image
@reading
def of_frame(db: Connection, id_: int, which: str) -> Response:
    """What the viewer has to know of an image of a frame."""
    return _described(_place(_frame(db, id_), which), "ADU")


@blueprint.get("/frames/<int:id_>/image/<any(raw,reduced):which>/<int:level>/<int:column>/"
               "<int:row>")
@reads_image
@reading
def tile(db: Connection, id_: int, which: str, level: int, column: int, row: int) -> Response:
    """A tile of an image of a frame."""
    return _tile(_place(_frame(db, id_), which), level, column, row)


@blueprint.get("/frames/<int:id_>/image/<any(raw,reduced):which>/pixel")
@reads_image
@reading
def pixel(db: Connection, id_: int, which: str) -> Response:
    """The value of one pixel of an image of a frame."""
    return _pixel(_place(_frame(db, id_), which))


@blueprint.get("/frames/<int:id_>/image/<any(raw,reduced):which>.png")
@reads_image
@reading
def still_of_frame(db: Connection, id_: int, which: str) -> Response:
    """An image of a frame as a small picture, for browsers that run no scripts."""
    return _still(_place(_frame(db, id_), which))


@blueprint.get("/masters/<int:id_>/image.png")
@reads_image
@reading
def still_of_master(db: Connection, id_: int) -> Response:
    """The image of a master as a small picture, for browsers that run no scripts."""
    return _still(_place_of_master(_master(db, id_)))


@blueprint.get("/frames/<int:id_>/marks.json")
@reading
def marks(db: Connection, id_: int) -> Response:
    """What the viewer draws over an image of a frame."""
    row = _frame(db, id_)
    info: dict[str, Any] = row.info or {}
    found = frame_pages.marks(db, id_)
    stars = frame_pages.stars(db, id_)
    wcs = tan.from_cards(info["wcs"]) if "CD1_1" in (info.get("wcs") or {}) else None
    placed: list[list[float]] = []
    if stars is not None:
        placed = [[round(x, 1), round(y, 1)] for x, y, *_ in stars.stars]
        if not placed and wcs is not None and stars.field:
            x, y = wcs.to_pixel([star[0] for star in stars.field], [s[1] for s in stars.field])
            placed = [[round(float(i), 1), round(float(j), 1)] for i, j in zip(x, y, strict=True)]
    images = {(mark.name, mark.beam): mark for mark in found if mark.beam}
    pairs = [[one.x, one.y, images[name, "E"].x, images[name, "E"].y]
             for (name, beam), one in images.items() if beam == "O" and (name, "E") in images]
    return _plain({
        "sources": [asdict(mark) for mark in found], "stars": placed, "pairs": pairs,
        "matched": matched(info),
        "aperture": info.get("aperture_px"), "annulus": info.get("annulus_px"),
        "wcs": None if wcs is None else {
            "ra0": wcs.ra0, "dec0": wcs.dec0, "x0": wcs.x0, "y0": wcs.y0,
            "cd": [*wcs.cd[0], *wcs.cd[1]],
            "a": [[p, q, c] for (p, q), c in wcs.sip_a.items()],
            "b": [[p, q, c] for (p, q), c in wcs.sip_b.items()]}})


@blueprint.get("/frames/<int:id_>/cutout.png")
@reads_image
@reading
def small(db: Connection, id_: int) -> Response:
    """A small picture about a pixel of the reduced frame, or the raw one, with its circles."""
    row = _frame(db, id_)
    x, y = _number("x"), _number("y")
    half = whole_number("half", 24, least=4, most=_WIDEST // 2)
    circles = [(x, y, r) for r in map(float, _radii()) if 0 < r < _WIDEST]
    place = _place(row, "reduced" if row.reduced_path else "raw")
    try:
        picture = pictures().picture(place)
        left, low = round(x) - half, round(y) - half
        pixels = pictures().part(place, left, low, 2 * half + 1, 2 * half + 1)
    except RefusedError as error:
        abort(404, f"There is no such picture: {error}.")
    if not pixels.size:
        abort(404, "The frame does not reach there.")
    left, low = max(left, 0), max(low, 0)
    return kept(Response(cutout(pixels, picture.levels, circles=[
        (i - left, j - low, r) for i, j, r in circles]), mimetype="image/png"))


@blueprint.get("/masters/<int:id_>/image.json")
@reads_image
@reading
def of_master(db: Connection, id_: int) -> Response:
    """What the viewer has to know of the image of a master."""
    row = _master(db, id_)
    return _described(_place_of_master(row), _UNITS.get(row.kind, ""))


@blueprint.get("/masters/<int:id_>/image/<int:level>/<int:column>/<int:row>")
@reads_image
@reading
def master_tile(db: Connection, id_: int, level: int, column: int, row: int) -> Response:
    """A tile of the image of a master."""
    return _tile(_place_of_master(_master(db, id_)), level, column, row)


@blueprint.get("/masters/<int:id_>/image/pixel")
@reads_image
@reading
def master_pixel(db: Connection, id_: int) -> Response:
    """The value of one pixel of a master."""
    return _pixel(_place_of_master(_master(db, id_)))


def _described(place: Place, unit: str) -> Response:
    """Of the image whose description this request asks for; its tiles stand below its address."""
    try:
        found, stamp = pictures().picture(place).described(), place.stamp()
    except RefusedError as error:
        # No fault of the page that asks: files are moved, and some are damaged.
        return _plain({"wrong": f"The image cannot be shown: {_words(error)}."})
    version = f"{stamp[1]:x}"
    image = request.script_root + request.path.removesuffix(".json")
    return _plain(found | {
        "unit": unit, "tileAddress": f"{image}/{{level}}/{{column}}/{{row}}?v={version}",
        "pixelAddress": f"{image}/pixel?v={version}"})


def _tile(place: Place, level: int, column: int, row: int) -> Response:
    try:
        packed = pictures().tile(place, level, column, row)
    except RefusedError as error:
        return _refused(error)
    answer = Response(packed, mimetype="application/octet-stream")
    answer.headers["Content-Encoding"] = "gzip"
    return kept(answer) if "v" in request.args else answer


def _still(place: Place) -> Response:
    try:
        return kept(Response(still(pictures().picture(place)), mimetype="image/png"))
    except RefusedError as error:
        return _refused(error)


def _pixel(place: Place) -> Response:
    x, y = whole_number("x", 0), whole_number("y", 0)
    try:
        found = pictures().part(place, x, y, 1, 1)
    except RefusedError as error:
        return _refused(error)
    if not found.size:
        return make_response(jsonify(error="the image has no such pixel"), 404)
    value = float(found[0, 0])
    return _plain({"x": x, "y": y, "value": value if math.isfinite(value) else None})


def _plain(content: dict[str, Any]) -> Response:
    return make_response(jsonify(content))


def _refused(error: RefusedError) -> Response:
    return make_response(jsonify(error=f"the image cannot be shown: {_words(error)}"), 404)


def _words(error: RefusedError) -> str:
    """Why, without the folder of a file."""
    said = str(error)
    if "/" in said:
        return "its file no longer exists or cannot be read"
    return f"its file {said}" if said.startswith(("is ", "has ", "holds ", "header ")) else said


def _place(frame: Frame, which: str) -> Place:
    try:
        return place_of(frame, which)
    except RefusedError as error:
        return abort(_refused(error))


def _place_of_master(master: Master) -> Place:
    try:
        return place_of_master(master)
    except RefusedError as error:
        return abort(_refused(error))


def _frame(db: Connection, id_: int) -> Frame:
    row = frames.find(db, id_)
    if row is None:
        abort(make_response(jsonify(error=f"there is no frame {id_}"), 404))
    return row


def _master(db: Connection, id_: int) -> Master:
    rows = masters.among(db, [id_])
    if not rows:
        abort(make_response(jsonify(error=f"there is no master {id_}"), 404))
    return rows[0]


def _number(name: str) -> float:
    try:
        value = float(request.args.get(name, "")[:24])
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or abs(value) > 1e6:
        abort(404, f"'{name}' is no number of a pixel.")
    return value


def _radii() -> list[str]:
    return [text for text in request.args.get("r", "")[:80].split(",")
            if text.replace(".", "", 1).isdigit()][:3]


