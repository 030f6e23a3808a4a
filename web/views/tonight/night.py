"""A night: its telescopes and sources, its summary as it was sent, and its frames."""

from __future__ import annotations

import time

from flask import Blueprint, abort, request
from markupsafe import Markup

from iop4d.alerts.summary import write
from iop4d.store import groups, pages, summaries, tonight
from iop4d.store.database import Connection
from iop4d.web.context import page_number, parts, reading, render
from iop4d.web.views.tonight.facts import NightFacts
from iop4d.web.views.tonight.live import kept_facts
from iop4d.web.views.tonight.nights import check_night

blueprint = Blueprint("night", __name__)

_SOURCES = 60  # that are shown with their curves; the table has all


@blueprint.get("/nights/<night>")
@reading
def night(db: Connection, night: str) -> str:
    """A night: what was observed, and what was said of it."""
    check_night(night)
    facts = kept_facts().of(db, parts().site, night, root=request.script_root, now=time.time(),
                            most=_SOURCES)
    row = summaries.of_night(db, night)
    if not facts.n_frames and not facts.n_sources and row is None:
        abort(404, f"There is no frame of the night {night}.")
    state, kind = request.args.get("state") or None, request.args.get("kind") or None
    earlier, later = tonight.beside(db, night)
    return render(
        db, "night.html", night=night, facts=facts, observed=_observed(db, facts), row=row,
        earlier=earlier, later=later,
        messages=pages.messages_of(db, row) if row is not None else [],
        groups=[(groups.described(group), group.reason)
                for group in groups.without_polarisation(db, night=night)],
        states=pages.night_states(db, night), kinds=pages.night_kinds(db, night), chosen=state,
        kind=kind, page=pages.night_frames(db, night, state, page_number(), kind=kind),
        **write.helpers())


def _observed(db: Connection, facts: NightFacts) -> Markup:
    """The telescopes and sources: written once for all who look at the same facts."""
    if "observed" not in facts.written:
        facts.written["observed"] = Markup(render(db, "part_observed.html", facts=facts))  # noqa: S704 - a template's
    return facts.written["observed"]
