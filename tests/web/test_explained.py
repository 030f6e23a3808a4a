"""What a result rests on, as text: from the measurements to what people read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from iop4d.model.result import ResultValue
from iop4d.model.source import Catalogue
from iop4d.store import provenance
from iop4d.store.database import Database
from iop4d.store.results import Origin, save_results
from iop4d.web.explained import lines_of
from tests.reduction.calibrators import STARS, TARGET, result, seen, star


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    found = Database(tmp_path / "site.db")
    yield found
    found.close()


def explained(database: Database, value: ResultValue) -> list[str]:
    origin = Origin(key="a", telescope="T", instrument="I", night="2026-01-01", frames=())
    with database.write() as tx:
        [id_] = save_results(tx, origin, (value,), now=0.0)
    with database.read() as db:
        return lines_of(provenance.explain(db, id_, index_minutes=30.0))


def test_a_wrong_star_is_seen_from_one_frame_with_its_own_zero_point(database: Database) -> None:
    catalogue = Catalogue(version=1, sources=(TARGET, *STARS, star("D", 15.0), star("E", 16.5)))
    lines = explained(database, result(
        seen("T", -6.5), seen("A", -7.0), seen("B", -6.0), seen("C", -5.0), seen("D", -5.0),
        seen("E", -4.0), catalogue=catalogue))
    [wrong] = [line for line in lines if line.startswith("  E:")]
    assert "zero point 20.5000 +- 0.0104, off by 0.5000, weight 0.00" in wrong
    assert "(left out: catalogue magnitude off by +0.50 mag against the others)" in wrong
    [good] = [line for line in lines if line.startswith("  A:")]
    assert "zero point 20.0000 +- 0.0104, off by 0.0000, weight 0.25" in good


def test_random_and_common_errors_are_named(database: Database) -> None:
    value = replace(result(seen("T", -6.5), seen("A", -7.0), seen("B", -6.0)), p=0.1, p_err=0.002,
                    p_debiased=0.1, chi_deg=30.0, chi_err_deg=0.6, chi_err_common=0.5,
                    method="fit-k")
    text = "\n".join(explained(database, value))
    assert "mag 13.5000 +- 0.0037 random +- 0.0071 common" in text
    assert "chi 30.00 +- 0.60 random +- 0.50 common deg" in text


def test_a_result_of_an_older_version_is_explained_too(database: Database) -> None:
    value = replace(result(seen("T", -6.5), seen("A", -7.0)), mag_err_common=float("nan"))
    text = "\n".join(explained(database, value))
    assert "mag 13.5000 +- 0.0044 random, zero point" in text
