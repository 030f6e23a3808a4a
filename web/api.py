"""The addresses for programs: status, points, results, the live stream."""

from __future__ import annotations

import gzip
from dataclasses import asdict
from functools import lru_cache
from importlib import metadata, resources
from itertools import islice
from typing import Any

from flask import Blueprint, Response, abort, jsonify, request

from iop4d.alerts.summary.statistics import camera_nights, unwrapped_angles
from iop4d.model import flags as quality
from iop4d.model.errors import Iop4dError
from iop4d.model.states import DaemonState
from iop4d.model.units import MomentError, jd_of_text
from iop4d.store import events, pages, provenance, sources, spectral, summaries
from iop4d.store import results as store_results
from iop4d.store.database import Connection, StoreUnavailableError
from iop4d.store.status import heartbeat
from iop4d.web import lightcurve, stream
from iop4d.web.context import empty_overview, parts, reading, site_overview, state_of_daemon

blueprint = Blueprint("api", __name__)

BOKEH = metadata.version("bokeh")
_RESULTS = 20_000
_FAILED = 200
_NIGHTS = 400
#: A browser for which the server holds this much unread is no longer reading.
_UNREAD = 64 << 10

_COLUMNS = ("id", "key", "source", "band", "telescope", "instrument", "night", "mode", "jd_mid",
            "bjd_tdb", "exptime_s", "mag", "mag_err", "mag_err_common", "mag_limit",
            "flux_mjy", "flux_mjy_err", "extinction_mag", "zero_point", "zero_point_err",
            "n_calibrators", "p", "p_err", "chi_deg", "chi_err_deg", "chi_err_common", "q",
            "q_err", "u", "u_err", "qu_cov", "q0_err", "u0_err", "fwhm_arcsec", "airmass",
            "flags", "human_flags", "provisional", "frames", "software", "revision",
            "changed_at")


@blueprint.get("/healthz")
def healthz() -> Response:
    """Whether the site answers, and the state of the daemon."""
    try:
        with parts().reader.connected() as db:
            state = state_of_daemon(db)
    except StoreUnavailableError as error:
        state = empty_overview().daemon if error.absent else DaemonState.SILENT
    return jsonify(daemon=state)


@blueprint.get("/api/status")
def api_status() -> Response:
    """The daemon, the counts by state, the queue, the archives, the frames that were not used."""
    found, failed = empty_overview(), []
    try:
        with parts().reader.connected() as db:
            found = site_overview(db)
            failed = [
                {"id": row.id, "name": row.name, "telescope": row.telescope, "night": row.night,
                 "state": row.state, "reason": row.reason, "changed_at": row.changed_at}
                for row in pages.unused_frames(db, 1, _FAILED).rows]
    except StoreUnavailableError as error:
        if not error.absent:
            raise
    return jsonify(
        time=found.now, site=parts().site.site.name,
        daemon={"state": found.daemon} | {
            name: value for name, value in found.beat.items() if name not in ("state", "archives")},
        archives=found.archives, frames=found.frames, queue=found.queue,
        failed={"count": found.unused_frames, "frames": failed},
        alerts_active=found.active_alerts,
        muted=[{"rule": mute.rule, "source": mute.source, "until": mute.until, "by": mute.by}
               for mute in found.mutes],
        last_event=found.last_event, streams=parts().hub.count)


@blueprint.get("/api/live")
@reading
def api_live(db: Connection) -> Response:
    """What happened since an event, for pages that have no stream."""
    since = request.args.get("since", 0, type=int)
    return jsonify(last_event=events.newest(db), kinds=events.kinds_after(db, since),
                   daemon=state_of_daemon(db), beat_at=heartbeat(db).get("beat_at"))


@blueprint.get("/api/results")
@reading
def api_results(db: Connection) -> Response:
    """Results by source, band and time; times as JD(UTC) or ISO dates."""
    names = [_source(db, key) for key in request.args.getlist("source") if key]
    chosen = store_results.Selection(
        sources=tuple(names), bands=tuple(band for band in request.args.getlist("band") if band),
        since_jd=_time("since"), until_jd=_time("until"))
    rows = list(islice(store_results.select(db, chosen), _RESULTS + 1))
    slopes = spectral.indices(db, rows, parts().site.photometry.spectral_index_minutes)
    found = [{name: getattr(row, name) for name in _COLUMNS} | spectral.columns(slopes.get(row.id))
             | {"flag_names": quality.names(row.flags)} for row in rows[:_RESULTS]]
    return jsonify(results=found, count=len(found), truncated=len(rows) > _RESULTS)


@blueprint.get("/api/results/<int:id_>")
@reading
def api_result(db: Connection, id_: int) -> Response:
    """All that a result rests on."""
    try:
        return jsonify(provenance.explain(
            db, id_, index_minutes=parts().site.photometry.spectral_index_minutes))
    except Iop4dError as error:
        abort(404, str(error))


@blueprint.get("/api/sources/<path:key>/nights")
@reading
def api_nights(db: Connection, key: str) -> Response:
    """Statistics of a source's latest nights by band and camera, and its angles continued."""
    count = min(request.args.get("nights", 30, type=int), _NIGHTS)
    rows = summaries.of_source(db, _source(db, key), max(count, 0))
    return jsonify(nights=[asdict(night) for night in camera_nights(rows)],
                   angles=unwrapped_angles(rows))


@blueprint.get("/api/sources/<path:key>/points")
@reading
def api_points(db: Connection, key: str) -> Response:
    """A source's points by band, those that changed at or after a time or all."""
    after = request.args.get("after", type=float)
    return jsonify(lightcurve.points(db, _source(db, key), after=after).plain())


@blueprint.get("/api/sources/<path:key>/plot")
@reading
def api_plot(db: Connection, key: str) -> Response:
    """A source's light curve as Bokeh embeds it."""
    theme = lightcurve.DARK if request.args.get("theme") == "dark" else lightcurve.LIGHT
    points = lightcurve.points(db, _source(db, key))
    return jsonify(item=lightcurve.plot(points, theme) if points.bands else None,
                   changed_at=points.changed_at, bands=list(points.bands))


@blueprint.get("/events")
def live_stream() -> Response:
    """The live stream (server-sent events)."""
    seen = request.headers.get("Last-Event-ID") or request.args.get("since") or ""
    hub = parts().hub
    client = hub.subscribe(int(seen) if seen.isdecimal() else None)
    if client is None:
        return Response("too many live pages are open\n", 503, {"Retry-After": "30"},
                        mimetype="text/plain")
    gone = request.environ.get("waitress.client_disconnected")
    channel: Any = getattr(gone, "__self__", None)

    def connected() -> bool:
        # waitress buffers what a browser does not read, up to 16 MB, and reports no error.
        return not (gone and gone()) and getattr(channel, "total_outbufs_len", 0) < _UNREAD

    answer = Response(stream.messages(client, connected), mimetype="text/event-stream",
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
    found = sources.find(db, key)
    if found is None:
        abort(404, f"No source has the id or name {key}.")
    return found[0]


def _time(name: str) -> float | None:
    text = request.args.get(name, "").strip()
    if not text:
        return None
    try:
        return jd_of_text(text)
    except MomentError as error:
        abort(400, f"{name}: {error}")
