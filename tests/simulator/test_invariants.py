"""Every invariant is broken once, and is seen to be."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from iop4d.store.database import Database
from iop4d.store.events import emit
from iop4d.store.schema import Alert, Frame, Job, Master, Outbox, Result, ResultFrame
from iop4d.store.table import Table
from tests.support import invariants
from tests.support.invariants import Remembered, remember, violations
from tests.support.rows import Row, update

SITE = """
[[archive]]
name = "raw"
path = "raw"
[[rule]]
name = "bright"
condition = "mag < 13"
channels = ["mail"]
[[channel]]
name = "mail"
to = ["one@example.org", "two@example.org"]
"""
NIGHT = {"telescope": "T", "night": "2024-01-15", "instrument": "I"}


class Place:
    """A site on which a frame was reduced with a master, and an alert was told to two people."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for name in ("raw", "masters", "reduced", "previews", "logs", "mailbox"):
            (root / name).mkdir()
        (root / "iop4d.toml").write_text(SITE, encoding="utf-8")
        self.raw = root / "raw" / "light.fits"
        self.raw.write_bytes(b"photons")
        self.master = root / "masters" / "bias.fits"
        self.master.write_bytes(b"zeros")
        self.product = root / "reduced" / "light.fits"
        self.product.write_bytes(b"reduced")
        self.database = Database(root / "iop4d.db")
        self._fill()

    def _fill(self) -> None:
        info = self.raw.stat()
        self.frame = self.add_frame(self.raw, size=info.st_size, mtime_ns=info.st_mtime_ns,
                                    state="done", kind="science", reduced_path=str(self.product))
        self.result = self.add_result("one", self.frame)
        self.add(Job, kind="reduce", key=self.frame.id, state="done", attempts=1, changed_at=0.0)
        self.bias = self.add(
            Master, key="bias", kind="bias", layout="", state="ready", path=str(self.master),
            sha256=hashlib.sha256(b"zeros").hexdigest(), changed_at=0.0, **NIGHT)
        alert = self.add(Alert, rule="bright", source="BL Lac", band="R", episode=1,
                         state="firing", condition="mag < 13", fired_jd=1.0, fired_at=0.0)
        for number, to in enumerate(("one@example.org", "two@example.org")):
            self.add(Outbox, dedup_key=str(number), alert=alert, channel="mail", recipient=to,
                     message_id=f"<{number}@x>", content={}, state="sent", created_at=0.0)
        for _ in range(3):
            self.emit(id=1)

    def add(self, table: type[Row], **columns: Any) -> Row:
        with self.database.write() as tx:
            return tx.create(table, **columns)

    def add_frame(self, path: Path, **columns: Any) -> Frame:
        return self.add(Frame, **{
            "archive": "raw", "path": str(path), "name": path.name, "size": 1, "mtime_ns": 1,
            "completed_at": 0.0, "seen_at": 0.0, "changed_at": 0.0, **NIGHT, **columns})

    def add_result(self, key: str, of: Frame) -> Result:
        result = self.add(
            Result, key=key, source="BL Lac", mode="photometry", band="R", jd_mid=1.0,
            exptime_s=1.0, frames=[of.name], created_at=0.0, changed_at=0.0, **NIGHT)
        self.add(ResultFrame, result=result, frame=of)
        return result

    def set(self, table: type[Table], *conditions: Any, **columns: Any) -> None:
        update(self.database, table, *conditions, **columns)

    def delete(self, table: type[Table], condition: Any = True) -> None:
        with self.database.write() as tx:
            tx.delete(table).where(condition).execute()

    def emit(self, **content: Any) -> None:
        with self.database.write() as tx:
            emit(tx, "frame", 0.0, **content)

    def wrong(self, **known: Any) -> list[str]:
        return violations(self.root, **known)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    place = Place(tmp_path)
    yield place
    place.database.close()


def test_a_sound_site_has_no_violations(place: Place) -> None:
    assert place.wrong(
        expected_files=[place.raw], settled=True, mails={"<0@x>": 1, "<1@x>": 1},
        raw_sha256={place.raw: hashlib.sha256(b"photons").hexdigest()}, secrets=["hush"],
        remembered=remember(place.root), daemon_pid=os.getpid(),
        mailbox=place.root / "mailbox") == []


@pytest.mark.sqlite  # a server refuses such a row
def test_a_row_that_points_at_nothing(place: Place) -> None:
    place.database.db.execute_sql("PRAGMA foreign_keys = 0")
    place.add(ResultFrame, result=999, frame=place.frame)
    assert place.wrong() == ["database: a row of resultframe points at none of result"]


def test_i1_a_lost_file(place: Place) -> None:
    other = place.root / "raw" / "lost.fits"
    other.write_bytes(b"")
    assert place.wrong(expected_files=[other]) == [
        f"I1: {other} is lost: no frame knows it as it is"]


def test_i1_a_file_taken_twice(place: Place) -> None:
    row = place.frame
    place.add_frame(place.raw, size=row.size, mtime_ns=row.mtime_ns, state="superseded")
    assert place.wrong() == [f"I1: {place.raw} has 2 frames"]


def test_i1_two_versions_that_both_stand(place: Place) -> None:
    place.add_frame(place.raw, state="done")
    assert place.wrong() == [f"I1: {place.raw} has 2 frames that stand"]


@pytest.mark.parametrize("state", ["queued", "waiting"])
def test_i2_a_frame_that_nothing_leads_on(place: Place, state: str) -> None:
    left = place.add_frame(place.root / "left.fits", state=state)
    assert place.wrong() == [f"I2: frame {left.id} (left.fits) is {state} and no job leads it on"]
    place.add(Job, kind="classify", key=left.id, state="queued", changed_at=0.0)
    assert place.wrong() == []


def test_i2_a_calibration_frame_goes_on_with_its_master(place: Place) -> None:
    place.add_frame(place.root / "bias.fits", state="queued", kind="bias")
    assert len(place.wrong()) == 1
    place.add(Job, kind="master", key=place.bias.id, state="running", changed_at=0.0)
    assert place.wrong() == []


def test_i3_a_second_result_of_a_frame(place: Place) -> None:
    other = place.add_result("two", place.frame)
    assert place.wrong() == [
        f"I3: frame {place.frame.id} is in 2 results of BL Lac (photometry)"]
    place.set(Result, Result.id == other.id, withdrawn=True)
    assert place.wrong() == []


def test_i3_a_result_of_nothing(place: Place) -> None:
    place.delete(ResultFrame)
    assert place.wrong() == [f"I3: result {place.result.id} rests on no frame"]


def test_i4_a_product_that_is_not_there(place: Place) -> None:
    place.product.write_bytes(b"")
    assert place.wrong() == [f"I4: frame {place.frame.id}: {place.product} is not there"]


@pytest.mark.parametrize("content", [None, b"other"])
def test_i4_a_master_that_is_another(place: Place, content: bytes | None) -> None:
    place.master.unlink()
    if content is not None:
        place.master.write_bytes(content)
    assert [line[:3] for line in place.wrong()] == ["I4:"]


def test_i5_a_temporary_file_of_long_ago(place: Place) -> None:
    scrap = place.root / "reduced" / ".light.fits.12.tmp"
    scrap.write_bytes(b"")
    assert place.wrong() == []
    os.utime(scrap, (time.time() - 4000,) * 2)
    assert place.wrong() == [f"I5: {scrap} was left behind"]


def test_i6_a_job_that_goes_on_crashing(place: Place) -> None:
    place.set(Job, crashes=3, attempts=4, state="running")
    assert place.wrong()[0].startswith("I6: job 1 (reduce 1) is running after 3 crashes")
    place.set(Job, crashes=2, attempts=1, state="failed")
    assert place.wrong() == ["I6: job 1 crashed 2 times in 1 attempts"]


def test_i7_a_recipient_who_is_not_told(place: Place) -> None:
    place.delete(Outbox, Outbox.recipient == "two@example.org")
    assert place.wrong() == ["I7: alert 1 has messages for [('mail', 'one@example.org')]"]


def test_i7_a_message_given_up_without_a_reason_or_not_sent(place: Place) -> None:
    place.set(Outbox, Outbox.id == 1, state="failed")
    place.set(Outbox, Outbox.id == 2, state="queued")
    assert place.wrong() == ["I7: message 1 was given up without a reason"]
    assert "I7: message 2 was not sent" in place.wrong(settled=True)


def test_i8_mails_that_are_missing_repeated_and_of_nobody(place: Place) -> None:
    assert place.wrong(mails={"<0@x>": 1}) == ["I8: message 2 is marked as sent and never arrived"]
    both = {"<0@x>": 2, "<1@x>": 1}
    assert place.wrong(mails=both) == ["I8: 1 mails arrived again after 0 kills"]
    assert place.wrong(mails=both, kills=1) == []
    assert place.wrong(mails={"<0@x>": 1, "<1@x>": 1, "<2@x>": 1}) == [
        "I8: a mail <2@x> arrived of which no row tells"]


def test_i9_events_that_vanish_or_come_too_late(place: Place) -> None:
    assert place.wrong(remembered=Remembered(events=frozenset({1, 2, 3, 4}))) == [
        "I9: events [4] were seen and are no more"]
    assert place.wrong(remembered=Remembered(events=frozenset({1, 3}))) == [
        "I9: events [2] came after 3 was seen"]


def test_i10_a_raw_file_that_changed(place: Place) -> None:
    before = hashlib.sha256(place.raw.read_bytes()).hexdigest()
    place.raw.write_bytes(b"changed")
    assert place.wrong(raw_sha256={place.raw: before}) == [
        f"I10: {place.raw} is not what it was"]


def test_i11_a_worker_that_lives_on(place: Place, tmp_path: Path,
                                    monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(invariants, "_OUTLIVES", 0.05)
    (tmp_path / "fakeworker.py").write_text("import time; time.sleep(60)")
    process = subprocess.Popen([sys.executable, "-m", "fakeworker", "424242"], cwd=tmp_path,
                               env={**os.environ, "PYTHONPATH": str(tmp_path)})
    try:
        assert place.wrong(daemon_pid=424242) == [
            f"I11: workers [{process.pid}] outlived their daemon 424242 by a second"]
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert place.wrong(daemon_pid=424242) == []


def test_i12_a_flag_or_a_result_that_is_gone(place: Place) -> None:
    place.set(Result, human_flags=[{"name": "bad"}])
    seen = remember(place.root)
    assert seen.flags == {"one": [{"name": "bad"}]}
    place.set(Result, human_flags=[])
    assert place.wrong(remembered=seen) == ["I12: the flags [{'name': 'bad'}] of one are no more"]
    place.set(Result, key="other")
    assert place.wrong(remembered=seen)[0] == "I12: the result one is no more"


def test_i13_a_secret_in_log_table_or_mail(place: Place) -> None:
    log, mail = place.root / "logs" / "run.log", place.root / "mailbox" / "1.eml"
    log.write_text("password hush")
    mail.write_text("hush")
    place.emit(id="hush")
    wrong = place.wrong(secrets=["unsaid", "hush"], mailbox=mail.parent)
    assert {line.rsplit("/", 1)[-1] for line in wrong} >= {"run.log", "1.eml"}
    assert any("iop4d.db" in line or line.endswith("table event") for line in wrong)
    assert all(line.startswith("I13: secret 1 ") for line in wrong)
