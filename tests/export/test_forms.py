"""Tables as files, read back by the programs that people read them with."""

from __future__ import annotations

import csv
import io
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from astropy.io.votable import parse as parse_votable
from astropy.io.votable.exceptions import VOTableSpecWarning
from astropy.table import Table

from iop4d.export.aavso import COLUMNS as OF_AAVSO
from iop4d.export.content import Content, rounded
from iop4d.export.forms import FORMS
from iop4d.store.tables import LISTINGS
from iop4d.store.tables.columns import Kind
from iop4d.store.tables.results import RESULTS

_NAMES = ("id", "source", "jd_mid", "bjd_tdb", "mag", "mag_err", "p", "chi_deg", "flags",
          "provisional", "frames", "group_id", "method", "changed_at")
_ROWS: list[dict[str, Any]] = [
    {"id": 2**60, "source": "BL, \"Lac\" <é>", "jd_mid": 2461000.123456789, "bjd_tdb": None,
     "mag": 14.123456, "mag_err": 0.01, "p": None, "chi_deg": 12.3456, "flags": ["edge", "clouds"],
     "provisional": True, "frames": ["a.fit", "b.fit"], "group_id": None, "method": "a\nb\x07",
     "changed_at": 1.5e9},
    {"id": 7, "source": "3C 273", "jd_mid": 2461001.5, "bjd_tdb": 2461001.504, "mag": None,
     "mag_err": None, "p": 0.05, "chi_deg": None, "flags": [], "provisional": False, "frames": [],
     "group_id": 3, "method": "", "changed_at": 1.6e9}]


def written(form: str, rows: list[dict[str, Any]] = _ROWS, names: tuple[str, ...] = _NAMES,
            **more: Any) -> bytes:
    content = Content(name="results", columns=tuple(RESULTS.by_name[name] for name in names),
                      about="Results & <others> of a test", made="2026-11-28 00:00:00", **more)
    return b"".join(FORMS[form].write(content, iter([rows[:1], rows[1:]])))


def read_table(form: str, data: bytes) -> Table:
    if form == "csv":
        return Table.read(data.decode(), format="ascii.csv", comment="#")
    if form == "ecsv":
        return Table.read(data.decode(), format="ascii.ecsv")
    return Table.read(io.BytesIO(data), format=form, **({"hdu": 1} if form == "fits" else {}))


@pytest.mark.parametrize("form", ["csv", "ecsv", "fits", "votable"])
def test_angles_that_begin_again_at_180_degrees_never_reach_them(form: str) -> None:
    near = [{**row, "chi_deg": 179.99996} for row in _ROWS]
    assert list(read_table(form, written(form, near))["chi_deg"]) == [0.0, 0.0]


@pytest.mark.parametrize("form", ["csv", "ecsv", "fits", "votable"])
def test_astropy_reads_the_numbers_back(form: str) -> None:
    table = read_table(form, written(form))
    assert table.colnames == list(_NAMES)
    assert list(table["id"]) == [2**60, 7]
    assert table["jd_mid"][0] == 2461000.12345679
    assert table["mag"][0] == 14.12346
    assert np.ma.is_masked(table["mag"][1]) or np.isnan(table["mag"][1])
    assert np.ma.is_masked(table["group_id"][0])
    assert table["group_id"][1] == 3
    assert str(table["flags"][0]) == "edge;clouds"
    assert str(table["frames"][0]) == "a.fit;b.fit"
    assert [str(value).lower() for value in table["provisional"]] == ["true", "false"]
    source = str(table["source"][0])
    assert source == ("BL, \"Lac\" <?>" if form == "fits" else _ROWS[0]["source"])


@pytest.mark.parametrize("form", ["csv", "ecsv", "fits", "votable"])
@pytest.mark.parametrize("text", ["a\vb", "a\fb", "a\x1cb", "a\x85b", "a\u2028b", "a\u2029b",
                                  "a\r\nb", "a\nb", "\n", "\t", "# a", "a,b", '"', "é 😀",
                                  "nan"])
def test_one_row_is_one_row_whatever_its_texts_hold(form: str, text: str) -> None:
    """As names of files and reasons may: a form feed made two rows of one, or none be read."""
    table = read_table(form, written(form, [_ROWS[0] | {"method": text}, _ROWS[1]]))
    assert list(table["id"]) == [2**60, 7]
    assert table["changed_at"][1] == 1.6e9
    if "a" in text:
        assert str(table["method"][0]).strip('# "')[:1] in ("a", "n")


@pytest.mark.parametrize("form", ["csv", "ecsv", "fits", "votable"])
@pytest.mark.parametrize("rows", [[], [_ROWS[1]]])
def test_a_filter_of_any_characters_leaves_the_file_readable(
        form: str, rows: list[dict[str, Any]]) -> None:
    content = Content(name="results", columns=tuple(RESULTS.by_name[name] for name in _NAMES),
                      about="Source is a\u2028b\fc\nd # é 😀 ]]> --")
    table = read_table(form, b"".join(FORMS[form].write(content, iter([rows]))))
    assert table.colnames == list(_NAMES)
    assert len(table) == len(rows)


@pytest.mark.parametrize("form", ["ecsv", "fits", "votable"])
def test_units_and_descriptions_are_in_the_file(form: str) -> None:
    table = read_table(form, written(form))
    assert str(table["mag"].unit) == "mag"
    assert str(table["chi_deg"].unit) == "deg"
    if form != "fits":
        assert table["mag"].description == "Calibrated magnitude"


@pytest.mark.parametrize("form", sorted(FORMS))
def test_every_file_says_how_to_cite(form: str) -> None:
    names = OF_AAVSO if form == "aavso" else _NAMES
    text = " ".join(written(form, [], names).decode("latin-1").replace("COMMENT", "").split())
    assert "Escudero Pedrosa et al. 2024, AJ, 168, 84" in text.replace(" COMMENT ", " ")


def test_a_votable_is_valid_and_has_ucds_and_the_scales_of_time() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", VOTableSpecWarning)
        votable = parse_votable(io.BytesIO(written("votable")), verify="exception")
    table = votable.get_first_table()
    fields = {field.name: field for field in table.fields}
    assert fields["mag"].ucd == "phot.mag;em.opt;meta.main"
    scales = {system.ID: (system.timescale, system.refposition, system.timeorigin)
              for system in votable.resources[0].time_systems}
    assert scales["utc"] == ("UTC", "TOPOCENTER", "JD-origin")
    assert scales["tdb"] == ("TDB", "BARYCENTER", "JD-origin")
    assert fields["jd_mid"].ref == "utc"
    assert fields["bjd_tdb"].ref == "tdb"


def test_a_fits_file_is_valid_and_has_ucds() -> None:
    with fits.open(io.BytesIO(written("fits")), checksum=True) as file:
        file.verify("exception")
        header = file[1].header
        place = _NAMES.index("mag") + 1
        assert header[f"TUCD{place}"] == "phot.mag;em.opt;meta.main"
        assert file[0].header["REFERENC"] == "2024AJ....168...84E"


@pytest.mark.parametrize("form", ["csv", "ecsv", "fits", "votable"])
def test_a_table_without_rows_is_a_file_too(form: str) -> None:
    table = read_table(form, written(form, []))
    assert len(table) == 0
    assert table.colnames == list(_NAMES)


def test_plain_csv_of_the_command_has_no_comments() -> None:
    assert written("csv", comments=False).startswith(b"id,source,")
    lines = list(csv.reader(io.StringIO(written("csv", comments=False).decode())))
    assert lines[1][1] == _ROWS[0]["source"]


def test_the_aavso_format_has_magnitudes_with_all_of_their_error_and_limits() -> None:
    row = {"id": 1, "source": "BL Lac", "band": "R", "jd_mid": 2461000.5, "mag": 14.0,
           "mag_err": 0.03, "mag_err_common": 0.04, "mag_limit": None, "airmass": 1.25,
           "flags": [], "n_calibrators": 4, "telescope": "T90", "instrument": "I, II",
           "exptime_s": 60.0, "colour_term": 0.05}
    rows = [row, row | {"mag": None, "mag_limit": 18.5, "band": "r", "flags": ["own_band"]},
            row | {"mag": None}, row | {"colour_term": None, "band": "Clear", "mag_err": 12.0},
            row | {"band": "y", "flags": ["edge"]}]
    text = written("aavso", rows, OF_AAVSO, observer="ABC").decode()
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    assert "#OBSCODE=ABC" in text.splitlines()
    assert lines[0].split(",")[:14] == [
        "BL Lac", "2461000.50000000", "14.00000", "0.0500", "R", "YES", "STD", "ENSEMBLE", "na",
        "na", "na", "1.250", "na", "na"]
    assert lines[1].split(",")[2:6] == ["<18.5000", "na", "SR", "NO"]
    assert lines[2].split(",")[3:6] == ["12.000", "O", "NO"]
    assert lines[2].endswith("|band Clear")
    assert lines[3].split(",")[4] == "Y"
    assert lines[3].endswith("|flags edge")
    assert len(lines) == 4
    for line in lines:  # the longest fields that the AAVSO allows
        assert all(len(field) <= most for field, most in zip(
            line.split(","), (30, 16, 8, 6, 5, 3, 3, 20, 8, 20, 8, 7, 5, 20, 3000), strict=True))
    assert {len(line.split(",")) for line in lines} == {15}


@pytest.mark.parametrize("form", ["vounit", "fits"])
def test_units_are_those_of_the_virtual_observatory_and_of_fits(form: str) -> None:
    from astropy.units import Unit

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for listing in LISTINGS.values():
            for column in listing.columns:
                Unit(column.unit, format=form)


def test_ucds_are_of_the_controlled_vocabulary() -> None:
    from astropy.io.votable.ucd import parse_ucd

    for listing in LISTINGS.values():
        for column in listing.columns:
            assert parse_ucd(column.ucd, check_controlled_vocabulary=True), column.name


def test_all_forms_give_the_same_numbers_to_the_last_digit() -> None:
    rng = np.random.default_rng(5)
    names = tuple(column.name for column in RESULTS.columns if column.kind in (
        Kind.NUMBER, Kind.DAY, Kind.MOMENT, Kind.WHOLE))
    rows = [{name: int(rng.integers(1, 99)) if RESULTS.by_name[name].kind is Kind.WHOLE
             else float(rng.normal(10.0, 3.0) * 10.0 ** rng.integers(-9, 7)) for name in names}
            for _ in range(200)]
    tables = {form: read_table(form, written(form, rows, names))
              for form in ("csv", "ecsv", "fits", "votable")}
    for name in names:
        column = RESULTS.by_name[name]
        wanted = [rounded(column, row[name]) for row in rows]
        for form, table in tables.items():
            assert list(table[name]) == wanted, (form, name)


def _pieces(count: int) -> Iterator[list[dict[str, Any]]]:
    for _ in range(count):
        yield _ROWS


def test_a_file_is_made_as_its_rows_are_read() -> None:
    content = Content(name="results", columns=tuple(RESULTS.by_name[n] for n in _NAMES))
    for form in ("csv", "ecsv", "votable"):
        pieces = FORMS[form].write(content, _pieces(1_000_000))
        assert len([next(pieces) for _ in range(5)]) == 5
