"""Calibrators as a user finds and checks them."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.table import Table
from click.testing import CliRunner, Result

from iop4d.cli.catalogue import catalogue as command
from iop4d.cli.common import Context
from iop4d.config import load_site
from iop4d.fields.calibrators import download, find, merged
from iop4d.fields.star_list import from_text
from iop4d.model.errors import CatalogueError, Iop4dError
from iop4d.model.source import Source, SourceKind
from iop4d.store import catalogue as store
from iop4d.store.catalogue_csv import builtin, parse
from iop4d.store.database import Database
from iop4d.store.schema import Frame, Measurement
from tests.cli.mast import DEC, RA, mast


def bl_lac() -> Source:
    return Source(name="2200+420", ra_deg=RA, dec_deg=DEC, kind=SourceKind.TARGET)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "iop4d.toml").write_text("", encoding="utf-8")
    (tmp_path / "ps1.csv").write_text(mast(), encoding="utf-8")
    assert run(tmp_path, "import", "builtin:blazars").exit_code == 0
    return tmp_path


def run(folder: Path, *words: str | Path) -> Result:
    return CliRunner().invoke(command, list(map(str, words)),
                              obj=Context(folder=str(folder), overrides=()))


def test_the_rules_leave_two_of_nine() -> None:
    found = find(from_text(mast(), "list"), bl_lac(), (), radius_arcmin=3.5)
    assert [one.source.other_names for one in found.calibrators] == [("PS1 12",), ("PS1 11",)]
    assert found.left_out == {
        "outside the field": 1, "not 13 < r < 18": 3, "fewer than 10 detections": 1,
        "scatter of 0.01 mag or more, or unknown": 1, "a neighbour within 10 arcsec": 1}
    brightest = found.calibrators[0].source
    assert brightest.name == f"PSO J{RA + 0.01:08.4f}{DEC + 2.0 / 60.0:+08.4f}"
    assert brightest.calibrates == ("2200+420",)
    mag, err = brightest.magnitudes["R"]
    assert mag == pytest.approx(14.0 - 0.137 - 0.108 * 0.6 - 0.029 * 0.36, abs=1e-4)
    assert err == pytest.approx(0.0152, abs=2e-4)


def test_a_table_with_aperture_magnitudes_alone() -> None:
    text = mast().replace("PSFMag", "ApMag").replace("iMeanKronMag", "other")
    assert len(find(from_text(text, "list"), bl_lac(), (), radius_arcmin=3.5).calibrators) == 2


def test_vizier_names_and_no_scatter() -> None:
    text = ("objID;RAJ2000;DEJ2000;Nd;gmag;e_gmag;rmag;e_rmag;imag;e_imag\n"
            f"1;{RA};{DEC + 0.02};50;15.6;0.01;15.0;0.01;14.8;0.01\n")
    table = from_text(text, "vizier.tsv")
    with pytest.raises(CatalogueError, match="--without-scatter"):
        find(table, bl_lac(), (), radius_arcmin=3.5)
    found = find(table, bl_lac(), (), radius_arcmin=3.5, demand_scatter=False)
    assert len(found.calibrators) == 1


def test_a_missing_column_is_named() -> None:
    with pytest.raises(CatalogueError, match="no column for the number of detections"):
        find(from_text(mast().replace("nDetections", "x"), "list"), bl_lac(), (),
             radius_arcmin=3.5)


def test_known_sources_are_left_out_but_not_our_own() -> None:
    first = find(from_text(mast(), "list"), bl_lac(), (), radius_arcmin=3.5).calibrators[0].source
    again = find(from_text(mast(), "list"), bl_lac(), (first,), radius_arcmin=3.5)
    assert len(again.calibrators) == 2
    other = Source(name="B", ra_deg=first.ra_deg, dec_deg=first.dec_deg,
                   kind=SourceKind.CALIBRATOR)
    assert find(from_text(mast(), "list"), bl_lac(), (other,),
                radius_arcmin=3.5).left_out["a known source"] == 1


def test_a_star_keeps_the_targets_that_it_serves() -> None:
    old = Source(name="PSO J1", ra_deg=1, dec_deg=1, kind=SourceKind.CALIBRATOR,
                 calibrates=("A", "B"))
    new = Source(name="PSO J1", ra_deg=1, dec_deg=1, kind=SourceKind.CALIBRATOR,
                 calibrates=("B", "C"))
    assert merged([new], [old])[0].calibrates == ("A", "B", "C")


def test_found_and_imported(folder: Path) -> None:
    out = folder / "new.csv"
    ran = run(folder, "find-calibrators", "BL Lac", "--from", folder / "ps1.csv", "--output", out,
              "--import")
    assert ran.exit_code == 0, ran.output
    assert "2 calibrators of 9 entries" in ran.output
    assert "left out: outside the field" in ran.output
    assert "2 sources added, 0 replaced" in ran.output
    sources = parse(out.read_text(encoding="utf-8"), known=[bl_lac()])
    assert [set(source.magnitudes) for source in sources] == [{"B", "V", "R", "I"}] * 2
    assert "PSO J" in run(folder, "show", "BL Lac").output
    again = run(folder, "find-calibrators", "BL Lac", "--from", folder / "ps1.csv", "--most", "1",
                "--import")
    assert "0 sources added, 1 replaced" in again.output


def test_one_origin_is_needed(folder: Path) -> None:
    assert "either --from FILE or --online" in run(folder, "find-calibrators", "BL Lac").output


def test_without_astroquery_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "astroquery.mast", None)
    with pytest.raises(Iop4dError, match=r"pip install 'iop4d\[online\]'"):
        download(bl_lac(), 3.5)


def test_a_table_from_mast() -> None:
    asked: dict[str, Any] = {}

    def query(place: str, **words: Any) -> Table:
        asked.update(words, place=place)
        rows = [line.split(",") for line in mast().splitlines()]
        return Table(rows=rows[1:], names=rows[0])

    found = find(download(bl_lac(), 3.5, query), bl_lac(), (), radius_arcmin=3.5)
    assert len(found.calibrators) == 2
    assert asked["place"] == "330.6803900 +42.2777780"
    assert asked["radius"] == pytest.approx((3.5 + 10.0 / 60.0) / 60.0)
    assert "gMeanApMagStd" in asked["columns"]

    def broken(*_: Any, **__: Any) -> Table:
        raise TimeoutError("too slow")

    with pytest.raises(Iop4dError, match="MAST did not answer: too slow"):
        download(bl_lac(), 3.5, broken)


def test_the_standards_are_those_of_the_whole_table(folder: Path) -> None:
    alone = parse(builtin("standards"))
    whole = [s for s in parse(builtin("blazars")) if s.kind is SourceKind.STANDARD]
    assert repr(alone) == repr(whole)  # NaN is not equal to itself
    assert len(alone) == 17
    assert "0 sources added, 17 replaced" in run(folder, "import", "builtin:standards").output


def measure(database: Database, stars: list[Source], *, varies: str = "", wrong: str = "",
            frames: int = 30, mode: str = "photometry") -> None:
    """Frames of the stars as the catalogue has them, but for what varies or is 0.5 mag brighter."""
    rng = np.random.default_rng(6)
    with database.write() as tx:
        for number in range(frames):
            frame = tx.create(Frame,
                archive="raw", path=f"f{number}", name=f"f{number}", size=1, mtime_ns=1,
                state="done", kind="science", instrument="AndorT90", band="R", mode=mode,
                night=f"2024-03-{10 + number // 10}", jd_start=2460380.0 + number,
                completed_at=0.0, seen_at=0.0, changed_at=0.0)
            cloud = rng.normal(0.0, 0.2)
            for order, star in enumerate(stars):
                mag = star.magnitudes["R"][0] - 21.0 + cloud + rng.normal(0.0, 0.005)
                mag += 0.1 * (-1) ** number if star.name == varies else 0.0
                mag -= 0.5 if star.name == wrong else 0.0
                tx.create(Measurement, frame=frame, source=star.name, x=1.0, y=1.0, mag_inst=mag,
                                   mag_inst_err=0.005, flags=1 if (number, order) == (3, 0) else 0)


def test_a_variable_calibrator_is_told(folder: Path) -> None:
    nothing = run(folder, "check-calibrators", "BL Lac")
    database = Database(load_site(folder, ()).database)
    with database.read() as db:
        stars = store.load(db).calibrators_of("2200+420")
    names = [s.name for s in stars]
    assert f"No measurements of the {len(names)} calibrators" in nothing.output
    measure(database, stars, varies=names[1])
    database.close()
    ran = run(folder, "check-calibrators", "BL Lac", "--band", "R")
    assert ran.exit_code == 0, ran.output
    assert "AndorT90 R: 30 frames of 3 nights" in ran.output
    lines = {name: line for name in names for line in ran.output.splitlines() if name in line}
    assert [name for name, line in lines.items() if line.endswith("varies")] == [names[1]]
    assert " 29 " in lines[names[0]]  # the saturated one is left out
    (facts,) = json.loads(run(folder, "check-calibrators", "BL Lac", "--json").output)
    assert (facts["band"], facts["frames"], facts["nights"]) == ("R", 30, 3)
    assert [star["name"] for star in facts["calibrators"] if star["varies"]] == [names[1]]


@pytest.mark.parametrize(("frames", "mode"), [(1, "photometry"), (4, "polarimetry")])
def test_a_wrong_catalogue_magnitude_is_named_from_one_frame_or_group(folder: Path, frames: int,
                                                                      mode: str) -> None:
    database = Database(load_site(folder, ()).database)
    with database.read() as db:
        stars = store.load(db).calibrators_of("2200+420")
    measure(database, stars, wrong=stars[1].name, frames=frames, mode=mode)
    database.close()
    ran = run(folder, "check-calibrators", "BL Lac")
    assert ran.exit_code == 0, ran.output
    named = [line.split("  ")[1] for line in ran.output.splitlines() if "off by +" in line]
    assert named == [stars[1].name]
    assert re.search(r"catalogue magnitude off by \+0\.5\d mag against the others", ran.output)


def test_a_star_of_two_imports_is_named(tmp_path: Path) -> None:
    (tmp_path / "iop4d.toml").write_text("", encoding="utf-8")
    context = Context(folder=str(tmp_path), overrides=())
    for name, ra in (("A", 10.0), ("2MASS A", 10.0002)):
        table = tmp_path / f"{name}.csv"
        table.write_text(f"name,ra,dec,kind\n{name},{ra},60,calibrator\n", encoding="utf-8")
        ran = CliRunner().invoke(command, ["import", str(table)], obj=context)
        assert ran.exit_code == 0
        assert ("A and 2MASS A are 0.4 arcsec apart: one star" in ran.output) == (name != "A")
    ran = CliRunner().invoke(command, ["check"], obj=context)
    assert ran.exit_code == 1
    assert "2 sources; pairs within 2 arcsec: 1." in ran.output
