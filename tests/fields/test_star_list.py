"""Star lists in every form that archives give them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.table import MaskedColumn, Table

from iop4d.fields.star_list import read
from iop4d.model.errors import CatalogueError

CSV = "objID,raMean,decMean,gMeanPSFMag\n123456789012345678,10.5,-2.25,15.1\n2,10.6,-2.3,-999\n"
VIZIER = ("#Coosys J2000\n#INFO\n\nRAJ2000\tDEJ2000\tgmag\n deg\tdeg\tmag\n--------\t-----\t---\n"
          "10.5\t-2.25\t15.1\n10.6\t-2.3\t  \n")


def write(path: Path, form: str) -> Path:
    if form == "csv":
        path.write_text(CSV, encoding="utf-8")
    elif form == "tsv":
        path.write_text(VIZIER, encoding="utf-8")
    else:
        Table({"RA_ICRS": [10.5, 10.6], "DE_ICRS": [-2.25, -2.3],
               "gmag": MaskedColumn([15.1, 0.0], mask=[False, True])}).write(path, format=form)
    return path


@pytest.mark.parametrize("form", ["csv", "tsv", "fits", "votable"])
def test_every_form_is_read(tmp_path: Path, form: str) -> None:
    table = read(write(tmp_path / "stars", form))
    ra, dec = table.places()
    assert ra.tolist() == [10.5, 10.6]
    assert dec.tolist() == [-2.25, -2.3]
    mag = table.numbers("gMeanPSFMag", "gmag")
    assert mag[0] == 15.1
    assert np.isnan(mag[1])
    assert np.isnan(table.numbers("nothing")).all()
    assert len(table) == 2


def test_long_numbers_stay_whole(tmp_path: Path) -> None:
    table = read(write(tmp_path / "stars", "csv"))
    assert table.texts("objid")[0] == "123456789012345678"
    assert table.texts("nothing") == ["", ""]


@pytest.mark.parametrize(("text", "words"), [
    ("", "holds no table"),
    ("a,b\n1,2\n", "no column for the right ascension"),
    ("ra,b\n1,2\n", "There are ra, b"),
    ("ra,dec\nhere,there\n", "no row has a place in degrees")])
def test_what_is_wrong_is_told(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "stars.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(CatalogueError, match=words):
        read(path)


def test_a_broken_file_is_told(tmp_path: Path) -> None:
    path = tmp_path / "stars.fits"
    path.write_bytes(b"SIMPLE  = nonsense" + bytes(100))
    with pytest.raises(CatalogueError, match="cannot be read"):
        read(path)



def test_places_may_be_hours_and_degrees(tmp_path: Path) -> None:
    path = tmp_path / "stars.csv"
    path.write_text("ra,dec,mag\n22:02:43.3,+42:16:40,14.1\n0 42 00,-2 15 00,15.1\nx,y,1\n",
                    encoding="utf-8")
    ra, dec = read(path).places()
    assert ra == pytest.approx([330.680417, 10.5], abs=1e-6)
    assert dec == pytest.approx([42.277778, -2.25], abs=1e-6)


def test_a_file_that_is_not_there_is_said_to_be_so(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match=r"none\.csv: no such file$"):
        read(tmp_path / "none.csv")
