"""A change of the catalogue by hand is kept with who and when, and can be undone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from iop4d.model.errors import CatalogueError
from iop4d.model.source import Source
from iop4d.store import catalogue, catalogue_changes, recalibrated
from iop4d.store.catalogue_csv import parse
from iop4d.store.database import Database, Transaction
from iop4d.store.schema import Result, ResultHistory

TABLE = """name,other_names,ra,dec,kind,calibrates,mag_R,mag_R_err,note
T,Target,10,20,target,,,,
A,,10.01,20,calibrator,T,14.0,0.01,good
B,,10.02,20,calibrator,T,15.0,0.02,
"""
ANA = {"by": "ana", "at": 100.0}


@pytest.fixture
def filled(database: Database) -> Database:
    with database.write() as tx:
        catalogue.save(tx, parse(TABLE))
    return database


def star(tx: Transaction, name: str = "A") -> Source:
    return catalogue.find(tx, name)


def test_an_edit_is_kept_with_what_it_changed_and_undone(filled: Database) -> None:
    with filled.write() as tx:
        version = catalogue.version(tx)
        changed = replace(star(tx), magnitudes={"R": (14.05, 0.01)}, note="")
        catalogue_changes.edit(tx, star(tx), changed, why="Smith 2020", **ANA)
        (change,) = catalogue_changes.of_source(tx, "T")
        assert catalogue.version(tx) > version  # a running daemon follows
    assert (change.by, change.at, change.act, change.subject, change.why) == (
        "ana", 100.0, "edit source", "source A", "Smith 2020")
    assert sorted((one.column, one.was, one.now) for one in change.differences) == [
        ("mag_R", "14", "14.05"), ("note", "good", "")]
    assert change.targets == ("A", "T")
    assert not change.moves_places
    with filled.write() as tx:
        catalogue_changes.undo(tx, change, by="ben", at=200.0)
        assert star(tx).magnitudes == {"R": (14.0, 0.01)}
        newest = catalogue_changes.of_source(tx, "T")[0]
        assert (newest.by, newest.act) == ("ben", "undo change of the catalogue")
        with pytest.raises(CatalogueError, match="changed again since"):
            catalogue_changes.undo(tx, change, by="ben", at=300.0)


def test_what_changes_nothing_is_refused_and_leaves_no_row(filled: Database) -> None:
    with filled.write() as tx:
        with pytest.raises(CatalogueError, match="nothing was changed"):
            catalogue_changes.edit(tx, star(tx), star(tx), **ANA)
        assert catalogue_changes.of_source(tx, "A") == []


def test_a_star_leaves_the_zero_points_and_comes_back(filled: Database) -> None:
    with filled.write() as tx:
        catalogue_changes.serve(tx, star(tx), star(tx, "T"), serves=False, **ANA)
        assert [one.name for one in catalogue.load(tx).calibrators_of("T")] == ["B"]
        (change,) = catalogue_changes.of_source(tx, "T")
        assert change.act == "exclude calibrator"
        assert change.moves_places
        catalogue_changes.serve(tx, star(tx), star(tx, "T"), serves=True, **ANA)
        assert [one.name for one in catalogue.load(tx).calibrators_of("T")] == ["A", "B"]


def test_a_removed_source_comes_back_with_its_calibrators(filled: Database) -> None:
    with filled.write() as tx:
        catalogue_changes.remove(tx, star(tx, "T"), **ANA)
        assert star(tx).calibrates == ()
        (change,) = catalogue_changes.of_source(tx, "T")
        assert change.differences[0].now == ""
        catalogue_changes.undo(tx, change, by="ana", at=101.0)
        assert [one.name for one in catalogue.load(tx).calibrators_of("T")] == ["A", "B"]
        assert star(tx, "Target").ra_deg == 10.0


def test_added_calibrators_are_one_change(filled: Database) -> None:
    with filled.write() as tx:
        new = [replace(star(tx), name=name, ra_deg=10.0 + place, id=0)
               for name, place in (("C", 0.03), ("D", 0.04))]
        catalogue_changes.adopt(tx, new, star(tx, "T"), **ANA)
        (change,) = catalogue_changes.of_source(tx, "T")
        assert change.was == {"C": None, "D": None}
        catalogue_changes.undo(tx, change, by="ana", at=101.0)
        assert [one.name for one in catalogue.load(tx).sources] == ["T", "A", "B"]


def test_a_source_of_a_name_that_is_taken_is_refused(filled: Database) -> None:
    with filled.write() as tx, pytest.raises(CatalogueError, match="share a name"):
        catalogue_changes.add(tx, replace(star(tx), name="target", id=0), **ANA)


def test_another_name_is_kept_too_and_is_no_matter_of_undoing(filled: Database) -> None:
    with filled.write() as tx:
        catalogue_changes.rename(tx, star(tx, "T"), "BL Lac", **ANA)
        (change,) = catalogue_changes.of_source(tx, "BL Lac")
        assert (change.act, change.subject) == ("rename source", "source BL Lac")
        with pytest.raises(CatalogueError, match="a change of name, or an imported table"):
            catalogue_changes.undo(tx, change, **ANA)


def test_what_moved_is_known_from_the_value_before_the_change(filled: Database) -> None:
    """Three results moved since; one of them twice. One moved before."""
    with filled.write() as tx:
        for number, (was, now, at) in enumerate((
                ((14.0,), 14.1, (150.0,)), ((14.2, 14.25), 14.3, (150.0, 160.0)),
                ((14.4,), 14.5, (160.0,)), ((13.0,), 12.0, (50.0,)))):
            row = tx.create(
                Result, key=f"k{number}", source="T", telescope="X", instrument="I",
                night="2026-01-01", mode="photometry", band="R", jd_mid=1.0 + number,
                exptime_s=1.0, mag=now, created_at=1.0, changed_at=max(at))
            for revision, (mag, replaced) in enumerate(zip(was, at, strict=True), start=1):
                tx.create(ResultHistory, result=row.id, revision=revision, replaced_at=replaced,
                          was={"mag": mag, "p": None})
        found = recalibrated.progress(tx, ["T", "A"], 100.0)
    (moved,) = found.moved
    assert (moved.source, moved.band, moved.count) == ("T", "R", 3)
    assert moved.mag_was == pytest.approx(14.2)
    assert moved.mag == pytest.approx(14.3)
    assert moved.largest == pytest.approx(0.1)
    assert not found.is_followed
    assert found.left == 0


def test_a_table_leaves_a_row_with_what_it_changed_alone(filled: Database) -> None:
    with filled.write() as tx:
        again = parse(TABLE.replace("15.0", "15.1") + "C,,10.03,20,calibrator,T,16.0,0.02,\n",
                      known=catalogue.load(tx).sources)
        assert catalogue_changes.import_table(tx, again, why="new.csv", **ANA) == (1, 3)
        assert catalogue_changes.import_table(tx, again, why="new.csv", **ANA) == (0, 4)
        (change,) = catalogue_changes.of_source(tx, "T")
        assert (change.act, change.why) == ("import sources", "new.csv")
        assert set(change.now) == {"B", "C"}
        (mine,) = catalogue_changes.of_source(tx, "C")  # of the page of one star
        assert [one.source for one in mine.differences] == ["C"]
        assert catalogue_changes.of_source(tx, "A") == []
