"""From raw pixels to calibrated ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from iop4d.fits.read import RawImage
from iop4d.reduction.masters import MasterSet

FloatImage = NDArray[np.float32]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class CalibratedImage:
    """A calibrated image, float32 [y, x], ADU; NaN where bad. Masks are None if all False."""

    image: FloatImage
    saturated: Mask | None
    bad: Mask | None


def calibrate_pixels(raw: RawImage, masters: MasterSet, *, exptime_s: float,
                     saturation_adu: float) -> CalibratedImage:
    """(raw - bias - dark x exptime) / flat; saturation is that of the raw value."""
    image = raw.rows()
    saturated = image >= np.float32(saturation_adu)
    if masters.bias is not None:
        image -= masters.bias
    if masters.dark is not None:
        image -= masters.dark * np.float32(exptime_s)
    if masters.flat is not None:
        image /= masters.flat
    bad = ~np.isfinite(image)
    return CalibratedImage(image=image, saturated=saturated if saturated.any() else None,
                      bad=bad if bad.any() else None)
