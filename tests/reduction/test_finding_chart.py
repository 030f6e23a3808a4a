"""Finding charts are pictures that show what they are of."""

from __future__ import annotations

from io import BytesIO

import numpy as np
from PIL import Image

from iop4d.model.source import SourceKind
from iop4d.reduction.finding_chart import ChartMark, grey, printed

MARKS = (ChartMark(label="BL Lac", x=0.5, y=0.5, kind=SourceKind.TARGET),
         ChartMark(label="B", x=0.25, y=0.75, kind=SourceKind.CALIBRATOR),
         ChartMark(label="new", x=0.75, y=0.25, kind=None),
         ChartMark(label="far", x=1.5, y=0.5, kind=SourceKind.CALIBRATOR))


def field() -> np.ndarray:
    image = np.random.default_rng(3).normal(100.0, 5.0, (120, 120)).astype(np.float32)
    image[58:62, 58:62] = 5000.0
    image[:10] = np.nan
    return image


def test_stars_are_black_and_what_is_not_covered_is_grey() -> None:
    with Image.open(BytesIO(grey(field()))) as picture:
        pixels = np.asarray(picture)
    assert pixels[60, 60] == 0
    assert (pixels[:10] == 236).all()
    assert np.median(pixels[20:50]) > 170


def test_a_field_without_a_value_is_a_picture_too() -> None:
    with Image.open(BytesIO(grey(np.full((20, 20), np.nan, dtype=np.float32)))) as picture:
        assert set(np.asarray(picture).ravel()) == {236}


def test_the_printed_form_has_marks_and_is_a_pdf_too() -> None:
    words = {"title": "2200+420\n22:02:43.29 +42:16:39.9", "below": "CAFOS R", "field_arcmin": 8.0}
    with Image.open(BytesIO(printed(field(), MARKS, form="PNG", **words))) as picture:
        assert picture.width == 2 * (720 + 56)
        colours = {colour for _, colour in picture.getcolors(1 << 24) or ()}
    assert {(173, 31, 36), (20, 108, 60), (138, 83, 0)} <= colours
    with Image.open(BytesIO(printed(field(), MARKS, form="PNG", table=["B: R 13.2", "C: R 14"],
                                    **words))) as longer:
        assert longer.height == picture.height + 2 * 2 * 19
        under = np.asarray(longer.convert("L"))[-2 * 2 * 19 - 20:-30]
    assert (under < 100).any()  # lines are written there
    assert printed(field(), MARKS, form="PDF", **words).startswith(b"%PDF")
