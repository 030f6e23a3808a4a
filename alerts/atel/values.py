"""Measured values with their errors, times, and the results they come from."""

from __future__ import annotations

import math
from dataclasses import dataclass

from iop4d.model.uncertainty import between

NAN = float("nan")
SIGMAS = 3.0  # from which a change, or a polarisation, counts as one
#: Telescope and instrument. Magnitudes of two differ by an offset that is not known.
Camera = tuple[str, str]


@dataclass(frozen=True, kw_only=True)
class GoodPoint:
    """A good result. Errors are those of values by themselves, random and common; ``common_err``:
    the part of ``mag_err`` that results of a camera and band share, of the calibrators'
    catalogue magnitudes. Polarisation in fractions and degrees. NaN where there is none; a
    magnitude can be missing in a polarisation alone."""

    id: int
    jd: float
    night: str
    band: str
    telescope: str
    mag: float
    mag_err: float
    common_err: float
    exptime_s: float
    n_frames: int
    calibrators: tuple[str, ...]
    flags: int
    provisional: bool
    host_mjy: float = NAN
    mag_nucleus: float = NAN
    mag_nucleus_err: float = NAN
    p_nucleus: float = NAN
    p_nucleus_err: float = NAN
    instrument: str = ""
    p: float = NAN
    p_err: float = NAN
    p_debiased: float = NAN
    p_limit: float = NAN
    chi_deg: float = NAN
    chi_err_deg: float = NAN

    @property
    def camera(self) -> Camera:
        """What took it."""
        return self.telescope, self.instrument

    @property
    def own_err(self) -> float:
        """The error without the part that is shared within the night."""
        return math.sqrt(max(self.mag_err**2 - self.common_err**2, 1e-8))

    @property
    def results(self) -> tuple[int, ...]:
        """Its own result."""
        return (self.id,)

    @property
    def exposure_s(self) -> float:
        """Of all its frames."""
        return self.exptime_s * self.n_frames

    @property
    def degree(self) -> float:
        """p without the bias of noise, as a fraction."""
        return self.p_debiased if math.isfinite(self.p_debiased) else self.p

    @property
    def degree_without_host(self) -> float:
        """p without the bias of noise and without the host galaxy's light, which dilutes it."""
        return self.p_nucleus

    @property
    def has_angle(self) -> bool:
        """Whether the polarisation is significant enough to be given with its angle."""
        return self.p >= SIGMAS * self.p_err > 0 and math.isfinite(self.chi_deg)

    @property
    def has_limit(self) -> bool:
        """Whether there is an upper limit of p."""
        return math.isfinite(self.p_limit)


@dataclass(frozen=True, kw_only=True)
class MeanMagnitude:
    """A magnitude and its error from one or more points of a camera, band and night.

    ``common_err``: the part of the error that magnitudes of the ``camera`` share.
    """

    mag: float
    mag_err: float
    jd: float
    jd_first: float
    jd_last: float
    n_frames: int
    exposure_s: float
    results: tuple[int, ...]
    common_err: float = 0.0
    camera: Camera = ("", "")

    @property
    def own_err(self) -> float:
        """The error without the part that is shared."""
        return math.sqrt(max(self.mag_err**2 - self.common_err**2, 0.0))


@dataclass(frozen=True, kw_only=True)
class NightlyPhotometry:
    """One camera, band and night. ``scatters``: its points, more than their errors allow.

    ``varied``: from one stretch to another; its mean is then no good description, and
    ``brightest`` and ``faintest`` (means of half an hour at most) are. ``latest``: how it ends, the
    last point first, then longer ends.
    """

    night: str
    band: str
    telescope: str
    mean: MeanMagnitude
    brightest: MeanMagnitude
    faintest: MeanMagnitude
    varied: bool
    scatters: bool
    points: tuple[GoodPoint, ...]
    latest: tuple[MeanMagnitude, ...] = ()
    instrument: str = ""

    @property
    def camera(self) -> Camera:
        """What took it."""
        return self.telescope, self.instrument


@dataclass(frozen=True, kw_only=True)
class MagnitudeChange:
    """``to`` minus ``of``: negative is a brightening."""

    of: MeanMagnitude
    to: MeanMagnitude

    @property
    def mag(self) -> float:
        """Change of the magnitude."""
        return self.to.mag - self.of.mag

    @property
    def mag_err(self) -> float:
        """Its error: the own ones of both, and what they do not share of the common ones."""
        apart = between(self.to.common_err, self.of.common_err,
                        shared=self.to.camera == self.of.camera)
        return math.hypot(self.to.own_err, self.of.own_err, apart)

    @property
    def significance(self) -> float:
        """The change in units of its error."""
        return abs(self.mag) / self.mag_err

    @property
    def is_significant(self) -> bool:
        """Whether it is more than its error explains."""
        return self.significance >= SIGMAS

    @property
    def days(self) -> float:
        """Time that it took."""
        return abs(self.to.jd - self.of.jd)

    @property
    def results(self) -> tuple[int, ...]:
        """The results on both sides."""
        return self.of.results + self.to.results


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """The past: the median over the nightly medians of the preceding nights with data, and their
    robust scatter (1.4826 times the median absolute deviation). ``common_err``: what the
    magnitudes of its ``camera``, that with the most points, share; ``is_mixed``: others are in
    it too."""

    median: float
    scatter: float
    nights: int
    n: int
    jd_first: float
    jd_last: float
    results: tuple[int, ...]
    common_err: float = 0.0
    camera: Camera = ("", "")
    is_mixed: bool = False


@dataclass(frozen=True, kw_only=True)
class ArchiveRecord:
    """Whether the new level stands out. ``since``: the last earlier point that was as bright (as
    faint), None if there is none in the archive; ``first``: the archive's first point."""

    bright: bool
    first: GoodPoint
    since: GoodPoint | None
