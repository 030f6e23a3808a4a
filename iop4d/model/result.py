"""What is measured on a frame, and what follows from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

NAN = float("nan")
#: Mode of a result that is a night's frames of a faint source put together.
STACK = "stack"


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """Aperture photometry of one catalogue source on one frame.

    ``x``, ``y``: 0-based pixel of the aperture's centre. ``flux``, ``flux_err``: background
    subtracted, in ADU per second. ``mag_inst`` = -2.5 log10(flux). ``sky``: ADU per pixel.
    ``beam``: empty for all the light of the source; ``O`` and ``E`` for its ordinary and its
    extraordinary image alone, where every star has two. ``photon_err``: the part of the error that
    two images of one star do not share, of photons, sky and flat field; ``confusion_err``: the part
    by stars too faint to be detected, the same on every frame of the field; ``neighbours``: light
    of neighbours that was subtracted, as a part of the flux. ``growth``: fluxes at fixed radii;
    ``psf_flux``: by the frame's PSF, where a neighbour lies within the aperture.
    """

    source: str
    x: float
    y: float
    flux: float
    flux_err: float
    mag_inst: float
    mag_inst_err: float
    snr: float
    sky: float
    flags: int
    beam: str = ""
    photon_err: float = NAN
    confusion_err: float = 0.0
    neighbours: float = 0.0
    growth: tuple[GrowthPoint, ...] = ()
    psf_flux: float = NAN
    psf_flux_err: float = NAN


class GrowthPoint(NamedTuple):
    """A point of a curve of growth: the flux inside one radius, as in :class:`Measurement`.

    A tuple, as there are dozens for each frame of a series, and each time that one is calibrated.

    ``radius_arcsec`` is one of the same few for all frames, so that frames of other seeing can be
    compared in one aperture. Like every flux, it is that of a star as wide as the frame's typical
    one. ``flags``: of this circle besides the measurement's; ``neighbours``, ``confusion_err``: as
    there.
    """

    radius_arcsec: float
    flux: float
    flux_err: float
    photon_err: float
    flags: int = 0
    neighbours: float = 0.0
    confusion_err: float = 0.0


@dataclass(frozen=True, kw_only=True)
class FieldStar:
    """A star of no name on one frame: ICRS degrees; flux in ADU per second, and its error against
    the field's other frames, by photons, sky and flat field. ``growth``: fluxes and errors at the
    frame's fixed radii."""

    ra_deg: float
    dec_deg: float
    flux: float
    flux_err: float
    growth: tuple[tuple[float, float, float], ...] = ()  # (radius_arcsec, flux, flux_err)


@dataclass(frozen=True, kw_only=True)
class CalibratorUse:
    """One calibrator's part in a zero point.

    ``zero_point``: its own on this frame, catalogue minus instrumental magnitude, with its error;
    ``residual``: that minus the frame's zero point; ``weight``: its share of the zero point, all of
    them adding up to 1. ``why_not`` is empty for a calibrator that was used, else the reason it
    was left out.
    """

    source: str
    zero_point: float
    zero_point_err: float
    weight: float
    residual: float = NAN
    why_not: str = ""


@dataclass(frozen=True, kw_only=True)
class ResultValue:
    """A calibrated magnitude (and, with polarimetry, p and chi) of one source.

    Times are of mid-exposure: ``jd_mid`` JD(UTC), ``bjd_tdb`` BJD(TDB). Magnitudes in the
    catalogue's system. ``p``, ``q``, ``u`` are fractions, on the sky. NaN where there is none.
    ``p_debiased``: modified asymptotic estimate; ``p_limit``: upper limit where p is below three
    sigma; ``method``: how q and u were found, ``methods``: every way that applies, by its name.
    ``host_mjy``: the host galaxy's part of the flux; ``mag_nucleus``, ``q_nucleus``, ...: without
    it, ``p_nucleus`` without the bias of noise.

    Errors ``*_err`` are random: what a point shares with no other. What it shares stands apart:
    ``mag_err_common`` (the calibrators' catalogue), ``chi_err_common`` (the zero angle), ``q0_err``
    and ``u0_err`` (the instrument's polarisation). ``qu_cov``: covariance of q and u, random.
    ``mag_limit``: three-sigma limit of a source that is not detected. ``aperture_arcsec``: radius.
    ``mag_psf``: by PSF photometry, where there is any; ``photometry``: which of the two ``mag`` is,
    ``aperture`` or ``psf``. ``flux_mjy``: of ``mag``, negative fluxes included, as observed.
    ``extinction_mag``: of the Galaxy in the band, not applied. ``colour``: that entered the
    colour term ``colour_term`` times it was added to ``mag``. ``q_isp``, ``u_isp``: interstellar
    polarisation of the field, not subtracted from q and u unless ``method`` says so.
    """

    source: str
    band: str
    mode: str
    jd_mid: float
    bjd_tdb: float
    exptime_s: float
    mag: float
    mag_err: float
    zero_point: float
    zero_point_err: float
    n_calibrators: int
    fwhm_arcsec: float
    airmass: float
    flags: int
    calibrators: tuple[CalibratorUse, ...] = ()
    mag_err_common: float = NAN
    mag_limit: float = NAN
    aperture_arcsec: float = NAN
    photometry: str = "aperture"
    mag_psf: float = NAN
    mag_psf_err: float = NAN
    flux_mjy: float = NAN
    flux_mjy_err: float = NAN
    extinction_mag: float = NAN
    colour: float = NAN
    colour_term: float = NAN
    colour_term_err: float = NAN
    p: float = NAN
    p_err: float = NAN
    chi_deg: float = NAN
    chi_err_deg: float = NAN
    q: float = NAN
    q_err: float = NAN
    u: float = NAN
    u_err: float = NAN
    qu_cov: float = NAN
    chi_err_common: float = NAN
    q0_err: float = NAN
    u0_err: float = NAN
    q_isp: float = NAN
    q_isp_err: float = NAN
    u_isp: float = NAN
    u_isp_err: float = NAN
    p_debiased: float = NAN
    p_limit: float = NAN
    method: str = ""
    methods: tuple[MethodValue, ...] = ()
    host_mjy: float = NAN
    host_mjy_err: float = NAN
    mag_nucleus: float = NAN
    mag_nucleus_err: float = NAN
    q_nucleus: float = NAN
    q_nucleus_err: float = NAN
    u_nucleus: float = NAN
    u_nucleus_err: float = NAN
    p_nucleus: float = NAN
    p_nucleus_err: float = NAN


@dataclass(frozen=True, kw_only=True)
class MethodValue:
    """What one way of computing gives: fractions and degrees on the sky; ``note``: in words."""

    method: str
    p: float
    p_err: float
    chi_deg: float
    chi_err_deg: float
    q: float
    q_err: float
    u: float
    u_err: float
    k: float = NAN
    chi2: float = NAN
    dof: int = 0
    n: int = 0
    note: str = ""
