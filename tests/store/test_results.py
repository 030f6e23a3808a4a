"""Results keep their identity, their flags by hand and their history."""

from __future__ import annotations

from dataclasses import replace

import pytest

from iop4d.model.errors import Iop4dError
from iop4d.model.result import ResultValue
from iop4d.store import frames, sources, tonight
from iop4d.store.database import Database, Transaction
from iop4d.store.events import emit
from iop4d.store.flagging import clear_flag, set_flag
from iop4d.store.groups import withdraw
from iop4d.store.results import (
    Origin,
    Selection,
    frame_ids,
    save_each,
    save_results,
    select,
    take_changed_flags,
)
from iop4d.store.schema import Result, ResultHistory

NAN = float("nan")
VALUE = ResultValue(
    source="BL Lac", band="R", mode="photometry", jd_mid=2459831.4, bjd_tdb=NAN, exptime_s=60.0,
    mag=14.0, mag_err=0.01, zero_point=21.5, zero_point_err=0.01, n_calibrators=3,
    fwhm_arcsec=2.0, airmass=1.1, flags=0)
GROUP = Origin(key="T/2022-09-08/group 1", telescope="T", instrument="I", night="2022-09-08",
               frames=(), group_id=1)


def save(tx: Transaction, **changed: float) -> list[int]:
    return save_results(tx, GROUP, (replace(VALUE, **changed),), now=0.0)  # type: ignore[arg-type]


def test_results_that_were_withdrawn_are_not_listed(database: Database) -> None:
    with database.write() as tx:
        (id_,) = save(tx)
        assert [row.id for row in select(tx, Selection())] == [id_]
        withdraw(tx, 1, (), 1.0)
        assert list(select(tx, Selection())) == []
        assert save(tx) == [id_]  # it counts again
        assert [row.id for row in select(tx, Selection())] == [id_]


def test_results_of_several_origins_are_written_together(database: Database) -> None:
    origins = [replace(GROUP, key=f"T/2022-09-08/f{k}", group_id=None, frames=((k, f"f{k}"),))
               for k in (1, 2, 3)]
    with database.write() as tx:
        for k in (1, 2, 3):
            frames.create(tx, 0.0, archive="a", path=f"/f{k}", name=f"f{k}", size=1, mtime_ns=1,
                          completed_at=0.0)
        first = save_each(tx, [(origin, VALUE) for origin in origins[:2]], now=1.0)
        changed = save_each(tx, [(origins[0], VALUE), (origins[1], replace(VALUE, mag=15.0)),
                                 (origins[2], VALUE)], now=2.0)
        rows = {row.key: row for row in tx.select(Result).order_by(Result.id)}
        assert [rows[f"T/2022-09-08/f{k}/BL Lac/photometry"].id for k in (1, 2, 3)] == [
            *first, changed[1]]
        assert changed[0] == first[1]  # the first is as it was
        assert [(row.mag, row.changed_at, row.frames) for row in rows.values()] == [
            (14.0, 1.0, ["f1"]), (15.0, 2.0, ["f2"]), (14.0, 2.0, ["f3"])]
        assert [row.was["mag"] for row in tx.select(ResultHistory)] == [14.0]
        assert frame_ids(tx, [*first, changed[1]]) == {first[0]: 1, first[1]: 2, changed[1]: 3}


def _of_the_night(tx: Transaction) -> list[tonight.BandLine]:
    return tonight.bands(tonight.points(tx, GROUP.night))


def test_pages_leave_out_what_was_withdrawn_and_means_what_people_flagged(
        database: Database) -> None:
    with database.write() as tx:
        (one,) = save(tx)
        (two,) = save_results(tx, replace(GROUP, key="2", group_id=2), (replace(
            VALUE, mag=15.0, jd_mid=VALUE.jd_mid + 0.1),), now=0.0)
        assert [line.mean for line in _of_the_night(tx)] == [14.5]
        set_flag(tx, [one], "trailed", note="", by="", now=1.0)
        assert [(line.count, line.mean) for line in _of_the_night(tx)] == [(2, 15.0)]
        withdraw(tx, 2, (), 1.0)
        (line,) = _of_the_night(tx)
        assert (line.count, line.mean, line.last.id) == (1, None, one)
        assert [row.id for row in sources.latest_results(tx, "BL Lac", 9)] == [one]
        assert [line.last.id for line in sources.listed(tx) if line.last] == [one]
        assert two != one


def test_a_change_of_a_tenth_of_the_error_is_no_news(database: Database) -> None:
    with database.write() as tx:
        (id_,) = save(tx)
        assert save(tx) == []
        assert save(tx, mag=14.0009) == [id_]
        assert tx.select(ResultHistory).count() == 0
        assert save(tx, mag=14.0029) == [id_]
        (was,) = tx.select(ResultHistory)
        assert (was.revision, was.was["mag"]) == (1, 14.0009)
        assert tx.by_id(Result, id_).revision == 2


@pytest.mark.parametrize(("name", "little", "much"), [
    ("mag_limit", 0.05, 0.2), ("extinction_mag", 0.0005, 0.01), ("host_mjy", 0.001, 0.05),
    ("q_isp", 0.00001, 0.001), ("u_isp", 0.00001, 0.001)])
def test_what_else_moves_by_a_tenth_of_its_error_is_news(
        database: Database, name: str, little: float, much: float) -> None:
    errors = {"host_mjy_err": 0.1, "q_isp_err": 0.001, "u_isp_err": 0.001}
    with database.write() as tx:
        (id_,) = save(tx, **errors, **{name: 1.0})
        assert save(tx, **errors, **{name: 1.0 + little}) == [id_]
        assert tx.select(ResultHistory).count() == 0
        assert save(tx, **errors, **{name: 1.0 + little + much}) == [id_]
        assert tx.select(ResultHistory).count() == 1


def test_a_value_without_an_error_that_stays_is_no_news(database: Database) -> None:
    """Equal numbers are equal, whichever objects they are."""
    with database.write() as tx:
        save(tx, mag_err=0.0)
        save(tx, mag_err=0.0, jd_mid=float(VALUE.jd_mid + 1.0))
        assert tx.select(ResultHistory).count() == 0


def test_flags_by_hand_stay_whatever_is_measured_again(database: Database) -> None:
    with database.write() as tx:
        (id_,) = save(tx)
        set_flag(tx, [id_], "clouds", note="", by="Ana", now=1.0)
        set_flag(tx, [id_], "clouds", note="thick", by="Ana", now=2.0)
        save(tx, mag=15.0)
        assert tx.by_id(Result, id_).human_flags == [
            {"name": "clouds", "note": "thick", "by": "Ana", "at": 2.0}]
        clear_flag(tx, [id_], "clouds", note="", by="ana", now=3.0)
        assert tx.by_id(Result, id_).human_flags == []
        with pytest.raises(Iop4dError, match="no flag 'clouds'"):
            clear_flag(tx, [id_], "clouds", note="", by="ana", now=3.0)
        with pytest.raises(Iop4dError, match="no result 99"):
            set_flag(tx, [99], "clouds", note="", by="", now=3.0)


def test_changed_flags_are_taken_into_account_once(database: Database) -> None:
    with database.write() as tx:
        (id_,) = save(tx)
        set_flag(tx, [id_], "clouds", note="", by="Ana", now=1.0)
        assert take_changed_flags(tx) == [id_]
        assert take_changed_flags(tx) == []
        for n in range(1500):  # what was looked at stays so, whatever else happens
            emit(tx, "frame", 1.0, id=n)
        assert take_changed_flags(tx) == []
        set_flag(tx, [id_], "trail", note="", by="Ana", now=2.0)
        assert take_changed_flags(tx) == [id_]
