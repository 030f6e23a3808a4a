"""From the measurements of frames to calibrated magnitudes; no pixels needed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import chdtrc

from iop4d.instruments.telescopes import Telescope
from iop4d.model.colours import PhotometricSystem
from iop4d.model.flags import NEVER_CALIBRATES, Flag
from iop4d.model.flags import names as flag_names
from iop4d.model.messages import MeasuredFrame
from iop4d.model.result import NAN, CalibratorUse, Measurement, ResultValue
from iop4d.model.source import Catalogue, Source, SourceKind, catalogue_error
from iop4d.reduction.apertures import DETECTED, in_one_aperture
from iop4d.reduction.colours import Colours, colours_of, with_colours, with_measured_term
from iop4d.reduction.fluxes import with_flux_density
from iop4d.reduction.host import aperture_of, steady_host, without_host
from iop4d.reduction.parted import by_psf, is_better, with_psf_magnitude
from iop4d.science import times
from iop4d.science.ensemble import Ensemble, solve

CLOUDY_MAG = 0.5  # below the night's best zero point, as the flag says: airmass 4 makes as much
# mag, of a calibrator that no other one confirms: authors differ by up to 0.08 in one star.
ALONE_ERROR = 0.02
#: Magnitudes by which all frames of a night may be wrong alike, whatever the catalogue: what flat
#: fields leave, and a PSF that changes over the field, by 4 % of the FWHM towards its corners.
_FIELD_ERROR = 0.001
RESULT_KINDS = (SourceKind.TARGET, SourceKind.STANDARD)
_DISAGREE_P = 1e-4  # probability by chance below which scatter is called disagreement
_UNSTEADY_P = 0.0027  # three standard deviations
_DISAGREE_MAG = 0.02  # and the scatter that matters, mag


@dataclass(frozen=True, kw_only=True)
class _Star:
    """A calibrator in a band: name, catalogue magnitude and error."""

    name: str
    mag: float
    err: float


def targets_of(frame: MeasuredFrame, catalogue: Catalogue) -> list[Source]:
    """The targets and standards that were measured on a frame.

    For polarimetry one of two images is enough; a magnitude needs both.
    """
    polarimetry = frame.facts.mode == "polarimetry"
    names = {m.source for m in frame.measurements if polarimetry or not m.beam}
    return [s for s in catalogue.sources if s.kind in RESULT_KINDS and s.name in names]


def calibrate(target: Source, frames: Sequence[MeasuredFrame], *, catalogue: Catalogue,
              telescope: Telescope | None,
              system: PhotometricSystem | None = None) -> tuple[ResultValue, ...]:
    """The target's result on each frame, all of one band and instrument, calibrated together.

    Each calibrator's offset from the catalogue is the same on all frames (``science.ensemble``).
    Without a usable calibrator the magnitude is NaN. ``telescope``: None if no longer known; the
    frames' own airmass and time then stand for the target's. All fluxes are those of one aperture
    where the target has one of its own. ``system``: the instrument's colour terms, by which
    calibrators count as if they had the target's colour.
    """
    if math.isfinite(aperture_of(target)):
        frames = in_one_aperture(frames, aperture_of(target))
    band = frames[0].facts.band or ""
    sources = [s for s in catalogue.calibrators_of(target.name) if band in s.magnitudes]
    colours = colours_of(target, sources, band, frames[0].facts.jd_mid,
                         system or PhotometricSystem())
    stars = [_Star(name=s.name, mag=s.magnitudes[band][0] - float(shift),
                   err=math.hypot(catalogue_error(s.magnitudes[band][1]), float(more)))
             for s, shift, more in zip(sources, colours.shift, colours.err, strict=True)]
    by_source = [{m.source: m for m in frame.measurements if not m.beam} for frame in frames]
    shape = (len(frames), len(stars))
    estimates, errors = np.full(shape, NAN), np.full(shape, NAN)
    for row, measurements in enumerate(by_source):
        for column, star in enumerate(stars):
            m = measurements.get(star.name)
            if m is not None and not _why_not(m):
                estimates[row, column] = star.mag - m.mag_inst
                errors[row, column] = m.mag_inst_err
    ensemble = solve(estimates, errors, np.array([star.err for star in stars]))
    series = _Series(
        target=target, stars=stars, ensemble=ensemble, telescope=telescope,
        colours=with_measured_term(colours, target, sources, ensemble),
        flags=_disagreement(ensemble, stars),
        clear=float(np.nanmax(ensemble.zero)) if np.isfinite(ensemble.zero).any() else math.nan)
    return tuple(_result(series, row, frame, measurements) for row, (frame, measurements)
                 in enumerate(zip(frames, by_source, strict=True)))


@dataclass(frozen=True, kw_only=True)
class _Series:
    """What the N frames of a series share.

    ``ensemble``: of N rows, with a column for each of the ``stars``; ``flags``: of all results;
    ``clear``: the best zero point, mag.
    """

    target: Source
    stars: Sequence[_Star]
    ensemble: Ensemble
    telescope: Telescope | None
    colours: Colours
    flags: Flag
    clear: float

    def flags_of(self, row: int) -> Flag:
        """With what the zero point of one frame shows of it."""
        clouds = Flag.CLOUDS if self.ensemble.zero[row] < self.clear - CLOUDY_MAG else Flag(0)
        unsteady = Flag.UNSTEADY if self.ensemble.steady_p[row] < _UNSTEADY_P else Flag(0)
        return self.flags | clouds | unsteady


def _result(series: _Series, row: int, frame: MeasuredFrame,
            measurements: Mapping[str, Measurement]) -> ResultValue:
    """The target's result on the frame of a row; ``measurements``: of that, by source."""
    facts, target, telescope, ensemble = (
        frame.facts, series.target, series.telescope, series.ensemble)
    uses = tuple(_use(star, measurements[star.name], ensemble, row, column)
                 for column, star in enumerate(series.stars) if star.name in measurements)
    count = sum(not use.why_not for use in uses)
    zero, random = float(ensemble.zero[row]), float(ensemble.random_err[row])
    common, flag = math.hypot(ensemble.common_err, _FIELD_ERROR), series.flags_of(row)
    if count == 0:
        zero, random, common, flag = NAN, NAN, NAN, Flag.NO_CALIBRATORS
    elif count == 1:
        flag |= Flag.FEW_CALIBRATORS
        common = math.hypot(common, ALONE_ERROR)
    if facts.mode != "polarimetry":  # of a group it is done for its polarisation already
        frame = steady_host(frame, target, zero)
    m = next(m for m in frame.measurements if m.source == target.name and not m.beam)
    psf = by_psf(m, target, frame)
    parted = psf is not None and is_better(psf, m)
    if psf is not None and parted:
        m = psf
    mag = m.mag_inst + zero
    bjd, mass = (frame.bjd_tdb, frame.airmass) if telescope is None else (
        times.bjd_tdb(facts.jd_mid, target.ra_deg, target.dec_deg),
        airmass_at(facts.jd_mid, target.ra_deg, target.dec_deg, telescope))
    result = ResultValue(
        source=target.name, band=facts.band or "", mode=facts.mode, jd_mid=facts.jd_mid,
        bjd_tdb=bjd, exptime_s=facts.exptime_s, mag=mag,
        mag_err=math.hypot(m.mag_inst_err, random) if math.isfinite(mag) else NAN,
        mag_err_common=common, zero_point=zero, zero_point_err=math.hypot(random, common),
        n_calibrators=count,
        fwhm_arcsec=frame.fwhm_arcsec, airmass=mass, flags=int(m.flags | flag | frame.flags),
        calibrators=uses, aperture_arcsec=round(frame.aperture_arcsec, 4))
    result = with_psf_magnitude(result, psf, chosen=parted, random_err=random)
    result = with_flux_density(with_colours(_with_limit(result, m), series.colours), target, m)
    return result if facts.mode == "polarimetry" else without_host(result, target, frame)


def _with_limit(result: ResultValue, m: Measurement) -> ResultValue:
    """The result with the limit of a target that is not detected: three sigma of its noise."""
    if not m.flags & Flag.NOT_DETECTED or not math.isfinite(result.zero_point):
        return result
    return replace(result, flags=result.flags | int(Flag.UPPER_LIMIT),
                   mag_limit=result.zero_point - 2.5 * math.log10(DETECTED * m.flux_err))


def _use(star: _Star, m: Measurement, ensemble: Ensemble, row: int, column: int) -> CalibratorUse:
    """A calibrator's part in the zero point of a frame, and how far its own is from that."""
    own = star.mag - m.mag_inst
    off = own - float(ensemble.zero[row])
    why = _why_not(m)
    if not why and ensemble.weights[row, column] <= 0:
        why = f"off by {off - float(ensemble.offsets[column]):+.2f} mag here"
    elif not why and ensemble.share[row, column] <= 0:
        why = (f"catalogue magnitude off by {float(ensemble.offsets[column]):+.2f} mag against "
               "the others")
    return CalibratorUse(
        source=star.name, zero_point=own, zero_point_err=math.hypot(star.err, m.mag_inst_err),
        residual=off, weight=float(ensemble.share[row, column]), why_not=why)


def airmass_at(jd: float, ra_deg: float, dec_deg: float, telescope: Telescope) -> float:
    """Airmass at a telescope; NaN when its place is unknown."""
    return times.airmass(jd, ra_deg, dec_deg, latitude_deg=telescope.latitude_deg,
                         longitude_deg=telescope.longitude_deg, height_m=telescope.height_m)


def _disagreement(ensemble: Ensemble, stars: Sequence[_Star]) -> Flag:
    """Whether the catalogue magnitudes scatter more than their errors allow."""
    known = np.isfinite(ensemble.offsets) & (ensemble.trust > 0)
    count = int(known.sum())
    if count < 2:
        return Flag(0)
    offsets = ensemble.offsets[known]
    chi2 = float(np.sum((offsets / np.array([star.err for star in stars])[known]) ** 2))
    scatter = float(np.sqrt(np.sum(offsets**2) / (count - 1)))
    disagree = chdtrc(count - 1, chi2) < _DISAGREE_P and scatter > _DISAGREE_MAG
    return Flag.CALIBRATORS_DISAGREE if disagree else Flag(0)


def _why_not(m: Measurement) -> str:
    """Why a star cannot calibrate a frame; empty if it can."""
    if flags := m.flags & NEVER_CALIBRATES:
        return ", ".join(flag_names(flags)).replace("_", " ")
    if not (math.isfinite(m.mag_inst) and math.isfinite(m.mag_inst_err)):
        return "no flux measured"
    return ""
