"""What is public of the library, as text: ``python -m tests.library.public > .../public.txt``.

Names, signatures, attributes and columns. A change of it is a change for everybody who uses it.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from functools import cached_property
from typing import Any

import iop4d
from iop4d import library
from iop4d.library.row import Row


def lines() -> Iterator[str]:
    """Every public name, one on a line."""
    yield f"iop4d: {', '.join(iop4d.__all__)}"
    for name in library.__all__:
        thing = getattr(library, name)
        if not inspect.isclass(thing):
            yield f"{name}{inspect.signature(thing)}"
            continue
        bases = ", ".join(base.__name__ for base in thing.__bases__)
        yield f"class {name}({bases})"
        if issubclass(thing, Exception):
            continue
        yield from (f"  {line}" for line in _members(thing))
        if issubclass(thing, Row) and thing is not Row:
            yield from (f"  column {column.name}: {column.kind.value}"
                        f"{f' [{column.unit}]' if column.unit else ''}"
                        for column in thing._listing.columns)


def _members(thing: type[Any]) -> Iterator[str]:
    for name, member in sorted(vars(thing).items()):
        kept = ("__call__", "__getitem__", "__iter__", "__len__", *(
            ["__init__"] if thing is library.Client else []))
        if name.startswith("_") and name not in kept:
            continue
        if isinstance(member, property | cached_property):
            function = member.fget if isinstance(member, property) else member.func
            yield f"{name}: {inspect.signature(function).return_annotation}"  # type: ignore[arg-type]
        elif inspect.isfunction(member):
            yield f"{name}{inspect.signature(member)}"


if __name__ == "__main__":
    sys.stdout.write("\n".join(lines()) + "\n")
