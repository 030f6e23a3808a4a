"""A clock that is set while the daemon runs is noticed; its leaps are followed."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from iop4d.system import parts
from iop4d.system.clock import ClockWatch, uptime
from iop4d.system.parts import Calendar
from tests.conftest import FakeClock

_DAY = 86400.0


def test_what_the_clock_was_set_by_is_known_and_time_that_passes_is_not() -> None:
    clock, passed = FakeClock(), FakeClock(5.0)
    watch = ClockWatch(clock, passed)
    clock.advance(30.0)
    passed.advance(20.0)  # NTP slews
    assert watch.set_by() == 0.0
    for by in (-_DAY, _DAY, 60.0):
        clock.advance(by + 300.0)
        passed.advance(300.0)
        assert watch.set_by() == pytest.approx(by)
        assert watch.set_by() == 0.0


def test_time_passes() -> None:
    assert 0.0 <= uptime() - uptime() + 1.0 <= 1.0


class _Moved(datetime):
    """The time of day of a machine whose clock is set by ``by``."""

    by = timedelta(0)

    @classmethod
    def now(cls, tz: object = None) -> datetime:
        return datetime.now(UTC) + cls.by


def _offset() -> float:
    return _Moved.by.total_seconds()


@pytest.mark.parametrize("leap", [timedelta(days=-1), timedelta(days=1), timedelta(days=20000)])
def test_what_is_due_every_second_comes_though_the_clock_leaps(
        leap: timedelta, monkeypatch: pytest.MonkeyPatch) -> None:
    """Old faults: a clock set back by a day stopped the summaries for a day; one that leapt over
    years held up everything while each minute of them was counted."""
    monkeypatch.setattr(parts, "_CLOCK", 0.1)
    monkeypatch.setattr(parts, "datetime", _Moved)
    monkeypatch.setattr("apscheduler.schedulers.base.datetime", _Moved)
    monkeypatch.setattr(_Moved, "by", timedelta(0) if leap.days < 1000 else -leap)
    done = asyncio.Event()

    async def act() -> None:
        done.set()

    async def run() -> None:
        stop = asyncio.Event()
        calendar = Calendar(ClockWatch(_offset, lambda: 0.0))
        calendar.add("often", act, second="*")
        part = asyncio.create_task(calendar.run(stop))
        async with asyncio.timeout(5.0):
            await done.wait()
            _Moved.by += leap
            done.clear()
            await asyncio.sleep(0.5)
            done.clear()
            await done.wait()
        stop.set()
        await part

    asyncio.run(run())
