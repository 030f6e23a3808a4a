"""Alerts, and what people who are signed in request about them of the daemon."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from typing import Any

from flask import Blueprint, abort, flash, redirect, request, url_for
from werkzeug.wrappers import Response

from iop4d.alerts.actions import (
    ActionError,
    check_known,
    duration_of,
    known_source,
    new_rule,
    rule_keys,
)
from iop4d.alerts.backtest import backtest, changed_rule, waits_for
from iop4d.alerts.check import rules_of
from iop4d.alerts.conditions import Form
from iop4d.alerts.engine import AlertEngine
from iop4d.alerts.subjects import not_in_catalogue
from iop4d.model.errors import Iop4dError
from iop4d.model.states import ACTIVE_ALERTS, DaemonState, RequestKind
from iop4d.model.units import jd_of_text, jd_of_unix
from iop4d.store import alerts as stored_alerts
from iop4d.store import pages, requests
from iop4d.store.database import Connection
from iop4d.web.auth import who
from iop4d.web.context import (
    page_number,
    parts,
    reading,
    render,
    request_of_daemon,
    state_of_daemon,
)

blueprint = Blueprint("alerts", __name__)

_LONGEST_NOTE = 300
_LONGEST_FIELD = 200
_SOON = 2.0  # seconds that a page waits for the daemon's answer


@blueprint.get("/alerts")
@reading
def alerts(db: Connection) -> str:
    """Every episode of an alert, with its messages, and the rules."""
    return _page(db)


def _page(db: Connection, **forms: Any) -> str:
    """The page, and a form that was refused as it was filled in."""
    return render(db, "alerts.html", page=pages.episodes(db, page_number()),
                  messages=pages.latest_messages(db, 50), **forms)


class _RefusedError(Iop4dError):
    """A form is wrong: in which field, and why."""

    def __init__(self, field: str, why: str) -> None:
        super().__init__(why)
        self.field = field


@blueprint.post("/alerts/<int:id_>/<any(acknowledge, snooze):act>")
@reading
def alert(db: Connection, id_: int, act: str) -> Response:
    """Acknowledge or snooze an alert."""
    row = stored_alerts.find(db, id_)
    if row is None:
        abort(404, f"There is no alert {id_}.")
    if row.state not in ACTIVE_ALERTS:
        abort(409, f"The alert is no longer active: it is {row.state}.")
    _request(db, act, alert=id_, seconds=_span("12h") if act == "snooze" else 0.0)
    return redirect(url_for("alerts.alerts"), code=303)


@blueprint.post("/mutes")
@reading
def mute(db: Connection) -> Any:
    """Mute a rule or a source for a while, or end a mute."""
    rule, source = request.form.get("rule", ""), request.form.get("source", "")
    ends = "end" in request.form  # also the end of a mute of everything
    try:
        _check_lengths({"rule": rule, "source": source})
        seconds = 0.0 if ends else _muted_for(db, rule, source)
    except _RefusedError as error:
        return _page(db, mute_form=request.form, mute_field=error.field,
                     mute_wrong=str(error)), 400
    _request(db, "unmute" if ends else "mute", rule=rule, source=source, seconds=seconds)
    return redirect(url_for("alerts.alerts"), code=303)


def _muted_for(db: Connection, rule: str, source: str) -> float:
    """Seconds; refuses at once what the daemon would refuse: it may not be running."""
    if not rule and not source:
        raise _RefusedError(
            "source", "Choose a rule or a source; * as the source mutes everything.")
    field = "rule"
    try:
        if rule:
            check_known(rule, rules_of(parts().site))
        field = "source"
        known_source(db, source)
        field = "for"
        return duration_of(request.form.get("for", "12h"))
    except Iop4dError as error:
        raise _RefusedError(field, str(error)) from error


@blueprint.get("/rules/<path:name>")
@reading
def rule(db: Connection, name: str) -> str:
    """When a rule, or one with another condition, would have fired on past results."""
    known = next((r for r in parts().site.rule if r.name == name), None)
    if known is None:
        abort(404, f"The site file has no rule '{name}'.")
    condition = request.args.get("condition", "").strip() or known.condition
    clear = request.args.get("clear", known.clear if condition == known.condition else None)
    since = request.args.get("since", "").strip() or "30d"
    found, wrong, waits = None, "", ""
    try:
        _check_lengths({"condition": condition, "clear": clear or "", "since": since})
        watch = changed_rule(known, condition, None if clear is None else clear.strip())
        clear = watch.rule.clear
        if watch.condition.form is Form.SYSTEM:
            raise ActionError("A rule about the system cannot be back-tested: there is no history "
                              "of the system.")
        begin = jd_of_text(since, now_jd=jd_of_unix(time.time()))
        engine = AlertEngine(parts().site, time.time)
        found, waits = backtest(db, engine, watch, begin), waits_for(db, engine, watch)
    except Iop4dError as error:
        wrong = str(error)
    return render(db, "rule.html", rule=known, condition=condition, clear=clear or "", since=since,
                  found=found, wrong=wrong, waits=waits)


@blueprint.post("/rules")
@reading
def add_rule(db: Connection) -> Any:
    """Request a new rule: the daemon writes it into the site file and reloads that."""
    try:
        wanted = _wanted_rule(db)
    except _RefusedError as error:
        return _page(db, rule_form=request.form, rule_field=error.field,
                     rule_wrong=str(error)), 400
    _request(db, "add-rule", keys=wanted)
    return redirect(url_for("alerts.alerts"), code=303)


def _wanted_rule(db: Connection) -> dict[str, Any]:
    """The keys of the rule that the form describes."""
    _check_lengths(request.form)
    try:
        wanted = {**rule_keys(request.form), "channels": request.form.getlist("channels")}
        if not wanted["name"]:
            raise _RefusedError("name", "A rule needs a name.")
        if not wanted["name"].isprintable():
            raise _RefusedError("name", "The name has characters that cannot be printed.")
        if wanted["name"] in rules_of(parts().site):
            raise _RefusedError("name", f"A rule '{wanted['name']}' exists already.")
        _, site, compiled = new_rule(parts().site.root, wanted)
    except _RefusedError:
        raise
    except (Iop4dError, OSError) as error:
        raise _RefusedError(_field_of(str(error)), str(error)) from error
    if missing := not_in_catalogue(db, site, compiled):
        raise _RefusedError("source", f"{missing}.")
    return wanted


def _field_of(message: str) -> str:
    """The field of the form that a message on a rule is about."""
    found = re.search(r"\brule\.(\w+)", message) or re.match(r"(\w+) is '", message)
    if found:
        return found[1]
    if "there is no " in message:
        return "source"
    return "clear" if re.search(r"\bclear\b", message) else "condition"


def _check_lengths(form: Mapping[str, str]) -> None:
    for field, text in form.items():
        if len(text) > (_LONGEST_NOTE if field == "note" else _LONGEST_FIELD):
            raise _RefusedError(
                field, f"This is too long; expected {_LONGEST_FIELD} characters or less.")


def _span(otherwise: str) -> float:
    try:
        return duration_of(request.form.get("for", otherwise))
    except Iop4dError as error:
        abort(400, str(error))


def _request(db: Connection, act: str, **what: object) -> None:
    """Request something of the daemon, and say what became of it."""
    note = request.form.get("note", "")[:_LONGEST_NOTE]
    id_ = request_of_daemon(RequestKind.ALERTS, {"act": act, "by": who(), "note": note, **what})
    answer = _answer(db, id_) if _may_answer(db) else None
    if answer is not None:
        flash(*(f"Not done: {answer['error']}", "bad") if "error" in answer else
              (str(answer.get("said", "Done.")), "good"))
    elif _may_answer(db):
        flash("The daemon has not answered the request yet.", "warn")
    else:
        flash("The daemon is not running. It carries out the request when it starts.", "warn")


def _may_answer(db: Connection) -> bool:
    """Whether the daemon runs, or starts, as it does after each change of the site file."""
    return state_of_daemon(db) in (DaemonState.RUNNING, DaemonState.STARTING)


def _answer(db: Connection, request_id: int) -> dict[str, Any] | None:
    """The daemon's answer, if it comes soon."""
    until = time.monotonic() + _SOON
    while (answer := requests.answer_of(db, request_id)) is None:
        if time.monotonic() > until:
            return None
        time.sleep(0.05)
    return answer
