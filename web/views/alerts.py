"""Alerts, and what people who are signed in do about them; the daemon does it on request."""

from __future__ import annotations

import time
from typing import Any

from flask import Blueprint, abort, flash, redirect, request
from werkzeug.wrappers import Response

from iop4d.alerts.actions import (
    ActionError,
    check_rule,
    duration_of,
    known_source,
    rule_keys,
    since_unix,
)
from iop4d.alerts.backtest import backtest, changed_rule
from iop4d.alerts.conditions import Form
from iop4d.alerts.engine import AlertEngine
from iop4d.alerts.rules import compile_rule
from iop4d.config.edit import with_rule
from iop4d.model.errors import Iop4dError
from iop4d.model.states import ACTIVE_ALERTS
from iop4d.store import requests
from iop4d.store.database import ambient
from iop4d.store.schema import Alert
from iop4d.store.status import heartbeat
from iop4d.web import queries, status
from iop4d.web.auth import signed_in, who
from iop4d.web.context import page_number, parts, reading, render
from iop4d.web.formats import UNIX_EPOCH_JD

blueprint = Blueprint("alerts", __name__)

_LONGEST_NOTE = 300
_SOON = 2.0  # seconds in which the daemon answers


@blueprint.get("/alerts")
@reading
def alerts() -> str:
    """Every episode of an alert, and the mails of each."""
    return render("alerts.html", page=queries.episodes(page_number()),
                  mails=queries.latest_mails(50))


@blueprint.post("/alerts/<int:id_>/<any(acknowledge, snooze):act>")
@reading
@signed_in
def alert(id_: int, act: str) -> Response:
    """Somebody knows of an alert, or does not want to hear of it for a while."""
    row = Alert.get_or_none(Alert.id == id_)
    if row is None:
        abort(404, f"There is no alert {id_}.")
    if row.state not in ACTIVE_ALERTS:
        abort(409, f"The alert is over: it is {row.state}.")
    _ask(act, alert=id_, seconds=_span("12h") if act == "snooze" else 0.0)
    return redirect("/alerts", code=303)


@blueprint.post("/mutes")
@reading
@signed_in
def mute() -> Response:
    """Tell nobody of a rule or of a source for a while, or tell them again."""
    rule, source = request.form.get("rule", ""), request.form.get("source", "")
    ends = "end" in request.form  # also the end of a mute of everything
    if not ends and not rule and not source:
        abort(400, "Say which rule or which source; * as the source mutes everything.")
    if not ends:
        _check_names(rule, source)
    _ask("unmute" if ends else "mute", rule=rule, source=source,
         seconds=0.0 if ends else _span("12h"))
    return redirect("/alerts", code=303)


@blueprint.get("/rules/<path:name>")
@reading
def rule(name: str) -> str:
    """When a rule would have fired, on another condition too if one is given."""
    known = next((r for r in parts().site.rule if r.name == name), None)
    if known is None:
        abort(404, f"The site file has no rule '{name}'.")
    if not who():
        abort(403, "Sign in to try a rule on the past: it takes the machine a moment.")
    condition = request.args.get("condition", "").strip() or known.condition
    clear = request.args.get("clear", known.clear if condition == known.condition else None)
    since = request.args.get("since", "").strip() or "30d"
    found, wrong = None, ""
    try:
        watch = changed_rule(known, condition, None if clear is None else clear.strip())
        clear = watch.rule.clear
        if watch.condition.form is Form.SYSTEM:
            raise ActionError("It is about the system, of which no history is kept.")
        begin = since_unix(since, time.time()) / 86400.0 + UNIX_EPOCH_JD
        found = backtest(ambient(), AlertEngine(parts().site, time.time), watch, begin)
    except Iop4dError as error:
        wrong = str(error)
    return render("rule.html", rule=known, condition=condition, clear=clear or "", since=since,
                  found=found, wrong=wrong)


@blueprint.post("/rules")
@reading
@signed_in
def add_rule() -> Response:
    """Add a rule to the site file, if it is one; the daemon writes it and takes it up."""
    try:
        wanted = {**rule_keys(request.form), "channels": request.form.getlist("channels")}
        if wanted["name"] in (r.name for r in parts().site.rule):
            raise ActionError(f"There is a rule '{wanted['name']}' already.")
        compile_rule(with_rule(parts().site.root, wanted)[1])
    except (Iop4dError, OSError) as error:
        abort(400, str(error))
    _ask("add-rule", keys=wanted)
    return redirect("/alerts", code=303)


def _check_names(rule: str, source: str) -> None:
    """Refuse at once what the daemon would refuse: it may be away."""
    try:
        if rule:
            check_rule(rule, AlertEngine(parts().site, time.time).rules)
        known_source(ambient(), source)
    except Iop4dError as error:
        abort(400, str(error))


def _span(otherwise: str) -> float:
    try:
        return duration_of(request.form.get("for", otherwise))
    except Iop4dError as error:
        abort(400, str(error))


def _ask(act: str, **what: object) -> None:
    """Ask the daemon, and tell the person what became of it."""
    note = request.form.get("note", "")[:_LONGEST_NOTE]
    ask = requests.put_from_reader(parts().site.database, "desk",
                                   {"act": act, "by": who(), "note": note, **what}, time.time())
    answer = _answer(ask) if _daemon_is("running") else None
    if answer is not None:
        flash(*(f"Not done: {answer['error']}", "bad") if "error" in answer else
              (str(answer.get("said", "Done.")), "good"))
    elif _daemon_is("running") and heartbeat(ambient()).get("state") != "stopped":
        flash("The daemon was asked and has not answered yet.", "warn")
    else:
        flash("The daemon is not running: it does this when it starts.", "warn")


def _daemon_is(state: str) -> bool:
    """Also running is one that stopped a moment ago: it may begin anew on another site file."""
    return status.daemon_state(heartbeat(ambient()), time.time()) == state


def _answer(ask: int) -> dict[str, Any] | None:
    """The daemon's answer, if it comes soon."""
    until = time.monotonic() + _SOON
    while (answer := requests.answer_of(ambient(), ask)) is None:
        if time.monotonic() > until:
            return None
        time.sleep(0.05)
    return answer
