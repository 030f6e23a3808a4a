"""Points that others measured, which editors bring to the page of a source as a table."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

from flask import Blueprint, flash, redirect, request, url_for

from iop4d.fields.point_table import Wanted, read_points
from iop4d.model.errors import CatalogueError, Iop4dError
from iop4d.model.external import PointTable
from iop4d.model.source import Source
from iop4d.store import external
from iop4d.web.auth import who
from iop4d.web.context import changing, parts
from iop4d.web.views.sources.catalogue import known

blueprint = Blueprint("others", __name__)

_LARGEST = 20 << 20  # octets of a table
_LONGEST = 200


@blueprint.post("/sources/<path:key>/others")
def add(key: str) -> Any:
    """Keep the points of a table, instead of those of the same origin."""
    request.max_content_length = _LARGEST
    with parts().reader.connected() as db:
        source = known(db, key)
    try:
        points, file = _read(source)
        with changing() as tx:
            row, replaced = external.save(
                tx, source.name, points, origin=_said("origin"), reference=_said("reference"),
                file=file, by=who() or "", now=time.time())
    except Iop4dError as error:
        flash(f"Nothing was added: {error}.", "bad")
        return _back(source.name)
    left = ", ".join(f"{count} rows {why}" for why, count in sorted(points.left_out.items()))
    flash(f"{row.count} points of {row.origin} added"
          + (f" instead of {replaced}" if replaced else "")
          + (f"; left out: {left}" if left else "") + ".", "good")
    return _back(source.name)


@blueprint.post("/sources/<path:key>/others/remove")
def remove(key: str) -> Any:
    """Remove a table with its points."""
    text = request.form.get("table", "")
    id_ = int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else 0
    try:
        with changing() as tx:
            row = external.remove(tx, id_, by=who() or "", now=time.time())
        flash(f"The {row.count} points of {row.origin} are removed.", "good")
    except Iop4dError as error:
        flash(f"{str(error)[:1].upper()}{str(error)[1:]}.", "bad")
    return _back(key)


def _read(source: Source) -> tuple[PointTable, str]:
    sent = request.files.get("table")
    if sent is None or not sent.filename:
        raise CatalogueError("choose a file with a table of points")
    wanted = Wanted(names=(source.name, *source.other_names), band=_said("band"),
                    percent="percent" in request.form)
    file = Path(sent.filename.replace("\\", "/")).name
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table"
        sent.save(path)
        return read_points(path, wanted, origin=file), file


def _said(name: str) -> str:
    return " ".join(request.form.get(name, "").split())[:_LONGEST]


def _back(name: str) -> Any:
    return redirect(url_for("sources.source", key=name) + "#others", code=303)
