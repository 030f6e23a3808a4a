"""The list of mutants is whole: each text stands in the code once, each test is there."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.bench import mutants
from tests.bench.mutants import ROOT, Mutant, MutantError, load, of_day

MUTANTS = load()


def test_there_are_many_and_each_has_a_name_of_its_own() -> None:
    assert len(MUTANTS) >= 100
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_the_text_of_a_mutant_stands_in_the_code_once_and_its_tests_are_there(
        mutant: Mutant) -> None:
    assert mutant.place(ROOT).exists()
    assert mutant.old != mutant.new
    assert mutant.tests
    assert all((ROOT / test).exists() for test in mutant.tests)


def test_the_turn_of_each_comes() -> None:
    days = range(20_000, 20_001 + len(MUTANTS) // len(of_day(MUTANTS, 20_000)))
    seen = [mutant.name for day in days for mutant in of_day(MUTANTS, day)]
    assert set(seen) == {mutant.name for mutant in MUTANTS}


def test_the_short_form_says_whose_day_it_is(monkeypatch: pytest.MonkeyPatch,
                                             capsys: pytest.CaptureFixture[str]) -> None:
    judged: list[str] = []

    def none(some: list[Mutant], *, parallel: int) -> list[mutants.Verdict]:
        judged.extend(mutant.name for mutant in some)
        return []
    monkeypatch.setattr(mutants, "run", none)
    monkeypatch.setattr(sys, "argv", ["mutants", "--short", "--day", "20783"])
    with pytest.raises(SystemExit) as end:
        mutants.main()
    assert end.value.code == 0
    assert judged == [mutant.name for mutant in of_day(MUTANTS, 20783)]
    assert "the mutants of 2026-11-26 UTC: --short --day 20783" in capsys.readouterr().out


def test_a_text_that_is_gone_or_stands_twice_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "iop4d").mkdir()
    (tmp_path / "iop4d" / "a.py").write_text("ONE = 1\nTWO = 2\nTWO = 2\n", encoding="utf-8")
    for folder in ("alerts", "instruments", "web"):
        (tmp_path / folder).mkdir()
    for old in ("THREE = 3", "TWO = 2"):
        with pytest.raises(MutantError, match="expected exactly one place"):
            Mutant(name="m", old=old, new="", tests=("t",)).place(tmp_path)
    assert Mutant(name="m", old="ONE = 1", new="", tests=("t",)).place(tmp_path).name == "a.py"
