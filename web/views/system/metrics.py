"""``/metrics``: the state of the site for Prometheus."""

from __future__ import annotations

from flask import Blueprint, Response, abort
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from iop4d.operations.metrics import exposed
from iop4d.store.database import Connection
from iop4d.web.context import parts, reading, site_overview

blueprint = Blueprint("metrics", __name__)


@blueprint.get("/metrics")
@reading
def metrics(db: Connection) -> Response:
    """Every number, as it is now."""
    if parts().site.web.metrics == "none":
        abort(404, "This site gives no metrics.")
    text = exposed(db, parts().site, site_overview(db, counted=True))
    return Response(text, content_type=CONTENT_TYPE_LATEST, headers={"Cache-Control": "no-store"})
