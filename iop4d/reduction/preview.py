"""The preview of a frame: a small PNG with its sources marked."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from iop4d.fits.atomic import write_atomic
from iop4d.model.source import SourceKind

WIDTH = 700  # px, the widest preview
_GREYS = 64  # palette entries of the image, which compress fast; the marks' colours come behind
_RUN_LENGTHS = 3  # zlib's Z_RLE: noise has no longer repeats, and to look for them doubles the time
_DARK, _BRIGHT = -1.5, 60.0  # sky sigmas shown as black and as white
_SOFT = 3.0  # sigmas up to which the scale is linear
_COLOURS = {SourceKind.TARGET: (255, 80, 80), SourceKind.CALIBRATOR: (90, 200, 120),
            SourceKind.STANDARD: (90, 160, 255)}
_INDEX = {kind: _GREYS + number for number, kind in enumerate(_COLOURS)}


@dataclass(frozen=True, kw_only=True)
class Mark:
    """A circle about a source at 0-based ``x``, ``y`` of the frame, with its name."""

    x: float
    y: float
    label: str
    kind: SourceKind


def write_preview(path: Path, image: NDArray[np.float32], *, sigma: float, radius: float,
                  marks: Sequence[Mark]) -> None:
    """Draw a background-subtracted image [y, x] with marks of ``radius`` px, y upwards."""
    factor = math.ceil(image.shape[1] / WIDTH)
    small = _shrink(image, factor)
    grey = _stretch(small, sigma / factor)
    picture = Image.fromarray(grey[::-1])
    picture.putpalette(_palette())
    draw = ImageDraw.Draw(picture)
    draw.fontmode = "1"  # no smoothing: it would mix palette numbers
    for mark in sorted(marks, key=lambda mark: mark.kind is SourceKind.TARGET):
        _circle(draw, mark, factor=factor, height=small.shape[0], radius=radius)
    out = BytesIO()
    picture.save(out, format="PNG", compress_level=1, compress_type=_RUN_LENGTHS)
    write_atomic(path, (out.getvalue(),), durable=False)


def _shrink(image: NDArray[np.float32], factor: int) -> NDArray[np.float32]:
    """Mean of squares of ``factor`` pixels."""
    if factor == 1:
        return image
    ny, nx = image.shape[0] // factor, image.shape[1] // factor
    total = np.zeros((ny, nx), dtype=np.float32)
    for j in range(factor):
        for i in range(factor):
            total += image[j:ny * factor:factor, i:nx * factor:factor]
    total /= np.float32(factor * factor)
    return total


def _stretch(image: NDArray[np.float32], sigma: float) -> NDArray[np.uint8]:
    low, high = (math.asinh(level / _SOFT) for level in (_DARK, _BRIGHT))
    scaled = np.arcsinh(image * np.float32(1.0 / (_SOFT * sigma)))
    scaled -= np.float32(low)
    scaled *= np.float32((_GREYS - 1) / (high - low))
    np.clip(scaled, 0, _GREYS - 1, out=scaled)
    return np.asarray(scaled, dtype=np.uint8)


@cache
def _palette() -> bytes:
    greys = [round(number * 255 / (_GREYS - 1)) for number in range(_GREYS)]
    colours = [part for colour in _COLOURS.values() for part in colour]
    return bytes([grey for grey in greys for _ in range(3)] + colours)


@cache
def _font() -> ImageFont.ImageFont | ImageFont.FreeTypeFont:
    return ImageFont.load_default(size=12)


def _circle(draw: ImageDraw.ImageDraw, mark: Mark, *, factor: int, height: int,
            radius: float) -> None:
    x = (mark.x + 0.5) / factor - 0.5
    y = height - 1 - ((mark.y + 0.5) / factor - 0.5)
    r = max(radius / factor, 5.0)
    colour = _INDEX[mark.kind]
    draw.ellipse((x - r, y - r, x + r, y + r), outline=colour,
                 width=2 if mark.kind is SourceKind.TARGET else 1)
    draw.text((x + r + 2, y - 7), mark.label, fill=colour, font=_font())
