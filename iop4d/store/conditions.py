"""What the newest results say of the conditions: zero points, skies and seeing."""

from __future__ import annotations

from dataclasses import dataclass

from iop4d.store.database import Connection
from iop4d.store.table import number_in

_NEWEST = 1500  # results that are looked at

_SQL = f"""
SELECT r.telescope, r.instrument, r.band, r.mode, r.zero_point, r.airmass, r.fwhm_arcsec,
       r.exptime_s, f.binning, {number_in("f.info", "sky")},
       {number_in("f.info", "fwhm_px")}, {number_in("f.detector", "gain_e_adu")},
       {number_in("f.detector", "read_noise_e")}
FROM (SELECT * FROM result WHERE NOT withdrawn AND zero_point IS NOT NULL
      ORDER BY jd_mid DESC LIMIT ?) r
JOIN frame f ON f.id = (SELECT MIN(frame_id) FROM resultframe WHERE result_id = r.id)
"""  # noqa: S608 - names of ours


@dataclass(frozen=True, kw_only=True)
class Conditions:
    """Of one result: its zero point (mag of 1 ADU/s), airmass, FWHM, and the sky of a frame of it,
    ADU a pixel and second; ``pixel_arcsec``: of the frame's pixels; None where unknown."""

    telescope: str
    instrument: str
    band: str
    mode: str
    zero_point: float
    airmass: float | None
    fwhm_arcsec: float
    sky_adu_s: float
    pixel_arcsec: float
    binning: int
    gain_e_adu: float | None
    read_noise_e: float | None


def newest_conditions(db: Connection, newest: int = _NEWEST) -> list[Conditions]:
    """Those of the newest results, without those of frames that lack any of it."""
    found = []
    for (telescope, instrument, band, mode, zero, airmass, fwhm, exptime, binning, sky, fwhm_px,
         gain, noise) in db.rows(_SQL, newest):
        if not (fwhm and fwhm_px and exptime) or sky is None:
            continue
        found.append(Conditions(
            telescope=telescope, instrument=instrument, band=band, mode=mode, zero_point=zero,
            airmass=airmass, fwhm_arcsec=fwhm, sky_adu_s=max(sky, 0.0) / exptime,
            pixel_arcsec=fwhm / fwhm_px, binning=binning or 1, gain_e_adu=gain,
            read_noise_e=noise))
    return found
