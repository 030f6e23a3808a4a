"""The tables of all data: filtered, sorted and paged on the server, and as files.

An address holds the whole state of a table. Without scripts it is a form and links.
"""

from __future__ import annotations

import json
from dataclasses import replace
from functools import lru_cache
from typing import Any

from flask import Blueprint, Response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from markupsafe import Markup, escape

from iop4d.export.content import Content
from iop4d.export.forms import FORMS
from iop4d.store import sources
from iop4d.store.database import Connection
from iop4d.store.status import TROUBLE
from iop4d.store.tables import LISTINGS, Column, Kind, Listing
from iop4d.store.tables.filters import FilterError, main_field
from iop4d.store.tables.listing import (
    Part,
    Query,
    read,
    read_place,
    read_query,
    text_of,
    total_with,
)
from iop4d.web.context import reading, render, within
from iop4d.web.heavy import heavy
from iop4d.web.listed import as_file, check_fields, context
from iop4d.web.views.data.cells import EXTRA, cells
from iop4d.web.views.data.fields import Fields, asked_of, chips, left_over, query_of

blueprint = Blueprint("data", __name__)

#: The tables that have a page; the nights have their own at /nights, too.
TABLES = ("results", "frames", "nights", "groups", "masters", "jobs", "alerts", "messages",
          "measurements", "sources", "calibrators", "triggers", "external")
_ROWS = 50
_MOST_ROWS = 500
#: Events at which the first page of a table is fetched again.
_LIVE = {"results": ("result", "flag"), "frames": ("frame",), "nights": ("frame", "result"),
         "groups": ("frame", "result"), "masters": ("master",), "jobs": ("frame",),
         "alerts": ("alert",), "messages": ("mail", "mail-failed"),
         "measurements": ("frame",), "triggers": ("trigger",)}
_KEPT = ("sort", "columns", "limit")
#: Fields of addresses of former versions, which mean nothing any more.
_FORMER = ("page",)
_UNUSED: Fields = [("state", state.value) for state in TROUBLE]


def _add(table: str) -> None:
    def view() -> ResponseReturnValue:
        return page_of(table)

    view.__name__, view.__doc__ = table, LISTINGS[table].says
    blueprint.get(f"/data/{table}", endpoint=table)(view)


for _table in TABLES:
    _add(_table)


@blueprint.get("/data")
def data() -> ResponseReturnValue:
    """The results: the table that people ask for most."""
    return page_of("results")


@blueprint.get("/failed")
def unused() -> ResponseReturnValue:
    """Every frame that was not used, and why."""
    return page_of("frames", title="Frames not used", begin=_UNUSED, note=(
        "Rejected: not a usable frame. Failed: a step of the reduction failed. Quarantined: its "
        "worker crashed or hung repeatedly. The raw files are unchanged."))


def page_of(table: str, *, title: str = "", begin: Fields | None = None, note: str = "",
            ) -> ResponseReturnValue:
    """The page of a table. ``begin``: what is asked for where the address asks for nothing."""
    listing = LISTINGS[table]
    given = _given(listing)
    asked = given if given or not begin else begin
    if form := request.args.get("format", ""):
        return _file(listing, asked, form)
    if any(not text.strip() or name != main_field(listing, name)
           for name, text in request.args.items(multi=True) if _is_of(listing, name)):
        # A form sends all of its fields; an address to be shared has those that are filled.
        return redirect(f"{url_for(f'data.{table}')}{query_of(given)}", code=303)
    return _page(listing, asked, title or listing.words, note or listing.says)


def _given(listing: Listing) -> Fields:
    """The fields of the address that are about the table, without those that are empty, each by
    the name that the form has for it."""
    return [(main_field(listing, name), text.strip())
            for name, text in request.args.items(multi=True)
            if text.strip() and _is_of(listing, name)]


def _is_of(listing: Listing, field: str) -> bool:
    return field in _KEPT or main_field(listing, field).partition(".")[0] in listing.by_name


@heavy
def _file(listing: Listing, asked: Fields, form: str) -> ResponseReturnValue:
    try:
        check_fields(listing, _FORMER)
        query = read_query(listing, asked)
        key = listing.key
        columns = query.columns if key in query.columns else (key, *query.columns)
        return as_file(replace(query, columns=columns), form)
    except FilterError as error:
        return Response(f"{error}\n", 400, mimetype="text/plain")


@reading
def _page(db: Connection, listing: Listing, asked: Fields, title: str,
          note: str) -> ResponseReturnValue:
    wrong: dict[str, str] = {}
    try:
        query, part = _read(db, listing, asked)
        count = total_with(db, query, part)
    except FilterError as error:
        wrong = {error.field: error.why}
        query = read_query(listing, [])
        part, count = None, None
    fields = asked_of(listing, asked, wrong)
    columns = _shown(query)
    also = sources.other_names(db) if any(c.kind is Kind.SOURCE for c in columns) else {}
    answer = render(
        db, "data.html", listing=listing, title=title, note=note, query=query, part=part,
        count=count, columns=columns, wrong=wrong, asked=asked,
        rows=[cells(listing, columns, row, also) for row in part.rows] if part else [],
        keys=[row[listing.key] for row in part.rows] if part else [],
        kept=left_over(fields, asked),
        chips=chips(query.filters, asked), address=url_for(f"data.{listing.name}"),
        sorts=_sorts(query, columns, asked), links=_links(query, part, asked),
        forms=[(name, form.words, query_of([*asked, ("format", name)]))
               for name, form in FORMS.items()
               if listing.name == "results" or not form.results_only],
        citation=Content(name="", columns=()).citation,
        unsorted=part is not None and part.ordered is not None,
        described=_columns_text(listing.name), form=_form(listing, query, asked, wrong),
        live_kinds=_LIVE.get(listing.name, ()), is_first=not request.args.get("cursor"))
    return (answer, 400) if wrong else answer


def _read(db: Connection, listing: Listing, asked: Fields) -> tuple[Query, Part]:
    check_fields(listing, _FORMER)
    query = replace(read_query(listing, asked), extra=EXTRA.get(listing.name, ()))
    place = read_place(query, request.args.get("cursor", ""))
    return query, read(db, query, _limit(), place, context=context())


def _limit() -> int:
    return within(request.args.get("limit", ""), _ROWS, least=1, most=_MOST_ROWS)


def _shown(query: Query) -> tuple[Column, ...]:
    names = dict.fromkeys((query.listing.key, *query.columns))
    return tuple(query.listing.by_name[name] for name in names)


def _sorts(query: Query, columns: tuple[Column, ...], asked: Fields) -> list[dict[str, Any]]:
    """Of each column the address that sorts by it, and how it is sorted now."""
    found = []
    for column in columns:
        now = "" if query.by is not column else "descending" if query.falls else "ascending"
        # The largest first, but for words; the other way round where it is so already.
        falls = not query.falls if now else column.kind not in (Kind.TEXT, Kind.SOURCE,
                                                               Kind.CHOICE, Kind.LIST)
        order = f"{'-' if falls else ''}{column.name}"
        rest = [(name, text) for name, text in asked if name != "sort"]
        found.append({"column": column, "now": now,
                      "to": "" if column.derived else query_of([*rest, ("sort", order)])})
    return found


def _form(listing: Listing, query: Query, asked: Fields, wrong: dict[str, str]) -> Markup:
    return _form_of(listing.name, query.order, query.columns, tuple(asked),
                    tuple(wrong.items()), _limit())


@lru_cache(maxsize=128)
def _form_of(table: str, order: str, columns: tuple[str, ...], asked: tuple[tuple[str, str], ...],
             wrong: tuple[tuple[str, str], ...], limit: int) -> Markup:
    """The form of a table, which is the same for all pages of an address."""
    listing, chosen = LISTINGS[table], frozenset(columns)
    return Markup(render_template(  # noqa: S704 - a template of ours, which escapes
        "data_form.html", listing=listing, order=order, chosen=chosen, wrong=dict(wrong),
        fields=asked_of(listing, list(asked), dict(wrong)), limit=limit))


@lru_cache(maxsize=32)
def _columns_text(table: str) -> Markup:
    """The columns of a table for a script, as an attribute has them."""
    return escape(json.dumps([_described(column) for column in LISTINGS[table].columns]))


def _described(column: Column) -> dict[str, Any]:
    """What a script needs to know of a column."""
    unit = f" [{column.unit}]" if column.unit else ""
    return {"name": column.name, "words": column.words, "says": f"{column.says}{unit}",
            "kind": column.kind.value, "choices": column.choices, "derived": column.derived,
            "pattern": column.pattern, "number": column.is_number}


def _links(query: Query, part: Part | None, asked: Fields) -> dict[str, str]:
    """The addresses of the pages beside this one."""
    if part is None:
        return {}
    found = {"first": query_of(asked) or "?"}
    for name, place in (("next", part.after), ("previous", part.before)):
        if place is not None:
            found[name] = query_of([*asked, ("cursor", text_of(query, place))])
    return found


