"""The steps of the reduction of one frame, one after the other, with settings of one's own.

Nothing is written. Each step does those before it, once.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy import units as u
from astropy.table import QTable
from astropy.wcs import WCS

from iop4d.config import Site as SiteFile
from iop4d.config.tried import APERTURE_ARCSEC, Tried
from iop4d.library.compared import comparison
from iop4d.library.image import Image, wcs_of
from iop4d.library.pixels import BITS, image, with_errors
from iop4d.model.flags import names
from iop4d.model.messages import Reduced, ReduceRequest
from iop4d.model.result import Measurement
from iop4d.reduction.context import Stages
from iop4d.reduction.field import Field
from iop4d.reduction.frame import (
    Calibrated,
    Detected,
    FramePhotometry,
    Tools,
    calibrate_frame,
    detect_stars,
    measure_frame,
    reduce_frame,
    solve_field,
)
from iop4d.reduction.masters import CalibratedImage
from iop4d.reduction.workbench import Workbench

if TYPE_CHECKING:
    from iop4d.library.frames import Frame

_MEASURED = {"x": u.pix, "y": u.pix, "flux": u.adu / u.s, "flux_err": u.adu / u.s,
             "mag_inst": u.mag, "mag_inst_err": u.mag, "snr": None, "sky": u.adu,
             "neighbours": None, "psf_flux": u.adu / u.s, "psf_flux_err": u.adu / u.s}


class Reduction:
    """A frame reduced by hand; ``Frame.reduce`` makes it. Every step may be asked for at once.

    ``settings``: those that differ from the site's, by the names of the site file. A step that
    fails raises FrameError or StageError, which say why in words.
    """

    def __init__(self, frame: Frame, request: ReduceRequest, bench: Workbench, *, site: SiteFile,
                 settings: Tried) -> None:
        self.frame = frame
        self.settings = dict(settings)
        self._request = request
        self._bench = bench
        self._site = site
        self._stages = Stages()

    # The steps.

    def calibrate(self) -> Image:
        """Step 1. The pixels with the masters applied and with sky: float32 (ny, nx), adu.

        Bad pixels are masked.
        """
        kept = self._calibrated.kept
        assert kept is not None
        return image(kept.copy(), {}, None)

    def masks(self) -> Image:
        """The pixels that do not count: uint8 (ny, nx); 1 bad, 2 saturated, 4 not linear."""
        frame = self._calibrated.frame
        bits = np.zeros(frame.image.shape, dtype=np.uint8)
        for name, bit in BITS.items():
            mask = getattr(frame, name)
            if mask is not None:
                bits[mask] |= bit
        return image(bits, {f"BIT{bit}": name for name, bit in BITS.items()},
                     self.frame.info.get("wcs"), unit=u.dimensionless_unscaled)

    def detect(self) -> QTable:
        """Step 2. The stars, brightest first: x and y (pixels from 0), flux and peak (adu),
        radius (pixels), elongation, ``saturated``, ``edge``, ``cosmic_ray``.

        ``meta``: sky and sky_sigma (adu), fwhm (pixels).
        """
        stars = self._detected.stars
        found = stars.detections
        table = QTable({"x": found.x * u.pix, "y": found.y * u.pix, "flux": found.flux * u.adu,
                        "peak": found.peak * u.adu, "radius": found.radius * u.pix,
                        "elongation": found.elongation, "saturated": found.saturated,
                        "edge": found.edge, "cosmic_ray": stars.sharp})
        table.meta.update(sky=stars.sky.level * u.adu, sky_sigma=stars.sky.sigma * u.adu,
                          fwhm=stars.psf.fwhm * u.pix)
        return table

    def background(self) -> Image:
        """The image of step 2: without its sky, with the error of each pixel; float32, adu."""
        stars = self._detected.stars
        return with_errors(image(self._subtracted.image.copy(), {}, None), sky=0.0,
                           sky_sigma=stars.sky.sigma, gain=self._tools.instrument.gain_e_adu)

    def solve(self) -> WCS:
        """Step 3. The astrometric solution; of the extraordinary images where stars have two."""
        found = wcs_of(self._field.wcs.cards())
        assert found is not None
        return found

    def astrometry(self) -> QTable:
        """How well step 3 fits: x and y (pixels) of the brightest stars that it rests on, and how
        far they are from where it puts them, dx and dy (pixels).

        ``meta``: astrometry_from, n_matched, rms (pixels), steps (ways that failed), log_odds.
        """
        field = self._field
        rows = np.array(field.solution.matched, dtype=np.float64).reshape(-1, 4)
        table = QTable({name: rows[:, at] * u.pix for at, name in enumerate(
            ("x", "y", "dx", "dy"))})
        table.meta.update(
            astrometry_from=str(field.astrometry_from), n_matched=field.refined.n_matched,
            rms=field.refined.rms_px * u.pix, steps=list(field.solution.steps),
            log_odds=field.solution.log_odds)
        return table

    def photometry(self) -> QTable:
        """Step 4. What is measured of each source: place (pixels), flux (adu / s), instrumental
        magnitude, S/N, sky (adu), each with its random error, and flags.

        ``meta``: aperture, annulus_inner and annulus_outer (pixels).
        """
        aperture = self._measured.aperture
        table = _table(self._measured.sources)
        table.meta.update(aperture=aperture.radius * u.pix, annulus_inner=aperture.inner * u.pix,
                          annulus_outer=aperture.outer * u.pix)
        return table

    def results(self) -> QTable:
        """Step 5. The results of a photometry frame from this frame alone: magnitudes.

        Empty for a frame of polarimetry, whose results are of its group: see ``Result.reduce``.
        """
        table = QTable()
        found = self._reduced.results
        table["source"] = [one.source for one in found]
        table["band"] = [one.band for one in found]
        for name in ("mag", "mag_err", "mag_err_common", "mag_limit", "zero_point",
                     "zero_point_err"):
            table[name] = np.array([getattr(one, name) for one in found]) * u.mag
        table["n_calibrators"] = [one.n_calibrators for one in found]
        table["aperture_arcsec"] = np.array([one.aperture_arcsec for one in found]) * u.arcsec
        table["flags"] = [";".join(names(one.flags)) for one in found]
        return table

    def compare(self) -> QTable:
        """What is stored of this frame beside what was measured here, a row for each source.

        Flux (adu / s) with its random error, ``difference``, and ``sigmas``: that in units of the
        stored error. Both rest on the same light, so that one sigma is much.
        """
        stored = {(row["source"], row["beam"] or ""): row for row in self.frame.measurements}
        return comparison(stored, {(one.source, one.beam): one for one in self._measured.sources})

    # What they rest on.

    @cached_property
    def _tools(self) -> Tools:
        return self._bench.tools(self._site, self._catalogue, self._request.facts)

    @property
    def _catalogue(self) -> Any:
        catalogue = self._bench.context.catalogue
        radius = self.settings.get(APERTURE_ARCSEC)
        if radius is None:
            return catalogue
        return replace(catalogue, sources=tuple(
            replace(one, aperture_arcsec=float(radius)) if one.name == self.frame["target"]
            else one for one in catalogue.sources))

    @cached_property
    def _calibrated(self) -> Calibrated:
        return calibrate_frame(self._request, self._tools, self._stages, keep=True)

    @cached_property
    def _subtracted(self) -> CalibratedImage:
        """Pixels from which the sky is subtracted; those of step 1 stay as they are."""
        frame = self._calibrated.frame
        return replace(frame, image=frame.image.copy())

    @cached_property
    def _detected(self) -> Detected:
        return detect_stars(self._subtracted, self._calibrated.masters, self._request,
                            self._tools, self._stages)

    @cached_property
    def _field(self) -> Field:
        found = self._detected  # which subtracts the sky
        return solve_field(self._subtracted, found, self._request, self._tools, self._stages)

    @cached_property
    def _measured(self) -> FramePhotometry:
        field = self._field
        return measure_frame(self._subtracted, self._detected.stars, field, self._request,
                             self._tools, self._stages)

    @cached_property
    def _reduced(self) -> Reduced:
        return reduce_frame(self._request, self._tools, Stages())

    def __repr__(self) -> str:
        said = ", ".join(f"{name} = {value}" for name, value in self.settings.items())
        return f"<Reduction of {self.frame!r} with {said or 'the settings of the site'}>"


def _table(measured: tuple[Measurement, ...]) -> QTable:
    table = QTable()
    table["source"] = [one.source for one in measured]
    table["beam"] = [one.beam for one in measured]
    for name, unit in _MEASURED.items():
        values = np.array([getattr(one, name) for one in measured], dtype=np.float64)
        table[name] = values if unit is None else values * unit
    table["flags"] = [";".join(names(one.flags)) for one in measured]
    return table
