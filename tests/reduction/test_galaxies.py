"""A source in a galaxy: its light does not follow the seeing, nor does its polarisation."""

from __future__ import annotations

import numpy as np
import pytest

from iop4d.config.site import Polarimetry
from iop4d.model.messages import MeasuredFrame
from iop4d.model.polarimeter import Analyser, InstrumentalPolarisation
from iop4d.reduction.apertures import in_one_aperture
from iop4d.reduction.groups import field_ensemble, positions_of
from iop4d.reduction.methods import seen_by_methods
from tests.reduction import galaxies
from tests.reduction.test_polarimetry import instrument

ANGLES = (-45.0, 0.0, 45.0, 90.0)


def polarisation(seeing: tuple[float, ...], *, common: bool) -> float:
    """p of the unpolarised galaxy in a group of four frames, as the polariser sees it."""
    frames: tuple[MeasuredFrame, ...] = tuple(
        galaxies.measured(fwhm, angle=angle, id_=k, scale=1.0 - 0.05 * k)
        for k, (fwhm, angle) in enumerate(zip(seeing, ANGLES, strict=True)))
    positions = positions_of(in_one_aperture(frames) if common else frames,
                             instrument("AndorT90").telescope)
    ensemble = field_ensemble(positions, q0=0.0, u0=0.0)
    nothing = InstrumentalPolarisation(
        q0=0.0, q0_err=0.0, u0=0.0, u0_err=0.0, angle_deg=0.0, angle_err_deg=0.0)
    found = seen_by_methods(galaxies.GALAXY, positions, Analyser.POLARISER, ensemble,
                            Polarimetry(), nothing)
    stokes = found["ensemble-isp"][0]
    return float(np.hypot(stokes.q, stokes.u))


@pytest.mark.parametrize(("seeing", "most"), [
    ((2.0, 2.0, 2.0, 2.0), 1e-4), ((2.0, 2.1, 2.2, 2.3), 5e-4), ((1.8, 1.8, 2.4, 2.4), 2.5e-3)])
def test_a_group_measured_in_one_aperture_does_not_take_seeing_for_polarisation(
        seeing: tuple[float, ...], most: float) -> None:
    assert polarisation(seeing, common=True) < most


def test_an_aperture_for_each_frame_would() -> None:
    assert polarisation((2.0, 2.1, 2.2, 2.3), common=False) > 0.02
