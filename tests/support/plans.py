"""The statements that a program executes, and whether they read a large table from end to end."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import peewee as pw

from iop4d.store.database import Connection, Database
from iop4d.store.postgresql import Postgresql

#: Tables that grow with every frame, for ever. Of masters and summaries there are a few a
#: night.
LARGE = frozenset((
    "frame", "job", "result", "resultframe", "resulthistory", "measurement", "framestars",
    "series", "group", "alert", "alertstep", "outbox", "audit"))
_SCAN = re.compile(r"^SCAN (\w+)")
_NAMED = re.compile(r'(?:FROM|JOIN|UPDATE|INTO)\s+"?(\w+)"?(?:\s+(?:AS\s+)?"?(\w+)"?)?', re.I)


@contextmanager
def executed() -> Iterator[list[tuple[str, Sequence[Any]]]]:
    """What this process executes meanwhile, in any thread: statements with their values."""
    found: list[tuple[str, Sequence[Any]]] = []
    execute = pw.Database.execute_sql

    def noted(self: pw.Database, sql: str, params: Any = None) -> Any:
        found.append((sql, params or ()))
        return execute(self, sql, params)

    pw.Database.execute_sql = noted
    try:
        yield found
    finally:
        pw.Database.execute_sql = execute


def full_scans(db: Connection, text: str, values: Sequence[Any] | None) -> list[str]:
    """What a statement reads from end to end, of the large tables; nothing of other statements."""
    if not re.match(r"\s*(SELECT|UPDATE|DELETE|WITH)\b", text, re.I):
        return []
    if isinstance(db._kind, Postgresql):
        # Small tables are always read whole; where that costs much, only what has no other way.
        db._db.execute_sql("SET enable_seqscan = off")
        (plan,), = db._db.execute_sql(f"EXPLAIN (FORMAT JSON) {text}", values).fetchall()
        db._db.execute_sql("SET enable_seqscan = on")
        return list(_sequential(plan if isinstance(plan, list) else json.loads(plan)))
    tables = {name: table for table, alias in _NAMED.findall(text) for name in (table, alias)}
    plan = db._db.execute_sql(f"EXPLAIN QUERY PLAN {text}", values).fetchall()
    scans = ((detail, _SCAN.match(detail)) for *_, detail in plan)
    return [detail for detail, scan in scans if scan and tables.get(scan[1], scan[1]) in LARGE]


def _sequential(plan: Any) -> Iterator[str]:
    """The sequential scans of large tables in a plan of PostgreSQL."""
    if isinstance(plan, list):
        for one in plan:
            yield from _sequential(one)
    elif isinstance(plan, dict):
        if plan.get("Node Type") == "Seq Scan" and plan["Relation Name"] in LARGE:
            yield f"Seq Scan {plan['Relation Name']}"
        for value in plan.values():
            yield from _sequential(value)


@contextmanager
def steps(database: Database) -> Iterator[list[int]]:
    """How many hundred instructions SQLite's machine takes meanwhile, as the one number that is
    there at the end."""
    with database.read():
        connection, count = database.db.connection(), [0]

        def one_more() -> int:
            count[0] += 1
            return 0

        connection.set_progress_handler(one_more, 100)
        try:
            yield count
        finally:
            connection.set_progress_handler(None, 0)
