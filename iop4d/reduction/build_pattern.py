"""Make the fixed pattern of a detector from science frames, where there are no darks and flats."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import iop4d
from iop4d.fits.overscan import trimmed
from iop4d.fits.read import open_fits, raw_image
from iop4d.fits.write import write_image
from iop4d.instruments.base import Instrument
from iop4d.model.errors import FrameError, StageError
from iop4d.model.frame import layout_of
from iop4d.model.messages import MasterBuilt, MasterRequest
from iop4d.reduction.context import Stages
from iop4d.reduction.masters import CalibratedImage, MasterCache, MasterSet, calibrate_pixels
from iop4d.reduction.stars import find_sky
from iop4d.science.pattern import fixed_pattern

FloatImage = NDArray[np.float32]

MAX_PIXELS = 60_000_000  # of all frames together, as float32
FEWEST = 12  # frames in which a median shows no star


def build_pattern(request: MasterRequest, *, instrument: Instrument, masters: MasterCache,
                  stages: Stages) -> MasterBuilt:
    """Combine science frames of other fields into ADU per second; raises FrameError for too few."""
    with stages("masters"):
        calibration = masters.set_of(request.masters, request.facts.shape, request.facts.origin)
    most = max(FEWEST, MAX_PIXELS // (request.facts.shape[0] * request.facts.shape[1]))
    images, sigmas, used, left_out = [], [], [], []
    for path in request.inputs[:most]:
        try:
            with stages("read"):
                image, sigma = _sky_free(path, request, instrument, calibration)
        except (FrameError, StageError, OSError) as error:
            left_out.append(f"{path.name}: {error}")
            continue
        images.append(image)
        sigmas.append(sigma)
        used.append(path.name)
    if len(used) < FEWEST:
        raise FrameError(f"{len(used)} usable science frames show no pattern, at least {FEWEST} "
                         f"are needed{': ' if left_out else ''}{'; '.join(left_out)}")
    with stages("combine"):
        pattern = fixed_pattern(np.stack(images), float(np.median(sigmas)))
    excess = np.abs(pattern[np.isfinite(pattern)])
    scatter = float(np.sqrt(np.mean(excess**2))) if excess.size else 0.0
    with stages("write"):
        facts = request.facts
        sha256 = write_image(request.output, pattern, {
            "IMAGETYP": "master pattern", "TELESCOP": facts.telescope,
            "INSTRUME": facts.instrument, "NIGHT": facts.night, "BINNING": facts.binning,
            "BUNIT": "adu/s", "NCOMBINE": len(used), "LEVEL": 0.0, "SCATTER": scatter,
            "NHOT": int((pattern > 0).sum()), "NBAD": int(np.isnan(pattern).sum()),
            "SOFTWARE": f"iop4d {iop4d.__version__}"}, history=[f"from {name}" for name in used])
    return MasterBuilt(sha256=sha256, n_frames=len(used), level=0.0, scatter=scatter,
                       used=tuple(used), left_out=tuple(left_out))


def _sky_free(path: Path, request: MasterRequest, instrument: Instrument,
              calibration: MasterSet) -> tuple[FloatImage, float]:
    """A frame without its sky, ADU per second, NaN where saturated or bad; and its noise."""
    file = open_fits(path)
    facts = instrument.read(file.header, path.name)
    if layout_of(facts) != layout_of(request.facts):
        raise FrameError(f"its layout is {layout_of(facts)}, not {layout_of(request.facts)}")
    if not facts.exptime_s > 0:
        raise FrameError("has an exposure time of 0 s")
    raw = trimmed(raw_image(file), facts)
    frame: CalibratedImage = calibrate_pixels(raw, calibration, exptime_s=facts.exptime_s,
                                              saturation_adu=instrument.saturation_adu)
    sky = find_sky(frame)
    image = frame.image
    for mask in (frame.bad, frame.saturated):
        if mask is not None:
            image[mask] = np.nan
    return image / np.float32(facts.exptime_s), sky.sigma / facts.exptime_s
