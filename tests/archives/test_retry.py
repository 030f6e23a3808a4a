"""How long a server that fails is left alone, and how what cannot be read is tried again."""

from __future__ import annotations

from pathlib import Path

import pytest

from iop4d.archives.retry import Breaker, UnreadFiles
from tests.conftest import FakeClock


def test_a_server_that_fails_is_asked_ever_more_rarely() -> None:
    breaker = Breaker(chance=lambda: 0.5)
    pauses = [breaker.failed(1000.0) for _ in range(8)]
    assert pauses == [30.0, 60.0, 120.0, 240.0, 480.0, 900.0, 900.0, 900.0]
    assert breaker.wait(1100.0) == 800.0
    breaker.succeeded()
    assert (breaker.is_open, breaker.wait(1100.0)) == (False, 0.0)


def test_a_refused_login_is_not_tried_again_soon() -> None:
    assert Breaker(chance=lambda: 0.5).failed(0.0, login=True) == 900.0


def test_two_servers_do_not_fail_in_step() -> None:
    assert {Breaker(chance=lambda c=c: c).failed(0.0) for c in (0.0, 0.5, 1.0)} == {
        24.0, 30.0, 36.0}


@pytest.mark.parametrize("chance", [0.0, 0.5, 1.0])
def test_a_server_that_is_dead_for_an_hour_is_tried_a_dozen_times_at_most(chance: float) -> None:
    breaker, now, tries = Breaker(chance=lambda: chance), 0.0, 0
    while now < 3600.0:
        tries += 1
        now += breaker.failed(now)
    assert tries <= 12
    assert now - 3600.0 <= 1080.0  # back within 18 minutes of its return


FILE = Path("/raw/a.fit")


def test_the_pauses_double_from_5_s_to_5_min(clock: FakeClock) -> None:
    refused = UnreadFiles(clock)
    pauses = []
    for _ in range(8):
        refused.add(FILE, "busy")
        assert refused.holds(FILE)
        pauses.append(refused.next_due())
        clock.advance(pauses[-1] or 0.0)
        assert refused.due() == [FILE]
    assert pauses == [5, 10, 20, 40, 80, 160, 300, 300]


def test_it_is_never_given_up_within_a_day(clock: FakeClock) -> None:
    refused = UnreadFiles(clock)
    began, tries = clock(), 0
    while clock() - began < 86400:
        refused.add(FILE, "busy")
        tries += 1
        clock.advance(refused.next_due() or 0.0)
    assert refused.due() == [FILE]
    assert tries > 280
    assert refused.lasting(3600) == {FILE: "busy"}


def test_what_could_be_read_is_forgotten(clock: FakeClock) -> None:
    refused = UnreadFiles(clock)
    assert refused.add(FILE, "busy")
    assert not refused.add(FILE, "busy")
    refused.over(FILE)
    assert (len(refused), refused.next_due(), refused.due()) == (0, None, [])
