"""Spectral indices of results: which results make one."""

from __future__ import annotations

from typing import Any

import pytest

from iop4d.model.flags import Flag
from iop4d.store import spectral
from iop4d.store.database import Database, Transaction
from iop4d.store.flagging import set_flag
from iop4d.store.results import Selection, select
from iop4d.store.schema import Result
from iop4d.store.spectral import indices

MINUTE = 1.0 / 1440.0


def point(tx: Transaction, band: str, minute: float, mag: float, **more: Any) -> int:
    values = {"source": "S", "mode": "photometry", "telescope": "T", "night": "2024-01-01",
              "extinction_mag": 0.1, "mag_err": 0.01, "instrument": "I"} | more
    row = tx.create(Result, key=f"{band}{minute}{mag}", band=band,
                    jd_mid=2460311.0 + minute * MINUTE, exptime_s=1.0, mag=mag, created_at=1.0,
                    changed_at=1.0, **values)
    return int(row.id)


def partners(tx: Transaction, minutes: float = 30.0) -> dict[int, int]:
    return {id_: other for id_, (_, other) in indices(
        tx, list(select(tx, Selection())), minutes).items()}


def test_the_nearest_of_the_band_with_the_longest_lever_is_the_other(database: Database) -> None:
    with database.write() as tx:
        far, near, red, visual = (point(tx, "B", 0, 15.0), point(tx, "B", 8, 15.0),
                                  point(tx, "R", 10, 14.0), point(tx, "V", 10, 14.5))
        assert partners(tx) == {far: red, near: red, red: near, visual: near}
        # A single result is asked about alone: its partners are found all the same.
        alone = tx.by_id(Result, red)
        (found, other) = indices(tx, [alone], 30.0)[red]
        assert other == near
        # R and B differ by as much dust; 1 mag and the zero points are the slope.
        assert found.alpha == pytest.approx(-1.691, abs=0.002)
        assert found.err == pytest.approx(0.0342, abs=0.0002)


@pytest.mark.parametrize("other", [
    {"minute": 41.0}, {"telescope": "U"}, {"night": "2024-01-02"}, {"extinction_mag": None},
    {"flags": int(Flag.SATURATED)}, {"withdrawn": True}, {"band": "R"}, {"band": "Clear"}])
def test_of_another_time_place_or_worth_it_makes_none(database: Database,
                                                      other: dict[str, Any]) -> None:
    with database.write() as tx:
        red = point(tx, "R", 10, 14.0)
        point(tx, **({"band": "B", "minute": 0, "mag": 15.0} | other))
        assert red not in partners(tx)


def test_a_stack_makes_an_index_with_a_stack_alone(database: Database) -> None:
    with database.write() as tx:
        red, blue = point(tx, "R", 10, 14.0), point(tx, "B", 0, 15.0)
        stack = point(tx, "B", 10, 15.1, mode="stack")
        assert partners(tx) == {red: blue, blue: red}
        other = point(tx, "R", 20, 14.1, mode="stack")
        assert partners(tx) == {red: blue, blue: red, stack: other, other: stack}


def test_of_many_results_of_a_source_those_of_others_are_not_read(database: Database) -> None:
    """However many results are asked about: what counts is of how many sources they are."""
    with database.write() as tx:
        for n in range(3):
            point(tx, "R", n, 14.0)
            point(tx, "R", n, 13.0, source="Another")
        rows = [row for row in select(tx, Selection()) if row.source == "S"]
        places = spectral._series(tx, rows * 1000, 30.0)
    assert {source for source, *_ in places} == {"S"}


def test_a_flag_by_hand_takes_the_index_away_at_once(database: Database) -> None:
    with database.write() as tx:
        red, blue = point(tx, "R", 10, 14.0), point(tx, "B", 0, 15.0)
        assert partners(tx) == {red: blue, blue: red}
        set_flag(tx, [blue], "trailed", note="", by="", now=1.0)
        assert partners(tx) == {}
