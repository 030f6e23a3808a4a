"""Frames with two images of every star: which detections belong together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from iop4d.instruments.base import Instrument
from iop4d.model.errors import StageError
from iop4d.model.frame import FrameFacts
from iop4d.science.detect import Detections
from iop4d.science.doubled import second_image
from iop4d.science.pairs import Pairs, find_offset, find_pairs, is_chance

_FEWEST = 3  # pairs that a known offset must give before an unknown one is looked for
_LONGEST_ARCSEC = 95.0  # between two images of a star, where the offset is unknown
_PART = 0.1  # of the detections, of which so many pairs are no accident
_CUT_PX = 6.0  # from the edge of the frame, nearer to which an image is cut


@dataclass(frozen=True, kw_only=True)
class TwoBeams:
    """The pairs of a frame's detections, and what finds those of any other list of it."""

    pairs: Pairs
    extraordinary_of: Callable[[Detections], Detections]


def match_beams(detections: Detections, facts: FrameFacts, instrument: Instrument) -> TwoBeams:
    """Pair the detections of a frame at the instrument's offset, or at the one they show.

    An instrument without a known offset, or whose known one no longer fits, gives itself away by
    the peak of all differences; so it does where the pairs at the known offset may be accidents.
    """
    beams = instrument.beams_of(facts)
    assert beams is not None
    offset, tolerance = beams.at(facts.binning)
    x, y, flux = detections.x, detections.y, detections.flux
    pairs = find_pairs(x, y, flux, offset=offset, tolerance=tolerance,
                       cut=_cut(detections, facts.shape))
    few = len(pairs) < _FEWEST or (len(pairs) < _PART * len(detections) and is_chance(
        x, y, flux, pairs, tolerance=tolerance))
    if few and len(detections) >= 2 * _FEWEST:
        longest = _LONGEST_ARCSEC / instrument.pixel_arcsec(facts.binning)
        shown = find_offset(x, y, flux, longest=longest, near=offset)
        if shown is not None:
            other = find_pairs(x, y, flux, offset=shown, tolerance=(3.0, 3.0))
            pairs = other if len(other) > len(pairs) else pairs

    def extraordinary_of(some: Detections) -> Detections:
        mine = find_pairs(some.x, some.y, some.flux, offset=pairs.offset, tolerance=(3.0, 3.0))
        return some.only(np.sort(mine.extraordinary))

    return TwoBeams(pairs=pairs, extraordinary_of=extraordinary_of)


def _cut(detections: Detections, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Which detections the edge of the frame cuts."""
    ny, nx = shape
    x, y = detections.x, detections.y
    return np.asarray((x < _CUT_PX) | (x > nx - 1 - _CUT_PX)
                      | (y < _CUT_PX) | (y > ny - 1 - _CUT_PX))


def refuse_second_images(detections: Detections, facts: FrameFacts, instrument: Instrument) -> None:
    """Raise StageError where every star of a frame has two images and its camera, described in the
    site file, is said to make one: only one of them would be measured.
    """
    if not instrument.identity:
        return  # a shipped instrument's frames are known
    longest = _LONGEST_ARCSEC / instrument.pixel_arcsec(facts.binning)
    offset = second_image(detections.x, detections.y, detections.flux, longest=longest)
    if offset is None:
        return
    dx, dy = (facts.binning * step for step in offset)
    raise StageError(
        "pairs", f"every star has a second image at {offset[0]:+.1f}, {offset[1]:+.1f} px, and the "
        f"[[camera]] section '{instrument.name}' describes single images. Of a polarimeter of two "
        f"beams it says analyser, angle_card and pair_offset = [{dx:.1f}, {dy:.1f}], or that "
        "offset alone for magnitudes, then retry; a telescope that jumped during the exposure "
        "leaves such a frame, too")
