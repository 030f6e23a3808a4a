"""The catalogue: CSV in and out, all or nothing, and names that belong to one source."""

from __future__ import annotations

import math

import pytest

from iop4d.model.errors import CatalogueError
from iop4d.model.source import Catalogue, SourceKind, tagged, twice
from iop4d.store import catalogue
from iop4d.store.catalogue_cells import WrongCellsError, source_of
from iop4d.store.catalogue_csv import builtin, decoded, parse, write
from iop4d.store.database import Database

HEADER = "name,other_names,ra,dec,kind,calibrates,mag_R,mag_R_err,mag_C,mag_err,p,note\n"
TARGET = "BL Lac,BLLac;2200+420,22:02:43.299,+42:16:39.59,target,,,,,,,\n"


def refusal(text: str) -> str:
    with pytest.raises(CatalogueError) as error:
        parse(text)
    return str(error.value)


def test_a_row_becomes_a_source() -> None:
    target, star = parse(HEADER + TARGET
                         + "B,,330.6894,-0.5,Calibrator,bl lac,11.99,0.04,9.5,0.05,,good\n")
    assert target.other_names == ("BLLac", "2200+420")
    assert target.ra_deg == pytest.approx((22 + 2 / 60 + 43.299 / 3600) * 15)
    assert target.dec_deg == pytest.approx(42 + 16 / 60 + 39.59 / 3600)
    assert star.kind is SourceKind.CALIBRATOR
    assert star.calibrates == ("BL Lac",)  # the target's own name, however it was written
    assert star.magnitudes == {"R": (11.99, 0.04), "C": (9.5, 0.05)}
    assert star.dec_deg == -0.5
    assert star.note == "good"


def test_small_negative_declinations_keep_their_sign() -> None:
    assert parse(HEADER + "a,,1,-00:30:00,target,,,,,,,")[0].dec_deg == -0.5


def test_every_wrong_row_is_told_and_nothing_imported() -> None:
    message = refusal(HEADER + TARGET
                      + "a,,400,0,target,,,,,,,\n"
                      + "b,,x,0,target,,,,,,,\n"
                      + "c,,1,99,target,,,,,,,\n"
                      + "d,,1,1,quasar,,,,,,,\n"
                      + "e,,1,1,target,,bright,,,,,\n"
                      + "f,,1,1,calibrator,nobody,,,,,,\n"
                      + ",,1,1,target,,,,,,,\n"
                      + "g,,1,1,target,,,,,,5.2,\n"
                      + "BLLAC,,1,1,target,,,,,,,\n"
                      + "h,,1,1,target,,1,2,3,4,0.5,note,more\n")
    for words in ("line 3, a: ra", "line 4, b: ra", "line 5, c: dec", "line 6, d: kind",
                  "line 7, e: mag_R", "f: calibrates nobody", "line 9, no name", "fraction",
                  "h: the row has more fields"):
        assert words in message
    assert "nothing was imported" in message


@pytest.mark.parametrize(("header", "words"), [
    ("name,ra,dec", "missing columns kind"), ("name,ra,dec,kind,colour", "'colour'"),
    ("name,ra,dec,kind,mag_1", "'mag_1'"), ("name,ra,dec,kind,name", "twice"), ("", "missing")])
def test_a_wrong_header_is_told(header: str, words: str) -> None:
    assert words in refusal(header + "\n")


def test_the_shipped_tables_are_whole() -> None:
    sources = parse(builtin("blazars"))
    kinds = [source.kind for source in sources]
    assert (kinds.count(SourceKind.TARGET), kinds.count(SourceKind.STANDARD)) == (25, 17)
    hiltner = next(s for s in sources if s.name == "Hiltner 960")
    assert hiltner.p == pytest.approx(0.0521)
    assert hiltner.chi_deg == 54.54


def test_what_is_written_is_read_back() -> None:
    sources = parse(builtin("blazars"))
    again = parse(write(sources))
    for one, other in zip(sources, again, strict=True):
        assert one.name == other.name
        assert one.magnitudes.keys() == other.magnitudes.keys()
        assert one.ra_deg == pytest.approx(other.ra_deg, abs=1e-7)
        assert one.calibrates == other.calibrates


_DUST = ("name,ra,dec,kind,aperture_arcsec,extinction_R,colour_B-V,colour_B-V_err,"
         "q_isp,q_isp_err,u_isp,u_isp_err\n")


def test_tags_are_read_kept_and_written_back(database: Database) -> None:
    sources = parse("name,ra,dec,kind,tags\nBL Lac,330.7,42.3,target,TeV; monitored\n"
                    "3C 345,250.7,39.8,target,TeV\nC,1,1,calibrator,\n")
    with database.write() as tx:
        catalogue.save(tx, sources)
        kept = catalogue.load(tx).sources
    assert tagged(kept) == {"TeV": ("BL Lac", "3C 345"), "monitored": ("BL Lac",)}
    assert write(parse(write(kept))) == write(sources)


def test_all_that_is_wrong_with_a_row_is_told_by_its_column() -> None:
    cells = {"name": "", "ra": "25h", "dec": "95", "kind": "quasar", "mag_R": "0", "mag_V": "15",
             "mag_V_err": "2", "redshift": "x", "extinction_R": "-1", "p": "5.2",
             "q_isp": "0.01", "aperture_arcsec": "99"}
    with pytest.raises(WrongCellsError) as wrong:
        source_of(cells)
    assert set(wrong.value.by_column) == set(cells) - {"mag_V"}
    assert wrong.value.by_column["dec"] == "dec is 95, expected -90 to 90 degrees"
    assert "5.21 % is 0.0521" in str(wrong.value)


def test_what_lies_before_a_source_is_read_kept_and_written_back(database: Database) -> None:
    (source,) = parse(_DUST + "BL Lac,330.68,42.28,target,8,0.7,0.95,0.02,-0.003,0.0004,0.006,5e-4")
    assert (source.aperture_arcsec, source.extinction) == (8.0, {"R": 0.7})
    assert source.colours == {"B-V": (0.95, 0.02)}
    assert source.interstellar == (-0.003, 0.0004, 0.006, 0.0005)
    with database.write() as tx:
        catalogue.save(tx, [source])
        kept = catalogue.find(tx, "BL Lac")
    assert (kept.aperture_arcsec, kept.extinction, kept.colours, kept.interstellar) == (
        8.0, {"R": 0.7}, {"B-V": (0.95, 0.02)}, source.interstellar)
    assert write(parse(write([kept]))) == write([source])


@pytest.mark.parametrize(("cells", "words"), [
    ("80,,,,,,,", "radius up to 60 arcsec"), ("-1,,,,,,,", "radius up to 60 arcsec"),
    (",,,,0.5,0.01,0,0.01", "1 % is 0.01"), (",,,,0.01,,0.01,", "all of q_isp"),
])
def test_what_cannot_lie_before_a_source_is_refused(cells: str, words: str) -> None:
    assert words in refusal(_DUST + f"a,1,2,target,{cells}\n")


def test_saving_adds_replaces_and_keeps_ids(database: Database) -> None:
    with database.write() as tx:
        assert catalogue.save(tx, parse(HEADER + TARGET)) == (1, 0)
        first = catalogue.find(tx, "bllac")
        changed = TARGET.replace(",,,,,,,\n", ",,13.1,0.1,,,,\n", 1)
        assert catalogue.save(tx, parse(HEADER + changed)) == (0, 1)
        second = catalogue.find(tx, "BL LAC")
    assert second.id == first.id
    assert second.magnitudes == {"R": (13.1, 0.1)}
    with database.read() as db:
        assert catalogue.version(db) == 2
    assert math.isnan(second.p)


def test_a_name_belongs_to_one_source(database: Database) -> None:
    with pytest.raises(CatalogueError, match="share a name"), database.write() as tx:
        catalogue.save(tx, parse(HEADER + TARGET + "Other,2200+420,1,1,target,,,,,,,\n"))
    with database.read() as db:
        assert catalogue.load(db).sources == ()


def test_an_unknown_name_gets_a_hint(database: Database) -> None:
    with database.write() as tx:
        catalogue.save(tx, parse(HEADER + TARGET))
    with pytest.raises(CatalogueError, match="did you mean BL Lac"), database.read() as db:
        catalogue.find(db, "lac")


def test_the_blazars_bring_the_extinction_before_them() -> None:
    blazars = {source.name: source for source in parse(builtin("blazars"))}
    lac = blazars["2200+420"].extinction
    # NED, of Schlafly & Finkbeiner (2011).
    assert [lac[band] for band in "BVRI"] == pytest.approx([1.192, 0.901, 0.713, 0.495], abs=0.002)
    assert blazars["0235+164"].extinction == {}
    assert not any(s.extinction for s in blazars.values() if s.kind is not SourceKind.TARGET)


@pytest.mark.parametrize(("column", "values"), [
    ("mag_R", ("0", "0.0", "-9.99", "99.99", "-99.9", "31")), ("mag_R_err", ("-0.01", "9.99")),
    ("p", ("-0.01", "0.9", "90")), ("p_err", ("-1", "0.9")), ("chi", ("-999", "361")),
    ("chi_err", ("-1", "91")), ("redshift", ("-1", "99")), ("extinction_R", ("-0.1", "99.99")),
    ("colour_B-V", ("-9.99", "99.99")), ("colour_B-V_err", ("-0.02", "9.99"))])
def test_values_that_cannot_be_are_refused(column: str, values: tuple[str, ...]) -> None:
    for value in values:
        cells = {"mag_R": "13.0", column: value}
        message = refusal(f"name,ra,dec,kind,{','.join(cells)}\nStar,1,1,calibrator,"
                          f"{','.join(cells.values())}\n")
        assert f"{float(value):g}" in message
        assert column.removesuffix("_err") in message


@pytest.mark.parametrize(("column", "value"), [
    ("mag_R", "-1.46"), ("mag_R", "0.03"), ("mag_R_err", "0.5"), ("p", "0.5"), ("chi", "-20"),
    ("redshift", "-0.001"), ("extinction_R", "0"), ("colour_B-V", "-0.4")])
def test_values_that_can_be_are_accepted(column: str, value: str) -> None:
    cells = {"mag_R": "13.0", column: value}
    assert len(parse(f"name,ra,dec,kind,{','.join(cells)}\nStar,1,1,calibrator,"
                     f"{','.join(cells.values())}\n")) == 1


@pytest.mark.parametrize(("encoding", "mark"), [
    ("utf-8", b""), ("utf-8-sig", b""), ("utf-16", b""), ("cp1252", b""),
    ("utf-16-be", b"\xfe\xff")])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_tables_of_spreadsheets_are_read_as_they_are(encoding: str, mark: bytes,
                                                     delimiter: str) -> None:
    comma = "," if delimiter == ";" else "."
    rows = [["name", "other_names", "ra", "dec", "kind", "mag_R", "note"],
            ["Étoile", "E", f"12{comma}5", "+01:02:03", "calibrator", f"13{comma}25", "été 3,5"]]
    text = "\r\n".join(delimiter.join(f'"{cell}"' if delimiter == "," else cell for cell in row)
                       for row in rows) + "\r\n"
    (star,) = parse(decoded(mark + text.encode(encoding)))
    assert (star.name, star.ra_deg, star.magnitudes["R"][0], star.note) == (
        "Étoile", 12.5, 13.25, "été 3,5")


def test_a_star_that_stands_twice_calibrates_once() -> None:
    """Two imports, two names: one star, of the first entry, with the bands of both."""
    sources = parse("name,ra,dec,kind,calibrates,mag_R,mag_V\nT,10,60,target,,,\n"
                    "A,10.1,60,calibrator,T,13.0,\nB,10.2,60,calibrator,T,14.0,\n"
                    "2MASS A,10.1008,60.0002,calibrator,T,12.5,13.4\n"
                    "C,10.1023,60,calibrator,T,12.5,13.4\n")
    stars = Catalogue(version=1, sources=tuple(sources)).calibrators_of("T")
    assert [(star.name, {band: mag for band, (mag, _) in star.magnitudes.items()})
            for star in stars] == [("A", {"R": 13.0, "V": 13.4}), ("B", {"R": 14.0}),
                                   ("C", {"R": 12.5, "V": 13.4})]
    assert [(one.name, other.name) for one, other in twice(sources)] == [("A", "2MASS A")]


def test_no_star_of_the_shipped_tables_stands_twice() -> None:
    for name in ("blazars", "standards"):
        assert twice(parse(builtin(name))) == []


def test_who_only_reads_loads_the_catalogue_once_for_each_version(database: Database) -> None:
    with database.write() as tx:
        catalogue.save(tx, parse("name,ra,dec,kind\nA,1,1,target\n"))
    reader = Database(database.place, read_only=True)
    with reader.read() as db:
        first = catalogue.load(db)
        assert catalogue.load(db) is first
    with database.write() as tx:
        catalogue.save(tx, parse("name,ra,dec,kind\nB,2,2,target\n"))
        assert len(catalogue.load(tx).sources) == 2  # before it is committed
        with reader.read() as db:
            assert catalogue.load(db) is first
    with reader.read() as db:
        assert [source.name for source in catalogue.load(db).sources] == ["A", "B"]
