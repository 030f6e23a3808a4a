"""Sources: the list, and each with its light curve."""

from __future__ import annotations

import math
import time
from urllib.parse import quote, urlencode

from flask import Blueprint, abort, request
from werkzeug.wrappers import Response

from iop4d.alerts.summary.statistics import camera_nights
from iop4d.model.source import SourceKind
from iop4d.model.units import jd_of_unix
from iop4d.store import (
    alert_pages,
    catalogue,
    changes,
    curves,
    source_results,
    sources,
    summaries,
    triggers,
)
from iop4d.store.alert_pages import EpisodeFilter
from iop4d.store.database import Connection
from iop4d.store.last_values import source_row
from iop4d.store.results import frame_ids
from iop4d.store.source_results import Place, ResultPage, Which
from iop4d.web.context import reading, render, source_named
from iop4d.web.curves.choice import ALWAYS, Choice
from iop4d.web.policy import Access, sees
from iop4d.web.views.sources.curves import chosen_for_page, relax_for_plots, shown
from iop4d.web.views.sources.moved import moved_to

blueprint = Blueprint("sources", __name__)

_SHOWN = 60  # results on a page of the table
_NIGHTS = 20  # in the table of nights
_EPISODES = 10  # of alerts


@blueprint.get("/sources/<path:key>")
@reading
def source(db: Connection, key: str) -> tuple[str, int] | Response:
    """A source: its light curve, results, catalogue entry and calibrators."""
    found = source_named(db, key)
    name, entry = found
    if (moved := moved_to(db, "sources.source", key, name)) is not None:
        return moved
    relax_for_plots()
    choice, wrong = chosen_for_page([found])
    known = catalogue.load(db)
    targets = [one.name for one in known.sources if one.kind is SourceKind.TARGET]
    which = _which(name, choice)
    before, after = _place("before"), _place("after")
    if before is None and after is None:
        results = changes.kept_of(db, name, f"newest {which}",
                                  lambda: source_results.page(db, which, _SHOWN))
    else:
        results = source_results.page(db, which, _SHOWN, older_than=before, newer_than=after)
    lasts = changes.kept_of(db, name, "lasts", lambda: source_row(db, name, entry))
    nights = changes.kept_of(db, name, "nights", lambda: camera_nights(
        summaries.of_source(db, name, _NIGHTS)))
    own = shown(db, choice, f"{request.script_root}/sources/{quote(name)}")
    page = render(db, "source.html", name=name, entry=entry, results=results.rows,
                  lasts=lasts, wrong=wrong,
                  page=results, links=_links(results, choice), rows_address=_address(which),
                  nights=nights[::-1],
                  count=changes.kept_of(db, name, "count", lambda: sources.count(db, name)),
                  found=changes.kept_of(db, name, f"count {which}",
                                        lambda: source_results.count(db, which)),
                  neighbours=curves.neighbours(db, name, targets),
                  **own | {"back": _back(own["back"])},
                  episodes=alert_pages.episodes(db, EpisodeFilter(source=name), 1, _EPISODES)
                  if sees(Access.SITE) else None,
                  triggers=triggers.of_source(db, name)[:_EPISODES]
                  if sees(Access.SITE) else [],
                  calibrators=known.calibrators_of(name),
                  frames=frame_ids(db, [row.id for row in results.rows]))
    return page, 400 if wrong else 200


def _which(name: str, choice: Choice) -> Which:
    """The results of the table: those that the light curve shows."""
    # Kept results are asked for by these limits: not each moment's own.
    since, until = (round(limit, 2) for limit in choice.limits(jd_of_unix(time.time())))
    if choice.has_own_period:
        since, until = choice.limits(0.0)
    return Which(source=name, since_jd=since, until_jd=until, bands=choice.bands,
                 instruments=choice.instruments, flagged=choice.flagged)


def _place(name: str) -> Place | None:
    """From where a page of the table begins, as an address says it."""
    text = request.args.get(name, "")
    if not text:
        return None
    jd, _, id_ = text.partition("_")
    try:
        place = float(jd), int(id_)
    except ValueError:
        place = math.nan, 0
    if not math.isfinite(place[0]) or abs(place[1]) >= 1 << 63:
        abort(400, f"{name}: expected what an address of this table has")
    return place


def _links(page: ResultPage, choice: Choice) -> dict[str, str]:
    """The queries of the pages beside this one, each with all that the light curve has."""
    query = choice.query(with_sources=False)
    found = {"newest": f"?{query}"}
    for name, there, word, row in (("newer", page.has_newer, "after", page.rows[:1]),
                                   ("older", page.has_older, "before", page.rows[-1:])):
        if there and row:
            found[name] = f"?{query}{'&' if query else ''}{word}={row[0].jd_mid!r}_{row[0].id}"
    return found


def _back(address: str) -> str:
    """The address to which a form of the table leads: with the page of it."""
    more = urlencode({name: text for name in ("before", "after")
                      if (text := request.args.get(name, ""))})
    return f"{address}{'' if address.endswith('?') or not more else '&'}{more}"


def _address(which: Which) -> str:
    """The same results among all data: with filters, orders and files."""
    asked = [("source", which.source)]
    if which.since_jd > ALWAYS[0]:
        asked.append(("jd_mid.from", f"{which.since_jd:.5f}"))
    if which.until_jd < ALWAYS[1]:
        asked.append(("jd_mid.to", f"{which.until_jd:.5f}"))
    asked += [("band", band) for band in which.bands]
    asked += [("instrument", name) for name in which.instruments]
    return "/data/results?" + urlencode(asked)
