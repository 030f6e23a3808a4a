"""Episodes of alerts, and what people do about them: acknowledge, snooze, mute."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, abort, flash, redirect, request, url_for
from markupsafe import Markup
from werkzeug.wrappers import Response

from iop4d.alerts import actions
from iop4d.alerts.check import rules_of
from iop4d.alerts.rendering import moment
from iop4d.model.errors import Iop4dError
from iop4d.model.units import jd_of_unix
from iop4d.store import alert_pages, audit, sources
from iop4d.store import alerts as stored_alerts
from iop4d.store.alert_pages import EpisodeFilter
from iop4d.store.database import Connection
from iop4d.store.pages import Episode
from iop4d.web.alert_curves import of_episode
from iop4d.web.auth import page_of_ours, who
from iop4d.web.context import changing, page_number, parts, reading, render
from iop4d.web.rule_curve import drawn

blueprint = Blueprint("alerts", __name__)

LONGEST_NOTE, LONGEST_NAME = 300, 200
_PAGE = 10
_FEW = 120  # points of a curve of the list
SPANS = ("3h", "12h", "2d", "1w")


@dataclass(frozen=True, kw_only=True)
class Shown:
    """An episode with its light curve."""

    episode: Episode
    curve: Markup


@blueprint.get("/alerts")
@reading
def alerts(db: Connection) -> str:
    """Every episode, those that are active first, and what is muted."""
    return _page(db)


def _page(db: Connection, **forms: Any) -> str:
    """The page, and a form that was refused as it was filled in."""
    args = request.args
    state = args.get("state", "")
    which = EpisodeFilter(state=state if state in alert_pages.STATES else "",
                          rule=args.get("rule", "")[:LONGEST_NAME],
                          source=sources.name_of(db, args.get("source", "")[:LONGEST_NAME]))
    page = alert_pages.episodes(db, which, page_number(), _PAGE)
    return render(db, "alerts.html", page=page, which=which, counts=alert_pages.counts(db),
                  shown=[_shown(db, one, height=90, most=_FEW) for one in page.rows],
                  spans=SPANS, **forms)


def _shown(db: Connection, episode: Episode, *, height: int, most: int = 400) -> Shown:
    rule = next((r for r in parts().site.rule if r.name == episode.alert.rule), None)
    curve = of_episode(db, episode.alert, rule, jd_of_unix(time.time()))
    return Shown(episode=episode, curve=drawn(curve, height=height, most=most)
                 if curve else Markup(""))


@blueprint.get("/alerts/<int:id_>")
@reading
def episode(db: Connection, id_: int) -> str:
    """An episode: its light curve, its history, its messages, and what is near."""
    found = alert_pages.episode(db, id_)
    if found is None:
        abort(404, f"There is no alert {id_}.")
    before, after = alert_pages.beside(db, found.alert)
    return render(db, "alert.html", shown=_shown(db, found, height=120), spans=SPANS,
                  earlier=before, later=after, neighbours=alert_pages.neighbours(db, found.alert),
                  changes=audit.of_subject(db, actions.subject_of(found.alert)),
                  known_rule=found.alert.rule in rules_of(parts().site))


@blueprint.post("/alerts/<int:id_>/<any(acknowledge, snooze):act>")
def alert(id_: int, act: str) -> Response:
    """Acknowledge or snooze an alert."""
    note, now = request.form.get("note", "").strip()[:LONGEST_NOTE], time.time()
    seconds = _span("12h") if act == "snooze" else 0.0
    with changing() as tx:
        row = stored_alerts.find(tx, id_)
        if row is None:
            abort(404, f"There is no alert {id_}.")
        try:
            if act == "snooze":
                moved = actions.snooze(tx, row, seconds, by=who(), now=now, note=note)
                said = f"is snoozed until {moment(moved.snoozed_until)} UTC."
            else:
                actions.acknowledge(tx, row, by=who(), now=now, note=note)
                said = "is acknowledged: no further reminders are sent."
        except Iop4dError as error:
            abort(409, f"Nothing was done: {error}.")
        flash(f"{actions.described(row)} {said}", "good")
    return _back()


@blueprint.post("/mutes")
@reading
def mute(db: Connection) -> Any:
    """Mute a rule or a source for a while, or end a mute."""
    rule, source = request.form.get("rule", ""), request.form.get("source", "").strip()
    now, field = time.time(), "source"
    try:
        if max(len(rule), len(source)) > LONGEST_NAME:
            field = "rule" if len(rule) > LONGEST_NAME else "source"
            raise actions.ActionError(
                f"This is too long; expected {LONGEST_NAME} characters or less")
        if "end" in request.form:  # also the end of a mute of everything
            with changing() as tx:
                ended = actions.unmute(tx, rule=rule, source=source, by=who(), now=now)
            flash(f"{ended} is unmuted.", "good")
            return _back()
        if not rule and not source:
            raise actions.ActionError(
                "Choose a rule or a source; * as the source mutes everything")
        field = "for"
        seconds = actions.duration_of(request.form.get("for", "12h"))
        field = "rule" if rule and rule not in rules_of(parts().site) else "source"
        with changing() as tx:
            made = actions.mute(tx, rule=rule, source=source, seconds=seconds, by=who(), now=now,
                                rules=rules_of(parts().site))
    except Iop4dError as error:
        return _page(db, mute_form=request.form, mute_field=field,
                     mute_wrong=f"{str(error)[:1].upper()}{str(error)[1:]}."), 400
    flash(f"{stored_alerts.name_of_mute(made)} is muted until {moment(made.until)} UTC.", "good")
    return _back()


def _back() -> Response:
    """The page from which a form came, else that of the alerts."""
    back = request.form.get("back", "")
    return redirect(page_of_ours(back) if back else url_for("alerts.alerts"), code=303)


def _span(otherwise: str) -> float:
    try:
        return actions.duration_of(request.form.get("for", otherwise))
    except Iop4dError as error:
        abort(400, str(error))
