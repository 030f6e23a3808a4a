"""What people who are signed in do about alerts. The daemon does it: the page only asks."""

from __future__ import annotations

import time

from flask import Blueprint, abort, redirect, request
from werkzeug.wrappers import Response

from iop4d.alerts.desk import DeskError, span_of
from iop4d.alerts.rules import ACTIVE
from iop4d.store import asks
from iop4d.store.schema import Alert
from iop4d.web.context import parts, reading
from iop4d.web.signin import signed_in, who

blueprint = Blueprint("acts", __name__)

_LONGEST_NOTE = 300


@blueprint.post("/alerts/<int:id_>/<any(acknowledge, snooze):act>")
@reading
@signed_in
def alert(id_: int, act: str) -> Response:
    """Somebody knows of an alert, or does not want to hear of it for a while."""
    row = Alert.get_or_none(Alert.id == id_)
    if row is None:
        abort(404, f"There is no alert {id_}.")
    if row.state not in ACTIVE:
        abort(409, f"The alert is over: it is {row.state}.")
    _ask(act, alert=id_, seconds=_span("12h") if act == "snooze" else 0.0)
    return redirect(f"/alerts#alert-{id_}", code=303)


@blueprint.post("/mutes")
@reading
@signed_in
def mute() -> Response:
    """Tell nobody of a rule or of a source for a while, or tell them again."""
    rule, source = request.form.get("rule", ""), request.form.get("source", "")
    if not rule and not source:
        abort(400, "Say which rule or which source.")
    ends = "end" in request.form
    _ask("unmute" if ends else "mute", rule=rule, source=source,
         seconds=0.0 if ends else _span("12h"))
    return redirect("/alerts", code=303)


def _span(otherwise: str) -> float:
    try:
        return span_of(request.form.get("for", otherwise))
    except DeskError as error:
        abort(400, str(error))


def _ask(act: str, **what: object) -> None:
    note = request.form.get("note", "")[:_LONGEST_NOTE]
    asks.put_beside(parts().site.database, "desk",
                    {"act": act, "by": who(), "note": note, **what}, time.time())
