"""Flags that people set on results from the pages."""

from __future__ import annotations

import time

from flask import Blueprint, Response, flash, jsonify, redirect, request
from werkzeug.wrappers import Response as AnyResponse

from iop4d.model.errors import Iop4dError
from iop4d.store import flagging
from iop4d.web.auth import page_of_ours, who
from iop4d.web.context import changing
from iop4d.web.formats import sentence
from iop4d.web.views.sources.curves import ids_of

blueprint = Blueprint("flags", __name__)


@blueprint.post("/results/flags")
def change() -> AnyResponse:
    """Set or clear a flag of results, or undo that; back to the page, or JSON for a script."""
    try:
        said, at = _changed(request.form.get("act", ""), time.time())
    except Iop4dError as error:
        return _answer(sentence(str(error)), 400, None)
    return _answer(said, 200, at)


def _changed(act: str, now: float) -> tuple[str, float | None]:
    """What became of the form, and the moment by which it can be undone."""
    form = request.form
    by, note = who() or "", form.get("note", "").strip()
    with changing() as tx:
        if act == "undo":
            done, other = flagging.undo(tx, _moment(form.get("at", "")), by=by, now=now)
            left = f"; {_results(other)} changed since and stay as they are" if other else ""
            return f"Undone: {_results(done)} as before{left}.", None
        ids = ids_of([*form.getlist("result"), *form.getlist("more")])
        if not ids:
            raise Iop4dError("Choose at least one result.")
        if act == "set":
            if not note:
                raise Iop4dError("A flag needs a reason: others want to know why.")
            count = flagging.set_flag(tx, ids, form.get("flag", ""), note=note, by=by, now=now)
            return f"{_results(count)} flagged '{flagging.word_of(form.get('flag', ''))}'.", now
        if act == "clear":
            count = flagging.clear_flag(tx, ids, form.get("flag", ""), note=note, by=by, now=now)
            return f"Flag removed from {_results(count)}.", now
    raise Iop4dError("act: expected set, clear or undo")


def _moment(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise Iop4dError("there is no such change of yours to undo") from None


def _results(count: int) -> str:
    return f"{count} result{'s' * (count != 1)}"


def _answer(said: str, code: int, at: float | None) -> AnyResponse:
    if "application/json" in request.headers.get("Accept", ""):
        answer: Response = jsonify({"said": said, "at": at} if code == 200 else {"error": said})
        answer.status_code = code
        return answer
    flash(said, "good" if code == 200 else "bad")
    return redirect(page_of_ours(request.form.get("back", "")), code=303)
