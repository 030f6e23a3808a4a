"""The catalogue entry of a source: shown, changed, added, renamed, removed, and changes undone."""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from flask import Blueprint, abort, flash, redirect, request, url_for
from werkzeug.wrappers import Response

from iop4d.model.errors import CatalogueError
from iop4d.model.source import SAME_ARCSEC, Source, SourceKind, arcsec_between
from iop4d.model.states import RequestKind
from iop4d.store import (
    audit,
    catalogue,
    catalogue_changes,
    catalogue_edit,
    recalibrated,
    requests,
    sources,
)
from iop4d.store.catalogue_cells import (
    BY_BAND,
    ISP,
    OF_A_MAGNITUDE,
    PLAIN,
    WrongCellsError,
    cells_of,
    source_of,
)
from iop4d.store.catalogue_changes import Change
from iop4d.store.catalogue_csv import linked
from iop4d.store.database import Connection, Transaction
from iop4d.system.lock import is_locked
from iop4d.web.auth import who
from iop4d.web.context import changing, parts, reading, render
from iop4d.web.formats import sentence

blueprint = Blueprint("catalogue", __name__)

_BANDS = "UBVRI"
_BAND = re.compile(r"[A-Za-z]+")
_COLOUR = re.compile(r"[A-Za-z]+-[A-Za-z]+")
_LONGEST, _LONGEST_NOTE = 500, 20_000  # characters of a field, and of the note
_SHOWN = 20  # changes

#: What people call the columns.
_LABELS = {"name": "name", "other_names": "other names", "ra": "RA", "dec": "Dec", "kind": "kind",
           "calibrates": "calibrates", "p": "p", "p_err": "error of p", "chi": "χ",
           "chi_err": "error of χ", "redshift": "redshift", "q_isp": "interstellar q",
           "q_isp_err": "error of interstellar q", "u_isp": "interstellar u",
           "u_isp_err": "error of interstellar u", "aperture_arcsec": "radius of the aperture",
           "tags": "tags", "note": "note", "": "entry"}


def label_of(column: str) -> str:
    """A column in the words of the page."""
    if column in _LABELS:
        return _LABELS[column]
    base = column.removesuffix("_err")
    words = {"mag": "{}", "extinction": "extinction in {}", "colour": "{}"}
    text = words[base.partition("_")[0]].format(base.partition("_")[2])
    return text if base == column else f"error of {text}"


# Looking.


@blueprint.get("/sources/<path:key>/catalogue")
@reading
def entry(db: Connection, key: str) -> str:
    """A source's entry: as facts, and as a form for who may change it."""
    source = known(db, key)
    return _page(db, source, cells_of(source))


@blueprint.get("/catalogue/new")
@reading
def new(db: Connection) -> str:
    """The form for a source that is not in the catalogue yet."""
    wanted = {name: request.args.get(name, "") for name in (
        "name", "ra", "dec", "kind", "calibrates", "note")}
    return _page(db, None, wanted)


@blueprint.get("/catalogue/changes/<int:id_>")
@reading
def change(db: Connection, id_: int) -> str:
    """A change, and what it moved so far."""
    try:
        found = catalogue_changes.by_id(db, id_)
    except CatalogueError as error:
        abort(404, f"{str(error).capitalize()}.")
    return render(db, "catalogue_change.html", change=found, label_of=label_of,
                  progress=recalibrated.progress(db, found.targets, found.at),
                  can_undo=can_undo(db, found))


def known(db: Connection, key: str) -> Source:
    """The source of the catalogue that an address names; the page of what it is else."""
    found = sources.find(db, key)
    if found is None or found[1] is None:
        abort(404, f"The catalogue has no source {key}." + (
            " Its results stay." if found else ""))
    return found[1]


def _page(db: Connection, source: Source | None, cells: Mapping[str, str],
          wrong: Mapping[str, str] | None = None) -> str:
    bands = dict.fromkeys((*_BANDS, *(
        match[1] for column in cells if (match := OF_A_MAGNITUDE.match(column))), *(
        column.removeprefix("extinction_") for column in cells
        if column.startswith("extinction_"))))
    colours = [column.removeprefix("colour_") for column in cells
               if column.startswith("colour_") and not column.endswith("_err")]
    found = catalogue_changes.of_source(db, source.name, _SHOWN) if source else []
    newest = found[0] if found else None
    return render(
        db, "catalogue.html", source=source, cells=cells, wrong=wrong or {}, bands=bands,
        colours=colours, isp=ISP, kinds=list(SourceKind), changes=found, label_of=label_of,
        progress=recalibrated.progress(db, newest.targets, newest.at) if newest else None,
        can_undo=bool(newest) and can_undo(db, newest), stamp=_stamp(source) if source else "",
        all_tags=sorted({tag for one in catalogue.load(db).sources for tag in one.tags}
                        | {tag.name for tag in parts().site.tag}),
        uses=catalogue_edit.uses(db, source, parts().site) if source else [],
        twins=[one.name for one in catalogue.load(db).sources if source and one.name != source.name
               and arcsec_between(one, source) < SAME_ARCSEC],
        daemon_runs=is_locked(parts().site.lock), why=request.form.get("why", ""))


def can_undo(db: Connection, change: Change | None) -> bool:
    """Whether a change can be undone on the page: nothing came after it."""
    if change is None or change.act in catalogue_changes.NOT_UNDONE:
        return False
    newest = catalogue_changes.of_source(db, change.subject.removeprefix("source "), 1)
    return bool(newest) and newest[0].id == change.id


def _stamp(source: Source) -> str:
    """What tells whether a source is still as a form showed it."""
    said = json.dumps(cells_of(source), sort_keys=True)
    return hashlib.sha256(said.encode()).hexdigest()[:16]


class _ChangedMeanwhileError(CatalogueError):
    """A source is not any more as the form showed it."""

    def __init__(self, differences: str) -> None:
        super().__init__(
            "This source was changed by another person meanwhile, and is now different from the "
            f"form: {differences}. Save again to write yours in its place")


def _differences(source: Source, wanted: Source) -> str:
    """What of a source differs from what a form has, in words."""
    now, mine = cells_of(source), cells_of(wanted)
    return "; ".join(f"{label_of(name)} is {now.get(name) or 'empty'}, yours "
                     f"{mine.get(name) or 'empty'}" for name in dict.fromkeys((*now, *mine))
                     if now.get(name, "") != mine.get(name, "")) or "nothing that you see here"


# Changing.


@blueprint.post("/sources/<path:key>/catalogue")
def save(key: str) -> Any:
    """Change a source as the form says."""
    try:
        with changing() as tx:
            source = known(tx, key)
            wanted = _wanted(tx, source)
            if request.form.get("stamp", "") not in ("", _stamp(source)):
                raise _ChangedMeanwhileError(_differences(source, wanted))
            catalogue_changes.edit(tx, source, wanted, by=who(), at=time.time(), why=_why())
    except CatalogueError as error:
        if str(error).startswith("nothing was changed"):
            flash("Nothing was changed: all values are as they were.", "warn")
            return redirect(url_for("catalogue.entry", key=key), code=303)
        return _refused(key, error)
    flash("The change is saved.", "good")
    return redirect(url_for("catalogue.entry", key=source.name) + "#changes", code=303)


@blueprint.post("/catalogue/new")
def add() -> Any:
    """Add a source."""
    try:
        with changing() as tx:
            source = _wanted(tx, None)
            catalogue_changes.add(tx, source, by=who(), at=time.time(), why=_why())
    except CatalogueError as error:
        return _refused(None, error)
    flash(f"{source.name} is in the catalogue. New frames measure it; frames that are here already "
          "do when they are reduced again.", "good")
    return redirect(url_for("catalogue.entry", key=source.name), code=303)


@blueprint.post("/sources/<path:key>/catalogue/rename")
def rename(key: str) -> Any:
    """Give a source another name, with all its results."""
    try:
        if is_locked(parts().site.lock):
            raise WrongCellsError({"name": "a daemon runs on this site: a frame that it just "
                                   "measures would have the old name. Stop it, rename the source, "
                                   "and start it again"})
        with changing() as tx:
            source = known(tx, key)
            name = _new_name(request.form.get("name", ""))
            count = catalogue_changes.rename(tx, source, name, by=who(), at=time.time(),
                                             why=_why())
    except CatalogueError as error:
        return _refused(key, error, field="name")
    flash(f"{source.name} is now {name}, with {count} result{'s' * (count != 1)}.", "good")
    return redirect(url_for("catalogue.entry", key=name), code=303)


@blueprint.post("/sources/<path:key>/catalogue/remove")
def remove(key: str) -> Any:
    """Take a source out of the catalogue; its results stay."""
    try:
        with changing() as tx:
            source = known(tx, key)
            needs = catalogue_edit.uses(tx, source, parts().site)
            if needs and "force" not in request.form:
                raise WrongCellsError({"force": f"{source.name} is needed by {'; '.join(needs)}. "
                                       "Tick the box to remove it nevertheless"})
            id_ = catalogue_changes.remove(tx, source, by=who(), at=time.time(), why=_why())
    except CatalogueError as error:
        return _refused(key, error)
    flash(f"{source.name} is removed from the catalogue.", "good")
    return redirect(url_for("catalogue.change", id_=id_), code=303)


@blueprint.post("/catalogue/changes/<int:id_>/undo")
def undo(id_: int) -> Response:
    """Undo a change of the catalogue."""
    try:
        with changing() as tx:
            found = catalogue_changes.by_id(tx, id_)
            _check_needless(tx, found)
            made = catalogue_changes.undo(tx, found, by=who(), at=time.time())
    except CatalogueError as error:
        abort(409, f"{str(error).capitalize()}.")
    flash("The change is undone.", "good")
    return redirect(url_for("catalogue.change", id_=made), code=303)


def _check_needless(db: Connection, change: Change) -> None:
    """Refuse to undo that a source was added which is needed by now; raises CatalogueError."""
    added = {name for name, row in change.was.items() if row is None}
    for source in catalogue.load(db).sources:
        # A calibrator may go as it came: what it calibrates is calibrated without it.
        if source.name not in added or source.calibrates:
            continue
        if needed := catalogue_edit.uses(db, source, parts().site):
            raise CatalogueError(f"{source.name} is needed by now ({'; '.join(needed)}); the form "
                                 "of its catalogue page removes it nevertheless")


@blueprint.post("/catalogue/changes/<int:id_>/reduce-again")
def reduce_again(id_: int) -> Response:
    """Have the frames of the sources that a change touched measured again."""
    try:
        with parts().reader.connected() as db:
            found = catalogue_changes.by_id(db, id_)
            ids = recalibrated.frames_of(db, found.targets)
    except CatalogueError as error:
        abort(404, f"{str(error).capitalize()}.")
    if not ids:
        abort(409, "No frame shows these sources yet.")
    now = time.time()
    with changing() as tx:
        requests.put(tx, RequestKind.REPROCESS, {"frames": ids, "by": who()}, now)
        audit.record(tx, at=now, by=who(), act="reduce again", subject=found.subject,
                     now={"frames": len(ids)}, why=f"after change {found.id} of the catalogue")
    flash(f"{len(ids)} frames are reduced again; their results follow one by one.", "good")
    return redirect(url_for("catalogue.change", id_=id_), code=303)


def _refused(key: str | None, error: CatalogueError, field: str = "") -> tuple[str, int]:
    """The form as it was sent, with what is wrong by its fields."""
    wrong = error.by_column if isinstance(error, WrongCellsError) else {
        field or ("other_names" if key else "name") * (
            "name" in str(error) and not isinstance(error, _ChangedMeanwhileError)): str(error)}
    with parts().reader.connected() as db:
        source = known(db, key) if key else None
        sent = {name: text for name, text in request.form.items()
                if name not in ("why", "stamp", "force")}
        cells = {**(cells_of(source) if source and "ra" not in sent else {}), **sent}
        return _page(db, source, cells, {name: _said(name, why) for name, why in wrong.items()}), (
            409 if isinstance(error, _ChangedMeanwhileError) else 400)


def _said(column: str, why: str) -> str:
    """What is wrong with a field, in the words of the page."""
    if column and why.startswith(f"{column} is "):
        label = f"magnitude in {column[4:]}" if column.startswith("mag_") else label_of(column)
        rest = why.removeprefix(column)
        return f"{label}{rest}." if label in ("p", "χ") else sentence(f"{label}{rest}")
    return sentence(why)


def _wanted(tx: Transaction, source: Source | None) -> Source:
    """The source that the form describes; raises CatalogueError."""
    form = request.form
    wrong = {name: f"this is too long; expected {_LONGEST} characters or less"
             for name, text in form.items()
             if len(text) > (_LONGEST_NOTE if name == "note" else _LONGEST)}
    cells = {name: ";".join(text.split("\n")) if name in ("other_names", "tags", "calibrates")
             else text.replace("\r\n", "\n").strip() for name, text in form.items()
             if name in PLAIN or OF_A_MAGNITUDE.match(name) or BY_BAND.match(name)}
    cells |= _added(wrong)
    cells["name"] = source.name if source else ""
    try:
        cells["name"] = cells["name"] or _new_name(form.get("name", ""))
    except CatalogueError as error:
        wrong["name"] = str(error)
    try:
        found = source_of({**cells, "name": cells["name"] or "-"})
    except WrongCellsError as error:
        raise WrongCellsError({**error.by_column, **wrong}) from None
    (found,), missing = linked([found], list(catalogue.load(tx).sources))
    if missing:
        wrong["calibrates"] = f"unknown target: {missing[0].partition('calibrates ')[2]}"
    if found.name in found.calibrates:
        wrong["calibrates"] = f"{found.name} cannot calibrate itself"
    if wrong:
        raise WrongCellsError(wrong)
    return replace(found, id=source.id if source else 0)


def _added(wrong: dict[str, str]) -> dict[str, str]:
    """The cells of a band and of a colour that the form adds."""
    form, cells = request.form, {}
    if band := form.get("add_band", "").strip():
        if not _BAND.fullmatch(band):
            wrong["add_band"] = "expected the letters of a band, such as R"
        cells[f"mag_{band}"] = form.get("add_mag", "").strip()
        cells[f"mag_{band}_err"] = form.get("add_mag_err", "").strip()
        cells[f"extinction_{band}"] = form.get("add_extinction", "").strip()
    if colour := form.get("add_colour", "").strip():
        if not _COLOUR.fullmatch(colour):
            wrong["add_colour"] = "expected two bands, such as B-V"
        cells[f"colour_{colour}"] = form.get("add_colour_value", "").strip()
        cells[f"colour_{colour}_err"] = form.get("add_colour_err", "").strip()
    return cells if not wrong else {}


def _new_name(text: str) -> str:
    try:
        return catalogue_edit.checked_name(text)
    except CatalogueError as error:
        raise WrongCellsError({"name": str(error)}) from None


def _why() -> str:
    return request.form.get("why", "").strip()[:_LONGEST]
