"""What light curves read of the database."""

from __future__ import annotations

from pathlib import Path

import pytest

from iop4d.store import curves
from tests.web.curves.measured import SOURCE, database_of


def test_the_extent_is_of_the_points_that_stand(tmp_path: Path) -> None:
    with database_of(tmp_path, {}, {}, {"withdrawn": True}).read() as db:
        found = curves.extent(db, SOURCE)
        assert (found.count, found.first_jd, found.last_jd) == pytest.approx(
            (2, 2461367.3, 2461367.31))
        assert curves.extent(db, "nobody").count == 0


def test_the_sources_before_and_after_are_those_of_the_list(tmp_path: Path) -> None:
    with database_of(tmp_path, {}, {"source": "3C 273"}, {"source": "Mrk 421"}).read() as db:
        assert curves.neighbours(db, SOURCE, ["ON 231"]) == ("3C 273", "Mrk 421")
        assert curves.neighbours(db, "Mrk 421", ["ON 231"]) == (SOURCE, "ON 231")
        assert curves.neighbours(db, "3C 273", []) == ("", SOURCE)


def test_bands_and_instruments_are_those_that_measured(tmp_path: Path) -> None:
    with database_of(tmp_path, {}, {"band": "V"}, {"band": "V", "instrument": "DIPOL"},
                     {"band": "I", "withdrawn": True}).read() as db:
        assert sorted(curves.kinds(db, SOURCE)) == [("R", "CAFOS"), ("V", "CAFOS"), ("V", "DIPOL")]
