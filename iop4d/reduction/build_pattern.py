"""Make the fixed pattern of a detector from science frames, where there are no darks and flats."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import iop4d
from iop4d.fits.cards import Value
from iop4d.fits.overscan import trimmed
from iop4d.fits.read import open_fits, raw_image
from iop4d.fits.write import write_image
from iop4d.instruments.base import Instrument
from iop4d.model.errors import FrameError, StageError
from iop4d.model.frame import layout_of
from iop4d.model.messages import MasterBuilt, MasterRequest
from iop4d.reduction.context import Stages
from iop4d.reduction.masters import MasterCache, MasterSet, calibrate_pixels
from iop4d.reduction.product_cards import OF_MASTER, comments_of
from iop4d.reduction.stars import find_sky
from iop4d.science.pattern import fixed_pattern

FloatImage = NDArray[np.float32]

MAX_PIXELS = 60_000_000  # of all frames together, where that is not too few
HELD_PIXELS = 24_000_000  # of all frames together at a time: 100 MB, and four times that to sort
FEWEST = 12  # frames in which a median shows no star


def build_pattern(request: MasterRequest, *, instrument: Instrument, masters: MasterCache,
                  stages: Stages) -> MasterBuilt:
    """Combine science frames of other fields into ADU per second; raises FrameError for too few.

    So that memory stays bounded it is made strip by strip; frames of a large camera are read again
    for each.
    """
    with stages("masters"):
        calibration = masters.set_of(request.masters, request.facts.shape, request.facts.origin)
    ny, nx = request.facts.shape
    most = max(FEWEST, MAX_PIXELS // (ny * nx))
    height = max(1, HELD_PIXELS // (nx * min(most, len(request.inputs) or 1)))
    strips = [slice(first, min(ny, first + height)) for first in range(0, ny, height)]
    used, found, left_out = _first_strip(request, instrument, calibration, strips[0], most, stages)
    if len(used) < FEWEST:
        raise FrameError(f"{len(used)} usable science frames show no pattern, at least {FEWEST} "
                         f"are needed{': ' if left_out else ''}{'; '.join(left_out)}")
    parts = []
    for rows in strips:
        if rows is not strips[0]:
            with stages("read"):
                found = [_sky_free(path, request, instrument, calibration, rows) for path in used]
        with stages("combine"):
            parts.append(fixed_pattern(np.stack([image for image, _ in found]),
                                       float(np.median([sigma for _, sigma in found]))))
    pattern, names = np.concatenate(parts), tuple(path.name for path in used)
    excess = np.abs(pattern[np.isfinite(pattern)])
    scatter = float(np.sqrt(np.mean(excess**2))) if excess.size else 0.0
    with stages("write"):
        facts = request.facts
        cards: dict[str, Value] = {
            "IMAGETYP": "master pattern", "TELESCOP": facts.telescope,
            "INSTRUME": facts.instrument, "NIGHT": facts.night, "BINNING": facts.binning,
            "BUNIT": "adu/s", "NCOMBINE": len(used), "LEVEL": 0.0, "SCATTER": scatter,
            "NHOT": int((pattern > 0).sum()), "NBAD": int(np.isnan(pattern).sum()),
            "SOFTWARE": f"iop4d {iop4d.__version__}"}
        sha256 = write_image(request.output, pattern, cards, comments=comments_of(cards, OF_MASTER),
                             history=[f"from {name}" for name in names])
    return MasterBuilt(sha256=sha256, n_frames=len(used), level=0.0, scatter=scatter,
                       used=names, left_out=tuple(left_out))


def _first_strip(request: MasterRequest, instrument: Instrument, calibration: MasterSet,
                 rows: slice, most: int, stages: Stages,
                 ) -> tuple[list[Path], list[tuple[FloatImage, float]], list[str]]:
    """The usable frames in order of time, from all of the night, with their first strips; and why
    others are not usable."""
    step = max(1, math.ceil(len(request.inputs) / most))
    found: dict[int, tuple[FloatImage, float]] = {}
    left_out = []
    for i in sorted(range(len(request.inputs)), key=lambda i: (i % step, i)):
        path = request.inputs[i]
        try:
            with stages("read"):
                found[i] = _sky_free(path, request, instrument, calibration, rows)
        except (FrameError, StageError) as error:
            left_out.append(f"{path.name}: {error}")
        except OSError as error:
            left_out.append(f"{path.name}: cannot be read: {error.strerror or error}")
        if len(found) == most:
            break
    return [request.inputs[i] for i in sorted(found)], [found[i] for i in sorted(found)], left_out


def _sky_free(path: Path, request: MasterRequest, instrument: Instrument,
              calibration: MasterSet, rows: slice) -> tuple[FloatImage, float]:
    """Rows of a frame without its sky, ADU per second, NaN where the detector does not measure; and
    their noise."""
    file = open_fits(path, wrong_datasum="ignore")  # a median of many frames shows no damage
    facts = instrument.facts_of(file.header, path)
    if layout_of(facts) != layout_of(request.facts):
        raise FrameError(f"its layout is {layout_of(facts)}, not {layout_of(request.facts)}")
    if not facts.exptime_s > 0:
        raise FrameError("has an exposure time of 0 s")
    raw = trimmed(raw_image(file), facts, saturation_adu=instrument.saturation_adu)
    frame = calibrate_pixels(
        raw.part(rows, slice(None)), calibration.part(rows), exptime_s=facts.exptime_s,
        saturation_adu=instrument.saturation_adu, gain=instrument.gain_e_adu,
        linear_to_adu=instrument.linear_to_adu)
    sky = find_sky(frame)
    image = frame.image
    for mask in (frame.bad, frame.saturated, frame.nonlinear):
        if mask is not None:
            image[mask] = np.nan
    return image / np.float32(facts.exptime_s), sky.sigma / facts.exptime_s
