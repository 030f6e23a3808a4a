"""The audit: what people changed by hand, and the undoing of what can be undone."""

from __future__ import annotations

import json
import time
from typing import Any

from flask import Blueprint, abort, flash, redirect, request, url_for
from werkzeug.wrappers import Response

from iop4d.model.errors import Iop4dError
from iop4d.model.units import end_jd_of_text, jd_of_text, jd_of_unix, unix_of_jd
from iop4d.store import audit, audit_pages, catalogue_changes
from iop4d.store.audit_pages import AuditFilter
from iop4d.store.database import Connection
from iop4d.web import undo
from iop4d.web.auth import who
from iop4d.web.context import LARGEST, parts, reading, render, whole_number

blueprint = Blueprint("audit", __name__)

_PAGE = 50
_LONGEST_VALUE = 4000  # characters that are shown of a value


@blueprint.get("/system/audit")
@reading
def changes(db: Connection) -> str:
    """Every change by hand, the latest first."""
    asked, wrong = request.args, ""
    times: dict[str, float | None] = {"since": None, "until": None}
    for name, read in (("since", jd_of_text), ("until", end_jd_of_text)):
        if text := asked.get(name, "").strip():
            try:
                times[name] = unix_of_jd(read(text, now_jd=jd_of_unix(time.time())))
            except Iop4dError as error:
                wrong = f"{name}: {error}"
    which = AuditFilter(by=asked.get("by", "")[:200], act=asked.get("act", "")[:200],
                        subject=asked.get("subject", "").strip()[:200], **times)
    before = whole_number("before", LARGEST)
    rows = audit_pages.changes(db, which, before=None if before == LARGEST else before,
                               limit=_PAGE)
    people, acts = audit_pages.who_and_what(db)
    return render(db, "audit.html", which=which, rows=rows[:_PAGE], wrong=wrong, people=people,
                  acts=acts, shown=_shown, can_undo=undo.can_undo, place_of=_place_of,
                  of_catalogue=catalogue_changes.ACTS,
                  older=rows[_PAGE - 1].id if len(rows) > _PAGE else None,
                  texts={name: asked.get(name, "") for name in times})


def _shown(value: Any) -> str:
    """A value for people to read: texts as they are, the rest as JSON over several lines."""
    if value is None:
        return "–"
    text = value if isinstance(value, str) else json.dumps(value, indent=1, ensure_ascii=False)
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]} …"


def _place_of(subject: str) -> str:
    """The address of the page of what was changed; empty if there is none."""
    kind, _, name = subject.partition(" ")
    pages = {"result": ("results.result", "id_"), "frame": ("frames.frame", "id_"),
             "alert": ("alerts.episode", "id_"), "source": ("sources.source", "key"),
             "rule": ("rules.rule", "name"),
             "master": ("masters.master", "id_"), "draft": ("drafts.draft", "name")}
    if kind not in pages or not name or (pages[kind][1] == "id_" and not name.isdecimal()):
        return ""
    endpoint, key = pages[kind]
    place: dict[str, Any] = {key: int(name) if key == "id_" else name}
    return url_for(endpoint, **place)


@blueprint.post("/system/audit/<int:id_>/undo")
@reading
def take_back(db: Connection, id_: int) -> Response:
    """Undo a change, unless what was changed is no longer as it made it."""
    row = audit.find(db, id_)
    if row is None:
        abort(404, f"There is no change {id_}.")
    try:
        flash(undo.undo(db, row, parts().site, by=who(), now=time.time()), "good")
    except Iop4dError as error:
        flash(f"Not undone: {error}.", "bad")
    return redirect(url_for("audit.changes"), code=303)
