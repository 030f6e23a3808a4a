"""Tables: filters, orders and pages, against what plain Python finds in the same rows."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from iop4d.model.flags import Flag
from iop4d.store import catalogue, catalogue_csv, schema
from iop4d.store.database import Connection, Database
from iop4d.store.tables import LISTINGS, Kind
from iop4d.store.tables.filters import FilterError
from iop4d.store.tables.listing import (
    Place,
    Query,
    one,
    parts,
    read,
    read_place,
    read_query,
    text_of,
    total,
    total_with,
)

_COUNT = 230


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connection]:
    path: Path = tmp_path_factory.mktemp("tables") / "iop4d.db"
    database, pick = Database(path), random.Random(3)
    with database.write() as tx:
        catalogue.save(tx, catalogue_csv.parse(catalogue_csv.builtin("blazars")))
        for i in range(_COUNT):
            night = f"2026-01-{1 + i // 20:02d}"
            frame = tx.create(
                schema.Frame, archive="t90", path=f"/raw/BL-{i:04d}R.fit", telescope="T90",
                night=night, name=f"BL-{i:04d}R.fit", size=2880, mtime_ns=0,
                state="failed" if i % 9 == 0 else "done", kind="science", band="R", object="BL Lac",
                instrument="AndorT90", jd_start=None if i % 10 == 0 else 2461000.5 + i,
                info={"fwhm_arcsec": 1.0 + i % 7}, completed_at=i, seen_at=i, changed_at=i,
                node="calar" if i % 50 == 0 else "")
            result = tx.create(
                schema.Result, key=f"{i}", source="2200+420" if i % 3 else "0219+428",
                telescope="T90", instrument="AndorT90", night=night, mode="photometry",
                band="BVRI"[i % 4], jd_mid=2461000.5 + i // 2, exptime_s=60.0,
                mag=None if i % 11 == 0 else round(14 + pick.random(), 3), mag_err=0.01,
                flags=int(Flag.EDGE if i % 5 == 0 else 0) | int(Flag.CLOUDS if i % 7 == 0 else 0),
                human_flags=[{"name": "trailed", "note": "", "by": "ana"}] if i % 13 == 0 else [],
                withdrawn=i % 17 == 0, provisional=i % 2 == 0, frames=[frame.name],
                created_at=i, changed_at=1e9 + i)
            tx.create(schema.ResultFrame, result=result.id, frame=frame.id)
    with database.read() as connection:
        yield connection
    database.close()


@pytest.fixture(scope="module")
def rows(db: Connection) -> list[dict[str, Any]]:
    return list(db.select(schema.Result).where(
        schema.Result.withdrawn == False).dicts())  # noqa: E712 - SQL


def ask(db: Connection, table: str, text: str) -> list[Any]:
    return [row["id"] for part in parts(lambda: _Same(db), query_of(table, text), 100)
            for row in part]


def query_of(table: str, text: str = "") -> Query:
    listing = replace(LISTINGS[table], step=20, ordered=10_000)
    return read_query(listing, [tuple(part.split("=", 1)) for part in text.split("&") if part])  # type: ignore[misc]


@pytest.mark.parametrize(("text", "meets"), [
    ("", lambda r: True),
    ("source=BL Lac", lambda r: r["source"] == "2200+420"),
    ("source=2200%2B420&source=3c66a".replace("%2B", "+"), lambda r: True),
    ("source.has=420", lambda r: r["source"] == "2200+420"),
    ("band=R&band=I", lambda r: r["band"] in "RI"),
    ("mag.from=14.2&mag.to=14.6", lambda r: r["mag"] is not None and 14.2 <= r["mag"] <= 14.6),
    ("mag.is=none", lambda r: r["mag"] is None),
    ("mag.is=some", lambda r: r["mag"] is not None),
    ("flags.has=edge", lambda r: r["flags"] & 2),
    ("flags.has=edge&flags.has=clouds", lambda r: r["flags"] & 2 and r["flags"] & 256),
    ("flags.lacks=edge&flags.lacks=clouds", lambda r: not r["flags"] & 258),
    ("flags.has=trailed", lambda r: r["human_flags"]),
    ("flags.lacks=trailed", lambda r: not r["human_flags"]),
    ("flags.is=none", lambda r: not r["flags"] and not r["human_flags"]),
    ("good=yes", lambda r: not r["flags"] & 2 and not r["human_flags"]),
    ("provisional=no", lambda r: not r["provisional"]),
    ("night=2026-01-03", lambda r: r["night"] == "2026-01-03"),
    ("night.from=2026-01-03&night.to=2026-01-04", lambda r: "-03" <= r["night"][7:] <= "-04"),
    ("since=2461020.5&until=2461040.5", lambda r: 2461020.5 <= r["jd_mid"] <= 2461040.5),
    ("until=2026-01-03", lambda r: r["jd_mid"] <= 2461044.5),
    ("until=20260103", lambda r: r["jd_mid"] <= 2461044.5),
    ("id=7&id=8&id=9", lambda r: r["id"] in (7, 8, 9)),
    ("frames.has=bl-000", lambda r: r["id"] <= 10),
    ("since=2026-01-04&until=2026-01-04", lambda r: 2461044.5 <= r["jd_mid"] <= 2461045.5),
    ("source=BL Lac&band=V&flags.lacks=edge&mag.from=14.5", lambda r: (
        r["source"] == "2200+420" and r["band"] == "V" and not r["flags"] & 2
        and r["mag"] is not None and r["mag"] >= 14.5)),
])
def test_filters_find_what_python_finds_in_any_order(
        db: Connection, rows: list[dict[str, Any]], text: str, meets: Any) -> None:
    wanted = {row["id"] for row in rows if meets(row)}
    assert wanted
    for order in ("-jd_mid", "jd_mid", "mag", "-mag", "id", "-changed_at"):
        query = query_of("results", f"{text}&sort={order}".lstrip("&"))
        assert total(db, query).count == len(wanted)
        found = [row["id"] for part in parts(lambda: _Same(db), query, 7) for row in part]
        assert len(found) == len(wanted), order
        assert set(found) == wanted
        by = {row["id"]: row[order.lstrip("-")] for row in rows}
        values = [by[id_] for id_ in found if by[id_] is not None]
        assert values == sorted(values, reverse=order.startswith("-"))
        assert [by[id_] for id_ in found][:len(values)] == values, "unknown ones come last"


class _Same:
    """A connection as a context manager."""

    def __init__(self, db: Connection) -> None:
        self.db = db

    def __enter__(self) -> Connection:
        return self.db

    def __exit__(self, *_: object) -> None:
        pass


@pytest.mark.parametrize("text", ["", "sort=mag", "sort=-mag", "band=R&flags.has=edge",
                                  "source=BL Lac", "mag.to=14.1"])
def test_pages_lead_to_the_end_and_back_again(db: Connection, text: str) -> None:
    query, place, seen = query_of("results", text), None, []
    everything_there = total(db, query)
    while True:
        part = read(db, query, 10, place)
        if place is None or part.after is None:
            with_rows = total_with(db, query, part)
            assert with_rows == everything_there or (
                not with_rows.is_exact and with_rows.count <= everything_there.count)
        seen.append([row["id"] for row in part.rows])
        assert part.first == sum(map(len, seen[:-1]))
        if part.after is None:
            break
        place = read_place(query, text_of(query, part.after))
    back: list[int] = []
    everything = [id_ for page in seen for id_ in page]
    while part.before is not None:
        part = read(db, query, 10, read_place(query, text_of(query, part.before)))
        back = [row["id"] for row in part.rows] + back
    assert part.first == 0
    assert back == everything[:len(back)]
    assert len(back) >= len(everything) - 10


def test_a_search_ends_in_bounded_time_and_goes_on_from_where_it_was(db: Connection) -> None:
    query = query_of("results", "frames.has=BL-0002R")
    first = read(db, query, 10)
    assert first.rows == []
    assert first.searched_to is not None
    assert first.after is not None
    found = [row["id"] for part in parts(lambda: _Same(db), query, 10) for row in part]
    assert found == [3]
    few = replace(query, listing=replace(query.listing, ordered=50))
    assert not total(db, few).is_exact
    assert read(db, replace(few, order="mag"), 10).ordered == 50


def test_frames_are_found_by_a_regular_expression_and_unread_ones_are_the_newest(
        db: Connection) -> None:
    assert ask(db, "frames", r"name.matches=-000[1-3]R\.fit$") == [4, 3, 2]
    ids = ask(db, "frames", "sort=-jd_start")
    assert ids[:3] == [221, 211, 201]
    assert ids[23:25] == [230, 229]
    assert ask(db, "frames", "night=2026-01-01&state=failed&fwhm_arcsec.from=2.5") == [19, 10]
    assert ask(db, "frames", "node=calar") == [201, 151, 101, 51, 1]


def test_nights_have_their_counts(db: Connection) -> None:
    query = read_query(LISTINGS["nights"], [("sort", "-night")])
    first = read(db, query, 3)
    assert [row["night"] for row in first.rows] == ["2026-01-12", "2026-01-11", "2026-01-10"]
    row = one(db, LISTINGS["nights"], "2026-01-01")
    assert row == {"night": "2026-01-01", "frames": 20, "done": 17, "open": 0, "unused": 3,
                   "results": 18, "sources": 2, "summary": False}
    assert total(db, query).count == 12
    few = read_query(LISTINGS["nights"], [("frames.to", "12")])
    assert [row["night"] for row in read(db, few, 3).rows] == ["2026-01-12"]


def test_every_column_of_every_table_can_be_read_asked_for_and_ordered_by(db: Connection) -> None:
    sample = {Kind.NUMBER: "1", Kind.WHOLE: "1", Kind.DAY: "2461000.5", Kind.MOMENT: "2026-01-01",
              Kind.YES_NO: "yes", Kind.FLAGS: "edge", Kind.NIGHT: "2026-01-01"}
    for listing in LISTINGS.values():
        read(db, read_query(listing, [("columns", "all")]), 3)
        for column in listing.columns:
            assert column.says
            for operator in column.operators:
                field = f"{column.name}.{operator}" if operator else column.name
                value = "some" if operator == "is" else sample.get(
                    column.kind, column.choices[0] if column.choices else "a")
                query = read_query(listing, [(field, value)])
                read(db, query, 3)
                assert query.filters[0].words
            if not column.derived:
                for order in (column.name, f"-{column.name}"):
                    read(db, read_query(listing, [("sort", order)]), 3)


@pytest.mark.sqlite
def test_the_indexes_serve_the_usual_pages(db: Connection) -> None:
    """A page of the newest rows must not sort or read them all."""
    for table, text, path in (
            ("results", "", "result_jd_mid"), ("frames", "sort=-jd_start", "frame_began"),
            ("results", "source=BL Lac", "source=?"), ("frames", "state=failed", "state=?"),
            ("frames", "", ""), ("jobs", "", ""), ("results", "id=3", "PRIMARY KEY"),
            ("frames", "id=3&id=5", "PRIMARY KEY")):
        said: list[str] = []

        class Explaining(Connection):
            def __init__(self, into: list[str]) -> None:
                super().__init__(db._kind)
                self.into = into

            def rows(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
                self.into += [row[3] for row in super().rows(f"EXPLAIN QUERY PLAN {sql}", *values)]
                return super().rows(sql, *values)

        read(Explaining(said), query_of(table, text), 10)
        assert not [line for line in said if "TEMP B-TREE FOR ORDER" in line], (table, text, said)
        assert any(path in line for line in said), said


@pytest.mark.parametrize(("table", "text", "why"), [
    ("results", "mag=14", "mag: expected mag.from, mag.to, mag.is"),
    ("results", "mag.from=bright", "'bright' is no number"),
    ("results", "mag.from=nan", "is no number"),
    ("results", "mag.from=1&mag.from=2", "expected one value"),
    ("results", "since=soon", "^since: 'soon' is not a time"),
    ("results", "mag.from=16&mag.to=14", "mag.to: '14' is before '16', where mag.from begins"),
    ("results", "until=2026-01-01&since=2026-01-03", "until: '2026-01-01' is before '2026-01-03'"),
    ("results", "changed_at.from=2026-01-04&changed_at.to=2026-01-02", "changed_at.to: "),
    ("results", "n_calibrators.from=3&n_calibrators.to=2", "n_calibrators.to: "),
    ("frames", "night.from=2026-01-03&night.to=2026-01-02", "night.to: '2026-01-02' is before"),
    ("frames", "night.from=22/11/2026", "night.from: '22/11/2026' is no night"),
    ("frames", "night=2026-02-30", "night: '2026-02-30' is no night"),
    ("frames", "state=fail", "state: 'fail' is none of .*failed"),
    ("results", "mode=photometry&mode=x", "mode: 'x' is none of photometry, polarimetry, stack"),
    ("results", "mag.is=perhaps", "expected some or none"),
    ("results", "good=perhaps", "expected yes or no"),
    ("results", "sort=nothing", "no column 'nothing'"),
    ("results", "sort=spectral_index", "no column"),
    ("results", "spectral_index.from=1", "computed when it is shown"),
    ("results", "columns=mag,nothing", "no column 'nothing'"),
    ("results", "id=1e30", "too large"),
    ("results", "id=1.5", "no whole number"),
    ("measurements", "flags.has=bad", "'bad' is no flag"),
    ("frames", "name.matches=(", r"name.matches: there is a \( without"),
    ("frames", "name=" + "x" * 400, "300 characters at most"),
])
def test_what_makes_no_sense_is_refused_with_the_field_and_the_reason(
        db: Connection, table: str, text: str, why: str) -> None:
    with pytest.raises(FilterError, match=why):
        read(db, query_of(table, text), 10)


@pytest.mark.parametrize("text", ["x", "é", "W10", "e30", "bnVsbA", "WzFd" * 9999,
                                  "Wzk5OTk5OTk5OTk5OTk5OTk5OTk5XQ"])
def test_a_place_that_no_answer_gave_is_refused(text: str) -> None:
    with pytest.raises(FilterError, match="answer before"):
        read_place(query_of("results"), text)


@pytest.mark.parametrize(("order", "value"), [
    ("-jd_mid", "bright"), ("-jd_mid", "\ud800"), ("mag", [1]), ("id", "1"), ("source", 7),
    ("source", "\udc80"), ("source", "a\0b"), ("flags", 5), ("night", 2026.5), ("good", "yes")])
def test_a_place_at_what_is_no_value_of_its_column_is_refused(
        order: str, value: Any, db: Connection) -> None:
    query = query_of("results", f"sort={order}")
    for place in (Place(value=value, key=1), Place(value=None, key="1")):
        with pytest.raises(FilterError, match="answer before"):
            read_place(query, text_of(query, place))


def test_the_places_that_answers_give_are_read_in_every_order_of_every_table(
        db: Connection) -> None:
    found = 0
    for listing in LISTINGS.values():
        for column in listing.columns:
            if column.derived:
                continue
            query = read_query(listing, [("sort", column.name)])
            place = read(db, query, 2).after
            if place is not None:
                found += 1
                again = read_place(query, text_of(query, place))
                assert again == place, (listing.name, column.name)
                assert read(db, query, 2, again).rows
    assert found > 80


def test_a_place_of_another_order_is_refused() -> None:
    text = text_of(query_of("results"), Place(value=1.0, key=1))
    with pytest.raises(FilterError, match="another order"):
        read_place(query_of("results", "sort=mag"), text)
