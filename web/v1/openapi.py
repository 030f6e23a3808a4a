"""The description of ``/api/v1`` as OpenAPI 3.1, made from the descriptions of the columns."""

from __future__ import annotations

from typing import Any

from iop4d.export.forms import FORMS
from iop4d.store.tables import LISTINGS, Column, Kind, Listing
from iop4d.store.tables.columns import ASKS
from iop4d.web.listed import MOST_ROWS_OF_ANSWER, ROWS

Schema = dict[str, Any]

_KINDS: dict[Kind, Schema] = {
    Kind.NUMBER: {"type": "number"}, Kind.WHOLE: {"type": "integer"}, Kind.DAY: {"type": "number"},
    Kind.MOMENT: {"type": "number"}, Kind.YES_NO: {"type": "boolean"},
    Kind.FLAGS: {"type": "array", "items": {"type": "string"}}, Kind.LIST: {}}
_TIME = "JD, MJD, a date (up to: its end) or a time in UTC such as 2026-11-22T21:00"
_MORE = "Other addresses"
#: Nights of the statistics of a source, where no number is given and at most.
NIGHTS, MOST_NIGHTS = 30, 400

#: Path, its field (if it has one), what it is, and the table it is of.
_SINGLE: tuple[tuple[str, str, str, str], ...] = (
    ("/api/v1/results/{id}", "integer", "All that a result rests on", "results"),
    ("/api/v1/frames/{id}", "integer", "A frame with everything", "frames"),
    ("/api/v1/groups/{id}", "integer", "A polarimetry group with its frames", "groups"),
    ("/api/v1/masters/{id}", "integer", "A master with its frames", "masters"),
    ("/api/v1/jobs/{id}", "integer", "A piece of work", "jobs"),
    ("/api/v1/alerts/{id}", "integer", "An episode of an alert with its history", "alerts"),
    ("/api/v1/triggers/{id}", "integer", "A notice from elsewhere, with what it said",
     "triggers"),
    ("/api/v1/nights/{night}", "string", "A night with its frames and results", "nights"),
    ("/api/v1/summaries/{night}", "string", "The summary of a night", "summaries"),
    ("/api/v1/sources/{name}", "string", "A source with its calibrators, by any of its names",
     "sources"),
)
_PLAIN = (
    ("/api/v1/status", "The state of the daemon, its queue and its archives"),
    ("/api/v1/rules", "The rules of alerts"),
    ("/api/v1/instruments", "The instruments that the site knows, and their telescopes"),
    ("/api/v1/openapi.json", "This description"),
)


def described(version: str) -> Schema:
    """The whole description."""
    paths: dict[str, Schema] = {}
    for listing in LISTINGS.values():
        paths[f"/api/v1/{listing.name}"] = {"get": _list(listing)}
    paths["/api/v1/sources/{name}/points"] = {"get": _points()}
    paths["/api/v1/sources/{name}/nights"] = {"get": _nights()}
    for path, kind, says, table in _SINGLE:
        name = path.partition("{")[2].rstrip("}")
        paths[path] = {"get": {
            "operationId": LISTINGS[table].one, "summary": says, "tags": [LISTINGS[table].words],
            "parameters": [_in_path(name, kind)],
            "responses": _responses(_json({"type": "object"}), 404)}}
    paths["/api/v1/triggers"]["post"] = _trigger()
    for path, says in _PLAIN:
        paths[path] = {"get": {
            "operationId": path.rpartition("/")[2].partition(".")[0], "summary": says,
            "tags": [_MORE], "responses": _responses(_json({"type": "object"}))}}
    return {
        "openapi": "3.1.0",
        "info": {"title": "iop4d", "version": version, "summary": "Everything that the pages show",
                 "description": "Numbers that are not known are null. The rows that follow are at "
                                "the cursor that an answer gives as next, null at the end."},
        "paths": paths,
        "components": {
            "schemas": {"Error": {"type": "object", "required": ["error"], "properties": {
                "error": {"type": "string", "description": "What is wrong, in words"},
                "field": {"type": "string", "description": "In which field of the address"}}}}
            | {listing.one.capitalize(): row_of(listing) for listing in LISTINGS.values()},
            "securitySchemes": {"token": {
                "type": "http", "scheme": "bearer",
                "description": "A token of an account, for what is not open to everybody"}}},
        "security": [{}, {"token": []}],
    }


def row_of(listing: Listing) -> Schema:
    """The schema of a row."""
    return {"type": "object", "description": listing.says,
            "properties": {column.name: value_of(column) for column in listing.columns}}


def value_of(column: Column) -> Schema:
    """The schema of a column's values."""
    found = dict(_KINDS.get(column.kind, {"type": "string"}))
    if column.choices:
        found["enum"] = list(column.choices)
    if "type" in found and column.kind is not Kind.FLAGS:
        found["type"] = [found["type"], "null"]
        if "enum" in found:
            found["enum"] = [*found["enum"], "", None]
    found["description"] = column.says
    if column.unit:
        found["x-unit"] = column.unit
    if column.ucd:
        found["x-ucd"] = column.ucd
    return found


def _list(listing: Listing) -> Schema:
    answer = {"type": "object", "required": ["rows", "count", "next"], "properties": {
        "rows": {"type": "array",
                 "items": {"$ref": f"#/components/schemas/{listing.one.capitalize()}"}},
        "count": {"type": "integer", "description": "Rows in this answer"},
        "next": {"type": ["string", "null"], "description": "The cursor of those that follow"},
        "searched_to": {"description": "Where a search ended that found few rows: it continues at "
                                       "next"},
        "sorted_among": {"type": ["integer", "null"],
                         "description": "So many of the newest rows were sorted, no others"},
        "total": {"type": "object", "properties": {
            "count": {"type": "integer"},
            "is_exact": {"type": "boolean", "description": "Else there are at least as many"}}}}}
    content = _json(answer)
    content.update({form.mimetype: {"schema": {"type": "string"}} for form in FORMS.values()
                    if listing.name == "results" or not form.results_only})
    return {"operationId": listing.name, "summary": listing.says, "tags": [listing.words],
            "parameters": [*_of_rows(listing), *_filters(listing), _format(listing)],
            "responses": _responses(content, 400, 503)}


def _trigger() -> Schema:
    """A notice that is posted: GCN's unified schema, or some of these fields."""
    number: Schema = {"type": "number"}
    fields = {
        "source": {"type": "string", "description": "The source, by any of its names"},
        "ra": number | {"description": "Right ascension, ICRS", "x-unit": "deg"},
        "dec": number | {"description": "Declination, ICRS", "x-unit": "deg"},
        "ra_dec_error": {"description": "Radius of the position's error, or the half axes",
                         "x-unit": "deg"},
        "id": {"description": "Number of the event; the same one counts once"},
        "text": {"type": "string", "description": "What happened, in a line"},
        "trigger_time": {"type": "string", "description": "When it happened, ISO 8601, UTC"},
        "alert_datetime": {"type": "string", "description": "When the notice was written"},
        "alert_type": {"type": "string", "description": "retraction withdraws it"},
        "hours": number | {"description": "For how long", "x-unit": "h"},
        "until": {"type": "string", "description": "Until when, instead of hours"},
        "significance": number | {"x-unit": "sigma"}, "flux": number,
        "flux_unit": {"type": "string"}, "mission": {"type": "string"},
        "instrument": {"type": "string"}}
    answer = _json({"$ref": "#/components/schemas/Trigger"})
    return {"operationId": "add_trigger", "tags": [LISTINGS["triggers"].words],
            "summary": "Raise a source to a priority target for a time, by a notice",
            "requestBody": {"required": True, "content": _json(
                {"type": "object", "properties": fields, "additionalProperties": True})},
            "responses": _responses(answer, 400, 503) | {
                "201": {"description": "The first notice of this event", "content": answer}}}


def _points() -> Schema:
    listing = LISTINGS["results"]
    answer = {"type": "object", "required": ["source", "columns", "count", "next"], "properties": {
        "source": {"type": "string"}, "count": {"type": "integer"},
        "columns": {"type": "object", "additionalProperties": {"type": "array"}},
        "next": {"type": ["string", "null"]}}}
    return {"operationId": "points", "tags": ["Sources"],
            "summary": "A light curve: the points of a source as one list for each column",
            "parameters": [_in_path("name", "string"), *_of_rows(listing),
                           *_filters(listing, without=("source",))],
            "responses": _responses(_json(answer), 400, 404, 503)}


def _nights() -> Schema:
    numbers = {"type": "integer", "minimum": 0, "maximum": MOST_NIGHTS, "default": NIGHTS}
    answer = {"type": "object", "required": ["nights", "angles"], "properties": {
        "nights": {"type": "array", "items": {"type": "object"},
                   "description": "Weighted means with their scatter, by night, band and camera"},
        "angles": {"type": "array", "items": {"type": "object"},
                   "description": "Polarisation angles by camera, continued across 180 degrees"}}}
    return {"operationId": "nights_of_source", "tags": ["Sources"],
            "summary": "Statistics of a source's latest nights by band and camera",
            "parameters": [_in_path("name", "string"),
                           _in_query("nights", numbers, "How many nights")],
            "responses": _responses(_json(answer), 404)}


def _of_rows(listing: Listing) -> list[Schema]:
    sorts = [way + column.name for column in listing.columns if not column.derived
             for way in ("", "-")]
    return [
        _in_query("sort", {"type": "string", "enum": sorts, "default": listing.order},
                  "The column that gives the order; with a minus the largest first"),
        _in_query("columns", {"type": "string"}, "Names of columns with commas between, or all"),
        _in_query("limit", {"type": "integer", "minimum": 1, "maximum": MOST_ROWS_OF_ANSWER,
                            "default": ROWS}, "Rows in one answer at most"),
        _in_query("cursor", {"type": "string"}, "Where to continue: next of the answer before"),
        _in_query("total", {"type": "string", "enum": ["yes", "no"], "default": "no"},
                  "Whether to count all rows, too")]


def _format(listing: Listing) -> Schema:
    forms = ["json", *(name for name, form in FORMS.items()
                       if listing.name == "results" or not form.results_only)]
    return _in_query("format", {"type": "string", "enum": forms, "default": "json"},
                     "json, or a file of all rows")


def _filters(listing: Listing, without: tuple[str, ...] = ()) -> list[Schema]:
    found = [
        _in_query(name, {"type": "string"}, f"{words} of {listing.main_time}: {_TIME}")
        for name, words in (("since", "From"), ("until", "Up to")) if listing.main_time]
    for column in listing.columns:
        if column.name not in without:
            found += [_filter(column, operator) for operator in column.operators]
    return found


def _filter(column: Column, operator: str) -> Schema:
    name = f"{column.name}.{operator}" if operator else column.name
    says = f"{column.says}: {ASKS[operator]}"
    schema: Schema = {"type": "string"}
    if operator == "is":
        schema = {"type": "string", "enum": ["some", "none"]}
    elif column.kind is Kind.YES_NO:
        schema = {"type": "string", "enum": ["yes", "no"]}
    elif column.kind in (Kind.NUMBER, Kind.WHOLE):
        schema = {"type": "number"}
    elif column.kind in (Kind.DAY, Kind.MOMENT):
        says += f" {_TIME}"
    elif column.choices and not operator:
        schema = {"type": "string", "enum": list(column.choices)}
    if operator in ("", "has", "lacks", "matches") and column.kind is not Kind.YES_NO:
        schema = {"type": "array", "items": schema}
    return _in_query(name, schema, says)


def _in_query(name: str, schema: Schema, says: str) -> Schema:
    return {"name": name, "in": "query", "description": says, "schema": schema}


def _in_path(name: str, kind: str) -> Schema:
    return {"name": name, "in": "path", "required": True, "schema": {"type": kind}}


def _json(schema: Schema) -> Schema:
    return {"application/json": {"schema": schema}}


def _responses(content: Schema, *errors: int) -> Schema:
    words = {400: "A field makes no sense; the answer says which and why", 401: "Sign in first",
             403: "Not for this account", 404: "There is no such thing",
             503: "Too many large answers are being made, or there is no database yet"}
    error = _json({"$ref": "#/components/schemas/Error"})
    return {"200": {"description": "The answer", "content": content}} | {
        str(code): {"description": words[code], "content": error}
        for code in (*errors, 401, 403)}
