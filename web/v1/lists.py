"""The lists: every table by its filters, as JSON with cursors or as a file."""

from __future__ import annotations

from flask import Response, request

from iop4d.model import plain_json
from iop4d.store.database import Connection
from iop4d.store.tables import LISTINGS, Listing
from iop4d.store.tables.filters import FilterError
from iop4d.store.tables.listing import Query, read_query
from iop4d.web.context import reading
from iop4d.web.heavy import heavy
from iop4d.web.listed import as_columns, as_file, as_json, check_fields, fields, limit_of
from iop4d.web.v1.blueprint import blueprint
from iop4d.web.v1.named import name_of_source

#: What a light curve has of each point, where no columns are chosen.
POINTS = ("id", "jd_mid", "band", "mag", "mag_err", "mag_limit", "p_debiased", "p_err", "p_limit",
          "chi_deg", "chi_err_deg", "q", "u", "telescope", "instrument", "flags", "provisional")


def _query(listing: Listing, usual: tuple[str, ...], *more: tuple[str, str]) -> Query:
    check_fields(listing)
    asked = [*fields(), *more]
    if not any(name == "columns" and text.strip() for name, text in asked):
        asked.append(("columns", ",".join(usual)))
    return read_query(listing, asked)


def _listed(table: str) -> Response:
    listing = LISTINGS[table]
    query = _query(listing, listing.given)
    form = request.args.get("format", "json")
    return as_json(query, limit_of()) if form == "json" else as_file(query, form)


def _add(table: str) -> None:
    def view() -> Response:
        return _listed(table)

    view.__name__, view.__doc__ = table, LISTINGS[table].says
    blueprint.get(f"/api/v1/{table}", endpoint=table)(heavy(view))


for _table in LISTINGS:
    _add(_table)


@blueprint.get("/api/v1/sources/<path:key>/points")
@heavy
@reading
def points(db: Connection, key: str) -> Response:
    """A light curve: the points of a source as one list for each column, the newest first."""
    name = name_of_source(db, key)
    for field, why in (("source", "the source stands in the path"),
                       ("format", "a light curve is JSON; /api/v1/results has files")):
        if request.args.get(field):
            raise FilterError(field, why)
    query = _query(LISTINGS["results"], POINTS, ("source", name))
    return Response(plain_json.fast({"source": name} | as_columns(query, limit_of())),
                    mimetype="application/json")
