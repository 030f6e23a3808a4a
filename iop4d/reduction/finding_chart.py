"""Finding charts: a field, north up and east left, black stars on white, with marks and a scale."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from iop4d.model.source import SourceKind
from iop4d.model.units import robust_sigma

SIZE = 720  # px of the field itself
_SCALE = 2  # the printed form's pixels for one of the page's
_DARK, _BRIGHT = -1.0, 80.0  # sky sigmas shown as white and as black
_SOFT = 3.0  # sigmas up to which the scale is linear
_SAMPLE = 20_000  # pixels from which the sky is found
_NOTHING = 236  # grey of what the frame does not cover
_COLOURS = {SourceKind.TARGET: (173, 31, 36), SourceKind.CALIBRATOR: (20, 108, 60),
            SourceKind.STANDARD: (28, 86, 176)}
_CANDIDATE = (138, 83, 0)
_INK = (23, 32, 44)
_MARGIN, _HEAD, _FOOT, _LINE = 28, 84, 40, 19  # px of the printed form


@dataclass(frozen=True, kw_only=True)
class ChartMark:
    """A circle about a star, at parts of the field from its left and upper edges.

    ``kind``: None of a candidate that is not in the catalogue.
    """

    label: str
    x: float
    y: float
    kind: SourceKind | None


def grey(field: NDArray[np.float32]) -> bytes:
    """A field as a PNG picture: NaN light grey, the sky white, stars black."""
    return _saved(Image.fromarray(_stretched(field)), "PNG")


def printed(field: NDArray[np.float32], marks: Sequence[ChartMark], *, title: str, below: str,
            field_arcmin: float, form: str, table: Sequence[str] = ()) -> bytes:
    """A chart to be printed, as PNG or PDF: the field with its marks, directions and scale.

    ``title``: lines above; ``below``: a line under the field, and ``table`` more of them.
    """
    side = SIZE * _SCALE
    page = Image.new("RGB", (side + 2 * _MARGIN * _SCALE, side + (
        _HEAD + _FOOT + _MARGIN + _LINE * len(table)) * _SCALE), "white")
    sky = Image.fromarray(_stretched(field)).resize((side, side), Image.Resampling.BILINEAR)
    left, top = _MARGIN * _SCALE, _HEAD * _SCALE
    page.paste(sky.convert("RGB"), (left, top))
    draw = ImageDraw.Draw(page)
    draw.rectangle((left, top, left + side, top + side), outline=_INK, width=_SCALE)
    for number, line in enumerate(title.splitlines()):
        draw.text((left, (14 + 26 * number) * _SCALE), line, fill=_INK,
                  font=_font((22 if number == 0 else 15) * _SCALE))
    for mark in marks:
        _mark(draw, mark, left, top, side)
    _directions(draw, left + side - 60 * _SCALE, top + 70 * _SCALE)
    _scale_bar(draw, left + 20 * _SCALE, top + side - 24 * _SCALE, side, field_arcmin)
    draw.text((left, top + side + 12 * _SCALE), below, fill=_INK, font=_font(13 * _SCALE))
    for number, line in enumerate(table, start=1):
        draw.text((left, top + side + (14 + _LINE * number) * _SCALE), line, fill=_INK,
                  font=_font(13 * _SCALE))
    return _saved(page, form)


def _stretched(field: NDArray[np.float32]) -> NDArray[np.uint8]:
    known = field[np.isfinite(field)]
    if not known.size:
        return np.full(field.shape, _NOTHING, dtype=np.uint8)
    sample = known[::max(1, known.size // _SAMPLE)].astype(np.float64)
    sky = float(np.median(sample))
    sigma = robust_sigma(sample.tolist(), sky) or 1.0
    low, high = (math.asinh(level / _SOFT) for level in (_DARK, _BRIGHT))
    scaled = (np.arcsinh((field - sky) / (_SOFT * sigma)) - low) / (high - low)
    shown = 255.0 * (1.0 - np.clip(scaled, 0.0, 1.0))
    return np.asarray(np.where(np.isfinite(field), shown, _NOTHING), dtype=np.uint8)


def _mark(draw: ImageDraw.ImageDraw, mark: ChartMark, left: int, top: int, side: int) -> None:
    x, y, r = left + mark.x * side, top + mark.y * side, 13 * _SCALE
    if not (left < x < left + side and top < y < top + side):
        return
    colour = _CANDIDATE if mark.kind is None else _COLOURS[mark.kind]
    draw.ellipse((x - r, y - r, x + r, y + r), outline=colour, width=_SCALE + (
        mark.kind is SourceKind.TARGET) * _SCALE)
    draw.text((x + r + 3 * _SCALE, y - 9 * _SCALE), mark.label, fill=colour,
              font=_font(15 * _SCALE), stroke_width=2, stroke_fill="white")


def _directions(draw: ImageDraw.ImageDraw, x: int, y: int) -> None:
    """Arrows to north and east, which is left."""
    long, width, font = 40 * _SCALE, 2 * _SCALE, _font(16 * _SCALE)
    for dx, dy, letter in ((0, -1, "N"), (-1, 0, "E")):
        end = (x + dx * long, y + dy * long)
        draw.line(((x, y), end), fill=_INK, width=width)
        tip = 6 * _SCALE
        draw.polygon((end, (end[0] - dx * tip * 2 + dy * tip, end[1] - dy * tip * 2 + dx * tip),
                      (end[0] - dx * tip * 2 - dy * tip, end[1] - dy * tip * 2 - dx * tip)),
                     fill=_INK)
        draw.text((end[0] + dx * 12 * _SCALE, end[1] + dy * 12 * _SCALE), letter, fill=_INK,
                  font=font, anchor="mm", stroke_width=3, stroke_fill="white")


def _scale_bar(draw: ImageDraw.ImageDraw, x: int, y: int, side: int, field_arcmin: float) -> None:
    length = side / field_arcmin
    draw.line(((x, y), (x + length, y)), fill=_INK, width=2 * _SCALE)
    draw.text((x + length / 2, y - 12 * _SCALE), "1'", fill=_INK, font=_font(15 * _SCALE),
              anchor="mm", stroke_width=3, stroke_fill="white")


@cache
def _font(size: int) -> ImageFont.ImageFont | ImageFont.FreeTypeFont:
    return ImageFont.load_default(size=size)


def _saved(picture: Image.Image, form: str) -> bytes:
    out = BytesIO()
    if form == "PDF":
        picture.save(out, "PDF", resolution=200.0)
    else:
        picture.save(out, "PNG", compress_level=6)
    return out.getvalue()
