"""What people are told of a request to the daemon: what it did, or why it has not yet."""

from __future__ import annotations

import time
from typing import Any

from flask import flash

from iop4d.model.states import DaemonState
from iop4d.store import requests
from iop4d.store.database import Connection
from iop4d.web.context import request_of_daemon, state_of_daemon

_SOON = 2.0  # seconds that a page waits for the daemon's answer


def request_and_say(db: Connection, kind: str, content: dict[str, Any]) -> bool:
    """Request something of the daemon, and say what became of it; False if it was refused."""
    id_ = request_of_daemon(kind, content)
    answer = answer_to(db, id_) if _may_answer(db) else None
    if answer is not None:
        if "error" in answer:
            flash(f"Not done: {answer['error']}", "bad")
            return False
        flash(str(answer.get("said", "Done.")), "good")
    elif _may_answer(db):
        flash("The daemon has not answered the request yet.", "warn")
    else:
        flash("The daemon is not running. It carries out the request when it starts.", "warn")
    return True


def _may_answer(db: Connection) -> bool:
    """Whether the daemon runs, or starts, as it does after each change of the site file."""
    return state_of_daemon(db) in (DaemonState.RUNNING, DaemonState.STARTING)


def answer_to(db: Connection, request_id: int) -> dict[str, Any] | None:
    """The daemon's answer, if it comes soon."""
    until = time.monotonic() + _SOON
    while (answer := requests.answer_of(db, request_id)) is None:
        if time.monotonic() > until:
            return None
        time.sleep(0.05)
    return answer
