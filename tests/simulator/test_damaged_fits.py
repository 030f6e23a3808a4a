"""Damaged files through the true worker: each is answered in time, none of them is believed."""

from __future__ import annotations

import asyncio
from itertools import islice
from pathlib import Path

import pytest

from iop4d.model.messages import Crashed, Done, Rejected
from tests.bench.damaged_files import MEMORY_MB, _complaints, run_mutants, selection
from tests.support.damaged_fits import (
    Mutant,
    card_places,
    gzip_flips,
    mutants,
    seeds,
    truncations,
    with_card,
)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_hundred_damaged_files(tmp_path: Path) -> None:
    tally = asyncio.run(run_mutants(selection(100, whole=False), tmp_path))
    assert tally.wrong == []
    assert tally.outcomes.keys() <= {"done", "rejected", "failed"}
    assert tally.outcomes.total() > 250
    assert tally.restarts == 0
    assert 0 < tally.memory_mb < MEMORY_MB


def test_a_sound_file_that_is_called_damaged_is_seen_to_pass(tmp_path: Path) -> None:
    sound = Mutant(name="sound.fits", data=seeds()[0].data, why="nothing", must_fail=True)
    tally = asyncio.run(run_mutants([sound], tmp_path))
    assert tally.wrong == ["sound.fits (nothing) passed for a sound file"]


def test_a_death_a_delay_and_a_missing_reason_are_complaints() -> None:
    mutant = Mutant(name="a", data=b"", why="b")
    assert list(_complaints(Rejected(reason="is empty"), 0.1, mutant)) == []
    assert list(_complaints(Rejected(reason=" "), 0.1, mutant)) == ["a (b): no reason is given"]
    assert list(_complaints(Rejected(reason="is empty"), 12.0, mutant)) == ["a (b): 12.0 s"]
    assert "SIGSEGV" in next(_complaints(Crashed(how="SIGSEGV"), 0.1, mutant))


def test_the_same_seed_gives_the_same_mutants() -> None:
    assert list(mutants(30)) == list(mutants(30))
    assert {m.data for m in mutants(30)} != {m.data for m in mutants(30, seed=9)}


def test_cards_are_found_in_every_header() -> None:
    table = next(seed.data for seed in seeds() if seed.form == "table")
    names = [table[at:at + 8] for at in card_places(table)]
    assert names[0] == b"SIMPLE  "
    assert names.count(b"END     ") == 2
    assert b"TFIELDS " in names
    changed = with_card(table, 80, "BITPIX", "17")
    assert len(changed) == len(table)
    assert changed[80:160] == b"BITPIX  =                   17".ljust(80)


def test_a_cut_file_is_shorter_and_a_flip_is_one_bit() -> None:
    lengths = {seed.name + "-" + seed.form: len(seed.data) for seed in seeds()}
    for cut in islice(truncations(), 100):
        assert len(cut.data) < lengths[cut.name.rsplit("-", 1)[0]]
    packed = {seed.name: seed.data for seed in seeds() if seed.is_packed}
    for flip in gzip_flips(10):
        before = packed[flip.name.rsplit("-", 1)[0]]
        assert sum((a ^ b).bit_count() for a, b in zip(before, flip.data, strict=True)) == 1


def test_an_outcome_counts_by_its_name(tmp_path: Path) -> None:
    tally = asyncio.run(run_mutants(
        [Mutant(name="sound.fits", data=seeds()[0].data, why="")], tmp_path))
    assert tally.outcomes == {Done.__name__.lower(): 1}
    assert "1 done" in tally.line()
