"""Tables of points as surveys and papers give them."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from astropy.table import Table

from iop4d.fields.point_table import Wanted, read_points
from iop4d.model.errors import CatalogueError

BL_LAC = Wanted(names=("2200+420", "BL Lac"))


def read(folder: Path, text: str, wanted: Wanted = BL_LAC, name: str = "table.csv"):
    (folder / name).write_text(text, encoding="utf-8")
    return read_points(folder / name, wanted)


def test_a_plain_table_gives_its_points_in_order_of_time(tmp_path: Path) -> None:
    found = read(tmp_path, "jd,band,mag,mag_err,p,p_err,chi_deg,chi_err_deg\n"
                 "2460002.5,R,13.5,0.02,0.081,0.004,190,3\n2460001.5,V,14.1,0.03,,,,\n")
    first, second = found.points
    assert (first.jd, first.band, first.mag, first.mag_err) == (2460001.5, "V", 14.1, 0.03)
    assert math.isnan(first.p)
    assert (second.p, second.p_err, second.chi_deg, second.chi_err_deg) == (0.081, 0.004, 10.0, 3.0)
    assert (found.times, found.left_out) == ("JD", {})
    assert len(found.sha256) == 64


@pytest.mark.parametrize(("text", "jd", "mag", "err", "band"), [
    # ATLAS forced photometry: blanks, names in a comment.
    ("###MJD m dm uJy duJy F err chi/N\n60000.25 13.512 0.010 14500 130 o 0 1.1\n",
     2460000.75, 13.512, 0.010, "o"),
    # ZTF of IRSA.
    ("oid,mjd,mag,magerr,filtercode\n1,60000.25,13.9,0.011,zr\n", 2460000.75, 13.9, 0.011, "zr"),
    # ASAS-SN: heliocentric, 99.99 for nothing.
    ("HJD,Camera,mag,mag_err,flux,Filter\n2460000.75,bs,13.7,0.02,9.1,g\n"
     "2460001.75,bs,99.99,99.99,9.1,g\n", 2460000.75, 13.7, 0.02, "g"),
    # AAVSO extended: names in the last comment.
    ("#TYPE=EXTENDED\n#DELIM=,\n#NAME,DATE,MAG,MERR,FILT\nBL LAC,2460000.75,13.6,0.01,R\n",
     2460000.75, 13.6, 0.01, "R"),
    ("date\tfilter\tmagnitude\terror\n2023-02-25T06:00:00\tR\t13.4\t0.05\n",
     2460000.75, 13.4, 0.05, "R"),
])
def test_tables_of_surveys_are_read(tmp_path: Path, text: str, jd: float, mag: float, err: float,
                                    band: str) -> None:
    (point,) = read(tmp_path, text).points
    assert point.jd == pytest.approx(jd, abs=1e-6)
    assert (point.mag, point.mag_err, point.band) == (mag, err, band)


def test_a_limit_among_the_magnitudes_is_a_limit(tmp_path: Path) -> None:
    (point,) = read(tmp_path, "jd,band,mag\n2460000.5,g,>16.5\n").points
    assert point.mag_limit == 16.5
    assert math.isnan(point.mag)


def test_percent_must_be_said_and_is_a_fraction_then(tmp_path: Path) -> None:
    text = "jd,band,p,p_err\n2460000.5,R,8.1,0.4\n"
    with pytest.raises(CatalogueError, match=r"above 1: they are percent, which must be said"):
        read(tmp_path, text)
    (point,) = read(tmp_path, text, Wanted(names=("BL Lac",), percent=True)).points
    assert (point.p, point.p_err) == (pytest.approx(0.081), pytest.approx(0.004))
    (point,) = read(tmp_path, text.replace("p,p_err", "p_percent,p_percent_err")).points
    assert (point.p, point.p_err) == (pytest.approx(0.081), pytest.approx(0.004))


def test_rows_of_another_source_and_without_numbers_are_left_out_with_their_reason(
        tmp_path: Path) -> None:
    found = read(tmp_path, "source,jd,band,mag\nbl lac,2460000.5,R,13.5\n3C 273,2460000.5,R,12.9\n"
                 "2200+420,2460001.5,R,\n2200+420,5,R,13\n2200+420,2460002.5,,13\n")
    assert [point.mag for point in found.points] == [13.5]
    assert found.left_out == {"of another source": 1, "no magnitude, limit or polarisation": 1,
                              "no time": 1, "no band": 1}


def test_a_band_can_be_given_for_all_rows(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match=r"1 rows no band\. Give the band of all rows"):
        read(tmp_path, "jd,mag\n2460000.5,13\n")
    (point,) = read(tmp_path, "jd,mag\n2460000.5,13\n", Wanted(names=(), band="R")).points
    assert point.band == "R"


def test_binary_tables_of_astropy_are_read(tmp_path: Path) -> None:
    table = Table({"MJD": [60000.25], "Filter": ["R"], "mag": [13.5], "e_mag": [0.02]})
    for form, name in (("fits", "a.fits"), ("votable", "a.vot"), ("ascii.ecsv", "a.ecsv")):
        table.write(tmp_path / name, format=form)
        (point,) = read_points(tmp_path / name, BL_LAC).points
        assert (point.jd, point.band, point.mag_err) == (2460000.75, "R", 0.02)


@pytest.mark.parametrize(("text", "says"), [
    ("a,b\n1,2\n", "no column for the time"),
    ("# only a comment\n", "holds no table"),
    ("jd,band,mag\n", "it has no rows"),
])
def test_a_table_without_points_says_why(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(CatalogueError, match=says):
        read(tmp_path, text)
