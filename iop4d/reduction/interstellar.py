"""The interstellar polarisation before a target: the catalogue's, or as its field stars show it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from iop4d.config.site import Polarimetry
from iop4d.instruments.base import Instrument
from iop4d.model.messages import MeasuredFrame
from iop4d.model.polarimeter import InstrumentalPolarisation
from iop4d.model.source import Source, SourceKind
from iop4d.model.units import MAG_PER_RELATIVE_FLUX
from iop4d.reduction.apertures import in_one_aperture
from iop4d.reduction.group_constants import constants_of
from iop4d.reduction.groups import field_ensemble, positions_of
from iop4d.science.fieldstars import Transparency
from iop4d.science.interstellar import (
    GroupOfField,
    Prior,
    Shared,
    across_by_angle,
    by_dust,
    raw_of_field,
    reddening,
    shared_by_field,
)
from iop4d.science.stokes import Stokes, rotated

Floats = NDArray[np.float64]

_FEWEST_STARS = 4  # of a field, by which its interstellar polarisation is measured
_FEWEST_ANGLES = 3  # that separate q and u from the mean


def catalogued(target: Source, constants: InstrumentalPolarisation) -> Stokes | None:
    """The catalogue's interstellar polarisation before a target as the instrument sees it.

    Without what the instrument adds. None where the catalogue has none.
    """
    if target.interstellar is None:
        return None
    q, q_err, u, u_err = target.interstellar
    return rotated(Stokes(q=q, u=u, covariance=np.diag([q_err**2, u_err**2]), method="", n=0),
                   -constants.angle_deg)


def prior_of(target: Source, settings: Polarimetry, constants: InstrumentalPolarisation) -> Prior:
    """The catalogue's interstellar polarisation, else as much as its dust, or any, may give.

    A standard is polarised by dust itself.
    """
    if (known := catalogued(target, constants)) is not None:
        return Prior(q=known.q, u=known.u,
                     err=math.sqrt(float(np.trace(known.covariance)) / 2.0))
    e_bv = reddening(target.extinction)
    err = settings.interstellar / 100.0 if math.isnan(e_bv) else by_dust(e_bv)
    if target.kind is SourceKind.STANDARD and target.p > 0.0:
        err = math.hypot(err, target.p / math.sqrt(2.0))
    return Prior(q=0.0, u=0.0, err=err)


def field_polarisation(target: Source, angles_deg: Floats, ensemble: Transparency | None,
                       settings: Polarimetry, constants: InstrumentalPolarisation) -> Shared | None:
    """The q and u that a target's field stars share, as the instrument sees them; None of none.

    ``angles_deg``: (K,) of the positions at which ``ensemble`` has the transparency.
    """
    return None if ensemble is None else shared_by_field(
        angles_deg, ensemble, prior_of(target, settings, constants),
        scatter=settings.transparency_scatter / MAG_PER_RELATIVE_FLUX, q0_err=constants.q0_err,
        u0_err=constants.u0_err)


def transparency(angles_deg: Floats, ensemble: Transparency, field: Shared) -> Floats:
    """(K,) the transparency alone: of what all field stars show, without their polarisation."""
    phase = np.radians(2.0 * angles_deg)
    return np.asarray(ensemble.relative / (
        1.0 + field.q * np.cos(phase) + field.u * np.sin(phase)))


def interstellar_on_sky(target: Source, field: Shared | None,
                        constants: InstrumentalPolarisation) -> Stokes | None:
    """The field's interstellar q and u on the sky: the catalogue's, else as its stars show it."""
    if (known := catalogued(target, constants)) is not None:
        return rotated(known, constants.angle_deg)
    if field is None:
        return None
    sky = rotated(Stokes(q=field.q, u=field.u, covariance=field.covariance + field.common,
                         method="", n=0), constants.angle_deg)
    return replace(sky, covariance=sky.covariance + across_by_angle(
        sky.q, sky.u, constants.angle_err_deg))


def group_of_field(frames: Sequence[MeasuredFrame], instrument: Instrument) -> GroupOfField | None:
    """What the field stars of a polariser group share, on the sky; None without any.

    Raises StageError where no constants of the instrument hold.
    """
    positions = positions_of(in_one_aperture(frames), instrument.telescope)
    constants, off = constants_of(positions, instrument)
    if len(set(positions.angles_deg)) < _FEWEST_ANGLES or math.isnan(off):
        return None
    ensemble = field_ensemble(positions, q0=constants.q0, u0=constants.u0)
    if ensemble is None or ensemble.n < _FEWEST_STARS:
        return None
    q, u = raw_of_field(positions.angles_deg, ensemble)
    sky = rotated(Stokes(q=q, u=u, n=0, method="", covariance=np.diag(
        [constants.q0_err**2, constants.u0_err**2])), constants.angle_deg)
    return GroupOfField(q=sky.q, u=sky.u, q0_err=sky.q_err, u0_err=sky.u_err,
                        angle_err_deg=constants.angle_err_deg)
