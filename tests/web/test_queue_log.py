"""A server whose threads are all busy says so once a minute, not at every request."""

from __future__ import annotations

import logging

import pytest

from iop4d.web.queue_log import OnceAMinute, quiet_queue


@pytest.fixture(autouse=True)
def _heard(caplog: pytest.LogCaptureFixture) -> None:
    """Whatever a command of this process set before."""
    caplog.set_level(logging.WARNING, logger="waitress")


def test_requests_that_wait_are_told_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    now = [100.0]
    once, logger = OnceAMinute(lambda: now[0]), logging.getLogger("waitress.queue.test")
    logger.addFilter(once)
    for second in (0.0, 0.1, 30.0, 59.0, 60.5, 61.0, 200.0):
        now[0] = 100.0 + second
        logger.warning("Task queue depth is %d", int(second))
    assert [record.getMessage() for record in caplog.records] == [
        "Task queue depth is 0", "Task queue depth is 60 (3 more in the last minutes)",
        "Task queue depth is 200 (1 more in the last minutes)"]


def test_the_server_s_own_lines_are_bounded_while_it_serves(
        caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger("waitress.queue")
    with quiet_queue():
        for depth in range(50):
            logger.warning("Task queue depth is %d", depth)
    assert len(caplog.records) == 1
    logger.warning("Task queue depth is %d", 1)
    assert len(caplog.records) == 2
