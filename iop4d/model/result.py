"""What is measured on a frame, and what follows from it."""

from __future__ import annotations

from dataclasses import dataclass

NAN = float("nan")


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """Aperture photometry of one catalogue source on one frame.

    ``x``, ``y``: 0-based pixel of the aperture's centre. ``flux``, ``flux_err``: background
    subtracted, in ADU per second. ``mag_inst`` = -2.5 log10(flux). ``sky``: ADU per pixel.
    ``beam``: empty for all the light of the source; ``O`` and ``E`` for its ordinary and its
    extraordinary image alone, where every star has two. ``photon_err``: the part of the error that
    two images of one star do not share, of photons, sky and flat field; ``neighbours``: light of
    neighbours that was subtracted, as a part of the flux.
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
    neighbours: float = 0.0


@dataclass(frozen=True, kw_only=True)
class FieldStar:
    """A star of no name on one frame: ICRS degrees; flux in ADU per second, and its error by
    photons, sky and flat field."""

    ra_deg: float
    dec_deg: float
    flux: float
    flux_err: float


@dataclass(frozen=True, kw_only=True)
class CalibratorUse:
    """One calibrator's part in a zero point: zero point and error in magnitudes, weight in [0, 1].

    ``why_not`` is empty for a calibrator that was used, else the reason it was left out.
    """

    source: str
    zero_point: float
    zero_point_err: float
    weight: float
    why_not: str = ""


@dataclass(frozen=True, kw_only=True)
class ResultValue:
    """A calibrated magnitude (and, with polarimetry, p and chi) of one source.

    Times are of mid-exposure: ``jd_mid`` JD(UTC), ``bjd_tdb`` BJD(TDB). Magnitudes in the
    catalogue's system. ``p``, ``q``, ``u`` are fractions, on the sky. NaN where there is none.
    ``p_debiased``: modified asymptotic estimate; ``p_limit``: upper limit where p is below three
    sigma; ``method``: how q and u were found, ``methods``: every way that applies, by its name.
    ``host_mjy``: the host galaxy's part of the flux; ``mag_nucleus``, ``p_nucleus``: without it.
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
    common_err: float = 0.0  # the part of mag_err that all results of the same night share
    p: float = NAN
    p_err: float = NAN
    chi_deg: float = NAN
    chi_err_deg: float = NAN
    q: float = NAN
    q_err: float = NAN
    u: float = NAN
    u_err: float = NAN
    p_debiased: float = NAN
    p_limit: float = NAN
    method: str = ""
    methods: tuple[MethodValue, ...] = ()
    host_mjy: float = NAN
    mag_nucleus: float = NAN
    mag_nucleus_err: float = NAN
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
