"""Images as CCDData, with their WCS."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from astropy.io import fits
from astropy.nddata import CCDData
from astropy.wcs import WCS, FITSFixedWarning

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class Image(CCDData):  # type: ignore[misc]
    """A CCDData that can be drawn: float32 (ny, nx), its unit, header, mask and WCS."""

    def plot(self, ax: Axes | None = None, *, sigmas: tuple[float, float] = (-2.0, 20.0)) -> Axes:
        """Draw it in grey, from so many sigmas of the sky below to above its median; the axes.

        ``ax``: axes to draw in; by default those of a new figure. Pixels count from 0.
        """
        from iop4d.library.plots import draw_image

        return draw_image(self, ax, sigmas=sigmas)


def wcs_of(cards: Mapping[str, Any] | None) -> WCS | None:
    """The WCS of plain cards; None for none."""
    if not cards or "CRVAL1" not in cards:
        return None
    header = fits.Header()
    for name, value in cards.items():
        header[name] = value
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FITSFixedWarning)
        return WCS(header)
