"""The line of health: working, or why not."""

from __future__ import annotations

import pytest

from iop4d.model.states import DaemonState
from iop4d.store.status import Overview
from iop4d.web.health import health_of


def overview(state: DaemonState = DaemonState.RUNNING, **beat: object) -> Overview:
    undelivered = beat.pop("undelivered", [])
    return Overview(now=1000.0, daemon=state, beat={"beat_at": 999.0, **beat},
                    undelivered=undelivered)  # type: ignore[arg-type]


def test_a_site_that_works_says_so() -> None:
    found = health_of(overview(archives=[{"name": "a", "state": "ok"}]))
    assert (found.state, found.head, found.all) == ("good", "Working", ())


@pytest.mark.parametrize(("state", "word"), [
    (DaemonState.SILENT, "does not respond"), (DaemonState.STOPPED, "not running"),
    (DaemonState.NEVER, "never run")])
def test_without_a_daemon_it_does_not_work(state: DaemonState, word: str) -> None:
    found = health_of(overview(state))
    assert (found.state, found.head) == ("bad", "Not working")
    assert word in found.sentence


@pytest.mark.parametrize("beat", [{"trouble": "no worker starts"}, {"paused": "the disk is full"}])
def test_a_daemon_that_reduces_nothing_does_not_work(beat: dict[str, str]) -> None:
    assert health_of(overview(**beat)).head == "Not working"


def test_what_is_wrong_beside_is_named() -> None:
    found = health_of(overview(
        archives=[{"name": "osn", "state": "degraded"}, {"name": "caha", "state": "idle"}],
        undelivered=[{"channel": "team"}], wrong_rules=[{"name": "r", "why": "x"}]),
        site_file_wrong=True)
    assert found.state == "bad"
    assert found.beside == ("archive osn is degraded", "the channel team fails",
                           "the changed site file is wrong and not used",
                           "1 rule is wrong and not used")
    assert found.sentence == ""
