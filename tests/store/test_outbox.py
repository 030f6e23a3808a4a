"""The outbox: a message is queued once, claimed once, and waits as long as it must."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from iop4d.model.states import MessageState
from iop4d.store import outbox
from iop4d.store.database import Database
from iop4d.store.schema import Alert, Outbox

NOW = 1_700_000_000.0


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    made = Database(tmp_path / "iop4d.db")
    yield made
    made.close()


def queue(database: Database, key: str = "a", **more: Any) -> int:
    with database.write() as tx:
        return outbox.queue(tx, **{
            "dedup_key": key, "channel": "mail", "recipient": "ana", "message_id": f"<{key}@x>",
            "content": {"kind": "alert"}, "created_at": NOW} | more)


def row_of(database: Database, id_: int) -> Outbox:
    with database.read() as db:
        return db.by_id(Outbox, id_)


def test_a_message_is_queued_once_and_stays_as_it_was(database: Database) -> None:
    first = queue(database, recipient="ana")
    assert queue(database, recipient="ben") == first
    assert row_of(database, first).recipient == "ana"
    assert queue(database, "b") != first


def test_two_who_read_the_same_row_do_not_both_claim_it(database: Database) -> None:
    read = row_of(database, queue(database))
    with database.write() as tx:
        message = outbox.claim(tx, read)
        assert message is not None
        assert (message.attempts, message.unsure) == (1, False)
        assert outbox.claim(tx, read) is None
    assert row_of(database, read.id).attempts == 1


@pytest.mark.parametrize(("kind", "days", "is_first"), [
    ("pending", 1.0, True), ("pending", 60.0, False), ("alert", 60.0, True)])
def test_a_message_answers_no_unconfirmed_one_of_days_ago(
        database: Database, kind: str, days: float, is_first: bool) -> None:
    with database.write() as tx:
        alert = tx.create(Alert, rule="r", source="s", band="R", episode=1, state="firing",
                          condition="mag < 13", fired_jd=2461000.5, points=[], fired_at=NOW)
    queue(database, "a", alert=alert.id, content={"kind": kind}, created_at=NOW - days * 86400.0)
    later = row_of(database, queue(database, "b", alert=alert.id))
    with database.write() as tx:
        message = outbox.claim(tx, later)
    assert message is not None
    assert message.first_id == ("<a@x>" if is_first else "")


@pytest.mark.parametrize("state", [MessageState.SENT, MessageState.FAILED, MessageState.FOLDED,
                                   MessageState.DROPPED])
def test_a_message_that_is_not_queued_any_more_is_not_claimed(database: Database,
                                                              state: MessageState) -> None:
    read = row_of(database, queue(database))
    with database.write() as tx:
        tx.update(Outbox, state=state).execute()
        assert outbox.claim(tx, read) is None
    assert (row_of(database, read.id).attempts, row_of(database, read.id).unsure) == (0, False)


def test_a_message_is_due_when_both_its_pause_and_the_quiet_hours_are_over(
        database: Database) -> None:
    queue(database, "paused", channel="a", not_before=NOW + 5.0)
    queue(database, "held", channel="b", held_until=NOW + 7.0, not_before=NOW + 5.0)
    sent = queue(database, "sent", channel="c")
    with database.write() as tx:
        tx.update(Outbox, state=MessageState.SENT).where(Outbox.id == sent).execute()
    with database.read() as db:
        assert outbox.due_times(db) == {"a": NOW + 5.0, "b": NOW + 7.0}
        assert outbox.most_severe_due(db, "b", NOW + 6.9) is None
        assert outbox.most_severe_due(db, "b", NOW + 7.0) is not None


def test_a_pause_of_a_recipient_holds_back_what_is_no_more_severe(database: Database) -> None:
    notice = queue(database, "notice", severity="notice")
    others = {name: queue(database, name, severity=name) for name in ("info", "critical")}
    later = queue(database, "later", severity="info", held_until=NOW + 50.0)
    to_ben = queue(database, "ben", recipient="ben", severity="info")
    with database.write() as tx:
        outbox.put_off_others(tx, tx.by_id(Outbox, notice), NOW, NOW + 600.0)
    waits = {id_: row_of(database, id_).not_before
             for id_ in (notice, *others.values(), later, to_ben)}
    assert waits == {notice: NOW + 600.0, others["info"]: NOW + 600.0, others["critical"]: 0.0,
                     later: 0.0, to_ben: 0.0}
