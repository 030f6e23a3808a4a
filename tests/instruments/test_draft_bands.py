"""Filters as observatories and makers call them, and the bands of the catalogue."""

from __future__ import annotations

import pytest

from iop4d.instruments.base import first_filter, is_open
from iop4d.instruments.draft_bands import known_band


@pytest.mark.parametrize(("band", "names"), [
    ("R", "R, Rc, R_Bes 650_130, Bessell-R, R#642, R Johnson, Johnson-Cousins R, Baader R, JC_R, "
          "Astrodon Bessell R, P1-R, R45, Kron-Cousins R, r Cousins, 6 Bes R, UBVRI R"),
    ("I", "I_BESS, Ic, I Bessell"), ("V", "V, V_Bes 530_80, Johnson V, Bessell-V"),
    ("B", "B#639, Bj, Bessell-B"),
    ("r", "r, r', rp, SDSS-R, r_G0326, ZTF r, sloan_r, r-SDSS, SDSS r', PS1 r, r Gunn"),
    ("i", "i_int 797_157, i#705, ip, SDSS-I"), ("z", "zs, z', z_SDSS"), ("g", "g-SDSS, gp"),
    ("C", "Clear, Open, NO_FILTER, clear-01, open1-6, Luminance, L, none, Open_(Lyot)")])
def test_the_band_of_a_filter_is_known_by_its_name(band: str, names: str) -> None:
    assert {name: known_band("FILTER", name) for name in names.split(", ")} == dict.fromkeys(
        names.split(", "), band)


@pytest.mark.parametrize("name", ["Red", "Green", "Halpha", "R_SPECIAL", "b_HIGH", "H-alpha 656",
                                  "Sloan Bessell R", "V+R", "MOP-R", "Y", "SDSS V", "OIII 501",
                                  "Opaque", "48", "Bayer"])
def test_a_filter_that_is_not_surely_a_band_keeps_its_name(name: str) -> None:
    assert known_band("FILTER", name) == name


def test_of_several_wheels_the_first_that_is_not_open_counts() -> None:
    header = {"A": "Open", "B": "V", "C": "clear"}
    assert first_filter(header, ("A", "B", "C")) == first_filter(header, ("C", "A", "B")) == "V"
    assert first_filter(header, ("A", "C")) == "Open"
    assert first_filter(header, ("X",)) == ""
    polarised = {"A": "Calcite", "B": "Lambda/2_Plate", "C": "R_Bes 650_130"}
    assert first_filter(polarised, ("A", "B", "C")) == "R_Bes 650_130"
    assert first_filter(polarised, ("A",)) == "Calcite"
    assert not any(map(is_open, ("V", "Airy", "opal", "Cleartype", "Noir")))
