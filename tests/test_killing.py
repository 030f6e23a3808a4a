"""What the slow checks do when they kill: their batches and their patience."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench import killing
from tests.bench.killing import Tally, fetch_kills


def test_many_kills_of_fetches_are_counted_over_sites_of_their_own(
        monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def one_site(folder: Path, server: str, *, kills: int, seed: int) -> Tally:
        assert list(folder.iterdir()) == []
        asked.append((server, kills, seed))
        return Tally(kills=kills, lost=1, wrong=[f"in {seed}"])

    monkeypatch.setattr(killing, "kill_fetching", one_site)
    tally = fetch_kills("sshd", 230, seed=5)
    assert asked == [("sshd", 100, 5), ("sshd", 100, 6), ("sshd", 30, 7)]
    assert (tally.kills, tally.lost, tally.wrong) == (230, 3, ["in 5", "in 6", "in 7"])


class Patient:
    """A trial that only tells how long it would have waited."""

    kills = 0
    waited = 0.0

    def put(self, path: Path) -> None:
        """Nothing comes of it."""

    def settle(self, frames: int, *, seconds: float = 300.0) -> None:
        self.waited = seconds

    def end(self) -> None:
        """Nothing came of it."""

    close = end


def test_many_files_have_longer_to_come_to_an_end() -> None:
    trial = Patient()
    for count, least in ((40, 300.0), (2000, 3000.0)):
        killing.disturbed(trial, [Path("a")] * count, kills=0, pace=killing.FETCH,  # type: ignore[arg-type]
                          seed=0, marks=False)
        assert trial.waited >= least
