"""A source in a galaxy: its light does not follow the seeing, nor does its polarisation."""

from __future__ import annotations

import math

import numpy as np
import pytest

from iop4d.config.site import Polarimetry
from iop4d.model.messages import MeasuredFrame
from iop4d.model.polarimeter import InstrumentalPolarisation
from iop4d.model.result import ResultValue
from iop4d.reduction import host
from iop4d.reduction.apertures import in_one_aperture
from iop4d.reduction.calibrate import calibrate
from iop4d.reduction.group_target import group_target
from iop4d.reduction.groups import positions_of
from iop4d.reduction.host import HOST_APERTURE
from iop4d.reduction.methods import raw_by_method
from iop4d.reduction.polarise import polarise
from iop4d.science.flux import flux_mjy
from tests.reduction import galaxies
from tests.reduction.polarimetry_groups import instrument

ANGLES = (-45.0, 0.0, 45.0, 90.0)


def polarisation(seeing: tuple[float, ...], *, common: bool) -> float:
    """p of the unpolarised galaxy in a group of four frames, as the polariser sees it."""
    frames: tuple[MeasuredFrame, ...] = tuple(
        galaxies.measured(fwhm, angle=angle, id_=k, scale=1.0 - 0.05 * k)
        for k, (fwhm, angle) in enumerate(zip(seeing, ANGLES, strict=True)))
    camera = instrument("AndorT90")
    positions = positions_of(in_one_aperture(frames) if common else frames, camera.telescope)
    nothing = InstrumentalPolarisation(
        q0=0.0, q0_err=0.0, u0=0.0, u0_err=0.0, angle_deg=0.0, angle_err_deg=0.0)
    group = group_target(galaxies.GALAXY, positions, instrument=camera, constants=nothing,
                         settings=Polarimetry())
    stokes = raw_by_method(group)["ensemble-isp"].stokes
    return float(np.hypot(stokes.q, stokes.u))


@pytest.mark.parametrize(("seeing", "most"), [
    ((2.0, 2.0, 2.0, 2.0), 1e-4), ((2.0, 2.1, 2.2, 2.3), 5e-4), ((1.8, 1.8, 2.4, 2.4), 2.5e-3)])
def test_a_group_measured_in_one_aperture_does_not_take_seeing_for_polarisation(
        seeing: tuple[float, ...], most: float) -> None:
    assert polarisation(seeing, common=True) < most


def test_an_aperture_for_each_frame_would() -> None:
    assert polarisation((2.0, 2.1, 2.2, 2.3), common=False) > 0.02


@pytest.fixture
def known_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """A table that knows the galaxy's light to the last digit."""
    monkeypatch.setattr(host, "_by_name", lambda: {"galaxy": galaxies.table()})


SEEINGS = (1.2, 1.8, 2.1, 3.1, 4.1, 5.0)


def alone(seeing: float) -> ResultValue:
    """The result of one frame by itself."""
    return calibrate(galaxies.GALAXY, [galaxies.measured(seeing)], catalogue=galaxies.CATALOGUE,
                     telescope=None)[0]


@pytest.mark.usefixtures("known_host")
@pytest.mark.parametrize("seeing", SEEINGS)
def test_a_nucleus_comes_out_of_its_galaxy_in_any_seeing(seeing: float) -> None:
    found = alone(seeing)
    assert found.aperture_arcsec == HOST_APERTURE
    assert flux_mjy(found.mag_nucleus, "R") == pytest.approx(galaxies.NUCLEUS, rel=0.005)


@pytest.mark.usefixtures("known_host")
def test_seeing_makes_no_flare_of_a_constant_source_in_a_galaxy() -> None:
    found = [alone(seeing) for seeing in SEEINGS]
    assert np.ptp([r.mag for r in found]) < 0.01
    assert np.ptp([r.mag_nucleus for r in found]) < 0.01
    assert found[0].host_mjy > 0.5 * galaxies.HOST
    assert found[0].host_mjy_err == pytest.approx(0.02 * found[0].host_mjy, rel=0.4)


@pytest.mark.usefixtures("known_host")
def test_a_wider_circle_of_another_source_does_not_change_the_nucleus() -> None:
    """The sky is then that of a wider annulus, where the galaxy is fainter."""
    frame = galaxies.measured(2.1, besides=(20.0,))
    (found,) = calibrate(galaxies.GALAXY, [frame], catalogue=galaxies.CATALOGUE, telescope=None)
    assert found.aperture_arcsec == HOST_APERTURE
    assert flux_mjy(found.mag_nucleus, "R") == pytest.approx(galaxies.NUCLEUS, rel=0.005)


def test_in_the_aperture_of_its_seeing_it_would_flare() -> None:
    assert alone(4.1).mag < alone(1.8).mag - 0.2


@pytest.mark.usefixtures("known_host")
def test_a_group_of_a_known_host_has_neither_polarisation_nor_a_flare_of_the_seeing() -> None:
    tool = instrument("AndorT90")
    assert tool.polarimeter is not None
    constants = tool.polarimeter.constants_at(2460400.5)
    assert constants is not None
    frames = []
    for k, (fwhm, angle) in enumerate(zip((1.8, 1.8, 2.4, 2.4), ANGLES, strict=True)):
        phase = math.radians(2.0 * angle)
        m = 1.0 + constants.q0 * math.cos(phase) + constants.u0 * math.sin(phase)
        frames.append(galaxies.measured(fwhm, angle=angle, id_=k, scale=m))
    found = polarise(frames, catalogue=galaxies.CATALOGUE, instrument=tool,
                     settings=Polarimetry()).results[0]
    alike = next(m for m in found.methods if m.method == "ensemble-isp")
    assert alike.p < 5e-4
    assert found.p < found.p_err
    assert flux_mjy(found.mag_nucleus, "R") == pytest.approx(galaxies.NUCLEUS, rel=0.005)
    assert found.q_nucleus == pytest.approx(found.q * found.flux_mjy / galaxies.NUCLEUS, rel=0.02)
