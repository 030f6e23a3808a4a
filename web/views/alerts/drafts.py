"""Drafts of telegrams: listed, and each with its text, figure and the trace of its numbers.

Read from the site's folder of drafts. Nothing can be sent here; who may edit changes the text,
which stands beside the one that was drafted.
"""

from __future__ import annotations

import hashlib
import time
from typing import Any

from flask import Blueprint, Response, abort, flash, redirect, request, send_file, url_for

from iop4d.alerts.atel import drafts
from iop4d.alerts.atel.edited import LONGEST, doubts, plain
from iop4d.alerts.atel.text import MOST
from iop4d.store import audit
from iop4d.store.database import Connection
from iop4d.web.auth import who
from iop4d.web.context import changing, parts, reading, render
from iop4d.web.reader import RefusedError, open_inside

blueprint = Blueprint("drafts", __name__)

_SHOWN = 100
_SHOWN_RESULTS = 12
_LONGEST_TEXT = 64 << 10

#: What can be had of a draft: name of the file, its type, whether it is shown in the page.
_FILES = {
    drafts.TEXT: ("text/plain; charset=utf-8", False),
    drafts.TRACE: ("application/json", False),
    drafts.PDF: ("application/pdf", False),
    drafts.PNG: ("image/png", True),
}


@blueprint.get("/drafts")
@reading
def draft_list(db: Connection) -> str:
    """Every draft, those made last first."""
    found = drafts.listed(drafts.folder_of(parts().site))
    outdated = {kept.name for kept in found[:_SHOWN] if drafts.outdated_because(db, kept)}
    return render(db, "drafts.html", drafts=found[:_SHOWN], total=len(found), outdated=outdated)


@blueprint.get("/drafts/<name>")
@reading
def draft(db: Connection, name: str) -> str:
    """A draft: its text to be copied or edited, its figure, and where its numbers come from."""
    return _page(db, _kept(name))


def _page(db: Connection, kept: drafts.StoredDraft, **more: Any) -> str:
    text, names = _text(kept), [one.name for one in drafts.listed(drafts.folder_of(parts().site))]
    place = names.index(kept.name) if kept.name in names else 0
    return render(db, "draft.html", name=kept.name, draft=kept.content, most=MOST,
                  outdated=drafts.outdated_because(db, kept), doubts=doubts(text, kept.content),
                  edited=plain(text) != plain(str(kept.content["text"])), shown=_SHOWN_RESULTS,
                  measured=_numbers(kept, measured=True), other=_numbers(kept, measured=False),
                  newer=names[place - 1] if place else None,
                  older=names[place + 1] if place + 1 < len(names) else None,
                  changes=audit.of_subject(db, f"draft {kept.name}"), state=_digest(text),
                  **{"text": text, "kept_text": text, "wrong": ""} | more)


def _digest(text: str) -> str:
    """Names a text, so that nobody overwrites what another wrote meanwhile."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()[:16]


@blueprint.post("/drafts/<name>")
@reading
def save(db: Connection, name: str) -> Any:
    """Keep an edited text beside the one that was drafted, or go back to that one."""
    kept = _kept(name)
    before, sent = _text(kept), plain(request.form.get("text", ""))
    text = str(kept.content["text"]) if "drafted" in request.form else sent
    if request.form.get("state") != _digest(before):
        return _page(db, kept, text=sent, wrong="The text was changed by another person meanwhile: "
                     "theirs is above yours. Save again to keep yours."), 409
    if not text.strip() or len(text) > LONGEST:
        return _page(db, kept, text=sent, wrong="The text is empty." if not text.strip() else
                     f"The text is too long; expected {LONGEST} characters or less."), 400
    if plain(text) != plain(before):
        with changing() as tx:
            if _text(kept) != before:  # in this very moment
                abort(409, "The text was changed by another person at this moment; load the page "
                           "again.")
            audit.record(tx, at=time.time(), by=who(), act="draft", subject=f"draft {name}",
                         was=before, now=text)
            drafts.keep_text(kept, text)
        flash("The text is kept. It was not sent.", "good")
    return redirect(url_for("drafts.draft", name=name), code=303)


@blueprint.get("/drafts/<name>/<file>")
def draft_file(name: str, file: str) -> Response:
    """One of a draft's files."""
    if file not in _FILES:
        abort(404, "A draft has no such file.")
    kept = _kept(name)
    mimetype, is_shown = _FILES[file]
    folder = drafts.folder_of(parts().site)
    try:
        opened = open_inside(kept.folder.absolute() / file, [folder.absolute()])
    except RefusedError:
        abort(404, "This draft has no such file.")
    return send_file(opened, mimetype=mimetype, as_attachment=not is_shown,
                     download_name=f"{name}.{file.rpartition('.')[2]}", etag=False)


def _kept(name: str) -> drafts.StoredDraft:
    """A draft by its name; anything that is not the name of one is not found."""
    kept = drafts.read(drafts.folder_of(parts().site) / name) if drafts.is_name(name) else None
    if kept is None or kept.folder.is_symlink():
        abort(404, "There is no such draft.")
    return kept


def _text(kept: drafts.StoredDraft) -> str:
    """The text as the folder has it: a person may have changed it since."""
    folder = drafts.folder_of(parts().site)
    try:
        with open_inside(kept.folder.absolute() / drafts.TEXT, [folder.absolute()]) as file:
            return file.read(_LONGEST_TEXT).decode("utf-8", "replace")
    except RefusedError:
        return str(kept.content["text"])


def _numbers(kept: drafts.StoredDraft, *, measured: bool) -> list[dict[str, Any]]:
    return [number for number in kept.content["numbers"] if bool(number["results"]) == measured]
