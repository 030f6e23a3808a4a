"""One thing with everything that belongs to it, the state of the site, and the description."""

from __future__ import annotations

from dataclasses import asdict
from functools import cache
from typing import Any

from flask import Response, abort, jsonify, request

from iop4d import __version__
from iop4d.alerts.summary.statistics import camera_nights, unwrapped_angles
from iop4d.instruments.discovery import find_instruments
from iop4d.model.errors import Iop4dError
from iop4d.store import pages, provenance, summaries
from iop4d.store.database import Connection, StoreUnavailableError
from iop4d.store.status import Overview
from iop4d.store.tables import LISTINGS
from iop4d.store.tables.details import everything, id_of_source
from iop4d.web import auth, formats
from iop4d.web.context import (
    empty_overview,
    parts,
    reading,
    render,
    site_overview,
    whole_number,
)
from iop4d.web.policy import Access, for_reader, sees
from iop4d.web.v1.blueprint import blueprint
from iop4d.web.v1.named import name_of_source
from iop4d.web.v1.openapi import MOST_NIGHTS, NIGHTS, described

_FAILED = 200  # frames that were not used, of the state of the site


@blueprint.get("/api/v1/results/<int:id_>")
@reading
def result(db: Connection, id_: int) -> Response:
    """All that a result rests on: frames, masters, calibrators, settings, history."""
    try:
        return jsonify(for_reader(provenance.explain(
            db, id_, index_minutes=parts().site.photometry.spectral_index_minutes)))
    except Iop4dError as error:
        abort(404, str(error))


@blueprint.get("/api/v1/frames/<int:id_>")
@reading
def frame(db: Connection, id_: int) -> Response:
    """A frame: what was found on it, its masters, measurements, results and jobs."""
    return _one(db, "frames", id_)


@blueprint.get("/api/v1/groups/<int:id_>")
@reading
def group(db: Connection, id_: int) -> Response:
    """A polarimetry group with its frames, results and jobs."""
    return _one(db, "groups", id_)


@blueprint.get("/api/v1/masters/<int:id_>")
@reading
def master(db: Connection, id_: int) -> Response:
    """A master with its frames, those that were left out, and its jobs."""
    return _one(db, "masters", id_)


@blueprint.get("/api/v1/jobs/<int:id_>")
@reading
def job(db: Connection, id_: int) -> Response:
    """A piece of work."""
    return _one(db, "jobs", id_)


@blueprint.get("/api/v1/alerts/<int:id_>")
@reading
def alert(db: Connection, id_: int) -> Response:
    """An episode of an alert with its points, its history and its messages."""
    return _one(db, "alerts", id_)


@blueprint.get("/api/v1/triggers/<int:id_>")
@reading
def trigger(db: Connection, id_: int) -> Response:
    """A notice from elsewhere, with what it said."""
    return _one(db, "triggers", id_)


@blueprint.get("/api/v1/nights/<night>")
@reading
def night(db: Connection, night: str) -> Response:
    """A night with its frames by state and kind, and its results by source and band."""
    return _one(db, "nights", night)


@blueprint.get("/api/v1/summaries/<night>")
@reading
def summary(db: Connection, night: str) -> Response:
    """The summary of a night with all of its facts."""
    return _one(db, "summaries", night)


@blueprint.get("/api/v1/sources/<path:key>")
@reading
def source(db: Connection, key: str) -> Response:
    """A source as the catalogue has it, with its calibrators and its last magnitude."""
    name = name_of_source(db, key)
    return _one(db, "sources", id_of_source(db, name))


@blueprint.get("/api/v1/sources/<path:key>/nights")
@reading
def nights_of(db: Connection, key: str) -> Response:
    """Statistics of a source's latest nights by band and camera, and its angles continued."""
    count = whole_number("nights", NIGHTS, most=MOST_NIGHTS)
    rows = summaries.of_source(db, name_of_source(db, key), count)
    return jsonify(nights=[asdict(night) for night in camera_nights(rows)],
                   angles=unwrapped_angles(rows))


def _one(db: Connection, table: str, key: Any) -> Response:
    found = None if key is None else everything(db, table, key)
    if found is None:
        abort(404, f"There is no such {LISTINGS[table].one}.")
    return jsonify(found if sees(Access.SITE) else for_reader(found))


@blueprint.get("/api/v1/status")
def status() -> Response:
    """The daemon, the counts by state, the queue, the archives, the frames that were not used."""
    found, failed = empty_overview(), []
    try:
        with parts().reader.connected() as db:
            found = site_overview(db, counted=True)
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
            name: value for name, value in found.beat.items() if name not in ("state", "archives")
        } | ({} if auth.who() else _for_outsiders(found)),
        archives=found.archives, frames=found.frames, queue=found.queue,
        failed={"count": found.unused_frames, "frames": failed},
        alerts_active=found.active_alerts,
        muted=[{"rule": mute.rule, "source": mute.source, "until": mute.until, "by": mute.by}
               for mute in found.mutes],
        last_event=found.last_event, streams=parts().hub.count)


def _for_outsiders(found: Overview) -> dict[str, Any]:
    """What everybody may read of a wrong site file, whose messages are for who is signed in."""
    return {"config_error": found.config_error and formats.place(found.config_error),
            "wrong_rules": [{"name": rule["name"]} for rule in found.wrong_rules]}


@blueprint.get("/api/v1/rules")
def rules() -> Response:
    """The rules of alerts, as the site file has them."""
    return jsonify(rows=[asdict(rule) for rule in parts().site.rule])


@blueprint.get("/api/v1/instruments")
def instruments() -> Response:
    """The instruments that the site knows: their names, and those of their telescopes."""
    site = parts().site
    return jsonify(rows=[{"name": one.name, "telescope": one.telescope.name}
                         for one in find_instruments(site.camera, site.polarimeter)])


@blueprint.get("/api/v1/openapi.json")
def openapi() -> Response:
    """The description of all this, as OpenAPI 3.1."""
    return jsonify(_described() | {"servers": [{"url": request.script_root or "/"}]})


@cache
def _described() -> dict[str, Any]:
    return described(__version__)


@blueprint.get("/api")
@reading
def page(db: Connection) -> str:
    """The addresses for programs, for people."""
    return render(db, "api.html", described=_described(), listings=LISTINGS)
