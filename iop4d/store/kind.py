"""What differs between the databases that can keep what a site knows."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

import peewee as pw

from iop4d.model.errors import Iop4dError
from iop4d.store.schema import SCHEMA_VERSION


class StoreUnavailableError(Iop4dError):
    """The database cannot be used now. ``absent``: there is none yet, which is no fault; ``lost``:
    its server went away, and what was under way may be done again once it is back; ``refused``: its
    server lets this account not in; ``locked``: another program writes for too long."""

    def __init__(self, why: str, *, absent: bool = False, lost: bool = False,
                 refused: bool = False, locked: bool = False) -> None:
        super().__init__(why)
        self.locked = locked
        self.absent = absent
        self.lost = lost
        self.refused = refused


def of_other_schema(place: str, version: int) -> StoreUnavailableError:
    """A database that another version of the program wrote, and what helps."""
    is_newer = version > SCHEMA_VERSION
    helps = ("install that version" if is_newer else
             "start the daemon once, which brings it to this one and loses nothing")
    return StoreUnavailableError(
        f"{place} was written by {'a newer' if is_newer else 'an older'} iop4d (schema {version}, "
        f"this one reads {SCHEMA_VERSION}): {helps}")


class Kind(Protocol):
    """One kind of database, opened: SQLite's file or PostgreSQL's server.

    Queries are the same for all: standard SQL, and the functions json_extract, json_array_length,
    json_each, instr and matches, with the meaning that SQLite gives them. A number out of JSON is
    cast, as DOUBLE PRECISION or BIGINT; columns of truth values are no numbers.
    """

    db: pw.Database
    node: str  # of several daemons that share it, which one's this is; empty: there is one alone

    @property
    def is_lasting(self) -> bool:
        """Whether a connection is kept after a read of a database that is only read."""

    def sql(self, text: str) -> str:
        """A statement whose values are marked by ``?``, as the driver wants it."""

    def insert(self, text: str, values: list[Any], key: str) -> int:
        """Make a row; the value of its key, which the database chose."""

    def run_each(self, text: str, rows: list[list[Any]]) -> None:
        """Carry out a statement with the values of each row, all of them in one go."""

    def note_keys(self, table: str, key: str) -> None:
        """Rows with keys of their own were made: the next ones that are chosen lie above."""

    def is_in_transaction(self) -> bool:
        """Whether the transaction that was begun still runs."""

    def transaction(self) -> AbstractContextManager[str]:
        """All or nothing, and no other writes meanwhile; it gives the transaction's mark."""

    def is_committed(self, mark: str) -> bool:
        """Whether the transaction of a mark was committed; asked after a connection was lost."""

    def prepare(self) -> None:
        """Make the tables, or bring those of an older schema to this one."""

    def discard(self) -> None:
        """Undo the making of a database that could not be prepared."""

    def version(self) -> int:
        """The schema's version; 0: there are no tables yet."""

    def claim(self) -> None:
        """Be the one daemon that works on this database, or on this node's part of it.

        Raises Iop4dError, which names what prevents that.
        """

    def lead(self) -> bool:
        """Be the one of the nodes' daemons that does what is done once; whether this one is it."""

    def unclaim(self) -> None:
        """Let another daemon work on it."""

    def unavailable(self, error: pw.PeeweeException) -> StoreUnavailableError:
        """What an error of the driver means, in words."""

    def tidy(self) -> None:
        """Upkeep, once a day."""

    def save_as(self, path: Path) -> bool:
        """Write all that is committed now as a file of SQLite, while others write; False where the
        database has no means of its own for that."""

    def snapshot(self) -> AbstractContextManager[None]:
        """What this thread reads in it is as of its begin, whatever is committed meanwhile."""

    def wrong(self) -> list[str]:
        """What the database says is wrong with itself; empty where all is well."""

    def missing(self) -> list[str]:
        """Tables and columns of this version that are not there, in words; none where the tables
        are those of another version."""

    def forbidden(self) -> list[str]:
        """What the server lets this role not do of what its connection is for, in words."""
