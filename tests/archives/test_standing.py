"""Which files of a server stand still."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from iop4d.archives.session import RemoteEntry, is_same_time
from iop4d.archives.standing import Standing, exactly
from iop4d.archives.survey import WantedFile, is_same

TONIGHT, BEFORE = date(2026, 11, 22), date(2026, 11, 21)


def seen(mtime: float = 120.0, *, size: int = 2880, precision: float = 1.0, name: str = "a.fit",
         night: date = TONIGHT) -> WantedFile:
    return WantedFile(night=night, remote=f"/n/{name}", local=Path("/here") / name,
                      entry=RemoteEntry(name=name, size=size, mtime=mtime, precision=precision))


def test_a_file_is_ready_when_it_stood_still() -> None:
    standing = Standing(30.0)
    assert standing.take([seen()], [TONIGHT], 0.0) == []
    assert standing.take([seen(size=5760)], [TONIGHT], 30.0) == []
    assert standing.take([seen(121.0, size=5760)], [TONIGHT], 60.0) == []
    assert standing.take([seen(121.0, size=5760)], [TONIGHT], 89.0) == []
    assert standing.take([seen(121.0, size=5760)], [TONIGHT], 90.0) == [seen(121.0, size=5760)]


def test_where_minutes_are_all_that_is_known_a_file_stands_a_minute_longer() -> None:
    standing = Standing(30.0)
    coarse = seen(precision=60.0)
    assert standing.take([coarse], [TONIGHT], 0.0) == []
    assert standing.take([coarse], [TONIGHT], 89.0) == []
    assert standing.take([coarse], [TONIGHT], 90.0) == [coarse]
    old = seen(precision=86400.0)  # of last year: no day is waited for
    assert standing.take([old], [TONIGHT], 180.0) == [old]


def test_what_is_told_to_the_second_is_believed() -> None:
    """The size was set first: the minute stays the same while the bytes come, the second not."""
    standing, coarse = Standing(30.0), seen(precision=60.0)
    for second in range(0, 60, 20):
        assert standing.take([exactly(coarse, 2880, 120.0 + second)], [TONIGHT], second) == []
    assert standing.take([exactly(coarse, 2880, 160.0)], [TONIGHT], 69.0) == []
    whole = exactly(coarse, 2880, 160.0)
    assert standing.take([whole], [TONIGHT], 70.0) == [whole]


def test_other_nights_are_remembered_while_they_are_not_listed() -> None:
    standing = Standing(30.0)
    late = seen(night=BEFORE, name="late.fit")
    standing.take([late], [TONIGHT, BEFORE], 0.0)
    assert standing.take([], [TONIGHT], 20.0) == []
    assert standing.nights(20.0) == {BEFORE}
    assert standing.take([late], [TONIGHT, BEFORE], 30.0) == [late]
    standing.take([], [TONIGHT, BEFORE], 40.0)
    assert len(standing) == 0


def test_a_file_that_never_comes_asks_for_no_look() -> None:
    standing = Standing(1.0)
    now = 0.0
    for _ in range(8):
        standing.take([seen()], [TONIGHT], now)
        standing.failed("/n/a.fit", 0, "550 no", now)
        assert standing.nights(now + 14.0) == set()
        now += 1000.0
        assert standing.nights(now) == {TONIGHT}
    standing.failed("/n/a.fit", 0, "550 no", now)
    assert standing.nights(now + 899.0) == set()


def test_a_file_that_came_is_compared_once_when_its_minute_is_over() -> None:
    standing = Standing(1.0)
    standing.compare_later("/n/a.fit", 0.0)
    assert [standing.to_be_compared("/n/a.fit", now) for now in (0.0, 59.0, 60.0, 61.0)] == [
        False, False, True, False]


@pytest.mark.parametrize(("here", "listed", "precision", "same"), [
    (137.0, 120.0, 60.0, True), (179.9, 120.0, 60.0, True), (120.0, 120.0, 60.0, True),
    (119.9, 120.0, 60.0, False), (180.0, 120.0, 60.0, False), (60.0, 120.0, 60.0, False),
    (120.0, 120.0, 1.0, True), (121.0, 120.0, 1.0, False), (80000.0, 0.0, 86400.0, True),
    (86400.0, 0.0, 86400.0, False)])
def test_a_time_is_cut_off_where_a_listing_tells_minutes_or_days(
        here: float, listed: float, precision: float, same: bool) -> None:
    """The next minute is another one: a file of the same size was written again."""
    assert is_same_time(listed, here, precision) is same
    entry = RemoteEntry(name="a", size=5, mtime=listed, precision=precision)
    assert is_same(entry, 5, here) is same
    assert not is_same(entry, 6, here)
