"""Latencies by hour: quantiles that can be counted by hand."""

from __future__ import annotations

import pytest

from iop4d.config import Site
from iop4d.store.database import Database
from iop4d.store.schema import Frame
from iop4d.web.views.system.latency import latency_of, quantile

NOW = 1_800_000_000.0 + 1800


def test_a_quantile_lies_between_two_values() -> None:
    assert quantile([1.0, 2.0, 3.0, 4.0], 0.5) == 2.5
    assert quantile([5.0], 0.95) == 5.0
    assert quantile([0.0, 10.0], 0.95) == pytest.approx(9.5)


def test_frames_count_in_the_hour_in_which_they_came(empty: Site) -> None:
    with Database(empty.database).write() as tx:
        for at, took, state in ((NOW - 60, 2.0, "done"), (NOW - 90, 4.0, "done"),
                                (NOW - 7200, 10.0, "done"), (NOW - 60, 99.0, "failed"),
                                (NOW - 3 * 86400, 50.0, "done")):
            tx.create(Frame, archive="a", path=f"/{at}{took}", name=f"{took}", size=1, mtime_ns=1,
                      state=state, kind="science", completed_at=at, seen_at=at,
                      changed_at=max(at, NOW - 5), info={"latency_s": took})
    with Database(empty.database, read_only=True).read() as db:
        found = latency_of(db, NOW)
    assert found is not None
    assert (found.frames, found.median, found.slowest) == (3, 4.0, 10.0)
    assert [(hour.frames, hour.median) for hour in found.hours if hour.frames] == [
        (1, 10.0), (2, 3.0)]
    assert found.hours[-1].p95 == pytest.approx(3.9)
    assert "2 frames, median 3.0 s, 95 % within 3.9 s" in found.picture


def test_a_day_without_frames_has_no_latency(empty: Site) -> None:
    with Database(empty.database, read_only=True).read() as db:
        assert latency_of(db, NOW) is None
