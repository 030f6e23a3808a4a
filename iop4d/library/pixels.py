"""The pixels of frames and masters, read from the site's files."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from astropy import units as u
from astropy.io import fits
from astropy.nddata import StdDevUncertainty
from numpy.typing import NDArray

from iop4d.fits.overscan import trimmed
from iop4d.fits.read import open_fits, raw_image, read_image
from iop4d.instruments.base import Instrument
from iop4d.library.errors import NotFoundError
from iop4d.library.image import Image, wcs_of
from iop4d.model.errors import FrameError
from iop4d.model.frame import FrameFacts

#: Bits of the image of masks.
BITS = {"bad": 1, "saturated": 2, "nonlinear": 4}
_UNITS = {"dark": u.adu / u.s, "pattern": u.adu / u.s, "flat": u.dimensionless_unscaled}


def raw_of(path: Path, facts: FrameFacts | None, instrument: Instrument | None,
           cards: Mapping[str, Any] | None) -> Image:
    """The pixels of a raw file that see light; all of them where it is not known what it is.

    ``cards``: of the WCS that the reduction found, if it did.
    """
    with _files(path):
        file = open_fits(path, wrong_datasum="ignore")
        raw = raw_image(file)
        if facts is not None and instrument is not None:
            raw = trimmed(raw, facts, saturation_adu=instrument.saturation_adu)
        pixels = raw.rows()
    same = facts is not None and pixels.shape == facts.shape
    return image(pixels, file.header, cards if same else None)


def reduced_of(path: Path, cards: Mapping[str, Any] | None, *, sky_sigma: float | None,
               sky: float | None, gain: float | None) -> Image:
    """A reduced image with sky, its bad pixels masked."""
    with _files(path):
        pixels, header = read_image(path)
    return with_errors(image(pixels, header, cards), sky=sky, sky_sigma=sky_sigma, gain=gain)


def master_of(path: Path, kind: str) -> Image:
    """The pixels of a master."""
    with _files(path):
        pixels, header = read_image(path)
    return image(pixels, header, None, unit=_UNITS.get(kind, u.adu))


def image(pixels: NDArray[Any], header: Mapping[str, Any], cards: Mapping[str, Any] | None, *,
          unit: u.UnitBase = u.adu) -> Image:
    """Pixels with their header; NaN are masked. ``cards``: of the WCS."""
    bad = ~np.isfinite(pixels) if pixels.dtype.kind == "f" else None
    wcs = wcs_of(cards)
    if wcs is not None:
        wcs.array_shape = pixels.shape
    return Image(pixels, unit=unit, meta=header_of(header), wcs=wcs,
                 mask=bad if bad is not None and bad.any() else None)


def with_errors(found: Image, *, sky: float | None, sky_sigma: float | None,
                gain: float | None) -> Image:
    """The image with the standard deviation of each pixel, where its parts are known.

    The noise of the sky as it was measured, and the photons of what is above the sky.
    """
    if sky is None or sky_sigma is None or gain is None or not gain > 0:
        return found
    light = np.clip(np.nan_to_num(found.data - np.float32(sky)), 0.0, None)
    found.uncertainty = StdDevUncertainty(np.sqrt(sky_sigma**2 + light / gain))
    return found


def header_of(cards: Mapping[str, Any]) -> fits.Header:
    """Plain cards as a header; those that FITS cannot hold are left out."""
    header = fits.Header()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", fits.verify.VerifyWarning)
        for name, value in cards.items():
            try:
                header[name] = value
            except ValueError:
                continue
    return header


class _files:  # noqa: N801 - reads as a statement
    """What goes wrong with a file, in words."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: object) -> None:
        if isinstance(error, FileNotFoundError):
            raise NotFoundError(f"the file {self._path} is not there any more") from None
        if isinstance(error, OSError):
            raise NotFoundError(f"the file {self._path} cannot be read: "
                                f"{error.strerror or error}") from None
        if isinstance(error, FrameError):
            raise NotFoundError(f"the file {self._path} {error}") from None
