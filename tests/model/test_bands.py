"""One table of the bands' colours and order."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest

from iop4d.model.bands import BANDS, band_order, colour_of


def test_bands_are_sorted_by_wavelength_and_unknown_ones_by_name() -> None:
    assert sorted(["clear", "I", "B", "R", "V", "Hb"], key=band_order) == [
        "B", "V", "R", "I", "Hb", "clear"]


@pytest.mark.parametrize("dark", [False, True])
def test_no_two_bands_have_one_colour(dark: bool) -> None:
    colours = [colour_of(band, dark=dark) for band in (*BANDS, "clear")]
    assert len(set(colours)) == len(colours)


def test_every_unknown_band_has_the_same_colour() -> None:
    assert colour_of("clear") == colour_of("") != colour_of("clear", dark=True)


def test_the_style_sheet_of_the_page_has_the_colours_of_the_table() -> None:
    sheet = (files("iop4d.web") / "static" / "site.css").read_text(encoding="utf-8")
    for band in (*"UBVRI", "other"):
        light, dark = re.findall(rf"--{band.lower()}: (#[0-9a-f]{{6}});", sheet)[:2]
        assert (light, dark) == (colour_of(band), colour_of(band, dark=True))
