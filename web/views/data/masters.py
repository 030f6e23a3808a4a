"""Masters: each with its image, its past, what it is made of, and what used it."""

from __future__ import annotations

from datetime import date, timedelta

from flask import Blueprint, abort, flash, redirect, request, url_for
from werkzeug.wrappers import Response

from iop4d.model.states import MasterState, RequestKind
from iop4d.store import audit, frame_pages, masters
from iop4d.store.database import Connection
from iop4d.store.schema import Master
from iop4d.web import frame_charts
from iop4d.web.auth import who
from iop4d.web.context import parts, reading, render, request_of_daemon

blueprint = Blueprint("masters", __name__)

_REASON = 300  # characters of a reason


@blueprint.get("/masters/<int:id_>")
@reading
def master(db: Connection, id_: int) -> str:
    """Everything that is known of a master."""
    row = _master(db, id_)
    images = [{"name": "master", "label": "Master",
               "address": f"{request.script_root}/masters/{id_}/image.json"}] if row.path else []
    return render(
        db, "master.html", master=row, images=images, frames=frame_pages.named_like(db, row),
        left_out=[text.partition(": ")[::2] for text in row.left_out],
        used_by=frame_pages.used_by(db, row, _nights_of(row)),
        made_with=masters.among(db, [int(other) for other, _ in row.masters]),
        serves=masters.masters_with(db, row), work=frame_pages.jobs_of_master(db, id_),
        changes=audit.of_subject(db, f"master {id_}"),
        nights=frame_charts.over_nights(row, frame_pages.over_nights(db, row),
                                        request.script_root))


@blueprint.post("/masters/<int:id_>/reject")
@reading
def reject(db: Connection, id_: int) -> Response:
    """Request that the daemon uses a master no more."""
    row = _master(db, id_)
    if row.state == MasterState.REJECTED:
        abort(409, f"Master {id_} is rejected already.")
    return _request(id_, {"reject": [id_], "restore": []},
                    "Requested: the daemon rejects the master, and reduces again what used it.")


@blueprint.post("/masters/<int:id_>/accept")
@reading
def accept(db: Connection, id_: int) -> Response:
    """Request that the daemon uses a master that was rejected or refused."""
    row = _master(db, id_)
    if row.state not in (MasterState.REJECTED, MasterState.REFUSED) or not row.path:
        abort(409, f"Master {id_} is {row.state}: there is nothing to accept.")
    return _request(id_, {"reject": [], "restore": [id_]},
                    "Requested: the daemon uses the master, and reduces again what it suits.")


def _request(id_: int, content: dict[str, list[int]], said: str) -> Response:
    why = request.form.get("reason", "").strip()[:_REASON]
    if not why:
        abort(400, "Give a reason.")
    request_of_daemon(RequestKind.MASTERS, content | {"reason": why, "by": who()})
    flash(said, "good")
    return redirect(url_for("masters.master", id_=id_), code=303)


def _nights_of(row: Master) -> tuple[str, str]:
    """The first and last night in which a master may have been used."""
    night = date.fromisoformat(row.night)
    age = timedelta(days=parts().site.masters.max_age_days)
    return (night - age).isoformat(), (night + age).isoformat()


def _master(db: Connection, id_: int) -> Master:
    rows = masters.among(db, [id_])
    if not rows:
        abort(404, f"There is no master {id_}.")
    return rows[0]
