"""How often a password may be tried."""

from __future__ import annotations

from iop4d.web.limits import Caller, WrongPasswords, network_of


class Clock:
    """A clock that stands."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_an_address_rests_for_a_name_and_then_for_all_names() -> None:
    clock = Clock()
    tried = WrongPasswords(clock=clock)
    for _ in range(5):
        assert not tried.rest(Caller(name="Ana", address="203.0.113.9"))
        tried.add(Caller(name="Ana", address="203.0.113.9"))
    assert tried.rest(Caller(name="Ana", address="203.0.113.9")) == 60
    assert not tried.rest(Caller(name="Ana", address="198.51.100.1"))
    for number in range(15):
        assert not tried.rest(Caller(name=f"n{number}", address="203.0.113.9"))
        tried.add(Caller(name=f"n{number}", address="203.0.113.9"))
    assert tried.rest(Caller(name="somebody", address="203.0.113.9")) == 60
    clock.now = 61.0
    assert not tried.rest(Caller(name="Ana", address="203.0.113.9"))


def test_a_name_that_is_tried_from_everywhere_enters_from_elsewhere_at_its_first_try() -> None:
    clock = Clock()
    tried = WrongPasswords(clock=clock)
    for number in range(60):
        tried.add(Caller(name="Ana", address=f"203.0.113.{number}"))
    assert tried.rest(Caller(name="Ana", address="203.0.113.7")) == 600
    assert not tried.rest(Caller(name="Ben", address="203.0.113.7"))
    elsewhere = Caller(name="Ana", address="198.51.100.1")
    assert not tried.rest(elsewhere)
    tried.add(elsewhere)
    assert tried.rest(elsewhere) == 600
    assert not tried.rest(Caller(name="Ana", address="198.51.100.1", is_known=True))
    assert not tried.rest(Caller(name="Ana", address="198.51.100.1", browser="b"))
    clock.now = 601.0
    assert not tried.rest(elsewhere)


def test_a_known_browser_and_a_known_address_are_counted_apart() -> None:
    tried = WrongPasswords(clock=Clock())
    known = Caller(name="Ana", address="203.0.113.9", is_known=True)
    for _ in range(10):
        assert not tried.rest(known)
        tried.add(known)
    assert tried.rest(known) == 60
    assert not tried.rest(Caller(name="Ana", address="203.0.113.9", browser="b", is_known=True))
    assert not tried.rest(Caller(name="Ben", address="203.0.113.9"))


def test_memory_is_bounded_whatever_is_typed_and_what_is_over_is_forgotten() -> None:
    clock = Clock()
    tried = WrongPasswords(most=100, clock=clock)
    for number in range(1000):
        tried.add(Caller(name=f"{number}" * 100_000, address=f"2001:db8:{number:x}::1"))
    assert len(tried) == 100
    assert all(len(key) == 32 for key in tried._counts)
    clock.now = 601.0
    tried.add(Caller(name="Ana", address="203.0.113.9"))
    assert len(tried) == 4


def test_a_network_that_is_given_out_whole_is_one_caller() -> None:
    assert network_of("2001:db8:1:2:3:4:5:6") == network_of("2001:db8:1:2::9") == "2001:db8:1:2::"
    assert network_of("2001:db8:1:3::9") != "2001:db8:1:2::"
    assert network_of("::ffff:203.0.113.9") == network_of("203.0.113.9") == "203.0.113.9"
    assert network_of("fe80::1%eth0") == "fe80::"
    assert network_of("") == ""
