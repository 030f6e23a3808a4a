"""The measurements of a polarimetry group as arrays over its positions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from iop4d.instruments.telescopes import Telescope
from iop4d.model.flags import Flag
from iop4d.model.messages import MeasuredFrame
from iop4d.model.result import Measurement
from iop4d.science.confusion import UNSHARED
from iop4d.science.fieldstars import Transparency, normalise
from iop4d.science.photometry import NEIGHBOUR_ERR, scintillation
from iop4d.science.polarimetry import Beam

Floats = NDArray[np.float64]

#: What makes a position of no use; a neighbour's light is in all positions alike.
UNUSABLE = Flag.SATURATED | Flag.EDGE | Flag.BAD_PIXELS
_SAME_STAR_ARCSEC = 1.5


@dataclass(frozen=True, kw_only=True)
class Positions:
    """A group's frames in order of time, and what they hold of any source.

    ``angles_deg``: (K,) of the polariser or plate.
    """

    frames: tuple[MeasuredFrame, ...]
    angles_deg: Floats
    by_source: tuple[dict[tuple[str, str], Measurement], ...]
    scintillation: Floats  # (K,) part of a flux

    @property
    def hours(self) -> Floats:
        """(K,) the positions' times from their mean."""
        jd = np.array([frame.facts.jd_mid for frame in self.frames])
        return np.asarray(24.0 * (jd - jd.mean()))

    def of(self, source: str, beam: str = "") -> list[Measurement | None]:
        """The measurement of a source's beam on each frame."""
        return [measurements.get((source, beam)) for measurements in self.by_source]

    def beam(self, source: str, beam: str = "", *, alone: bool = True,
             shared: bool = False) -> Beam:
        """Fluxes; NaN where a position is of no use.

        Errors are of photons, sky and flat field, with the scintillation; without it where not
        ``alone``, as two images of a star share it. Of stars too faint to be detected they have
        what the positions do not share, or all of it where ``shared``.
        """
        used = self.clean(source, beam)
        flux = np.array([np.nan if m is None else m.flux for m in used])
        err = np.array([np.nan if m is None else own_error(m, shared=shared) for m in used])
        return Beam(flux=flux, err=np.hypot(err, self.scintillation * flux) if alone else err)

    def clean(self, source: str, beam: str = "") -> list[Measurement | None]:
        """The measurements that are of use; where none is clean all, with their flags."""
        images = self.of(source, beam)
        clean = [m if m is not None and not m.flags & UNUSABLE else None for m in images]
        return clean if any(m is not None for m in clean) else images

    def usable(self, source: str) -> int:
        """At how many positions the source is measured, in either beam or both."""
        return max(int(self.beam(source, beam).good.sum()) for beam in ("", "O", "E"))

    def neighbours(self, source: str, beam: str = "") -> float:
        """Mean part of the source's light that neighbours added, and that was subtracted."""
        parts = [abs(m.neighbours) for m in self.of(source, beam) if m is not None]
        return float(np.mean(parts)) if parts else 0.0

    def light_err(self, source: str, beam: str = "") -> float:
        """Error of the light of others that all positions share, as a part of the source's."""
        return float(np.hypot(NEIGHBOUR_ERR * self.neighbours(source, beam),
                              self.confusion(source, beam)))

    def confusion(self, source: str, beam: str = "") -> float:
        """Error of the light of stars too faint to be detected, as a part of the source's.

        The same stars lie about the source at all positions.
        """
        images = [m for m in self.of(source, beam) if m is not None and np.isfinite(m.flux)]
        err = float(np.mean([m.confusion_err for m in images])) if images else 0.0
        return err / max(float(np.mean([m.flux for m in images])), err) if err > 0.0 else 0.0


def own_error(m: Measurement, *, shared: bool = False) -> float:
    """Error of a flux that two images of one star do not share, against its other positions.

    ``shared``: with all of the light of stars too faint to be detected, which positions share.
    """
    if not np.isfinite(m.photon_err):
        return m.flux_err
    return float(np.hypot(m.photon_err, (1.0 if shared else UNSHARED) * m.confusion_err))


def positions_of(frames: Sequence[MeasuredFrame], telescope: Telescope) -> Positions:
    """The frames of a group by time."""
    ordered = tuple(sorted(frames, key=lambda frame: (frame.facts.jd_start, frame.id)))
    angles = [frame.facts.polariser_deg for frame in ordered]
    return Positions(
        frames=ordered, angles_deg=np.array([np.nan if a is None else a for a in angles]),
        by_source=tuple({(m.source, m.beam): m for m in frame.measurements} for frame in ordered),
        scintillation=np.array([scintillation(
            telescope.diameter_m, frame.facts.exptime_s, frame.airmass, telescope.height_m)
            for frame in ordered]))


def field_ensemble(positions: Positions, *, q0: float, u0: float) -> Transparency | None:
    """The transparency from the frames' field stars, matched by their places on the sky.

    Seen through a polariser, which adds ``q0`` and ``u0`` to every star.
    """
    frames = positions.frames
    lists = [np.array([[s.ra_deg, s.dec_deg, s.flux, s.flux_err] for s in frame.field_stars])
             for frame in frames]
    if any(stars.size == 0 for stars in lists):
        return None
    base = max(lists, key=len)
    shape = (len(frames), len(base))
    flux, err = np.full(shape, np.nan), np.full(shape, np.nan)
    for k, stars in enumerate(lists):
        distance, index = cKDTree(_plane(stars, base)).query(
            _plane(base, base), distance_upper_bound=_SAME_STAR_ARCSEC)
        matched = np.isfinite(distance)
        flux[k, matched], err[k, matched] = stars[index[matched], 2], stars[index[matched], 3]
    err = np.hypot(err, positions.scintillation[:, None] * flux)
    return normalise(positions.angles_deg, flux, err, harmonic=2, q0=q0, u0=u0)


def source_ensemble(positions: Positions, besides: str) -> Transparency | None:
    """The transparency from the other sources, all light of each: two beams have no modulation."""
    names = sorted({source for measurements in positions.by_source for source, beam in measurements
                    if not beam and source != besides})
    beams = [positions.beam(name) for name in names]
    if not beams:
        return None
    return normalise(positions.angles_deg, np.stack([b.flux for b in beams], axis=1),
                     np.stack([b.err for b in beams], axis=1), harmonic=4)


def _plane(stars: Floats, about: Floats) -> Floats:
    """Arcseconds east and north of the first star of a list."""
    ra0, dec0 = about[0, 0], about[0, 1]
    east = (stars[:, 0] - ra0 + 180.0) % 360.0 - 180.0
    return np.column_stack([east * np.cos(np.radians(dec0)), stars[:, 1] - dec0]) * 3600.0
