"""The parts of a daemon, and its calendar."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from iop4d.model.errors import Iop4dError
from iop4d.system.disk import free_bytes
from iop4d.system.parts import Calendar, Parts


def test_a_part_that_ends_by_itself_stops_the_daemon_with_its_name() -> None:
    async def run() -> None:
        async def fails() -> None:
            raise ValueError("no such table")

        parts = Parts(asyncio.Event())
        parts.start({"relay": fails(), "heartbeat": parts.every(60.0, asyncio.Event().wait)})
        try:
            await parts.wait()
        finally:
            assert parts.dead == ["the relay ended"]
            for task in asyncio.all_tasks() - {asyncio.current_task()}:  # type: ignore[arg-type]
                task.cancel()

    with pytest.raises(Iop4dError, match="the relay ended by itself: ValueError"):
        asyncio.run(run())


def test_what_a_person_can_mend_ends_the_daemon_with_its_words_and_no_trace(
        tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """An old fault: a site's folder that was moved ended its daemon with three tracebacks."""
    async def run() -> None:
        async def looks() -> None:
            free_bytes(tmp_path / "moved")

        parts = Parts(asyncio.Event())
        parts.start({"dispatcher": looks(), "heartbeat": parts.every(0.01, looks)})
        try:
            await parts.wait()
        finally:
            await parts.end()

    with pytest.raises(Iop4dError, match="moved, is gone: was it moved, renamed or unmounted"):
        asyncio.run(run())
    assert len(caplog.records) >= 2
    assert not any(record.exc_info for record in caplog.records)


def test_a_look_that_fails_does_not_end_the_cadence() -> None:
    looks = []

    async def run() -> None:
        parts = Parts(asyncio.Event())

        async def look() -> None:
            looks.append(1)
            if len(looks) == 3:
                parts.stop.set()
            raise OSError("locked")

        await asyncio.wait_for(parts.every(0.01, look), timeout=10.0)

    asyncio.run(run())
    assert len(looks) == 3


def test_the_calendar_does_things_at_its_times_and_ends_when_told_to() -> None:
    done: dict[str, int] = {"every second": 0, "at start": 0, "in another month": 0}
    ended_quietly = asyncio.Event()

    async def run() -> None:
        stop, often = asyncio.Event(), asyncio.Event()

        def counts(name: str) -> object:
            async def count() -> None:
                done[name] += 1
                if name == "every second":
                    often.set()
            return count

        async def hangs() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                ended_quietly.set()

        calendar = Calendar()
        calendar.add("often", counts("every second"), second="*")  # type: ignore[arg-type]
        calendar.add("now", counts("at start"), hour=12, at_start=True)  # type: ignore[arg-type]
        calendar.add("rare", counts("in another month"), year=2000)  # type: ignore[arg-type]
        calendar.add("hanging", hangs, hour=12, at_start=True)
        part = asyncio.create_task(calendar.run(stop))
        async with asyncio.timeout(10.0):
            await often.wait()
        stop.set()
        await part
        await asyncio.sleep(0.05)

    asyncio.run(run())
    assert done["every second"] >= 1
    assert done["at start"] == 1
    assert done["in another month"] == 0
    assert ended_quietly.is_set()
