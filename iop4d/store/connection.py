"""What queries are handed: a connection that reads, or a transaction that writes too.

No table is bound to a database. Every statement is made by a :class:`Connection`, which a query is
handed as its first argument; one that writes needs a :class:`Transaction`, so a write outside one
does not pass the type checker.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from operator import itemgetter
from typing import Any, TypeVar

from iop4d.store.kind import Kind
from iop4d.store.statement import Statement
from iop4d.store.table import (
    Table,
    db_values,
    insert_row,
    named_rows,
    read_rows,
    replace_row,
    select_by,
    update_by_key,
)

Row = TypeVar("Row", bound=Table)


class Connection:
    """Reads. What its methods make is bound to this database, and to no other.

    ``kept``: what may be kept from one read to the next, of a database that is only read; None of
    one that this program writes, where what is read may never be committed.
    """

    def __init__(self, kind: Kind, kept: dict[str, Any] | None = None) -> None:
        self._kind = kind
        self._db = kind.db
        self.kept = kept

    @property
    def node(self) -> str:
        """The node on whose behalf this reads and writes; empty: there is one daemon alone."""
        return self._kind.node

    def select(self, table: type[Table], *columns: Any) -> Any:
        """A SELECT to be refined with ``where``, ``join``, ``order_by`` and so on."""
        return table.select(*columns).bind(self._db)

    def raw(self, table: type[Row], sql: str, *values: Any) -> list[Row]:
        """The rows of a statement whose text is made once, for what is asked at every frame."""
        cursor = self._db.execute_sql(self._kind.sql(sql), values)
        return read_rows(table, tuple(map(itemgetter(0), cursor.description)), cursor)

    def found(self, statement: Statement, **given: Any) -> list[Any]:
        """The rows that a statement finds with the values that are given; ``node`` is this one."""
        text, values = statement.filled({"node": self.node, **given})
        return self.raw(statement.table, text, *values)

    def tuples(self, statement: Statement, **given: Any) -> list[tuple[Any, ...]]:
        """What a statement finds, as plain rows of what the database keeps."""
        text, values = statement.filled({"node": self.node, **given})
        return self.rows(text, *values)

    def get(self, table: type[Row], *conditions: Any) -> Row | None:
        """The first row that meets the conditions."""
        row: Row | None = self.select(table).where(*conditions).first()
        return row

    def by_id(self, table: type[Row], key: Any) -> Row:
        """The row of a primary key; raises ``table.DoesNotExist``."""
        row = self.by(table, table._meta.primary_key.name, key)
        if row is None:
            raise table.DoesNotExist(f"no row {key} in {table.__name__}")
        return row

    def by(self, table: type[Row], column: str, value: Any) -> Row | None:
        """The first row of which a column has a value, by a text that is made once."""
        return next(iter(self.raw(table, select_by(table, column), value)), None)  # type: ignore[arg-type]

    def plain(self, query: Any, columns: tuple[Any, ...]) -> list[Any]:
        """The rows of a SELECT of such columns as plain tuples with their names: for thousands."""
        text, values = query.sql()
        return named_rows(columns, self._db.execute_sql(text, values))

    def rows(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """The plain rows of a statement in SQL; its values stand where it has a ``?``."""
        return list(self._db.execute_sql(self._kind.sql(sql), values).fetchall())


class Transaction(Connection):
    """Reads and writes: all of it is committed together, or nothing.

    ``mark``: by which its fate can be asked for, where a connection can be lost.
    """

    def __init__(self, kind: Kind, mark: str = "") -> None:
        super().__init__(kind)
        self.mark = mark

    def create(self, table: type[Row], **columns: Any) -> Row:
        """A new row, with its defaults and its key."""
        row = table()
        row.__data__ |= columns
        text = insert_row(table, tuple(row.__data__))  # type: ignore[arg-type]
        values = db_values(table, row.__data__)
        meta: Any = table._meta
        if meta.auto_increment:
            key = self._kind.insert(text, values, meta.primary_key.column_name)
            setattr(row, meta.primary_key.name, key)
        else:
            self._db.execute_sql(self._kind.sql(text), values)
        return row

    def get_or_create(self, table: type[Row], *, defaults: dict[str, Any], **key: Any) -> Row:
        """The row whose columns are ``key``, made with ``defaults`` if there is none."""
        found = self.get(table, *(getattr(table, name) == value for name, value in key.items()))
        return found if found is not None else self.create(table, **key, **defaults)

    def insert(self, table: type[Table], **columns: Any) -> Any:
        """An INSERT, to be refined with ``on_conflict_ignore`` and executed."""
        return table.insert(**columns).bind(self._db)

    def insert_many(self, table: type[Table], rows: list[dict[str, Any]]) -> None:
        """Many new rows of the same columns; what they do not name has its default."""
        if not rows:
            return
        missing = {field.name: field.default for field in table._meta.sorted_fields
                   if field.default is not None and field.name not in rows[0]}
        values = [db_values(table, {name: row[name] for name in rows[0]} | {
            name: default() if callable(default) else default
            for name, default in missing.items()}) for row in rows]
        text = insert_row(table, (*rows[0], *missing))  # type: ignore[arg-type]
        self._kind.run_each(text, values)
        self._note_keys(table, set(rows[0]))

    def insert_plain(self, table: type[Table], columns: list[str],
                     rows: list[list[Any]]) -> None:
        """Many new rows as a database keeps them, with their keys."""
        text = insert_row(table, tuple(columns))  # type: ignore[arg-type]
        self._kind.run_each(text, rows)
        self._note_keys(table, set(columns))

    def _note_keys(self, table: type[Table], columns: set[str]) -> None:
        meta: Any = table._meta
        if meta.auto_increment and meta.primary_key.name in columns:
            self._kind.note_keys(meta.table_name, meta.primary_key.column_name)

    def replace(self, table: type[Table], **columns: Any) -> None:
        """A row in the place of the one that has its key, if there is one."""
        text = replace_row(table, tuple(columns))  # type: ignore[arg-type]
        self._db.execute_sql(self._kind.sql(text), db_values(table, columns))

    def update(self, table: type[Table], **columns: Any) -> Any:
        """An UPDATE, to be refined with ``where`` and executed; it gives the number of rows."""
        return table.update(**columns).bind(self._db)

    def set_by_key(self, table: type[Table], key: Any, **columns: Any) -> None:
        """Set columns of the row of a primary key, by a text that is made once for the same ones.

        Values alone: no expressions of columns.
        """
        text = update_by_key(table, tuple(columns))  # type: ignore[arg-type]
        self._db.execute_sql(self._kind.sql(text), [*db_values(table, columns), key])

    def set_and_ask(self, table: type[Table], key: Any, asked: str, **columns: Any) -> Any:
        """The same, and the value of a column of this row, as the database keeps it; None if there
        is no such row."""
        text = update_by_key(table, tuple(columns), asked)  # type: ignore[arg-type]
        found = self.rows(text, *db_values(table, columns), key)
        return found[0][0] if found else None

    def run(self, statement: Statement, **given: Any) -> int:
        """Do what a statement does, with the values that are given; the number of its rows."""
        text, values = statement.filled({"node": self.node, **given})
        return int(self._db.execute_sql(self._kind.sql(text), values).rowcount)

    def execute(self, text: str, *values: Any) -> int:
        """Carry out a statement in SQL that writes; the number of its rows."""
        return int(self._db.execute_sql(self._kind.sql(text), values).rowcount)

    def delete(self, table: type[Table]) -> Any:
        """A DELETE, to be refined with ``where`` and executed; it gives the number of rows."""
        return table.delete().bind(self._db)

    @property
    def is_open(self) -> bool:
        """Whether it still runs: SQLite itself ends one when a disk fills, say."""
        return self._kind.is_in_transaction()

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """A part that may fail by itself: an exception undoes it alone, and is passed on."""
        with self._db.atomic():
            yield
