"""What is written of a reduced frame: its pixels, a header with all that was done, a preview."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

import iop4d
from iop4d.fits.atomic import write_atomic
from iop4d.fits.cards import Value
from iop4d.fits.kept import kept_of
from iop4d.fits.write import StoredPixels, write_image
from iop4d.model.frame import FrameFacts
from iop4d.model.messages import Reduced, ReduceRequest
from iop4d.model.source import SourceKind
from iop4d.model.units import isot_of_jd
from iop4d.reduction.product_cards import OF_REDUCED, comments_of

_MJD_ZERO = 2400000.5
WIDTH = 700  # px, the widest preview
_GREYS = 64  # palette entries of the image, which compress fast; the marks' colours come behind
_HUFFMAN = 2  # zlib's Z_HUFFMAN_ONLY: noise has no repeats, and to look for them takes time
_AT_ONCE = 16  # rows of the preview that are summed up together, which stay in the cache
_DARK, _BRIGHT = -1.5, 60.0  # sky sigmas shown as black and as white
_SOFT = 3.0  # sigmas up to which the scale is linear
_COLOURS = {SourceKind.TARGET: (255, 80, 80), SourceKind.CALIBRATOR: (90, 200, 120),
            SourceKind.STANDARD: (90, 160, 255)}
_INDEX = {kind: _GREYS + number for number, kind in enumerate(_COLOURS)}


def write_reduced(path: Path, image: StoredPixels, reduced: Reduced, request: ReduceRequest, *,
                  headers: Sequence[bytes] = ()) -> None:
    """Write the calibrated image [y, x], ADU with sky, NaN where bad.

    ``headers``: of the raw frame, whose cards stand behind those of the reduction.
    """
    cards: dict[str, Value] = {
        **_of_frame(request.facts),
        **reduced.wcs,
        **_two_beams(reduced),
        "WCSRMS": reduced.wcs_rms_px, "WCSSTARS": reduced.n_matched,
        "NSTARS": reduced.n_detected,
        "FWHM": reduced.fwhm_px, "FWHMSEC": reduced.fwhm_arcsec,
        "SKY": reduced.sky, "SKYSIGMA": reduced.sky_sigma,
        "APRADIUS": reduced.aperture_px, "ANINNER": reduced.annulus_px[0],
        "ANOUTER": reduced.annulus_px[1], "AIRMASS": reduced.airmass, "BJD-TDB": reduced.bjd_tdb,
        **_zero_point(reduced),
        "RAWFILE": request.path.name,
        **{f"M{ref.kind.upper()}": ref.path.name for ref in request.masters},
        "SOFTWARE": f"iop4d {iop4d.__version__}",
    }
    write_image(path, image, cards, comments=comments_of(cards, OF_REDUCED),
                kept=kept_of(headers, {*cards, *OF_REDUCED}), history=reduced.warnings,
                digest=False)


def _of_frame(facts: FrameFacts) -> dict[str, Value]:
    return {
        "BUNIT": "adu", "OBJECT": facts.object, "TELESCOP": facts.telescope,
        "INSTRUME": facts.instrument, "FILTER": facts.band or "", "EXPTIME": facts.exptime_s,
        "DATE-OBS": isot_of_jd(facts.jd_start), "TIMESYS": "UTC",
        "MJD-OBS": facts.jd_start - _MJD_ZERO, "NIGHT": facts.night, "BINNING": facts.binning,
        "OBSMODE": facts.mode, **_polariser(facts),
    }


def _polariser(facts: FrameFacts) -> dict[str, Value]:
    return {} if facts.polariser_deg is None else {"POLANGLE": facts.polariser_deg}


def _two_beams(reduced: Reduced) -> dict[str, Value]:
    """WCS A of the extraordinary images, B of the ordinary ones (FITS standard, 8.2.1)."""
    if not reduced.wcs_ordinary:
        return {}
    both = (("A", reduced.wcs), ("B", reduced.wcs_ordinary))
    return {"WCSNAMEA": "extraordinary image", "WCSNAMEB": "ordinary image", **{
        f"{card}{letter}": value.removesuffix("-SIP") if isinstance(value, str) else value
        for letter, wcs in both for card, value in wcs.items()
        if not card.startswith(("A_", "B_"))}}


def _zero_point(reduced: Reduced) -> dict[str, Value]:
    """That of the first target: a frame has one, but for targets with their own calibrators."""
    for result in reduced.results:
        if result.n_calibrators:
            return {"ZP": result.zero_point, "ZPERR": result.zero_point_err,
                    "ZPSTARS": result.n_calibrators, "ZPFOR": result.source}
    return {}


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
    picture.save(out, format="PNG", compress_level=1, compress_type=_HUFFMAN)
    write_atomic(path, (out.getvalue(),), durable=False)


def _shrink(image: NDArray[np.float32], factor: int) -> NDArray[np.float32]:
    """Mean of squares of ``factor`` pixels."""
    if factor == 1:
        return image
    ny, nx = image.shape[0] // factor, image.shape[1] // factor
    total = np.empty((ny, nx), dtype=np.float32)
    # Rows first, which lie side by side in memory; a sum along so short an axis takes ten times
    # as long as these sums of whole arrays.
    lines = image[:ny * factor].reshape(ny, factor, image.shape[1])[:, :, :nx * factor]
    for first in range(0, ny, _AT_ONCE):
        some, out = lines[first:first + _AT_ONCE], total[first:first + _AT_ONCE]
        columns = _sum([some[:, k] for k in range(factor)]).reshape(out.shape[0], nx, factor)
        out[:] = _sum([columns[:, :, k] for k in range(factor)])
    total /= np.float32(factor * factor)
    return total


def _sum(parts: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    total = parts[0] + parts[1]
    for part in parts[2:]:
        total += part
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
    draw.bitmap((round(x + r + 2), round(y - 7)), _lettering(mark.label), fill=colour)


@lru_cache(maxsize=1000)
def _lettering(label: str) -> Image.Image:
    """A label as a mask of one bit a pixel: drawing letters takes far longer than copying them."""
    left, top, right, bottom = _font().getbbox(label)
    size = (max(math.ceil(max(right, left)), 1), max(math.ceil(max(bottom, top)), 1))
    mask = Image.new("1", size)
    draw = ImageDraw.Draw(mask)
    draw.fontmode = "1"
    draw.text((0, 0), label, fill=1, font=_font())
    return mask
