"""Rules: listed with their state, back-tested, and as forms that add and change them."""

from __future__ import annotations

import hashlib
import json
import shlex
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from flask import Blueprint, abort, current_app, redirect, request, url_for
from markupsafe import Markup

from iop4d.alerts import rule_edits, rule_forms
from iop4d.alerts.actions import ActionError
from iop4d.alerts.backtest import BackTest, TooManyPointsError, backtest, changed_rule, waits_for
from iop4d.alerts.check import rules_of, without_wrong_rules
from iop4d.alerts.conditions import EXAMPLES, Form
from iop4d.alerts.engine import AlertEngine
from iop4d.alerts.rules import CompiledRule, RulePoint
from iop4d.alerts.subjects import not_in_catalogue
from iop4d.config import Rule, Site
from iop4d.config.edit import rule_as_written
from iop4d.instruments.discovery import find_instruments
from iop4d.model.errors import Iop4dError
from iop4d.model.states import RequestKind
from iop4d.model.units import jd_of_text, jd_of_unix
from iop4d.store import alerts as stored_alerts
from iop4d.store import nodes, sources
from iop4d.store.database import Connection
from iop4d.web import heavy
from iop4d.web.alert_curves import of_backtest
from iop4d.web.answers import request_and_say
from iop4d.web.auth import who
from iop4d.web.context import parts, reading, render
from iop4d.web.rule_curve import drawn

blueprint = Blueprint("rules", __name__)

_SINCE = "30d"
_MOST_TESTED = 60_000  # results that a page back-tests a rule on: two seconds of a processor
_WAITS = "iop4d.waits"
_WAITS_KEPT = 600.0  # seconds for which it is kept for what a rule waits


class RefusedFormError(Iop4dError):
    """A form is wrong: in which field, and why."""

    def __init__(self, field: str, why: str) -> None:
        super().__init__(why)
        self.field = field


@dataclass(frozen=True, kw_only=True)
class Tested:
    """A back-test as a page shows it. ``wrong``: why there is none."""

    since: str = _SINCE
    found: BackTest | None = None
    curves: list[Markup] = field(default_factory=list)
    waits: str = ""
    wrong: str = ""


# Reading.


@blueprint.get("/rules")
@reading
def rules(db: Connection) -> str:
    """Every rule with its state: what it waits for, its active alerts, whether it is muted."""
    site = parts().site
    engine = AlertEngine(site, time.time)
    waits, missing = _waits(db, engine, site)
    mutes: dict[str, list[Any]] = {}
    for row in stored_alerts.mutes(db, time.time()):
        mutes.setdefault(row.rule, []).append(row)
    return render(db, "rules.html", waits=waits, missing=missing, mutes=mutes,
                  unknown=engine.unknown(db), active=stored_alerts.active_by_rule(db),
                  leader=nodes.leader_beside(db, time.time()))


def _waits(db: Connection, engine: AlertEngine, site: Site) -> tuple[dict[str, str], bool]:
    """For what each rule waits, as it was found in the last minutes, and whether some are not
    known: to find out takes long, and is done by a request that asks for it."""
    kept: dict[Rule, tuple[float, str]] = current_app.extensions.setdefault(_WAITS, {})
    now = time.monotonic()
    if "waits" in request.args:
        with heavy.turn() as may:
            for rule in site.rule if may else ():
                compiled = engine.compiled(rule.name)
                if compiled is not None and kept.get(rule, (0.0, ""))[0] <= now:
                    kept[rule] = (now + _WAITS_KEPT, waits_for(db, engine, compiled))
        for rule in kept.keys() - set(site.rule):
            kept.pop(rule, None)
    known = {rule.name: kept[rule][1] for rule in site.rule
             if rule in kept and kept[rule][0] > now}
    return known, any(rule.enabled and rule.name not in known for rule in site.rule)


@blueprint.get("/rules/<path:name>")
@reading
def rule(db: Connection, name: str) -> str:
    """A rule, and when it, or one with another condition, would have fired on past results."""
    known = _known(name)
    condition = request.args.get("condition", "").strip() or known.condition
    clear = request.args.get("clear", known.clear if condition == known.condition else None)
    since = request.args.get("since", "").strip()
    tested = Tested(since=since or _SINCE)
    try:
        _check_lengths({"condition": condition, "clear": clear or "", "since": since})
        watch = changed_rule(known, condition, None if clear is None else clear.strip())
        clear = watch.rule.clear
        if request.args:  # it takes time: not for a mere look at the rule
            tested = _tested(db, parts().site, watch, since or _SINCE)
    except Iop4dError as error:
        tested = Tested(since=since or _SINCE, wrong=str(error))
    return render(db, "rule.html", rule=known, condition=condition, clear=clear or "",
                  tested=tested, since=tested.since, keys=_shown_keys(known))


def _known(name: str) -> Rule:
    known = next((r for r in parts().site.rule if r.name == name), None)
    if known is None:
        abort(404, f"The site file has no rule '{name}'.")
    return known


def _shown_keys(known: Rule) -> list[tuple[str, str, str]]:
    """The keys of a rule that are not their default: label, value and help."""
    found = []
    for group in _groups():
        for one in group.fields:
            value = getattr(known, one.name)
            if value != one.default and one.name not in ("name", "condition", "clear"):
                text = ", ".join(value) if isinstance(value, tuple) else (
                    {True: "yes", False: "no"}.get(value) if isinstance(value, bool) else
                    f"{value:g}" if isinstance(value, float) else str(value))
                found.append((one.label, str(text), one.help))
    return found


def _tested(db: Connection, site: Site, watch: CompiledRule, since: str) -> Tested:
    """Back-test a rule; raises Iop4dError where that is not possible."""
    if watch.condition.form is Form.SYSTEM:
        raise ActionError("A rule about the system cannot be back-tested: there is no history "
                          "of the system.")
    now_jd = jd_of_unix(time.time())
    begin = jd_of_text(since, now_jd=now_jd)
    kept: dict[tuple[str, str], list[RulePoint]] = {}
    with heavy.turn() as may:
        if not may:
            raise ActionError("Other back-tests are running; try again in a moment.")
        engine = AlertEngine(site, time.time)
        try:
            found = backtest(db, engine, watch, begin, kept=kept, most=_MOST_TESTED)
        except TooManyPointsError as error:
            raise ActionError(
                f"The back-test was not made: {error}, too many for a page. Choose a later "
                f"beginning, or run: iop4d rules test {shlex.quote(watch.rule.name)} "
                f"--since {shlex.quote(since)}") from error
        waits = waits_for(db, engine, watch)
        curves = [drawn(curve)
                  for curve in of_backtest(db, watch, found, kept, begin, now_jd)]
    return Tested(since=since, found=found, curves=curves, waits=waits)


# The form.


@blueprint.get("/rule-form")
@reading
def form(db: Connection) -> str:
    """The form of a rule that is there (``rule``), or of a new one, filled in by the address."""
    name = request.args.get("rule", "")
    if name:
        return _form(db, of=name, shown=rule_forms.form_of(_written(name)))
    keys = {key: text[:rule_forms.LONGEST] for key, text in request.args.items()
            if key in rule_forms.form_of({}) and isinstance(rule_forms.form_of({})[key], str)}
    keys["channels"] = [one.name for one in parts().site.channel]  # type: ignore[assignment]
    if source := keys.get("source"):
        keys.setdefault("condition", "change mag < -0.5")
        keys.setdefault("name", f"{source} flares"[:rule_forms.LONGEST])
        keys.setdefault("clear", "change mag > -0.2")
    return _form(db, of="", shown=rule_forms.form_of(keys))


def _written(name: str) -> dict[str, Any]:
    try:
        return rule_as_written(parts().site.root, name)
    except Iop4dError as error:
        abort(404, f"{str(error)[:1].upper()}{str(error)[1:]}.")
    except OSError:
        abort(404, "There is no site file.")


def _form(db: Connection, *, of: str, shown: dict[str, Any], **more: Any) -> str:
    names = [name for own, others in sources.all_names(db) for name in (own, *others)]
    tags = [f"tag:{tag.name}" for tag in parts().site.tag]
    seen = ""
    if of:
        with suppress(Iop4dError, OSError):
            seen = _digest(rule_as_written(parts().site.root, of))
    return render(db, "rule_form.html", of=of, seen=seen, shown=shown, groups=_groups(),
                  source_names=["*", *tags, *sorted(names)], conditions=EXAMPLES,
                  **{"tested": None, "wrong": "", "wrong_field": "", "since": _SINCE} | more)


def _groups() -> list[rule_forms.FieldGroup]:
    site = parts().site
    return rule_forms.groups(
        channels=[one.name for one in site.channel],
        instruments=sorted(one.name for one in find_instruments(site.camera, site.polarimeter)))


@blueprint.post("/rule-form/check")
@reading
def check(db: Connection) -> str:
    """What is wrong with a form as it is filled in now, for a part of its page."""
    wrong = field_ = ""
    condition = ""
    try:
        condition = str(_wanted(db)[2].condition)
    except RefusedFormError as error:
        wrong, field_ = str(error), error.field
    return render(db, "part_rule_check.html", wrong=wrong, wrong_field=field_,
                  understood=condition, checked=True)


@blueprint.post("/rules")
@reading
def save(db: Connection) -> Any:
    """Add the rule of a form, or write it in the place of the one ``of``; with ``try`` back-test
    it alone. The daemon writes it into the site file and reloads that."""
    of, since = request.form.get("of", ""), request.form.get("since", "").strip() or _SINCE
    shown = rule_forms.form_sent(_sent())
    try:
        wanted, site, compiled = _wanted(db)
    except RefusedFormError as error:
        return _form(db, of=of, shown=shown, wrong=str(error), wrong_field=error.field,
                     since=since[:rule_forms.LONGEST]), 400
    if "try" in request.form:
        try:
            _check_lengths({"since": since})
            tested = _tested(db, without_wrong_rules(site), compiled, since)
        except Iop4dError as error:
            tested = Tested(since=since[:rule_forms.LONGEST], wrong=str(error))
        return _form(db, of=of, shown=shown, tested=tested, since=tested.since)
    act: dict[str, Any] = {"act": rule_edits.ADD}
    if of:
        act = {"act": rule_edits.CHANGE, "rule": of, "was": _written(of)}
        if request.form.get("seen", "") not in ("", _digest(act["was"])):
            return _form(db, of=of, shown=shown, since=since, wrong_field="name", wrong=(
                "The rule was changed by another person meanwhile: its keys are "
                f"{_in_words(act['was'])}. Save again to write yours in its place.")), 409
    request_and_say(db, RequestKind.ALERTS, act | {"by": who(), "keys": wanted,
                                                   "why": _why()})
    return redirect(url_for("rules.rules"), code=303)


@blueprint.post("/rules/<path:name>")
@reading
def change(db: Connection, name: str) -> Any:
    """Remove, enable or disable a rule."""
    act = request.form.get("act", "")
    keys = _written(name)
    if act == "remove":
        what: dict[str, Any] = {"act": rule_edits.REMOVE, "rule": name, "was": keys}
    elif act in ("enable", "disable"):
        what = {"act": rule_edits.CHANGE, "rule": name, "was": keys,
                "keys": keys | {"enabled": act == "enable"}}
    else:
        abort(400, "Expected to remove, enable or disable the rule.")
    request_and_say(db, RequestKind.ALERTS, what | {"by": who(), "why": _why()})
    return redirect(url_for("rules.rules"), code=303)


def _digest(keys: dict[str, Any]) -> str:
    """Names what a rule is, so that nobody overwrites what another wrote meanwhile."""
    return hashlib.sha256(json.dumps(keys, sort_keys=True).encode()).hexdigest()[:16]


def _in_words(keys: dict[str, Any]) -> str:
    return ", ".join(f"{name} = {value!r}" for name, value in keys.items() if name != "name")


def _sent() -> dict[str, list[str]]:
    return request.form.to_dict(flat=False)


def _why() -> str:
    return request.form.get("why", "").strip()[:300]


def _wanted(db: Connection) -> tuple[dict[str, Any], Site, CompiledRule]:
    """The keys of the rule that the form describes, with the site that has it."""
    of, root = request.form.get("of", ""), parts().site.root
    _check_lengths(request.form)
    try:
        wanted = rule_forms.keys_of(_sent())
        name = wanted["name"]
        if not name:
            raise RefusedFormError("name", "A rule needs a name.")
        if not name.isprintable():
            raise RefusedFormError("name", "The name has characters that cannot be printed.")
        if name != of and name in rules_of(parts().site):
            raise RefusedFormError("name", f"A rule '{name}' exists already.")
        _, site, compiled = (rule_edits.changed_rule(root, of, wanted) if of
                             else rule_edits.new_rule(root, wanted))
    except RefusedFormError:
        raise
    except (Iop4dError, OSError) as error:
        raise RefusedFormError(rule_forms.field_of(str(error)), str(error)) from error
    if missing := not_in_catalogue(db, site, compiled):
        raise RefusedFormError("sources" if compiled.rule.sources else "source", f"{missing}.")
    return wanted, site, compiled


def _check_lengths(form: Any) -> None:
    for name, text in form.items():
        if len(text) > (300 if name in ("why", "note") else rule_forms.LONGEST):
            raise RefusedFormError(
                name, f"This is too long; expected {rule_forms.LONGEST} characters or less.")
