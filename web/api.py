"""The addresses for programs: status, points, results, the live stream."""

from __future__ import annotations

import gzip
import json
import math
from collections.abc import Iterator
from contextlib import suppress
from functools import lru_cache
from importlib import metadata, resources
from itertools import chain
from typing import Any

from flask import Blueprint, Response, abort, jsonify, request, stream_with_context

from iop4d.model import flags as quality
from iop4d.model import plain_json
from iop4d.model.states import DaemonState
from iop4d.model.units import MomentError, jd_of_text
from iop4d.store import events, spectral
from iop4d.store import results as store_results
from iop4d.store.database import Connection, StoreUnavailableError
from iop4d.store.status import heartbeat
from iop4d.store.tables.filters import MOST_VALUES
from iop4d.web import lightcurve, stream
from iop4d.web.context import (
    Parts,
    empty_overview,
    parts,
    reading,
    source_named,
    state_of_daemon,
    whole_number,
    within,
)
from iop4d.web.heavy import heavy
from iop4d.web.live_names import names_of
from iop4d.web.policy import Access, sees, still_sees
from iop4d.web.v1 import single

blueprint = Blueprint("api", __name__)

BOKEH = metadata.version("bokeh")
_RESULTS = 1_000  # in one answer, where no limit is given
_MOST_RESULTS = 10_000  # in one answer, whatever limit is given
_PART = 250  # results read and sent at a time
#: A browser for which the server holds this much unread is no longer reading.
_UNREAD = 64 << 10

_COLUMNS = ("id", "key", "source", "band", "telescope", "instrument", "night", "mode", "jd_mid",
            "bjd_tdb", "exptime_s", "mag", "mag_err", "mag_err_common", "mag_limit",
            "flux_mjy", "flux_mjy_err", "extinction_mag", "zero_point", "zero_point_err",
            "n_calibrators", "p", "p_err", "p_debiased", "p_limit", "chi_deg",
            "chi_err_deg", "chi_err_common", "q", "q_err", "u", "u_err", "qu_cov",
            "q0_err", "u0_err", "fwhm_arcsec", "airmass",
            "flags", "human_flags", "provisional", "frames", "software", "revision",
            "changed_at")


@blueprint.get("/healthz")
def healthz() -> Response:
    """The state of the daemon: status 200 while it works, 503 while it does not.

    The reason is for who may read the site.
    """
    why: dict[str, str] = {}
    try:
        with parts().reader.connected() as db:
            state, beat = state_of_daemon(db), heartbeat(db)
            why = {name: str(beat[name]) for name in ("paused", "trouble") if beat.get(name)}
    except StoreUnavailableError as error:
        state = empty_overview().daemon if error.absent else DaemonState.SILENT
    is_well = state is DaemonState.RUNNING and not why
    answer = jsonify({"daemon": state} | (why if sees(Access.SITE) else {}))
    answer.status_code = 200 if is_well else 503
    return answer


# What the first version had and /api/v1 has too: the same code at another address.
blueprint.add_url_rule("/api/status", "api_status", single.status)
blueprint.add_url_rule("/api/results/<int:id_>", "api_result", single.result)
blueprint.add_url_rule("/api/sources/<path:key>/nights", "api_nights", single.nights_of)


@blueprint.get("/api/live")
@reading
def api_live(db: Connection) -> Response:
    """What happened since an event, for pages that have no stream.

    Our own pages get the names that the stream has for them: of what each event is about, too.
    """
    since = whole_number("since", 0)
    names = _names_after(db, since) if "page" in request.args else events.kinds_after(db, since)
    return jsonify(last_event=events.newest(db), kinds=names,
                   daemon=state_of_daemon(db), beat_at=heartbeat(db).get("beat_at"))


def _names_after(db: Connection, since: int) -> list[str]:
    rows = events.after(db, since, stream.REPLAY + 1)
    if len(rows) > stream.REPLAY:
        return ["reset"]
    return sorted({name for row in rows for name in names_of(row.kind, row.content)})


@blueprint.get("/api/results")
@heavy
def api_results() -> Response:
    """Results by source, band and time, in order of time; times as JD(UTC) or ISO dates.

    At most ``limit`` of them, after the one that ``next`` of the answer before names. They are read
    and sent in parts, so that neither a long list nor a slow reader holds the database or memory.
    """
    with parts().reader.connected() as db:
        names = [_source(db, key) for key in _several("source")]
    chosen = store_results.Selection(
        sources=tuple(names), bands=_several("band"),
        since_jd=_time("since"), until_jd=_time("until"))
    listed = _listed(parts(), chosen, min(max(request.args.get("limit", _RESULTS, type=int), 1),
                                          _MOST_RESULTS), _cursor())
    # What fails, fails before the answer begins.
    first = next(listed)
    return Response(stream_with_context(chain([first], listed)), mimetype="application/json")


def _listed(having: Parts, chosen: store_results.Selection, limit: int,
            after: store_results.Cursor | None) -> Iterator[str]:
    """The answer in parts: results, then how many and where the next ones begin."""
    minutes = having.site.photometry.spectral_index_minutes
    count, more, text = 0, True, '{"results":['
    while more and count < limit:
        size = min(_PART, limit - count)
        with having.reader.connected() as db:
            rows = store_results.select_part(db, chosen, _COLUMNS, count=size + 1, after=after)
            slopes = spectral.indices(db, rows[:size], minutes)
        more, rows = len(rows) > size, rows[:size]
        # A comma stands before what is there: results may be withdrawn between two parts.
        text += "," if rows and count else ""
        text += plain_json.fast([row._asdict() | spectral.columns(slopes.get(row.id))
                                 | {"flag_names": quality.names(row.flags)} for row in rows])[1:-1]
        count += len(rows)
        if rows:
            after = (rows[-1].jd_mid, rows[-1].id)
        if more and count < limit:
            yield text
            text = ""
    where = f"{after[0]!r},{after[1]}" if more and after else None
    yield text + f'],"count":{count},"truncated":{json.dumps(more)},"next":{json.dumps(where)}}}\n'


def _cursor() -> store_results.Cursor | None:
    """After which result to go on: ``next`` of an answer before."""
    text = request.args.get("next", "")
    if not text:
        return None
    jd, _, id_ = text.partition(",")
    try:
        found = float(jd), int(id_)
    except ValueError:
        found = math.nan, 0
    if not math.isfinite(found[0]) or abs(found[1]) >= 1 << 63:
        abort(400, "next: expected what an answer before gave as next")
    return found


@blueprint.get("/api/sources/<path:key>/points")
@heavy
@reading
def api_points(db: Connection, key: str) -> Response:
    """A source's points by band, those that changed at or after a time or all."""
    after = _seconds("after")
    return jsonify(lightcurve.points(db, _source(db, key), after=after).plain())


@blueprint.get("/events")
def live_stream() -> Response:
    """The live stream (server-sent events)."""
    seen = request.headers.get("Last-Event-ID") or request.args.get("since") or ""
    hub = parts().hub
    client = hub.subscribe(within(seen, 0) if seen.isascii() and seen.isdecimal() else None)
    if client is None:
        return Response("too many live pages are open\n", 503, {"Retry-After": "30"},
                        mimetype="text/plain")
    gone = request.environ.get("waitress.client_disconnected")
    channel: Any = getattr(gone, "__self__", None)

    def connected() -> bool:
        # waitress buffers what a browser does not read, up to 16 MB, and reports no error.
        return not (gone and gone()) and getattr(channel, "total_outbufs_len", 0) < _UNREAD

    answer = Response(stream.messages(client, connected, still_sees(Access.SITE),
                                      for_page="page" in request.args),
                      mimetype="text/event-stream",
                      headers={"X-Accel-Buffering": "no", "Cache-Control": "no-store"})
    answer.call_on_close(lambda: hub.unsubscribe(client))
    return answer


@blueprint.get(f"/assets/bokeh-{BOKEH}.min.js")
def bokeh_script() -> Response:
    """Bokeh's script, as its installed package has it."""
    packed = request.accept_encodings.quality("gzip") > 0
    answer = Response(_bokeh_script(packed), mimetype="text/javascript")
    if packed:
        answer.headers["Content-Encoding"] = "gzip"
    answer.headers["Vary"] = "Accept-Encoding"
    answer.headers["Cache-Control"] = "public, max-age=31536000, immutable"
    return answer


@lru_cache(maxsize=2)
def _bokeh_script(packed: bool) -> bytes:
    script = resources.files("bokeh").joinpath("server/static/js/bokeh.min.js").read_bytes()
    return gzip.compress(script, 6) if packed else script


def _source(db: Connection, key: str) -> str:
    return source_named(db, key)[0]


def _several(name: str) -> tuple[str, ...]:
    """The values of a field that may be given several times, each once."""
    found = tuple(dict.fromkeys(text for text in request.args.getlist(name) if text))
    if len(found) > MOST_VALUES:
        abort(400, f"{name}: expected {MOST_VALUES} values at most")
    return found


def _seconds(name: str) -> float | None:
    text = request.args.get(name, "").strip()
    if not text:
        return None
    value = math.nan
    with suppress(ValueError):
        value = float(text)
    if not math.isfinite(value):
        abort(400, f"{name} is '{text[:40]}'; expected Unix seconds")
    return value


def _time(name: str) -> float | None:
    text = request.args.get(name, "").strip()
    if not text:
        return None
    try:
        return jd_of_text(text)
    except MomentError as error:
        abort(400, f"{name}: {error}")
