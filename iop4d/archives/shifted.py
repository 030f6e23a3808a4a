"""A server whose clock's zone changed: all its files look changed, and none is.

Listings give times by what the server calls its time. When that moves, as with summer time or a
corrected zone, every file has another time and the same size. Zones differ by whole quarters of an
hour, and files that were written again do not all move by one number of them, or others beside them
stand as they were.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from iop4d.archives.session import is_same_time

if TYPE_CHECKING:
    from iop4d.archives.survey import Known, WantedFile

_QUARTER = 900  # seconds
_LONGEST = 26 * 3600  # seconds between the zones that are farthest apart
_DAY = 86400  # seconds: what is written at the same hour of each day moves by it, and no zone does
_FEWEST = 3  # files that have to have moved by the same
_MINUTE = 60.0  # seconds: the precision of listings without seconds


def zone_shift(files: Sequence[WantedFile], known: Known) -> int:
    """Seconds by which the times of files that are known have moved, all by the same; 0 if not.

    At least three files of unchanged size, and more than half of those that look changed, in
    folders of which every known file moved: where one stands as it was, the zone did not change.
    """
    moved = [seconds for file in _of_moved_folders(files, known)
             if (seconds := _moved(file, known)) is not None]
    if not moved:
        return 0
    seconds, count = Counter(moved).most_common(1)[0]
    return seconds if seconds and count >= _FEWEST and 2 * count > len(moved) else 0


def shifted(files: Sequence[WantedFile], known: Known,
            seconds: int) -> dict[str, tuple[int, int]]:
    """What is known of the files that moved by that much, with their times as they are now."""
    return {str(file.local): (known[str(file.local)][0],
                              known[str(file.local)][1] + seconds * 10**9)
            for file in _of_moved_folders(files, known) if _moved(file, known) == seconds}


def as_of_now(files: Sequence[WantedFile], known: Known) -> Known:
    """What is known of some files, with the times that a server tells whose zone changed."""
    seconds = zone_shift(files, known)
    if not seconds:
        return known
    before = {path: stamp for file in files if (stamp := known.get(path := str(file.local)))}
    return before | shifted(files, known, seconds)


def _of_moved_folders(files: Sequence[WantedFile], known: Known) -> Iterator[WantedFile]:
    """The files of folders of which no known file has the time that it had."""
    standing = {_folder(file) for file in files if _stands(file, known)}
    return (file for file in files if _folder(file) not in standing)


def _folder(file: WantedFile) -> str:
    return file.remote.rpartition("/")[0]


def _stands(file: WantedFile, known: Known) -> bool:
    """Whether a file is known and has the time that it had, to the minute or better."""
    before = known.get(str(file.local))
    entry = file.entry
    return before is not None and entry.mtime is not None and entry.precision <= _MINUTE \
        and is_same_time(entry.mtime, before[1] / 1e9, entry.precision)


def _moved(file: WantedFile, known: Known) -> int | None:
    """Seconds by which a file's time moved, 0 for no whole number of quarters of an hour.

    None for a file that did not change, or that tells nothing: it is not known, has another size,
    or a time to the day only.
    """
    before = known.get(str(file.local))
    entry = file.entry
    if before is None or entry.size != before[0] or entry.mtime is None \
            or entry.precision > _MINUTE \
            or is_same_time(entry.mtime, before[1] / 1e9, entry.precision):
        return None
    step = entry.precision if entry.precision > 1.0 else 1.0
    seconds = (entry.mtime // step - before[1] / 1e9 // step) * step
    quarters = round(seconds / _QUARTER)
    exact = abs(seconds - quarters * _QUARTER) <= (1.0 if step == 1.0 else 0.0)
    whole = exact and abs(quarters) * _QUARTER <= _LONGEST and quarters * _QUARTER % _DAY
    return quarters * _QUARTER if whole else 0
