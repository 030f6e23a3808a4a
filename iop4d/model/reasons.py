"""Why many things came to nothing, in few lines: reasons that differ in numbers alone are one."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

_NUMBER = re.compile(r"\d+(\.\d+)?")


@dataclass(frozen=True, kw_only=True)
class Reason:
    """A state and a reason as the newest has it, how many have it, and the ids of the newest."""

    state: str
    reason: str
    count: int
    newest: tuple[int, ...]


def by_reason(found: Iterable[tuple[int, str, str]], *, examples: int) -> list[Reason]:
    """The commonest reason first. ``found``: id, state and reason of each, the newest first."""
    ids: dict[tuple[str, str], list[int]] = {}
    said: dict[tuple[str, str], str] = {}
    counts: dict[tuple[str, str], int] = {}
    alike: dict[tuple[str, str], tuple[str, str]] = {}  # most of many are the same to the letter
    for id_, state, reason in found:
        if (key := alike.get((state, reason))) is None:
            key = alike[state, reason] = (state, without_numbers(reason))
            said.setdefault(key, reason)
        counts[key] = counts.get(key, 0) + 1
        if len(newest := ids.setdefault(key, [])) < examples:
            newest.append(id_)
    return [Reason(state=key[0], reason=said[key], count=count, newest=tuple(ids[key]))
            for key, count in sorted(counts.items(), key=lambda one: -one[1])]


def without_numbers(reason: str) -> str:
    """A reason by which those that differ in numbers alone are one."""
    return _NUMBER.sub("0", reason)
