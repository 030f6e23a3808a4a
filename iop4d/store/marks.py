"""Flags that people set on results: kept whatever is measured anew."""

from __future__ import annotations

from iop4d.model.errors import Iop4dError
from iop4d.store.events import emit
from iop4d.store.schema import Result


def add(result_id: int, name: str, *, note: str, by: str, now: float) -> None:
    """Set a flag; one of the same name is replaced."""
    result = _get(result_id)
    others = [mark for mark in result.human_flags if mark["name"] != name]
    _save(result, [*others, {"name": name, "note": note, "by": by, "at": now}], now)


def remove(result_id: int, name: str, *, now: float) -> None:
    """Take a flag away; raises Iop4dError if it is not set."""
    result = _get(result_id)
    others = [mark for mark in result.human_flags if mark["name"] != name]
    if len(others) == len(result.human_flags):
        raise Iop4dError(f"result {result_id} has no flag '{name}'")
    _save(result, others, now)


def _get(result_id: int) -> Result:
    result: Result | None = Result.get_or_none(Result.id == result_id)
    if result is None:
        raise Iop4dError(f"there is no result {result_id}; 'iop4d results' lists their ids")
    return result


def _save(result: Result, marks: list[dict[str, object]], now: float) -> None:
    Result.update(human_flags=marks, changed_at=now).where(Result.id == result.id).execute()
    emit("result", now, id=result.id, source=result.source, band=result.band)
