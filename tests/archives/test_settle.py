"""A file counts as complete when it stood still, and never before."""

from __future__ import annotations

from pathlib import Path

import pytest

from iop4d.archives.settle import Settler
from tests.conftest import FakeClock

FILE = Path("/raw/a.fit")


@pytest.fixture
def settler(clock: FakeClock) -> Settler:
    return Settler(announced=0.5, unannounced=2.0, monotonic=clock, clock=clock)


def test_a_closed_file_is_due_after_its_pause(settler: Settler, clock: FakeClock) -> None:
    settler.saw(FILE, (100, 1, 1), announced=True)
    assert settler.due() == []
    assert settler.next_due() == 0.5
    clock.advance(0.5)
    assert settler.due() == [FILE]
    settled = settler.confirm(FILE, (100, 1, 1))
    assert settled is not None
    assert settled.completed_at == clock() - 0.5
    assert len(settler) == 0


def test_a_file_that_merely_lies_there_waits_longer(settler: Settler, clock: FakeClock) -> None:
    settler.saw(FILE, (100, 1, 1), announced=False)
    clock.advance(1.0)
    assert settler.due() == []
    clock.advance(1.0)
    assert settler.due() == [FILE]


@pytest.mark.parametrize("changed", [(200, 1, 1), (100, 2, 1), (100, 1, 2)])
def test_a_file_that_changed_starts_anew(settler: Settler, clock: FakeClock,
                                         changed: tuple[int, int, int]) -> None:
    settler.saw(FILE, (100, 1, 1), announced=True)
    clock.advance(0.6)
    assert settler.confirm(FILE, changed) is None
    assert settler.due() == []
    clock.advance(2.0)
    assert settler.confirm(FILE, changed) is not None


def test_a_slow_writer_is_waited_for(settler: Settler, clock: FakeClock) -> None:
    for size in range(10):
        settler.saw(FILE, (size, size, 1), announced=False)
        clock.advance(1.9)
        assert settler.due() == []
    clock.advance(0.2)
    assert settler.due() == [FILE]


def test_an_empty_file_waits_as_long_as_any(settler: Settler, clock: FakeClock) -> None:
    settler.saw(FILE, (0, 1, 1), announced=True)
    clock.advance(0.6)
    assert settler.confirm(FILE, (0, 1, 1)) is None
    clock.advance(2.0)
    assert settler.confirm(FILE, (0, 1, 1)) is not None


def test_a_file_that_went_is_forgotten(settler: Settler) -> None:
    settler.saw(FILE, (100, 1, 1), announced=True)
    settler.gone(FILE)
    assert settler.next_due() is None
    assert settler.confirm(FILE, (100, 1, 1)) is None
