"""Flags that people set on results: kept whatever is measured anew."""

from __future__ import annotations

from iop4d.model.errors import Iop4dError
from iop4d.store.events import emit
from iop4d.store.schema import Event, Meta, Result

_JUDGED = "flags judged"  # the last event of a flag that alerts were told of


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
    emit("flag", now, id=result.id)


def unjudged(after: int) -> tuple[list[int], int]:
    """Results whose flags changed and that alerts were not told of; in a transaction.

    ``after``: the last event that was looked at, 0 at first; the second value is the next one.
    """
    row = Meta.get_or_none(Meta.key == _JUDGED)
    after = max(after, int(row.value) if row else 0)
    newest = Event.select(Event.id).order_by(Event.id.desc()).limit(1).scalar() or 0
    found = list(Event.select(Event.id, Event.content).where(
        (Event.id > after) & (Event.kind == "flag")).order_by(Event.id))
    if found:
        Meta.replace(key=_JUDGED, value=found[-1].id).execute()
    return sorted({int(event.content["id"]) for event in found}), int(newest)
