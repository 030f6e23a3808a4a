"""A result computed again with other settings, beside the stored one."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, abort, flash, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from iop4d.config.tried import PIXELS, TRIED
from iop4d.instruments.discovery import find_instruments
from iop4d.ledger.compared import calibrators_apart, compare, notes_of
from iop4d.ledger.trials import plan_trial
from iop4d.model.errors import Iop4dError
from iop4d.model.states import DaemonState, RequestKind
from iop4d.store import requests, results
from iop4d.store.database import Connection
from iop4d.web.auth import who
from iop4d.web.context import parts, reading, render, request_of_daemon, state_of_daemon

blueprint = Blueprint("trials", __name__)

_WAITING = 5  # trials that may wait: each takes a worker for seconds
_LONGEST = 60  # characters of a value


@blueprint.post("/results/<int:id_>/trials")
@reading
def start(db: Connection, id_: int) -> AnyResponse:
    """Request that the daemon tries settings on a result; to the page that shows what comes."""
    if results.find(db, id_) is None:
        abort(404, f"There is no result {id_}.")
    back = redirect(url_for("results.result", id_=id_, _anchor="try"), code=303)
    said = {name: request.form.get(name, "").strip()[:_LONGEST] for name in TRIED}
    said = {name: value for name, value in said.items() if value}
    without = request.form.getlist("without")
    site = parts().site
    try:
        plan_trial(db, id_, said, without, site=site, instruments={
            one.name: one for one in find_instruments(site.camera, site.polarimeter)})
    except Iop4dError as error:
        flash(f"Not done: {error}.", "bad")
        return back
    if state_of_daemon(db) not in (DaemonState.RUNNING, DaemonState.STARTING):
        flash("Not done: the daemon is not running, and its workers compute this. The command "
              f"'iop4d explain {id_} --try KEY=VALUE' does without it.", "bad")
        return back
    if len(requests.queued_trials(db)) >= _WAITING:
        flash(f"Not done: {_WAITING} such requests wait already. Try again in a minute.", "warn")
        return back
    made = request_of_daemon(RequestKind.TRIAL, {"result": id_, "settings": said,
                                                 "without": without, "by": who() or ""})
    return redirect(url_for("trials.trial", id_=made), code=303)


@blueprint.get("/trials/<int:id_>")
@reading
def trial(db: Connection, id_: int) -> str:
    """A result as stored and as tried, side by side."""
    row = requests.trial(db, id_)
    kept = None if row is None else results.find(db, int(row.content.get("result", 0)))
    if row is None or kept is None:
        abort(404, f"There is no trial {id_}.")
    answer: dict[str, Any] = row.answer or {}
    done = "tried" in answer
    return render(db, "trial.html", trial=row, row=kept, answer=answer,
                  runs=state_of_daemon(db) in (DaemonState.RUNNING, DaemonState.STARTING),
                  compared=compare(kept.__data__, answer) if done else [],
                  stars=calibrators_apart(answer) if done else [],
                  notes=notes_of(row.content.get("settings", {}), answer) if done else [],
                  measured_again=bool(PIXELS & set(row.content.get("settings", {}))))
