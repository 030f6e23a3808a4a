"""What is measured on a frame, and what follows from it."""

from __future__ import annotations

from dataclasses import dataclass

NAN = float("nan")


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """Aperture photometry of one catalogue source on one frame.

    ``x``, ``y``: 0-based pixel of the aperture's centre. ``flux``, ``flux_err``: background
    subtracted, in ADU per second. ``mag_inst`` = -2.5 log10(flux). ``sky``: ADU per pixel.
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
    catalogue's system. ``p`` is a fraction. NaN where there is none.
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
    p: float = NAN
    p_err: float = NAN
    chi_deg: float = NAN
    chi_err_deg: float = NAN
