"""The catalogues that come with the program, read once for all the tests of a process."""

from __future__ import annotations

from copy import deepcopy
from functools import cache

from iop4d.model.source import Source
from iop4d.store.catalogue_csv import builtin, parse


@cache
def _parsed(name: str) -> tuple[Source, ...]:
    return tuple(parse(builtin(name)))


def sources(name: str = "blazars") -> list[Source]:
    """Those of a catalogue, which the caller may change."""
    return [deepcopy(one) for one in _parsed(name)]
