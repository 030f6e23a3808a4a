"""From the measurements of a frame to calibrated magnitudes; no pixels needed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from iop4d.instruments.telescopes import Telescope
from iop4d.model.frame import FrameFacts
from iop4d.model.result import NAN, Measurement, ResultValue
from iop4d.model.source import Catalogue, Source, SourceKind
from iop4d.science import times
from iop4d.science.zeropoint import Calibrator, ZeroPoint, zero_point

_RESULT_KINDS = (SourceKind.TARGET, SourceKind.STANDARD)


def calibrate(*, facts: FrameFacts, measurements: Sequence[Measurement], catalogue: Catalogue,
              telescope: Telescope | None, fwhm_arcsec: float, airmass: float, bjd_tdb: float,
              frame_flags: int = 0) -> tuple[ResultValue, ...]:
    """A result for every target and standard that was measured in the frame's band.

    ``airmass`` and ``bjd_tdb`` are the frame's, for a telescope that is no longer known (None);
    otherwise each source has its own. A target without usable calibrators has a NaN magnitude.
    """
    measured = {measurement.source: measurement for measurement in measurements}
    results = []
    for source in catalogue.sources:
        if source.kind not in _RESULT_KINDS or source.name not in measured:
            continue
        zero = zero_point(_calibrators(source, facts.band, measured, catalogue))
        bjd, mass = (bjd_tdb, airmass) if telescope is None \
            else (times.bjd_tdb(facts.jd_mid, source.ra_deg, source.dec_deg),
                  airmass_at(facts.jd_mid, source.ra_deg, source.dec_deg, telescope))
        results.append(_result(facts, measured[source.name], zero, fwhm_arcsec=fwhm_arcsec,
                               airmass=mass, bjd_tdb=bjd, frame_flags=frame_flags))
    return tuple(results)


def airmass_at(jd: float, ra_deg: float, dec_deg: float, telescope: Telescope) -> float:
    """Airmass at a telescope; NaN when its place is unknown."""
    return times.airmass(jd, ra_deg, dec_deg, latitude_deg=telescope.latitude_deg,
                         longitude_deg=telescope.longitude_deg, height_m=telescope.height_m)


def _calibrators(target: Source, band: str | None, measured: Mapping[str, Measurement],
                 catalogue: Catalogue) -> list[Calibrator]:
    """The target's calibrators that lie in the frame and have a magnitude in its band."""
    found = []
    for star in catalogue.calibrators_of(target.name):
        if star.name in measured and band in star.magnitudes:
            mag, err = star.magnitudes[band]
            m = measured[star.name]
            found.append(Calibrator(source=star.name, mag=mag, mag_err=err, mag_inst=m.mag_inst,
                                    mag_inst_err=m.mag_inst_err, flags=m.flags))
    return found


def _result(facts: FrameFacts, m: Measurement, zero: ZeroPoint, *, fwhm_arcsec: float,
            airmass: float, bjd_tdb: float, frame_flags: int) -> ResultValue:
    mag = m.mag_inst + zero.value
    return ResultValue(
        source=m.source, band=facts.band or "", mode=facts.mode, jd_mid=facts.jd_mid,
        bjd_tdb=bjd_tdb, exptime_s=facts.exptime_s, mag=mag,
        mag_err=math.hypot(m.mag_inst_err, zero.err) if math.isfinite(mag) else NAN,
        zero_point=zero.value, zero_point_err=zero.err, n_calibrators=zero.n,
        fwhm_arcsec=fwhm_arcsec, airmass=airmass,
        flags=int(m.flags | zero.flags | frame_flags), calibrators=zero.uses)
