"""Selections: what they find is what ``iop4d results`` writes; what makes no sense is said."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from astropy import units as u
from astropy.table import QTable
from astropy.time import Time
from click.testing import CliRunner

import iop4d
from iop4d.cli import cli
from iop4d.library import NotFoundError, NotInstalledError, SelectionError, Site
from iop4d.store.tables.results import FIRST, MORE
from tests.library.made import FLARE
from tests.reduction.small import TARGET


def test_import_iop4d_imports_nothing_heavy() -> None:
    said = subprocess.run(
        [sys.executable, "-c", "import sys, iop4d; print([m for m in ('astropy', 'numpy', 'peewee')"
         " if m in sys.modules], iop4d.__version__)"], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == f"[] {iop4d.__version__}"
    with pytest.raises(AttributeError, match="no attribute 'opne'"):
        iop4d.opne  # noqa: B018


def test_the_table_is_what_iop4d_results_writes(site: Site, tmp_path: Path) -> None:
    file = tmp_path / "results.ecsv"
    ran = CliRunner().invoke(cli, ["--site", str(site.folder), "results", "--all-columns",
                                   "--format", "ecsv", "--output", str(file)])
    assert ran.exit_code == 0, ran.output
    written, table = QTable.read(file), site.results.table()
    assert table.colnames == written.colnames
    assert len(table) == len(written) == len(FLARE)
    for column in FIRST + MORE:
        mine, theirs = table[column.name], written[column.name]
        assert getattr(mine, "unit", None) == getattr(theirs, "unit", None), column.name
        assert mine.info.description == column.says
        if column.kind in ("number", "day"):
            assert np.allclose(np.asarray(mine), np.asarray(theirs), rtol=0, equal_nan=True,
                               atol=0.51 * 10.0**-(column.digits or 0)), column.name
        elif column.kind in ("whole", "yes-no"):
            assert list(np.ma.filled(mine, -1)) == list(np.ma.filled(theirs, -1)), column.name
        else:
            assert [str(value) for value in mine] == [
                "" if value is np.ma.masked else str(value) for value in theirs], column.name
    assert "please cite" in table.meta["citation"]
    assert (table["mag_err_common"] > 0 * u.mag).all(), "apart from the random ones"


def test_the_flare_is_seen(site: Site) -> None:
    table = site.results(source="Target").table()
    truth = (TARGET.mag - np.array(FLARE)) * u.mag
    assert (np.abs(table["mag"] - truth) < 5 * table["mag_err"] + 0.02 * u.mag).all()
    series = site.results(source="Target").timeseries("mag", "mag_err")
    assert series.time.scale == "utc"
    assert series.time.jd == pytest.approx(table["jd_mid"].value, abs=1e-9)
    assert (series["mag"] == table["mag"]).all()
    with pytest.raises(SelectionError, match="none of jd_mid, bjd_tdb"):
        site.results.timeseries(by="mag")
    later = site.results.timeseries("mag", by="bjd_tdb").time
    assert later.scale == "tdb"


def test_keywords_select(site: Site) -> None:
    jd = site.results.table("jd_mid")["jd_mid"].value
    assert len(site.results) == 3
    assert len(site.results(source="BL Lac", band="R", instrument="Small", telescope="Test",
                            mode="photometry", since="2024-01-15", until=date(2024, 1, 15))) == 3
    assert [r["id"] for r in site.results(good=True)] == [1, 3]
    assert [r["id"] for r in site.results(flags_has="trailed")] == [2]
    assert [r["id"] for r in site.results(since=Time(jd[1] - 1e-6, format="jd"))] == [2, 3]
    assert len(site.results(since=datetime(2024, 1, 15, 22, 0, 30, tzinfo=UTC))) == 2
    assert len(site.results(mag=(13.5, 13.8))) == 1
    assert len(site.results(mag=(None, 13500 * u.mmag))) == 1
    assert len(site.results(band=["R", "R"], source=site.source("Target"))) == 3
    assert len(site.results(night=["2024-01-15"])(good=True)) == 2
    assert len(site.frames(name_matches="^bias")) == 3
    assert not site.results(since="2030-01-01")
    assert site.results(since="2030-01-01").table().colnames == site.results.table().colnames
    assert site.results(since="2030-01-01").first() is None
    assert site.results.last()["id"] == 3
    assert site.frames.first()["id"] == 9
    assert site.frames.last()["id"] == 1


@pytest.mark.parametrize(("keywords", "kind", "said"), [
    ({"bnad": "R"}, TypeError, "did you mean band"),
    ({"wavelength": 1}, TypeError, "there are since, until, id, source"),
    ({"band": "Q"}, SelectionError, "'Q' is unknown; there are R"),
    ({"instrument": "Smal"}, SelectionError, "'Smal' is unknown; there are .*Small"),
    ({"source": "BL Lak"}, NotFoundError, "no source is named 'BL Lak'; did you mean BL Lac"),
    ({"source": "Targ"}, NotFoundError, "did you mean Target"),
    ({"mode": "photo"}, SelectionError, "none of photometry, polarimetry, stack"),
    ({"mag": 13.0}, SelectionError, r"a pair mag=\(from, to\)"),
    ({"mag": (1, 2, 3)}, SelectionError, "several values are a list"),
    ({"mag": (1 * u.s, None)}, SelectionError, "mag: is in mag"),
    ({"band": []}, SelectionError, "at least one value"),
    ({"band": ""}, SelectionError, "found an empty text"),
    ({"spectral_index": (0, 1)}, SelectionError, "computed when it is read"),
])
def test_what_makes_no_sense_is_said_at_once(site: Site, keywords: dict[str, object],
                                             kind: type[Exception], said: str) -> None:
    with pytest.raises(kind, match=said):
        site.results(**keywords)
    assert issubclass(kind, TypeError | ValueError | LookupError)


def test_what_is_wrong_later_is_said_in_words_too(site: Site) -> None:
    with pytest.raises(SelectionError, match="'soon' is not a time"):
        site.results(since="soon").table()
    with pytest.raises(SelectionError, match="results have no column 'magg'"):
        site.results.table("magg")
    with pytest.raises(SelectionError, match="good is selected already"):
        site.results(good=True)(good=False)


def test_packages_that_are_not_installed_are_named(
        site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("pandas", "lightkurve"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(NotInstalledError, match="pip install pandas"):
        site.results.pandas()
    with pytest.raises(ImportError, match="pip install lightkurve"):
        site.results.lightkurve()


class _LightCurve:
    """What lightkurve's takes: as its own, it keeps the time that it is given."""

    def __init__(self, *, time: Time, flux: u.Quantity, flux_err: u.Quantity,
                 meta: dict[str, object]) -> None:
        self.time, self.flux, self.flux_err, self.meta = time, flux, flux_err, meta


@pytest.mark.parametrize("real", [True, False])
def test_a_light_curve_of_lightkurve_has_no_index_of_a_series(
        site: Site, real: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its bin() failed by one."""
    if real:
        pytest.importorskip("lightkurve")
    else:
        monkeypatch.setitem(sys.modules, "lightkurve", SimpleNamespace(LightCurve=_LightCurve))
    curve = site.results(source="Target").lightkurve(by="jd_mid")
    assert len(curve.time) == len(FLARE)
    assert curve.time.info.indices == []
    assert str(curve.flux.unit) == str(curve.flux_err.unit) == "mJy"
    assert curve.meta["LABEL"] == "Target R"
    if real:
        assert len(curve.bin(time_bin_size=1.0)) >= 1


def test_pandas_has_the_same_numbers(site: Site) -> None:
    pytest.importorskip("pandas")
    frame, table = site.results.pandas(), site.results.table()
    assert list(frame.columns) == table.colnames
    assert frame["mag"].to_numpy() == pytest.approx(table["mag"].value)
    assert frame.attrs["units"]["mag"] == "mag"


def test_every_column_and_keyword_is_listed(site: Site) -> None:
    columns = site.results.columns
    assert {"mag", "good", "spectral_index"} <= set(columns["name"])
    assert {"since", "mag", "flags_has", "good"} <= set(site.results.keywords)
    assert "spectral_index" not in site.results.keywords
    assert repr(site.results(good=True)) == "<Results: good=yes>"


def test_a_row_is_had_by_its_place_and_some_by_a_slice(site: Site) -> None:
    rows = list(site.results)
    assert [site.results[0], site.results[-1], site.results[len(rows) - 1], site.results[-2]] == [
        rows[0], rows[-1], rows[-1], rows[-2]]
    assert site.results[:2] == rows[:2]
    assert site.results[::-1] == rows[::-1]
    for place in (len(rows), -len(rows) - 1):
        with pytest.raises(IndexError, match="there is no row"):
            site.results[place]
    with pytest.raises(IndexError, match="has 0"):
        site.results(mag=(90, 91))[-1]
    with pytest.raises(TypeError, match=r"\.table\('mag'\)\['mag'\]"):
        site.results["mag"]  # type: ignore[call-overload]


def test_a_name_that_is_nearly_right_is_met_with_the_right_one(site: Site) -> None:
    result = site.results[0]
    with pytest.raises(AttributeError, match=r"a result has no 'chi'; did you mean .*chi_deg"):
        result.chi  # noqa: B018
    with pytest.raises(KeyError, match="did you mean exptime_s"):
        result["exptime"]
    with pytest.raises(SelectionError, match=r"have no column 'chi'; did you mean .*chi_deg"):
        site.results.table("chi")
    with pytest.raises(AttributeError, match="it has airmass, "):
        result.zzzzz  # noqa: B018
