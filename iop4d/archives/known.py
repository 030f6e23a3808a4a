"""Which files of an archive were delivered, with size and time: 24 bytes for a place of a table.

A million paths in a dict take half a gigabyte. A path is kept as a hash of 64 bits: a new file
would have to share it, and its size and time too, to be taken for another one.
"""

from __future__ import annotations

from array import array
from collections.abc import AsyncIterator, Callable, Iterable, Mapping

_FIRST, _FULL = 1 << 10, 0.7  # places at first; the share of them that is used at most

Stamp = tuple[int, int]  # size in bytes, mtime in ns
#: Files that were delivered before, part by part.
Recall = Callable[[], AsyncIterator[Iterable[tuple[str, int, int]]]]


class KnownFiles:
    """Local path to (size, mtime in ns). One thread may change it, any may ask meanwhile."""

    def __init__(self, files: Mapping[str, Stamp] | None = None) -> None:
        self._table = _empty(_FIRST)  # of each place: hash, size, time
        self._count = 0
        self._folders: set[str] = set()
        self.update(files or {})

    def __len__(self) -> int:
        return self._count

    @property
    def folders(self) -> frozenset[str]:
        """The folders in which the files lie, or lay."""
        return frozenset(self._folders)

    def get(self, path: str) -> Stamp | None:
        """Size and time of a file; None if it is not known."""
        table = self._table
        place = _place(table, hash(path) or 1)
        return (table[place + 1], table[place + 2]) if table[place] else None

    def __getitem__(self, path: str) -> Stamp:
        found = self.get(path)
        if found is None:
            raise KeyError(path)
        return found

    def update(self, files: Mapping[str, Stamp]) -> None:
        """Take in files, in the place of what was known of them."""
        self.add((path, *stamp) for path, stamp in files.items())

    def add(self, files: Iterable[tuple[str, int, int]]) -> None:
        """Take in (path, size, time): of several of one path the last."""
        for path, size, mtime_ns in files:
            self._folders.add(path.rpartition("/")[0])
            key = hash(path) or 1
            place = _place(self._table, key)
            is_new = not self._table[place]
            if is_new and 3 * (self._count + 1) > _FULL * len(self._table):
                self._table = _enlarged(self._table)
                place = _place(self._table, key)
            self._table[place + 1], self._table[place + 2] = size, mtime_ns
            self._table[place] = key  # the last: who asks meanwhile finds all of it or nothing
            self._count += is_new


def _empty(places: int) -> array[int]:
    return array("q", bytes(24 * places))


def _place(table: array[int], key: int) -> int:
    """Where a hash stands, or would be written."""
    last = len(table) // 3 - 1
    place = key & last
    while table[3 * place] not in (0, key):
        place = (place + 1) & last
    return 3 * place


def _enlarged(table: array[int]) -> array[int]:
    wider = _empty(2 * len(table) // 3)
    for at in range(0, len(table), 3):
        if key := table[at]:
            place = _place(wider, key)
            wider[place:place + 3] = table[at:at + 3]
    return wider
