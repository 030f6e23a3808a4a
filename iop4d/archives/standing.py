"""Which files of a server stand still and may be fetched, and which have to wait.

A file is downloaded when looks agree on its size and time for as long as the archive's ``settle``
says. Where a listing gives minutes only and the server knows no better, a minute longer: a file
whose bytes still come may look the same until then.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import date

from iop4d.archives.session import is_same_time
from iop4d.archives.survey import WantedFile

MINUTE = 60.0
_FIRST_PAUSE, _LONGEST_PAUSE = 15.0, 900.0  # seconds for which a file waits of which nothing came
_FORGET = 3600.0  # seconds after which a file that nobody listed again is not asked for any more


@dataclass(frozen=True)
class Failure:
    """How often a file broke off; not to be tried before (monotonic seconds), and why."""

    count: int = 0
    not_before: float = 0.0
    reason: str = ""
    reached: int = 0  # bytes that were here
    idle: int = 0  # how often in a row no more came

    def again(self, reached: int, reason: str, now: float) -> Failure:
        """Once more. A file that grows here is resumed at the next look, another one waits."""
        idle = 0 if reached > self.reached else self.idle + 1
        pause = min(_FIRST_PAUSE * 2.0 ** (idle - 1), _LONGEST_PAUSE) if idle else 0.0
        return Failure(count=self.count + 1, not_before=now + pause, reason=reason,
                       reached=max(reached, self.reached), idle=idle)


@dataclass(frozen=True)
class _Stand:
    file: WantedFile
    since: float


class Standing:
    """What was seen of the files that are not here yet; all times are monotonic seconds."""

    def __init__(self, settle_s: float) -> None:
        self._settle = settle_s
        self._seen: dict[str, _Stand] = {}
        self._failures: dict[str, Failure] = {}
        self._again: dict[str, float] = {}  # files here that are to be compared, and when
        self._changed: set[str] = set()  # those that were, and are other ones now

    def __len__(self) -> int:
        return len(self._seen)

    @property
    def failures(self) -> dict[str, Failure]:
        """Of files that broke off, by their remote paths."""
        return self._failures

    def take(self, files: Iterable[WantedFile], nights: Collection[date],
             now: float) -> list[WantedFile]:
        """Those that may be fetched, of all that some nights' folders hold and that is not here."""
        seen = {remote: stand for remote, stand in self._seen.items()
                if stand.file.night not in nights}
        ready = []
        for file in files:
            before = self._seen.get(file.remote)
            since = before.since if before and _agree(before.file, file) else now
            seen[file.remote] = _Stand(file, since)
            if now - since >= self._needs(file) and not self._waits(file.remote, now):
                ready.append(file)
        self._seen = seen
        self._failures = {name: f for name, f in self._failures.items() if name in seen}
        return ready

    def _needs(self, file: WantedFile) -> float:
        return self._settle + min(file.entry.precision, MINUTE) * (file.entry.precision > 1.0)

    def _waits(self, remote: str, now: float) -> bool:
        failure = self._failures.get(remote)
        return failure is not None and now < failure.not_before

    def nights(self, now: float) -> set[date]:
        """The nights of files that may be fetched soon."""
        return {stand.file.night for remote, stand in self._seen.items()
                if not self._waits(remote, now)}

    def failed(self, remote: str, reached: int, reason: str, now: float) -> None:
        """A file did not come."""
        self._failures[remote] = self._failures.get(remote, Failure()).again(reached, reason, now)

    def came(self, remote: str) -> None:
        """A file is here."""
        self._seen.pop(remote, None)
        self._failures.pop(remote, None)
        self._changed.discard(remote)

    # Files whose times are known to the minute: one may have changed since, and look the same.

    def compare_later(self, remote: str, now: float) -> None:
        """Once the minute of a file that is here is over, it is asked for once more."""
        self._again[remote] = now + MINUTE

    def to_be_compared(self, remote: str, now: float) -> bool:
        """Whether that time has come for a file; it comes once, or at each look at a changed one.
        """
        if remote in self._changed:
            return True
        due = self._again.get(remote)
        if due is None or now < due:
            return False
        del self._again[remote]
        self._again = {name: at for name, at in self._again.items() if now - at < _FORGET}
        return True

    def changed(self, remote: str) -> None:
        """A file here is another one on the server by now, though its listing looks the same."""
        self._changed.add(remote)


def _agree(before: WantedFile, now: WantedFile) -> bool:
    """Whether two looks saw the same of a file, as far as the coarser one tells."""
    one, other = before.entry, now.entry
    if one.size != other.size or (one.mtime is None) != (other.mtime is None):
        return False
    return one.mtime is None or other.mtime is None or is_same_time(
        one.mtime, other.mtime, max(one.precision, other.precision))


def exactly(file: WantedFile, size: int, mtime: float) -> WantedFile:
    """A file with the size and the time, to the second, that the server told when asked for it."""
    return replace(file, entry=replace(file.entry, size=size, mtime=mtime, precision=1.0))
