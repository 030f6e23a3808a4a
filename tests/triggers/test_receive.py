"""A notice becomes one row, with its source, its time and what became of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from iop4d.config.triggers import Triggers
from iop4d.model.states import TriggerState
from iop4d.store import catalogue, catalogue_edit, triggers
from iop4d.store.catalogue_csv import parse
from iop4d.store.database import Database, Transaction
from iop4d.store.trigger_table import Trigger
from iop4d.triggers.receive import Received, match_again, receive
from tests.support.rows import rows
from tests.triggers.told import FLARED_AT, ISSUED_AT, TEXT, VOEVENT, unified

NOW = ISSUED_AT + 600.0
HOUR = 3600.0
SETTINGS = Triggers(for_hours=48.0)
TABLE = """name,other_names,ra,dec,kind,calibrates
2200+420,BL Lac,330.6804,42.2778,target,
B,,330.69,42.28,calibrator,2200+420
3C 454.3,,343.4906,16.1482,target,
"""


@pytest.fixture
def filled(database: Database) -> Database:
    with database.write() as tx:
        catalogue.save(tx, parse(TABLE))
    return database


def told(database: Database, *bodies: bytes, settings: Triggers = SETTINGS, now: float = NOW,
         origin: str = "topic x") -> list[Received]:
    with database.write() as tx:
        return [receive(tx, body, origin=origin, settings=settings, now=now) for body in bodies]


def test_a_flare_raises_its_source_until_its_time_is_over(filled: Database) -> None:
    (found,) = told(filled, TEXT)
    assert found.is_new
    row = found.row
    assert (row.source, row.named, row.state) == ("2200+420", "BLLac", TriggerState.ACCEPTED)
    assert (row.at, row.issued_at, row.received_at) == (FLARED_AT, ISSUED_AT, NOW)
    assert row.until == ISSUED_AT + 48 * HOUR, "from when it was written, however late it comes"
    with filled.read() as db:
        assert triggers.active_sources(db, row.until - 1.0) == {"2200+420"}
        assert triggers.active_sources(db, row.until) == frozenset()


def test_one_event_counts_once_over_all_ways(filled: Database) -> None:
    first, again, other_way = told(filled, TEXT, TEXT, VOEVENT)
    by_api, by_topic = told(filled, unified(), unified(), origin="account ana")
    assert [one.is_new for one in (first, again, other_way, by_api, by_topic)] == [
        True, False, False, True, False]
    assert [row.origin for row in rows(filled, Trigger)] == ["topic x", "account ana"]


def test_programs_without_a_mission_number_the_events_of_each_source(filled: Database) -> None:
    one, other, again = told(filled, b'{"source": "BL Lac", "id": 1}',
                             b'{"source": "3C 454.3", "id": 1}',
                             b'{"source": "bllac", "id": 1, "text": "again"}')
    assert [found.is_new for found in (one, other, again)] == [True, True, False]
    assert [row.source for row in rows(filled, Trigger)] == ["2200+420", "3C 454.3"]


def test_an_update_replaces_what_the_row_says_and_shortens_nothing(filled: Database) -> None:
    told(filled, unified())
    (later,) = told(filled, unified(alert_type="update", alert_datetime="2023-02-23T17:49:32Z",
                                    image_snr=9.0, hours=1))
    assert not later.is_new
    assert (later.row.significance, later.row.until) == (9.0, ISSUED_AT + 48 * HOUR)
    (older,) = told(filled, unified(image_snr=1.0, alert_datetime="2023-02-23T12:00:00Z"))
    assert older.row.significance == 9.0


def test_what_is_taken_back_raises_nothing_whatever_comes_after(filled: Database) -> None:
    told(filled, unified())
    (back,) = told(filled, unified(alert_type="retraction"), now=NOW + 60.0)
    assert (back.row.state, back.row.until) == (TriggerState.WITHDRAWN, NOW + 60.0)
    told(filled, unified(alert_datetime="2023-02-23T17:49:32Z"), now=NOW + 120.0)
    told(filled, unified(id="g-1", alert_type="retraction"), unified(id="g-1"))
    with filled.read() as db:
        assert triggers.active(db, NOW + 200.0) == []
    assert [row.state for row in rows(filled, Trigger)] == [TriggerState.WITHDRAWN] * 2


def test_one_that_a_person_ended_stays_ended(filled: Database) -> None:
    (found,) = told(filled, unified())
    with filled.write() as tx:
        ended = triggers.end(tx, found.row, by="ana", now=NOW, why="known")
        assert (ended.state, ended.until, ended.reason) == (
            TriggerState.ENDED, NOW, "ended by ana: known")
        assert triggers.end(tx, ended, by="ben", now=NOW).reason == "ended by ana: known"
    (again,) = told(filled, unified(alert_datetime="2023-02-23T17:49:32Z"), now=NOW + 9999.0)
    assert again.row.state == TriggerState.ENDED


@pytest.mark.parametrize(("fields", "source"), [
    ({"event_name": ["GRB 1"], "ra": 330.70, "dec": 42.278}, "2200+420"),  # 0.9 arcmin
    ({"event_name": ["GRB 1"], "ra": 331.0, "dec": 42.278}, ""),  # 14 arcmin, the error is 3
    ({"event_name": ["GRB 1"], "ra": 331.0, "dec": 42.278, "ra_dec_error": 0.5}, "2200+420"),
    ({"event_name": ["GRB 1"], "ra_dec_error": 5.0}, ""),  # names half the sky
    ({"event_name": None, "source": "3c454.3", "ra": None, "dec": None}, "3C 454.3"),
    ({"event_name": "Nova", "ra": None, "dec": None}, ""),
])
def test_the_source_is_that_of_the_name_or_the_nearest_target_within_the_error(
        fields: dict[str, object], source: str, filled: Database) -> None:
    (found,) = told(filled, unified(**fields))
    assert found.row.source == source
    assert (found.row.state == TriggerState.UNMATCHED) is not bool(source)


def test_a_position_counts_the_short_way_over_zero_hours(database: Database) -> None:
    with database.write() as tx:
        catalogue.save(tx, parse("name,ra,dec,kind\nA,359.99,0,target\n"))
    (found,) = told(database, unified(event_name=None, ra=0.01, dec=0.0))
    assert found.row.source == "A"


def test_an_unknown_source_is_kept_and_found_once_the_catalogue_has_it(filled: Database) -> None:
    (found,) = told(filled, unified(event_name="Mrk 421", ra=None, dec=None))
    assert (found.row.state, found.row.reason) == (
        TriggerState.UNMATCHED, "the catalogue does not have Mrk 421")
    with filled.write() as tx:
        assert match_again(tx, SETTINGS, NOW) == 0
        catalogue.save(tx, parse("name,other_names,ra,dec,kind\nMkn 421,Mrk 421,166.1,38.2,target\n"
                                 ))
        assert match_again(tx, SETTINGS, NOW + 49 * HOUR) == 0, "its time is over"
        assert match_again(tx, SETTINGS, NOW) == 1
        assert triggers.active_sources(tx, NOW) == {"Mkn 421"}


def test_tests_and_faint_ones_are_kept_and_raise_nothing(filled: Database) -> None:
    strict = replace(SETTINGS, min_significance=5.6)
    test, faint, enough, unsaid = told(
        filled, unified(alert_type="test"), unified(id="2", image_snr=5.5),
        unified(id="3", image_snr=5.6), unified(id="4", image_snr=None), settings=strict)
    assert [one.row.state for one in (test, faint, enough, unsaid)] == [
        TriggerState.IGNORED, TriggerState.IGNORED, TriggerState.ACCEPTED, TriggerState.ACCEPTED]
    assert faint.row.reason == "5.5 sigma; min_significance is 5.6"


def test_what_cannot_be_read_is_kept_once_with_the_reason(filled: Database) -> None:
    first, again = told(filled, b"\x00no notice", b"\x00no notice")
    assert (first.is_new, again.is_new) == (True, False)
    (row,) = rows(filled, Trigger)
    assert (row.state, row.content) == (TriggerState.UNREADABLE, " no notice")
    assert "NOTICE_TYPE" in row.reason
    with filled.read() as db:
        assert [one.id for one in triggers.unmatched(db)] == [row.id]


def test_another_name_of_the_source_is_that_of_its_triggers(filled: Database) -> None:
    told(filled, TEXT)

    def rename(tx: Transaction) -> None:
        catalogue_edit.rename(tx, catalogue.find(tx, "BL Lac"), "BL Lacertae")

    with filled.write() as tx:
        rename(tx)
        assert triggers.active_sources(tx, NOW) == {"BL Lacertae"}


@pytest.mark.parametrize(("fields", "until"), [
    ({"hours": 2}, ISSUED_AT + 2 * HOUR), ({"until": "2023-03-01T00:00:00Z"}, 1677628800.0),
    ({"alert_datetime": "2030-01-01T00:00:00Z"}, NOW + 48 * HOUR),  # a clock that is wrong
    ({"alert_datetime": None}, NOW + 48 * HOUR),
])
def test_a_notice_may_say_for_how_long(fields: dict[str, object], until: float,
                                       filled: Database) -> None:
    (found,) = told(filled, unified(**fields))
    assert found.row.until == until
