"""What rules about the system are compared with: each quantity, measured."""

from __future__ import annotations

from typing import Any

import pytest

from iop4d.alerts import system_measures
from iop4d.alerts.system_measures import SystemState
from iop4d.model.units import jd_of_unix
from iop4d.store import catalogue
from iop4d.store.catalogue_csv import builtin, parse
from iop4d.store.events import emit
from iop4d.store.schema import Job, Outbox, Result
from tests.alerts.bench import point
from tests.alerts.watched_system import HOUR, Make, frame, measured
from tests.support.rows import update


def test_frames_that_fail_and_fields_that_are_not_recognised_are_counted(system: Make) -> None:
    it = system("failed > 2", "window_days = 0.5\n")
    with it.database.write() as tx:
        for n in range(3):
            frame(tx, it.clock() + n, state="failed", reason="solve: no match")
        for n in range(3, 7):
            frame(tx, it.clock() + n)
        frame(tx, it.clock() - 86400.0, state="quarantined")
        look = SystemState(db=tx, site=it.site, now=it.clock() + 10, beat=it.beat,
                           observes=lambda _: True)
        assert system_measures.failed(look, 0.5) == {"iop4d": 3.0}
        assert system_measures.unsolved(look, 0.5)["OSN-T090"] == pytest.approx(300 / 7)
    assert it.look(12) == [("iop4d", "firing")]


def test_a_zero_point_that_drops_means_clouds(system: Make) -> None:
    it = system("clouds > 0.5 mag", "window_days = 1\n")
    with it.database.write() as tx:
        for n, zero in enumerate((22.0, 22.05, 21.3)):
            point(tx, n, 13.0, zero_point=zero, created_at=it.clock() + n)
        point(tx, 9, 13.0, zero_point=19.0, band="B", created_at=it.clock())
    assert it.look(12) == [("T090", "firing")]
    update(it.database, Result, zero_point=22.0)
    assert it.look(12) == [("T090", "resolved")]


@pytest.mark.parametrize(("count", "share"), [(4, None), (5, 40.0)])
def test_of_few_frames_no_share_is_a_measure(system: Make, count: int,
                                             share: float | None) -> None:
    it = system("unsolved > 30 %")
    with it.database.write() as tx:
        for n in range(count):
            frame(tx, it.clock() - n, **({"state": "failed", "reason": "solve: no match"} if n < 2
                                     else {}))
        for n in range(9):
            frame(tx, it.clock() - 100 - n, kind="flat")
            frame(tx, it.clock() - 200 - n, state="queued")
            frame(tx, it.clock() - 86401 - n)
    assert measured(it, "unsolved").get("OSN-T090") == share


def test_only_what_failed_within_the_window_is_counted(system: Make) -> None:
    it = system("failed > 2")
    with it.database.write() as tx:
        for n, fate in enumerate(("failed", "quarantined", "rejected", "done", "waiting")):
            frame(tx, it.clock() - 1 - n, state=fate)
        frame(tx, it.clock() - 86401, state="failed")
    assert measured(it, "failed") == {"iop4d": 2.0}


@pytest.mark.parametrize(("hours", "below"), [(5.99, 0.7), (6.01, None)])
def test_a_zero_point_of_hours_ago_says_nothing_of_the_sky(system: Make, hours: float,
                                                           below: float | None) -> None:
    it = system("clouds > 0.5 mag")
    with it.database.write() as tx:
        for n, zero in enumerate((22.0, 21.3)):
            point(tx, n, 13.0, zero_point=zero, created_at=it.clock() - 3600 * hours)
    assert measured(it, "clouds").get("T090") == (
        below if below is None else pytest.approx(below))


@pytest.mark.parametrize("other", [{"band": "V"}, {"exptime_s": 10.0}, {"instrument": "DIPOL"},
                                   {"telescope": "T150"}])
def test_zero_points_of_unlike_frames_are_not_compared(system: Make,
                                                       other: dict[str, Any]) -> None:
    it = system("clouds > 0.5 mag")
    with it.database.write() as tx:
        point(tx, 0, 13.0, zero_point=24.0, created_at=it.clock(), **other)
        point(tx, 1, 13.0, zero_point=22.0, created_at=it.clock())
        point(tx, 2, 13.0, zero_point=23.0, created_at=it.clock() - 86401.0)
        point(tx, 3, None, zero_point=None, created_at=it.clock())
    assert measured(it, "clouds")["T090"] == 0.0


@pytest.mark.parametrize(("archive", "hours"), [("ok", 0.0), ("starting", 0.0), ("paused", 0.0),
                                                ("degraded", 2.0), ("down", 2.0)])
def test_an_archive_is_unreachable_for_as_long_as_it_is_not_in_order(
        system: Make, archive: str, hours: float) -> None:
    it = system("unreachable > 1 h")
    it.beat["archives"][0]["state"] = archive
    since: dict[tuple[str, str], float] = {}
    measured(it, "unreachable", since=since)
    it.clock.advance(2 * HOUR)
    assert measured(it, "unreachable", since=since) == {"one": hours}


def test_other_nodes_are_watched_by_their_heartbeats(system: Make) -> None:
    """One that is silent is unreachable, one that was stopped is not; archives, disks and jobs of
    those that are seen count as this one's."""
    it = system("unreachable > 1 h")
    now = it.clock()
    seen = {"state": "running", "disk_free_gb": 3.0, "senders": {"T220": ["", True]},
            "archives": [{"name": "two", "state": "unreachable", "reason": "refused"}]}
    others = {"calar": seen | {"beat_at": now - 2.0}, "gone": seen | {"beat_at": now - 60.0},
              "off": {"state": "stopped", "beat_at": now - 1e6}}
    since = dict.fromkeys((("bad", name) for name in ("two", "gone")), now - 2 * HOUR)
    assert measured(it, "unreachable", others=others, since=since) == {
        "one": 0.0, "two": 2.0, "calar": 0.0, "gone": 2.0, "off": 0.0}
    with it.database.read() as db:
        state = SystemState(db=db, site=it.site, now=now, beat=it.beat, others=others,
                            observes=lambda _: False)
        assert system_measures.why(state, "unreachable", "gone").startswith("no heartbeat since")
        assert system_measures.why(state, "unreachable", "two") == "refused"
    assert measured(it, "disk_free", others=others) == {"iop4d": 100.0, "calar": 3.0}
    assert measured(it, "backlog", others=others) == dict.fromkeys(
        ("iop4d", "calar", "gone", "off"), 0.0)
    assert measured(it, "silent", others=others, observes=lambda _: False, since={
        ("observes", "T220"): now - 3 * HOUR}) == {"OSN-T090": 0.0, "T220": 3.0}


def test_jobs_that_may_run_now_are_the_backlog(system: Make) -> None:
    it = system("backlog > 100")
    with it.database.write() as tx:
        for n, (state, wait) in enumerate((("queued", 0), ("queued", 60), ("running", 0),
                                           ("waiting", 0))):
            tx.create(Job, kind="reduce", key=n, priority=1, state=state, changed_at=0.0,
                       not_before=it.clock() + wait)
    assert measured(it, "backlog") == {"iop4d": 1.0}


def test_errors_of_a_rule_are_counted_with_the_sources_that_it_cannot_find(system: Make) -> None:
    it = system("rule_error > 0")
    with it.database.write() as tx:
        for age in (0.0, 10.0, 86401.0):
            emit(tx, "alert-error", it.clock() - age, rule="flares", reason=f"{age}")
        emit(tx, "alert", it.clock(), rule="flares")
    assert measured(it, "rule_error", unknown={"r": ["BLLaz", "3C 34"]}) == {
        "flares": 2.0, "r": 2.0}


def test_nothing_is_made_of_a_disk_of_which_nothing_is_known(system: Make) -> None:
    it = system("disk_free < 5 GB")
    it.beat.pop("disk_free_gb")
    assert it.look(30) == []


def test_a_backlog_and_messages_that_do_not_go_out_are_told(system: Make) -> None:
    it = system("backlog > 100")
    with it.database.write() as tx:
        tx.insert_many(Job, [{"kind": "reduce", "key": n, "priority": 1, "state": "queued",
                          "changed_at": 0.0} for n in range(101)])
        tx.create(Outbox, dedup_key="1", channel="team", recipient="a", message_id="<1>",
                  content={}, state="queued", last_error="no connection",
                  created_at=it.clock() - HOUR)
        look = SystemState(db=tx, site=it.site, now=it.clock(), beat=it.beat,
                           observes=lambda _: True)
        assert system_measures.undelivered(look, 1.0) == {"team": 1.0}
    assert it.look(12) == [("iop4d", "firing")]


def test_every_quantity_of_the_system_is_measured() -> None:
    from iop4d.alerts.conditions import SYSTEM

    assert set(system_measures.MEASURES) == set(SYSTEM)


def test_a_standard_that_is_off_the_literature_is_told(system: Make) -> None:
    watched = system("standard_off > 3 sigma", "window_days = 3")
    now = jd_of_unix(watched.clock())
    with watched.database.write() as tx:
        catalogue.save(tx, parse(builtin("standards")))
        star = catalogue.find(tx, "HD 25443")
        for n, turned in enumerate((9.0, 1.0)):  # the newest one counts
            point(tx, n, 9.0, source=star.name, instrument=f"I{n}", jd_mid=now - 0.1, p=star.p,
                  p_debiased=star.p, p_err=0.001, chi_deg=star.chi_deg + turned, chi_err_deg=1.0)
    assert watched.look(15) == [("I0", "firing")]
