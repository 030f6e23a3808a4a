"""Writers that are slow in every way: each file is delivered once, and whole."""

from __future__ import annotations

import random
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from iop4d.model.frame import CompleteFile
from tests.archives.watched import Watched

SETTLE, UNANNOUNCED = 0.4, 0.6  # seconds
SCHEDULES = 200


@dataclass(kw_only=True)
class Writer:
    """Writes one file in its own way; ``longest``: the longest pause that it really made."""

    seed: int
    root: Path
    longest: float = 0.0

    @property
    def path(self) -> Path:
        return self.root / f"{self.seed:03d}.fit"

    @property
    def content(self) -> bytes:
        return random.Random(self.seed).randbytes(400 + self.seed)

    def write(self) -> None:
        pick = random.Random(self.seed)
        way = pick.choice(["slow", "slow", "twice", "part", "hidden", "moved folder"])
        cuts = sorted(pick.sample(range(1, len(self.content)), pick.randint(1, 5)))
        pieces = [self.content[a:b] for a, b in zip([0, *cuts], [*cuts, None], strict=True)]
        names = {"part": f"{self.path.name}.part", "hidden": f".{self.path.name}"}
        target = self.path.with_name(names.get(way, self.path.name))
        if way == "moved folder":
            target = self.root.parent / f"beside-{self.seed}" / self.path.name
            target.parent.mkdir()
        if way == "twice":
            for piece in pieces:
                with target.open("ab") as file:
                    file.write(piece)
                self._rest(pick, SETTLE)
        else:
            with target.open("wb", buffering=0) as file:
                for piece in pieces:
                    file.write(piece)
                    self._rest(pick, UNANNOUNCED)
        if way == "moved folder":
            target.parent.rename(self.root / f"folder-{self.seed}")
        elif target != self.path:
            target.rename(self.path)

    def _rest(self, pick: random.Random, most: float) -> None:
        began = time.monotonic()
        time.sleep(pick.uniform(0.0, most - 0.2))
        self.longest = max(self.longest, (time.monotonic() - began) / most)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_200_random_writers_are_waited_for(tmp_path: Path) -> None:
    root = tmp_path / "raw"
    root.mkdir()
    writers = [Writer(seed=seed, root=root) for seed in range(SCHEDULES)]
    watched = Watched(root, scan=0.5, pauses=(SETTLE, UNANNOUNCED))
    whole: dict[str, list[bool]] = {}

    async def record(_: str, files: list[CompleteFile]) -> None:
        for file in files:
            wanted = writers[int(file.path.stem)].content
            whole.setdefault(file.path.name, []).append(file.path.read_bytes() == wanted)
            watched.delivered.append(file.path.name)

    watched.deliver = record

    def act() -> None:
        with ThreadPoolExecutor(25) as threads:
            list(threads.map(Writer.write, writers))

    watched.run(act, until=SCHEDULES, then=1.5)
    # On a machine that stood still for longer than a file has to, nobody can tell.
    told = [w for w in writers if w.longest < 1.0]
    assert len(told) > SCHEDULES // 2
    assert [w.seed for w in told if whole[w.path.name] != [True]] == []
    assert len(whole) == SCHEDULES
