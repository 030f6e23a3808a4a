"""Lists of rows as an address asks for them: as JSON in parts, and as files to keep."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any

from flask import Response, abort, request, stream_with_context
from werkzeug.utils import secure_filename

from iop4d.export.aavso import COLUMNS as OF_AAVSO
from iop4d.export.content import Content, Row
from iop4d.export.fits import MOST_ROWS
from iop4d.export.forms import FORMS, Form
from iop4d.model import plain_json
from iop4d.model.units import utc_of_unix
from iop4d.store.tables import Listing
from iop4d.store.tables.filters import FilterError, main_field
from iop4d.store.tables.listing import Place, Query, parts, read, read_place, text_of, total
from iop4d.web.context import parts as site_parts
from iop4d.web.context import within

ROWS = 1_000  # of one answer, where no number is given
MOST_ROWS_OF_ANSWER = 10_000
_PART = 250  # rows read and sent at a time
_PART_OF_FILE = 500
_LONGEST_CODE = 20
#: Fields of an address that are neither filters nor about the rows.
OTHERS = ("sort", "columns", "limit", "cursor", "total", "format", "observer")


def fields() -> list[tuple[str, str]]:
    """The fields of the address."""
    return list(request.args.items(multi=True))


def context() -> Mapping[str, Any]:
    """What derived columns need to know of the site."""
    return {"index_minutes": site_parts().site.photometry.spectral_index_minutes}


def check_fields(listing: Listing, others: tuple[str, ...] = ()) -> None:
    """Refuse a field that is none of a table: who misspells one must know."""
    for name in request.args:
        if name not in (*OTHERS, *others) and \
                main_field(listing, name).partition(".")[0] not in listing.by_name:
            raise FilterError(name[:80], f"{listing.name} have no such column")


def limit_of() -> int:
    """How many rows one answer has at most; as many as there may be where more are asked for."""
    text = request.args.get("limit", "").strip()
    limit = within(text, 0, most=MOST_ROWS_OF_ANSWER) if text else ROWS
    if not limit:
        raise FilterError("limit", f"'{text[:40]}' is no number of rows; expected 1 to "
                                   f"{MOST_ROWS_OF_ANSWER}")
    return limit


def _counts() -> bool:
    text = request.args.get("total", "").strip()
    if text not in ("", "yes", "true", "no", "false"):
        raise FilterError("total", "expected yes or no")
    return text in ("yes", "true")


def as_json(query: Query, limit: int) -> Response:
    """Rows as JSON: with the place where the next ones begin, and how many there are if asked.

    They are read and sent in parts, so that neither a long list nor a slow reader holds the
    database or memory.
    """
    place = read_place(query, request.args.get("cursor", ""))
    made = _pieces(query, limit, place, counts=_counts())
    # What fails, fails before the answer begins.
    first = next(made)
    return Response(stream_with_context(chain([first], made)), mimetype="application/json")


def _pieces(query: Query, limit: int, place: Place | None, *, counts: bool) -> Iterator[str]:
    reader, known = site_parts().reader, context()
    names = frozenset((query.listing.key, *query.columns))
    count, text, searched = 0, '{"rows":[', None
    while True:
        with reader.connected() as db:
            part = read(db, query, min(_PART, limit - count), place, context=known)
        rows = part.rows
        if rows and len(rows[0]) != len(names):
            rows = [{name: row[name] for name in row if name in names} for row in rows]
        text += "," if rows and count else ""
        text += plain_json.fast(rows)[1:-1]
        count, place, searched = count + len(rows), part.after, part.searched_to
        if place is None or count >= limit or searched is not None:
            break
        yield text
        text = ""
    end: dict[str, Any] = {
        "count": count, "next": None if place is None else text_of(query, place),
        "searched_to": searched, "sorted_among": part.ordered}
    if counts:
        with reader.connected() as db:
            found = total(db, query)
        end["total"] = {"count": found.count, "is_exact": found.is_exact}
    yield f"{text}],{plain_json.dumps(end)[1:]}\n"


def as_columns(query: Query, limit: int) -> dict[str, Any]:
    """The same as one list for each column, as plots want them."""
    place = read_place(query, request.args.get("cursor", ""))
    with site_parts().reader.connected() as db:
        part = read(db, query, limit, place, context=context())
    return {"columns": {name: [row[name] for row in part.rows]
                        for name in dict.fromkeys((query.listing.key, *query.columns))},
            "count": len(part.rows),
            "next": None if part.after is None else text_of(query, part.after)}


def form_of(name: str, listing: Listing) -> Form:
    """The form of a file by its name; answers 400 for none."""
    form = FORMS.get(name)
    if form is None or (form.results_only and listing.name != "results"):
        having = ", ".join(key for key, one in FORMS.items()
                           if listing.name == "results" or not one.results_only)
        raise FilterError("format", f"expected {having}")
    return form


def as_file(query: Query, name: str) -> Response:
    """Every row that a query finds, as a file; in its columns and its order."""
    listing, form = query.listing, form_of(name, query.listing)
    if form.results_only:
        query = Query(listing=listing, filters=query.filters, order=query.order, columns=OF_AAVSO)
    reader = site_parts().reader
    columns = tuple(listing.by_name[column] for column in query.columns)
    if name == "fits":
        with reader.connected() as db:
            if not total(db, query, most=MOST_ROWS).is_exact:
                abort(400, f"A FITS file has {MOST_ROWS:,} rows at most here: ask for fewer, or "
                           "for another format.")
    rows: Iterator[list[Row]] = parts(reader.connected, query, _PART_OF_FILE, context=context())
    content = Content(
        name=listing.name, columns=columns, about=about(query),
        made=utc_of_unix(time.time()), observer=_observer())
    made = form.write(content, chain([next(rows, [])], rows))
    answer = Response(stream_with_context(made), mimetype=form.mimetype)
    file = secure_filename(f"{site_parts().site.site.name}-{listing.name}") or listing.name
    answer.headers["Content-Disposition"] = f'attachment; filename="{file}.{form.ending}"'
    return answer


def about(query: Query) -> str:
    """What rows a query finds, in words."""
    what = f"{query.listing.words} of {site_parts().site.site.name}"
    return f"{what}: {'; '.join(f.words for f in query.filters)}." if query.filters else f"{what}."


def _observer() -> str:
    code = request.args.get("observer", "")[:_LONGEST_CODE]
    return "".join(c for c in code if c.isascii() and c.isalnum()) \
        or site_parts().site.site.aavso_observer
