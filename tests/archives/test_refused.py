"""What cannot be read is tried again, ever more rarely, and never given up."""

from __future__ import annotations

from pathlib import Path

from iop4d.archives.refused import Refused
from tests.conftest import FakeClock

FILE = Path("/raw/a.fit")


def test_the_pauses_double_from_5_s_to_5_min(clock: FakeClock) -> None:
    refused = Refused(clock)
    pauses = []
    for _ in range(8):
        refused.add(FILE, "busy")
        assert refused.holds(FILE)
        pauses.append(refused.next_due())
        clock.advance(pauses[-1] or 0.0)
        assert refused.due() == [FILE]
    assert pauses == [5, 10, 20, 40, 80, 160, 300, 300]


def test_it_is_never_given_up_within_a_day(clock: FakeClock) -> None:
    refused = Refused(clock)
    began, tries = clock(), 0
    while clock() - began < 86400:
        refused.add(FILE, "busy")
        tries += 1
        clock.advance(refused.next_due() or 0.0)
    assert refused.due() == [FILE]
    assert tries > 280
    assert refused.lasting(3600) == {FILE: "busy"}


def test_what_could_be_read_is_forgotten(clock: FakeClock) -> None:
    refused = Refused(clock)
    assert refused.add(FILE, "busy")
    assert not refused.add(FILE, "busy")
    refused.over(FILE)
    assert (len(refused), refused.next_due(), refused.due()) == (0, None, [])
