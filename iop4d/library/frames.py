"""Frames, polarimetry groups and masters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.time import Time

from iop4d.library.history import history_of
from iop4d.library.row import Row
from iop4d.library.values import time_of_jd
from iop4d.store.tables import LISTINGS

if TYPE_CHECKING:
    from astropy.table import QTable
    from astropy.wcs import WCS

    from iop4d.library.image import Image
    from iop4d.library.reduction import Reduction
    from iop4d.library.results import Results
    from iop4d.library.selection import Selection



class Frame(Row):
    """A raw file with its fate, and what its reduction found.

    ``frame.info`` holds all that the reduction found, as plain values.
    """

    _listing = LISTINGS["frames"]

    @property
    def start(self) -> Time | None:
        """When its exposure began, UTC; None for a file that was not read."""
        return time_of_jd(self["jd_start"])

    @property
    def mid(self) -> Time | None:
        """The middle of its exposure, UTC."""
        start = self.start
        return None if start is None or self["exptime_s"] is None \
            else start + 0.5 * self["exptime_s"] * u.s

    @property
    def pointing(self) -> SkyCoord | None:
        """Where its header says that it points, ICRS; None where it says nothing."""
        if self["ra_deg"] is None or self["dec_deg"] is None:
            return None
        return SkyCoord(self["ra_deg"] * u.deg, self["dec_deg"] * u.deg, frame="icrs")

    @property
    def info(self) -> dict[str, Any]:
        """What its reduction found, as plain values: WCS, FWHM, sky, aperture, warnings, ..."""
        return dict(self.details["info"] or {})

    @property
    def wcs(self) -> WCS | None:
        """Its astrometric solution (pixels count from 0 in astropy's methods), or None."""
        from iop4d.library.image import wcs_of

        return wcs_of(self.info.get("wcs"))

    @property
    def results(self) -> Results:
        """The results that rest on it, also those of its polarimetry group."""
        return self._observatory.results_of([one["id"] for one in self.details["results"]])

    @property
    def masters(self) -> Selection[Master]:
        """The masters that calibrated it, as they are now; ``details`` has the revisions."""
        return self._observatory.masters_of([one["id"] for one in self.details["masters"]])

    @property
    def group(self) -> Group | None:
        """Its polarimetry group, or None."""
        return None if self["group_id"] is None else self._observatory.group(self["group_id"])

    @property
    def measurements(self) -> Selection[Measurement]:
        """What was measured of each source on it, before calibration."""
        return self._observatory.measurements_of(self["id"])

    @property
    def history(self) -> QTable:
        """Every value that its results had, the earliest first; see ``Result.history``."""
        return history_of(list(self.results))

    def image(self, kind: str = "reduced") -> Image:
        """An image of it: ``raw``, ``reduced`` or ``masks``.

        A CCDData, float32 (ny, nx), adu, with the WCS of the solution where there is one. ``raw``:
        the pixels that see light, as the reduction reads them. ``reduced``: calibrated, with sky;
        mask: bad pixels; uncertainty: of the sky's noise and the light's photons, where the gain is
        known. ``masks``: uint8, 1 for bad, 2 for saturated, 4 for above the linear range; made
        again from the raw file. Raises NotFoundError where a file is not there (any more).
        """
        return self._observatory.image_of(self, kind)

    def reduce(self, **settings: Any) -> Reduction:
        """Reduce it by hand with other settings; nothing is written.

        ``aperture``, ``annulus_inner``, ``annulus_outer``: radii, sigmas of the PSF (FWHM / 2.355);
        ``detection_sigma``: sigmas of the sky; ``aperture_arcsec``: a radius for the target, arcsec
        or a Quantity. The others are those of the site file. Raises TypeError for another setting
        (those of polarimetry are of ``Result.reduce``), SelectionError for a value that makes no
        sense, NotFoundError for a frame that was not measured.
        """
        return self._observatory.reduction_of(self, settings)

    def _words(self) -> str:
        said = [self["name"], self["kind"], self["target"] or self["object"], self["band"],
                self["state"]]
        return f": {', '.join(str(one) for one in said if one)}"


class Measurement(Row):
    """Aperture photometry of one source on one frame, before calibration."""

    _listing = LISTINGS["measurements"]

    def _words(self) -> str:
        return f": {self['source']} {self['beam'] or ''}on frame {self['frame_id']}"


class Group(Row):
    """Frames of one target at the positions of a polariser or a half-wave plate."""

    _listing = LISTINGS["groups"]

    @property
    def frames(self) -> Selection[Frame]:
        """Its frames; ``group["frames"]`` is their number."""
        return self._observatory.frames(group_id=self["id"])

    @property
    def results(self) -> Results:
        """Its results: of the target and of every other source in the field."""
        return self._observatory.results_of(list(self.details["results"]))

    def _words(self) -> str:
        return f": {self['source']} {self['band']}, {self['instrument']}, {self['night']}"


class Master(Row):
    """A bias, dark or flat that was combined from frames."""

    _listing = LISTINGS["masters"]

    @property
    def frames(self) -> list[str]:
        """The names of the frames that it is combined from."""
        return list(self.details["frames"])

    @property
    def left_out(self) -> list[str]:
        """Frames that were left out, each with its reason."""
        return list(self.details["left_out"])

    def image(self) -> Image:
        """Its pixels: float32 (ny, nx); adu, adu per second (dark) or none (flat)."""
        return self._observatory.image_of_master(self)

    def _words(self) -> str:
        kind = " ".join(filter(None, (self["kind"], self["band"])))
        return f": {kind} of {self['instrument']}, {self['night']}"
