"""The blueprint of ``/api/v1``, and how it answers what makes no sense."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify

from iop4d.store.tables.filters import FilterError

blueprint = Blueprint("v1", __name__)


@blueprint.errorhandler(FilterError)
def refused(error: FilterError) -> Response:
    """A field of the address makes no sense: which, and why."""
    answer = jsonify(error=str(error), field=error.field)
    answer.status_code = 400
    return answer
