"""Which stars are in the field of a source, also where right ascensions lie close together."""

from __future__ import annotations

from pathlib import Path

import pytest

from iop4d.model.source import Source, SourceKind, twice
from iop4d.store import catalogue
from iop4d.store.database import Database
from iop4d.web.views.sources.chart import in_field


def star(name: str, ra_deg: float, dec_deg: float) -> Source:
    return Source(name=name, ra_deg=ra_deg, dec_deg=dec_deg, kind=SourceKind.TARGET)


@pytest.mark.parametrize(("centre", "near", "far"), [
    ((0.0, 89.97), (180.0, 89.97), (180.0, 89.85)),  # across the pole: 3.6 and 10.8 arcmin
    ((0.001, 5.0), (359.999, 5.0), (359.8, 5.0)),
    ((100.0, -20.0), (100.05, -20.0), (100.2, -20.0))])
def test_stars_are_in_the_field_by_their_distance_on_the_sky(
        tmp_path: Path, centre: tuple[float, float], near: tuple[float, float],
        far: tuple[float, float]) -> None:
    database = Database(tmp_path / "iop4d.db")
    with database.write() as tx:
        catalogue.save(tx, [star("A", *centre), star("B", *near), star("C", *far)])
    with database.read() as db:
        found = [one.name for one in in_field(db, catalogue.find(db, "A"), 8.0)]
    database.close()
    assert found == ["A", "B"]


def test_two_stars_at_one_place_are_found_also_across_the_pole() -> None:
    one, other = star("A", 0.0, 90.0 - 0.4 / 3600), star("B", 180.0, 90.0 - 0.4 / 3600)
    assert twice([one, other])
    assert not twice([one, star("C", 180.0, 90.0 - 1.8 / 3600)])
