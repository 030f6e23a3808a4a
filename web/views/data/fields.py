"""The form of a table: a field for each way in which each of its columns can be asked for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import urlencode

from iop4d.model.flags import Flag
from iop4d.store.tables import Column, Kind, Listing
from iop4d.store.tables.filters import Filter

Fields = list[tuple[str, str]]

_FLAGS = tuple(str(flag.name).lower() for flag in Flag if flag is not Flag.WITHDRAWN)
_WORDS = {"has": "contains", "from": "from", "to": "up to", "matches": "regular expression",
          "": "is"}
_EXAMPLES = {Kind.NIGHT: "2026-11-22", Kind.DAY: "2026-11-22", Kind.MOMENT: "2026-11-22"}


@dataclass(frozen=True, kw_only=True)
class Field:
    """One field: ``choices`` of a list, or ``ticks`` several of which may be chosen."""

    name: str
    label: str
    values: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    ticks: tuple[str, ...] = ()
    example: str = ""
    wrong: str = ""

    @property
    def value(self) -> str:
        """What stands in it."""
        return self.values[0] if self.values else ""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """The fields of a column."""

    column: Column
    fields: tuple[Field, ...] = field(default_factory=tuple)


def asked_of(listing: Listing, given: Fields, wrong: dict[str, str]) -> list[Asked]:
    """The fields of every column, filled in as an address has them."""
    values: dict[str, list[str]] = {}
    for name, text in given:
        values.setdefault(name, []).append(text)
    return [Asked(column=column, fields=tuple(
        _field(column, way, values, wrong) for way in _ways(column)))
        for column in listing.columns if not column.derived]


def _ways(column: Column) -> tuple[str, ...]:
    match column.kind:
        case Kind.TEXT | Kind.LIST:
            return ("has", "matches") if column.pattern else ("has",)
        case Kind.SOURCE | Kind.CHOICE | Kind.YES_NO:
            return ("",)
        case Kind.FLAGS:
            return ("has", "lacks")
        case _:
            return ("from", "to")


def _field(column: Column, way: str, values: dict[str, list[str]],
           wrong: dict[str, str]) -> Field:
    name = f"{column.name}.{way}" if way else column.name
    label = f"{column.words} {_WORDS.get(way, way)}".strip()
    choices: tuple[str, ...] = ()
    ticks: tuple[str, ...] = ()
    if column.kind is Kind.YES_NO:
        choices, label = ("yes", "no"), column.words
    elif column.kind is Kind.FLAGS:
        choices = _FLAGS
        label = f"{column.words}: {'has' if way == 'has' else 'does not have'}"
    elif column.kind is Kind.CHOICE:
        ticks, label = column.choices, column.words
    elif column.kind is Kind.SOURCE:
        label = column.words
    return Field(name=name, label=label, values=tuple(values.get(name, ())), choices=choices,
                 ticks=ticks, example=_EXAMPLES.get(column.kind, ""), wrong=wrong.get(name, ""))


def left_over(asked: Iterable[Asked], given: Fields) -> Fields:
    """What an address asks for that no field of the form holds: it is kept hidden in the form."""
    held: dict[str, int] = {}
    for one in asked:
        for part in one.fields:
            held[part.name] = len(part.values) if part.ticks else 1
    found = []
    for name, text in given:
        if name in ("sort", "columns", "limit"):
            continue
        if held.get(name, 0) > 0:
            held[name] -= 1
        else:
            found.append((name, text))
    return found


def chips(filters: Iterable[Filter], given: Fields) -> list[tuple[str, str]]:
    """The filters in words, each with the fields of the address without it."""
    return [(wanted.words, query_of([
        (name, text) for name, text in given if name != wanted.field]))
        for wanted in filters]


def query_of(fields: Fields) -> str:
    """Fields as an address has them, with what begins them."""
    return f"?{urlencode(fields)}" if fields else ""
