"""A database of the first schema is brought up to date when it is opened, and loses nothing."""

from __future__ import annotations

from pathlib import Path

import pysqlite3
import pytest

from iop4d.store.database import Database
from iop4d.store.schema import (
    SCHEMA_VERSION,
    Alert,
    Frame,
    Group,
    Measurement,
    Outbox,
    Result,
    ResultHistory,
    Summary,
)
from tests.support.rows import first

pytestmark = pytest.mark.sqlite

_NEW = {"frame": ("polariser_deg", "beams", "x0", "y0", "subframe", "flipped", "target", "group_id",
                  "reference_id"),
        "measurement": ("beam", "photon_err", "neighbours"),
        "result": ("q", "q_err", "u", "u_err", "p_debiased", "p_limit", "method", "methods",
                   "host_mjy", "mag_nucleus", "mag_nucleus_err", "p_nucleus", "p_nucleus_err",
                   "group_id", "withdrawn"),
        "outbox": ("unsure", "grouped_by", "refused_at", "given_up_at")}


def _as_the_first(path: Path) -> None:
    """Take away what the second schema added, and leave rows behind."""
    database = Database(path)
    with database.write() as tx:
        frame = tx.create(Frame, archive="a", path="p", name="n", size=1, mtime_ns=2, state="done",
                          completed_at=1.0, seen_at=1.0, changed_at=1.0)
        tx.create(Measurement, frame=frame, source="BL Lac", x=1.0, y=2.0, flux=3.0)
        tx.create(Result, key="k", source="BL Lac", telescope="T", instrument="I",
                  night="2024-01-01", mode="photometry", band="R", jd_mid=1.0, exptime_s=1.0,
                  mag=14.0, created_at=1.0, changed_at=1.0)
        tx.create(Outbox, dedup_key="k", channel="c", recipient="r", message_id="<1>", content={},
                  state="queued", created_at=1.0)
    database.close()
    plain = pysqlite3.connect(path)
    with plain:
        for (name,) in plain.execute(
                "SELECT name FROM sqlite_master WHERE type = 'index' AND sql LIKE '%beam%' "
                "OR type = 'index' AND (sql LIKE '%group_id%' OR sql LIKE '%jd_mid%' "
                "OR sql LIKE '%withdrawn%')").fetchall():
            plain.execute(f'DROP INDEX "{name}"')
        for table, columns in _NEW.items():
            for column in columns:
                plain.execute(f'ALTER TABLE "{table}" DROP COLUMN "{column}"')
        plain.execute('DROP TABLE "group"')
        plain.execute('DROP TABLE "framestars"')
        plain.execute('CREATE UNIQUE INDEX "measurement_frame_id_source" ON "measurement" '
                      '("frame_id", "source")')
        plain.execute("PRAGMA user_version = 1")
    plain.close()


def test_a_first_database_is_brought_up_to_date_with_its_rows(tmp_path: Path) -> None:
    _as_the_first(tmp_path / "iop4d.db")
    database = Database(tmp_path / "iop4d.db")
    with database.write() as tx:
        assert tx.rows("PRAGMA user_version") == [(SCHEMA_VERSION,)]
        frame, result = tx.by_id(Frame, 1), tx.by_id(Result, 1)
        assert (frame.beams, frame.subframe, frame.target, frame.polariser_deg) == (
            1, False, "", None)
        assert (result.mag, result.q, result.withdrawn, result.methods) == (14.0, None, False, [])
        assert tx.by_id(Measurement, 1).beam == ""
        letter = tx.by_id(Outbox, 1)
        assert (letter.unsure, letter.grouped_by, letter.given_up_at) == (False, "", None)
        indexes = {name for name, in tx.rows("SELECT name FROM sqlite_master WHERE type='index'")}
        assert {"result_source_jd_mid_withdrawn", "result_jd_mid", "result_polarised",
                "result_night_source_withdrawn", "frame_night_state"} <= indexes
        # Both images of a source have a row of their own now.
        for beam in ("O", "E"):
            tx.create(Measurement, frame=frame, source="BL Lac", beam=beam, x=1.0, y=2.0, flux=3.0)
        assert tx.select(Group).count() == 0
    database.close()


def test_opening_twice_changes_nothing_more(tmp_path: Path) -> None:
    _as_the_first(tmp_path / "iop4d.db")
    for _ in range(2):
        database = Database(tmp_path / "iop4d.db")
        assert first(database, Result).mag == 14.0
        database.close()


def test_a_column_that_has_another_name_now_keeps_its_values(tmp_path: Path) -> None:
    database = Database(tmp_path / "iop4d.db")
    with database.write() as tx:
        tx.create(Alert, rule="r", source="BL Lac", band="R", episode=1, state="firing",
                  condition="mag < 13.0", fired_jd=2461000.5, fired_at=1.0, notified_at=2.0)
        tx.create(Summary, night="2024-01-01", facts={}, state="sent", made_at=1.0,
                  messages=[4, 5])
    database.close()
    with pysqlite3.connect(tmp_path / "iop4d.db") as plain:
        plain.execute('ALTER TABLE "alert" RENAME COLUMN "notified_at" TO "told_at"')
        plain.execute('ALTER TABLE "summary" RENAME COLUMN "messages" TO "letters"')
        plain.execute("PRAGMA user_version = 3")
    for _ in range(2):
        database = Database(tmp_path / "iop4d.db")
        with database.read() as db:
            assert [row.notified_at for row in db.select(Alert)] == [2.0]
            assert [row.messages for row in db.select(Summary)] == [[4, 5]]
        database.close()


def test_words_of_an_older_database_are_those_of_now(tmp_path: Path) -> None:
    """Kinds of frames and messages, methods of polarimetry, what the reduction notes of a frame."""
    database = Database(tmp_path / "iop4d.db")
    methods = [{"method": "left", "p": 0.1}, {"method": "right", "p": 0.1},
               {"method": "fit", "note": "left"}]
    with database.write() as tx:
        for kind in ("light", "flat"):
            tx.create(Frame, archive="a", path=kind, name=kind, size=1, mtime_ns=2, state="done",
                      kind=kind, completed_at=1.0, seen_at=1.0, changed_at=1.0,
                      info={"placed_by": "quads", "wcs_left": {"CRPIX1": 1.0}, "n_matched": 9})
        for method in ("left", "right", "fit-k"):
            result = tx.create(
                Result, key=method, source="BL Lac", telescope="T", instrument="I",
                night="2024-01-01", mode="polarimetry", band="R", jd_mid=1.0, exptime_s=1.0,
                method=method, methods=methods, created_at=1.0, changed_at=1.0)
            tx.create(ResultHistory, result=result.id, revision=1, replaced_at=1.0,
                      was={"method": method, "p": 0.1})
        tx.create(Summary, night="2024-01-01", state="made", made_at=1.0,
                  facts={"kinds": [{"kind": "light", "frames": 3}], "firing": 2,
                         "alerts": [{"state": "firing", "told_in": "2024-01-02"}]})
        for kind in ("again", "ended"):
            tx.create(Outbox, dedup_key=kind, channel="mail", recipient="a", message_id=kind,
                      state="queued", created_at=1.0,
                      content={"kind": kind, "subject": "it ended again"})
            tx.create(Outbox, dedup_key=f"system {kind}", channel="mail", recipient="a",
                      message_id=kind, state="queued", created_at=1.0,
                      content={"kind": "system", "state": kind})
    database.close()
    with pysqlite3.connect(tmp_path / "iop4d.db") as plain:
        plain.execute("PRAGMA user_version = 3")
    database = Database(tmp_path / "iop4d.db")
    with database.read() as db:
        light, flat = db.select(Frame).order_by(Frame.id)
        assert (light.kind, flat.kind) == ("science", "flat")
        assert light.info == {"astrometry_from": "quads", "wcs_ordinary": {"CRPIX1": 1.0},
                              "n_matched": 9}
        now = ["ordinary", "extraordinary", "fit-k"]
        results = list(db.select(Result).order_by(Result.id))
        assert [row.method for row in results] == now
        assert [m["method"] for m in results[0].methods] == ["ordinary", "extraordinary", "fit"]
        assert results[0].methods[2]["note"] == "left"
        assert [row.was["method"] for row in db.select(ResultHistory).order_by(
            ResultHistory.result)] == now
        summary = db.get(Summary, Summary.night == "2024-01-01")
        assert summary is not None
        assert summary.facts == {
            "kinds": [{"kind": "science", "frames": 3}], "active": 2,
            "alerts": [{"state": "firing", "reported_in": "2024-01-02"}]}
        assert [row.content for row in db.select(Outbox).order_by(Outbox.id)] == [
            {"kind": "reminder", "subject": "it ended again"},
            {"kind": "system", "state": "reminder"},
            {"kind": "resolved", "subject": "it ended again"},
            {"kind": "system", "state": "resolved"}]
    database.close()
