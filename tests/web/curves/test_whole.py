"""A light curve is read once, and again when a result of its source has changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from iop4d.store import changes
from iop4d.store.database import Database
from iop4d.store.schema import Result
from iop4d.web.curves import whole
from iop4d.web.curves.choice import ALWAYS
from tests.web.curves.measured import SOURCE, database_of, polarised


def _read_only(path: Path) -> Database:
    return Database(path / "iop4d.db", read_only=True)


def test_a_mark_changes_with_its_source_alone(tmp_path: Path) -> None:
    database, reader = database_of(tmp_path, {}, {}), _read_only(tmp_path)
    with reader.read() as db:
        first, other = changes.mark(db, SOURCE), changes.mark(db, "OJ 287")
        assert changes.mark(db, SOURCE) == first
        with database.write() as tx:
            tx.set_by_key(Result, 1, mag=13.0)
        second = changes.mark(db, SOURCE)
        assert second != first
        assert changes.mark(db, "OJ 287") == other
        with database.write() as tx:
            tx.delete(Result).where(Result.id == 2).execute()
        assert changes.mark(db, SOURCE) not in (first, second)
    with database.read() as db:
        assert changes.mark(db, SOURCE) is None


def test_changes_that_are_no_longer_known_make_every_mark_another(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    database, reader = database_of(tmp_path, {}, {}), _read_only(tmp_path)
    monkeypatch.setattr(changes, "_KEEP", 1)
    with reader.read() as db:
        before = changes.mark(db, SOURCE), changes.mark(db, "OJ 287")
        with database.write() as tx:
            for mag in (13.0, 12.0, 11.0):
                tx.set_by_key(Result, 1, mag=mag)
            changes.trim(tx)
        after = changes.mark(db, SOURCE), changes.mark(db, "OJ 287")
    assert before[0] != after[0]
    assert before[1] != after[1]


def test_a_light_curve_is_read_again_when_its_source_changed(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    database = database_of(tmp_path, *({"mag": 14.0 + i} for i in range(4)), polarised(20.0))
    read, made = [], whole.series_of
    monkeypatch.setattr(whole, "series_of", lambda *given: read.append(given) or made(*given))

    def brightest(since: float = ALWAYS[0], until: float = ALWAYS[1]) -> list[float]:
        found = whole.source_curve(db, SOURCE, "mag", since, until)
        assert [night.size for night in found.nights()] == [1] * len(found.series)
        return [float(y) for one in found.series for y in one.columns["y"]]

    with _read_only(tmp_path).read() as db:
        assert len(brightest()) == 5
        assert brightest(2461367.305, 2461367.325) == [15.0, 16.0]
        assert brightest(2461400.0) == []
        assert len(read) == 1
        with database.write() as tx:
            tx.set_by_key(Result, 2, mag=11.0)
        assert brightest(2461367.305, 2461367.325) == [11.0, 16.0]
        assert len(read) == 2
        monkeypatch.setattr(whole, "_LONGEST", 4)
        with database.write() as tx:
            tx.set_by_key(Result, 2, mag=12.0)
        assert [len(brightest()) for _ in range(2)] == [5, 5]
        assert len(read) == 4


def test_what_is_made_of_a_sources_results_is_kept_until_one_changes(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    database, made = database_of(tmp_path, {}), []
    monkeypatch.setattr(changes, "_MOST_KEPT", 2)

    def count(source: str = SOURCE) -> int:
        return changes.kept_of(db, source, "count", lambda: made.append(source) or len(made))

    with _read_only(tmp_path).read() as db:
        assert [count(), count()] == [1, 1]
        with database.write() as tx:
            tx.set_by_key(Result, 1, mag=13.0)
        assert [count(), count()] == [2, 2]
        assert [count("OJ 287"), count("3C 66A"), count("OJ 287"), count()] == [3, 4, 3, 5]
    with database.read() as db:
        assert [count(), count()] == [6, 7]
