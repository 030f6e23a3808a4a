"""What the bench of hard nights finds, and how it is kept from one run to the next."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from tests.bench.errors import is_error


@dataclass(frozen=True, kw_only=True)
class Deviation:
    """One number against the truth: its deviation, random and whole error, whether it is flagged,
    and whether it is a check star's, not the target's."""

    quantity: str
    off: float
    err: float
    whole: float
    flagged: bool
    check: bool = False

    @property
    def has_errors(self) -> bool:
        """Whether there is a number, and both errors are such."""
        return bool(np.isfinite(self.off)) and is_error(self.err) and is_error(self.whole)


@dataclass(kw_only=True)
class Score:
    """What a situation gave with an instrument."""

    situation: str
    instrument: str
    frames: int = 0
    solved: int = 0
    expected: int = 0  # results
    got: int = 0
    missing: Counter[str] = field(default_factory=Counter)  # quantities that unflagged results lack
    found: list[Deviation] = field(default_factory=list)
    flags: Counter[str] = field(default_factory=Counter)  # of the results
    #: Results by what they are of, a group or a frame, and whether most numbers are flagged.
    marks: Counter[tuple[str, bool]] = field(default_factory=Counter)
    reasons: list[str] = field(default_factory=list)

    def of(self, quantity: str) -> list[Deviation]:
        """The deviations of a quantity that are not flagged, of those that have errors."""
        return [d for d in self.found if d.quantity == quantity and not d.flagged
                and d.has_errors]


@dataclass(frozen=True, kw_only=True)
class Piece:
    """A situation with an instrument: a night of so many groups, and one of so many frames."""

    situation: str
    instrument: str
    seed: int
    groups: int
    frames: int

    def kept(self, folder: Path) -> Path:
        """Where its score is kept."""
        name = re.sub(r"[^a-z0-9.]+", "-", self.situation.replace("%", "percent"))
        return folder / (f"{name}_{self.instrument}_{self.seed}_{self.groups}_"
                         f"{self.frames}.json")


def read_score(path: Path) -> Score | None:
    """A score that was kept; None where there is none, or half of one."""
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        marks = Counter({(kind, flagged): n for kind, flagged, n in kept.pop("marks")})
        found = [Deviation(**one) for one in kept.pop("found")]
        missing, flags = Counter(kept.pop("missing")), Counter(kept.pop("flags"))
        return Score(**kept, missing=missing, flags=flags, marks=marks, found=found)
    except (OSError, ValueError, TypeError, KeyError):
        return None


def keep_score(score: Score, path: Path) -> None:
    """Write a score, at once or not at all."""
    kept = vars(score) | {"found": [asdict(one) for one in score.found],
                          "marks": [[*key, n] for key, n in score.marks.items()]}
    beside = path.with_suffix(f".{os.getpid()}")
    beside.write_text(json.dumps(kept), encoding="utf-8")
    beside.replace(path)
