"""What programs post: notices that a source flares."""

from __future__ import annotations

import time

from flask import Response, jsonify, request

from iop4d.store.tables.details import everything
from iop4d.triggers.receive import receive
from iop4d.web.auth import who
from iop4d.web.context import changing, parts
from iop4d.web.v1.blueprint import blueprint


@blueprint.post("/api/v1/triggers")
def add_trigger() -> Response:
    """Raise a source to a priority target for a time, by a notice; the trigger that it became.

    One that cannot be read is kept, too, and answered with the reason.
    """
    with changing() as tx:
        found = receive(tx, request.get_data(cache=False), origin=f"account {who()}",
                        settings=parts().site.triggers, now=time.time(), by=who())
        row = everything(tx, "triggers", found.row.id)
    answer = jsonify({"error": found.wrong} if found.wrong else row)
    answer.status_code = 400 if found.wrong else 201 if found.is_new else 200
    return answer
