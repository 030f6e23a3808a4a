"""Light curves: of one source or several, their points for a browser, and the picture of them."""

from __future__ import annotations

import hashlib
import time
from dataclasses import replace
from functools import partial
from typing import Any

from flask import Blueprint, Response, abort, current_app, request

from iop4d.model.bands import band_order
from iop4d.model.source import Source, SourceKind
from iop4d.model.units import jd_of_unix
from iop4d.store import catalogue, changes, curves, external, flagging, results, sources, triggers
from iop4d.store.database import Connection
from iop4d.store.external_tables import ExternalTable
from iop4d.web.auth import relax, who
from iop4d.web.context import parts, reading, render, source_named
from iop4d.web.curves import choice as choices
from iop4d.web.curves.answer import Curve, Mark, gathered, lines_of, packed
from iop4d.web.curves.choice import Choice, ChoiceError, choice_of
from iop4d.web.curves.colours import pairs_of
from iop4d.web.curves.packing import MIMETYPE
from iop4d.web.curves.thinning import MOST
from iop4d.web.heavy import heavy
from iop4d.web.held import Held
from iop4d.web.policy import Access, sees
from iop4d.web.still_curve import still_curve
from iop4d.web.visibility import telescopes_of

blueprint = Blueprint("curves", __name__)

_STILL = 3_000  # points of a picture
_UNDONE_SECONDS = 900.0  # for which the last change can be undone with a button
_MARKS = 50  # triggers of a source that are drawn, the newest
_LISTED = 100  # points of the table beside the plot
_ANSWERS = "iop4d.curves"
_HELD_ANSWERS = 8 << 20  # bytes of packed light curves that are held

Entries = list[tuple[str, Source | None]]


@blueprint.get("/curves")
@reading
def page(db: Connection) -> tuple[str, int]:
    """The light curves of any sources in one plot; its address has all that is chosen."""
    entries = entries_of(db)
    choice, wrong = chosen_for_page(entries)
    relax_for_plots()
    counts = {name: _extent(db, name).count for name, _ in entries}
    return render(db, "curves.html", **shown(db, choice), wrong=wrong, counts=counts,
                  count=sum(counts.values()), most=choices.MOST_SOURCES,
                  is_cut=len(set(filter(None, request.args.getlist("source")))) > len(entries)
                  == choices.MOST_SOURCES,
                  names=[source.name for source in catalogue.load(db).sources
                         if source.kind is not SourceKind.CALIBRATOR]), 400 if wrong else 200


def _extent(db: Connection, source: str) -> curves.Extent:
    """Of a source's light curve; counted again where one of its results changed."""
    return changes.kept_of(db, source, "extent", partial(curves.extent, db, source))


def shown(db: Connection, choice: Choice, own: str = "") -> dict[str, Any]:
    """What the form beside a light curve has. ``own``: the address of the page of its source."""
    seen = [changes.kept_of(db, name, "kinds", partial(curves.kinds, db, name))
            for name in choice.sources]
    bands = sorted({band for kinds in seen for band, _ in kinds}, key=band_order)
    return {"choice": choice, "choices": choices, "own": own, "bands": bands,
            "cameras": sorted({camera for kinds in seen for _, camera in kinds}),
            "pairs": pairs_of(bands), "last": last_change(db),
            "others": tables_of(db, choice),
            "back": f"{request.path}?{choice.query(with_sources=not own)}"}


@blueprint.get("/api/curves")
@heavy
@reading
def data(db: Connection) -> Response:
    """The points of the light curves that the query asks for, packed as docs/api.md says."""
    entries = entries_of(db)
    choice = chosen(entries)
    extents = [_extent(db, name) for name, _ in entries]
    marks, others = marks_of(db, choice), tables_of(db, choice)
    now = jd_of_unix(time.time())
    tag = _tag(repr((extents, [changes.mark(db, name) for name, _ in entries], choice,
                     [entry for _, entry in entries], marks,
                     [(row.origin, row.sha256, row.imported_at) for row in others],
                     parts().site.photometry.spectral_index_minutes,
                     [round(limit, 2) for limit in choice.limits(now)])))
    if request.if_none_match.contains_weak(tag):
        answer = Response(status=304)
    else:
        answer = Response(_answers().get(tag, lambda: _packed(
            db, [*extents, *(curves.Extent(
                count=row.count, first_jd=row.first_jd, last_jd=row.last_jd)
                for row in others if not any(one.count for one in extents))], choice, now)),
                          mimetype=MIMETYPE)
    answer.set_etag(tag, weak=True)
    answer.headers["Cache-Control"] = "private, no-cache"
    return answer


def _answers() -> Held[str, bytes]:
    """The answers that were made last: what many pages ask for at a change is made once."""
    found: Held[str, bytes] = current_app.extensions.setdefault(
        _ANSWERS, Held(_HELD_ANSWERS, len))
    return found


def _packed(db: Connection, extents: list[curves.Extent], choice: Choice, now: float) -> bytes:
    counted = [extent for extent in extents if extent.count]
    return packed(of_choice(db, choice, now),
                  extent=[min(e.first_jd for e in counted), max(e.last_jd for e in counted)]
                  if counted else None, limits=list(choice.limits(now)))


@blueprint.get("/curves.svg")
@heavy
@reading
def still(db: Connection) -> Response:
    """The same light curves as a picture, for who runs no scripts, and to keep."""
    return _still(db, chosen(entries_of(db)))


def _still(db: Connection, choice: Choice) -> Response:
    curve = of_choice(db, choice, jd_of_unix(time.time()), most=_STILL)
    answer = Response(still_curve(curve, is_narrow="narrow" in request.args),
                      mimetype="image/svg+xml")
    if "download" in request.args:
        name = "light curve of " + ", ".join(choice.sources)
        answer.headers.set("Content-Disposition", "attachment", filename=f"{name}.svg")
    return answer


@blueprint.get("/api/sources/<path:key>/light-curve.svg")
@heavy
@reading
def still_of_source(db: Connection, key: str) -> Response:
    """The picture of one source's light curve, at its old address."""
    return _still(db, chosen([source_named(db, key)]))


@blueprint.get("/fragments/points")
@reading
def points(db: Connection) -> str:
    """The table of some results, and the form to flag them: the panel beside the plot."""
    ids = ids_of(request.args.getlist("id"))[:_LISTED]
    rows = sorted((row for row in results.among(db, ids) if not row.withdrawn),
                  key=lambda row: (row.jd_mid, row.id))
    return render(db, "part_points.html", results=rows, back="/sources", last=last_change(db),
                  frames=results.frame_ids(db, [row.id for row in rows]))


def last_change(db: Connection) -> flagging.Change | None:
    """The last change of flags of who is signed in, while it is likely to be undone."""
    return flagging.last_change(db, who() or "", since=time.time() - _UNDONE_SECONDS)


def entries_of(db: Connection) -> Entries:
    """The sources that the query names; unknown ones are not found."""
    entries: Entries = []
    for key in request.args.getlist("source")[: 2 * choices.MOST_SOURCES]:
        found = source_named(db, key) if key else None
        if found is not None and found[0] not in dict(entries):
            entries.append(found)
    return entries[: choices.MOST_SOURCES]


def chosen(entries: Entries) -> Choice:
    """What the query asks for of some sources."""
    try:
        return _chosen(entries)
    except ChoiceError as error:
        abort(400, str(error))


def chosen_for_page(entries: Entries) -> tuple[Choice, str]:
    """The same, and what is wrong with it: a page then shows everything, and says so."""
    try:
        return _chosen(entries), ""
    except ChoiceError as error:
        return Choice(sources=tuple(name for name, _ in entries)), str(error)


def _chosen(entries: Entries) -> Choice:
    choice = choice_of(request.args, tuple(name for name, _ in entries))
    noons = tuple(-one.longitude_deg / 360.0 for one in telescopes_of(parts().site))
    return replace(choice, noons=noons) if noons else choice


def of_choice(db: Connection, choice: Choice, now_jd: float, *, most: int = MOST) -> Curve:
    """The light curve of a choice."""
    found = gathered(db, choice, now_jd=now_jd, most=most,
                     minutes=parts().site.photometry.spectral_index_minutes)
    entries = [entry for name in choice.sources for _, entry in [sources.find(db, name) or (
        name, None)] if entry is not None]
    return replace(found, marks=marks_of(db, choice),
                   lines={entry.name: lines_of(entry, found) for entry in entries})


def marks_of(db: Connection, choice: Choice) -> tuple[Mark, ...]:
    """The triggers of the sources, for who may read what was said of them."""
    if not sees(Access.SITE):
        return ()
    return tuple(Mark(source=name, jd=jd_of_unix(row.issued_at), text=row.text)
                 for name in choice.sources for row in triggers.of_source(db, name)[:_MARKS])


def tables_of(db: Connection, choice: Choice) -> list[ExternalTable]:
    """What others measured of the sources of a choice."""
    return [row for name in choice.sources for row in external.tables(db, name)]


def ids_of(texts: list[str]) -> list[int]:
    """Whole numbers, also several with commas between them, each once."""
    found = (part.strip() for text in texts for part in text.split(","))
    return list(dict.fromkeys(int(part) for part in found
                              if part.isascii() and part.isdecimal() and len(part) < 19))


def relax_for_plots() -> None:
    """Let Bokeh put <style> elements into its shadow roots: it cannot give them a nonce."""
    relax(style_src="'self' 'unsafe-inline'")


def _tag(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:24]
