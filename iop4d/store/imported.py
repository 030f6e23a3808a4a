"""Results of another program, kept beside ours until ours replace them.

They have the flag ``imported``, no frames of ours, and the name of the program as their software.
Their key holds the first raw file, so that a result of ours from the same files is known.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from iop4d.model.flags import Flag
from iop4d.store.schema import Result

if TYPE_CHECKING:
    from iop4d.model.result import ResultValue
    from iop4d.store.database import Connection, Transaction

#: What stands in ``software`` of a result of IOP4.
IOP4 = "IOP4"


def key_of(telescope: str, night: str, files: Sequence[str], value: ResultValue) -> str:
    """The identity of an imported result: the first of its raw files, its source and mode."""
    first = files[0] if files else ""
    return f"imported/{telescope}/{night}/{first}/{value.source}/{value.mode}"


def is_measured(db: Connection, telescope: str, night: str, files: Sequence[str],
                value: ResultValue) -> bool:
    """Whether a result of ours rests on the same first raw file."""
    rows = db.select(Result, Result.frames).where(
        (Result.night == night) & (Result.source == value.source)
        & (Result.withdrawn == False)  # noqa: E712 - SQL
        & (Result.telescope == telescope) & (Result.mode == value.mode)
        & (Result.flags.bin_and(int(Flag.IMPORTED)) == 0)).tuples()
    return any(frames[:1] == list(files[:1]) for (frames,) in rows)


def save(tx: Transaction, key: str, columns: dict[str, Any], marks: list[dict[str, Any]], *,
         now: float) -> str:
    """Write an imported result: ``added``, ``changed`` or ``same``.

    ``columns``: of the table, without the key. ``marks``: flags that people set there; of one that
    is here already the flags stay as they are here.
    """
    row = tx.by(Result, "key", key)
    if row is None:
        tx.create(Result, key=key, human_flags=marks, created_at=now, changed_at=now,
                  software=IOP4, **columns)
        return "added"
    if row.withdrawn or all(getattr(row, name) == value for name, value in columns.items()):
        return "same"
    tx.set_by_key(Result, row.id, **columns, revision=row.revision + 1, changed_at=now)
    return "changed"
