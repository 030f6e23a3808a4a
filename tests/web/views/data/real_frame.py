"""A frame of the invented site that has real files: a sky with stars, raw and reduced."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from iop4d.config import Site
from iop4d.fits.write import write_image
from tests.web.conftest import execute

FRAME = 1
SHAPE = (300, 400)
STAR = (200, 150)  # x, y
WCS = {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 330.68, "CRVAL2": 42.2777,
       "CRPIX1": STAR[0] + 1.0, "CRPIX2": STAR[1] + 1.0, "CD1_1": -1.5e-4, "CD1_2": 0.0,
       "CD2_1": 0.0, "CD2_2": 1.5e-4}


def sky() -> np.ndarray:
    """Noise about 200 ADU and one star, a pixel without a value."""
    j, i = np.indices(SHAPE)
    image = np.random.default_rng(3).normal(200.0, 5.0, SHAPE)
    image += 9000.0 * np.exp(-np.hypot(i - STAR[0], j - STAR[1]) ** 2 / 8.0)
    image[20, 30] = np.nan
    return image.astype(np.float32)


def give(site: Site, frame: int = FRAME) -> Path:
    """Give a frame of a site its files; the raw one lies upside down, with an overscan."""
    reduced = site.root / "reduced" / "real.fits"
    reduced.parent.mkdir(exist_ok=True)
    write_image(reduced, sky(), {"OBJECT": "BL Lac", "EXPTIME": 120.0})
    raw = site.root / "raw" / "real.fit"
    padded = np.pad(np.nan_to_num(sky())[::-1], ((0, 0), (10, 0)), constant_values=99.0)
    write_image(raw, padded.astype(np.float32), {"OBJECT": "BL Lac", "OBSERVER": "Ana"},
                history=["taken by hand"])
    info = {"wcs": WCS, "aperture_px": 6.0, "annulus_px": [10.0, 18.0], "fwhm_px": 4.7,
            "fwhm_arcsec": 2.5, "n_matched": 12, "n_detected": 20, "wcs_rms_px": 0.1,
            "astrometry_from": "index"}
    execute(site, "UPDATE frame SET reduced_path = ?, path = ?, info = ?, detector = ?, "
            "flipped = TRUE, ny = ?, nx = ? WHERE id = ?", str(reduced), str(raw), json.dumps(info),
            json.dumps({"trim": [10, 410, 0, 300]}), *SHAPE, frame)
    growth = [[2.0, 5000.0, 9.0, 8.0, 0, 0.0], [4.0, 9000.0, 15.0, 12.0, 0, 0.0]]
    execute(site, "UPDATE measurement SET x = ?, y = ?, growth = ? WHERE frame_id = ?",
            float(STAR[0]), float(STAR[1]), json.dumps(growth), frame)
    return reduced
