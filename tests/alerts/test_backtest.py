"""Back-tests: what a rule would have done with the results there are."""

from __future__ import annotations

from iop4d.alerts.backtest import backtest
from iop4d.store.schema import Alert
from tests.alerts.bench import JD, Start, changed, channel, rule
from tests.support.rows import rows

DAY = 1440.0  # minutes


def test_the_past_judged_at_once_gives_what_was_judged_point_by_point(start: Start) -> None:
    night = start(rule(cooldown=0) + "max_err = 0.1\n", channel())
    for n in range(60):
        night.see(n, (12.5, 12.6, 13.4, 12.7, 13.5)[n // 3 % 5], err=0.02 if n % 4 else 0.3)
    watch = night.engine.compiled("bright")
    assert watch is not None
    with night.database.read() as db:
        fired = backtest(db, night.engine, watch, JD - 1.0).fired
    judged = sorted(rows(night.database, Alert, Alert.state.in_(("firing", "resolved"))),
                    key=lambda row: row.episode)
    assert len(fired) > 3
    assert [one.points for one in fired] == [tuple(row.points) for row in judged]
    assert [one.ended_jd for one in fired] == [row.resolved_jd for row in judged]


def test_a_back_test_counts_the_points_that_lack_earlier_data(start: Start) -> None:
    night = start(changed("change mag < -0.5", "min_points = 3\n", "change mag > -0.2"), channel())
    for n in range(6):
        night.see(n * DAY, 14.0 if n < 5 else 13.0, night=f"2025-11-{22 + n}")
    compiled = night.engine.compiled("bright")
    assert compiled is not None
    with night.database.read() as db:
        found = backtest(db, night.engine, compiled, JD - 1.0)
    assert (found.points, found.unknown, found.series) == (6, 3, 1)  # a past of 0, 1 and 2 points
    assert found.fired == ()  # one point does not confirm itself
