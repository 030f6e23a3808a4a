"""What a frame shows that a section for its camera is drafted from: its cards and its pixels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from iop4d.fits.cards import parse_comments
from iop4d.fits.read import FitsFile, RawImage, open_fits, raw_image
from iop4d.instruments.draft_section import Example
from iop4d.model.errors import FrameError, StageError
from iop4d.reduction.masters import MasterSet, calibrate_pixels
from iop4d.reduction.stars import find_sky, find_stars
from iop4d.science.detect import Detections
from iop4d.science.doubled import second_image

_HEADERS = 1 << 20  # bytes of a file in which its headers are
_CLIPPED = 8  # pixels at the highest value of a frame: fewer are stars by chance
_DETECTION_SIGMA = 5.0
_MIDDLE = 400  # pixels of a side of the middle, by whose noise the gain shows
_LONGEST_PX = 100.0  # between two images of a star


def look_at(path: Path) -> Example:
    """A frame's cards, where its pixels are clipped, its stars, and a second image of every one.

    Raises FrameError for a file that is none.
    """
    file = open_fits(path)
    comments = parse_comments(bytes(file.data[:min(file.image.start, _HEADERS)]))
    raw = _plain(file)
    detections = _detections(raw) if raw else None
    return Example(path=path, header=file.header, comments=comments,
                clipped_adu=clipped_level(raw) if raw else None,
                middle=_middle(raw) if raw else None,
                stars=None if raw is None else 0 if detections is None else len(detections.x),
                second_image_px=None if detections is None else second_image(
                    detections.x, detections.y, detections.flux, longest=_LONGEST_PX))


def _plain(file: FitsFile) -> RawImage | None:
    try:
        return raw_image(file)
    except FrameError:
        return None


def _middle(raw: RawImage) -> NDArray[np.float32]:
    """The pixels in the middle of an image, half of each side and 400 px at most."""
    pixels = raw.rows()
    half = [min(_MIDDLE, n // 2) // 2 for n in pixels.shape]
    ny, nx = pixels.shape
    return np.array(pixels[ny // 2 - half[0]:ny // 2 + half[0],
                           nx // 2 - half[1]:nx // 2 + half[1]], dtype=np.float32)


def clipped_level(raw: RawImage) -> float | None:
    """The level at which many pixels of an image are clipped below 65535 ADU; None if none are.

    Such pixels are many more than there are just below the level, and far above the sky.
    """
    pixels = raw.rows()
    top = float(np.nanmax(pixels))
    at_top = int(np.count_nonzero(pixels == top))
    below = int(np.count_nonzero((pixels < top) & (pixels >= 0.98 * top)))
    bright = top > 2.0 * float(np.nanmedian(pixels))
    return top if bright and top < 65535.0 and at_top >= max(_CLIPPED, 2 * below) else None


def _detections(raw: RawImage) -> Detections | None:
    """The stars of an image; None where none is found."""
    frame = calibrate_pixels(raw, MasterSet(), exptime_s=1.0, saturation_adu=65535.0)
    try:
        return find_stars(frame, find_sky(frame), threshold=_DETECTION_SIGMA).detections
    except StageError:
        return None
