"""The mean flux of frames of which some are too faint for a magnitude."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from iop4d.model.flags import Flag
from iop4d.reduction.fluxes import mean_flux, with_mean_flux
from iop4d.science.flux import flux_mjy
from tests.reduction.calibrators import TARGET, seen, series

_OF_ONE = flux_mjy(20.0, "R")  # mJy of an ADU per second at a zero point of 20


def test_the_error_of_the_neighbours_light_does_not_average_out() -> None:
    """Four frames of flux 10 and error 5, 4 of which is of the neighbours' light, 26.7 +- 15 %."""
    each = series([10.0] * 3 + [-1.0], [5.0] * 4)
    forced = [replace(seen("T", -2.5), flux=10.0, neighbours=4.0 / 0.15 / 10.0)] * 3 + [
        replace(seen("T", math.nan), flux=-1.0, neighbours=0.0)]
    found = with_mean_flux(each[0], each, TARGET, forced)
    assert found.flux_mjy == pytest.approx(7.25 * _OF_ONE, rel=1e-3)
    # 3 of each frame alone, chi-square 3 * (2.75 / 3)^2 + (8.25 / 3)^2 of three degrees.
    alone = math.sqrt((3 * 2.75**2 + 8.25**2) / 9.0 / 3.0) * 3.0 / 2.0
    assert found.flux_mjy_err == pytest.approx(math.hypot(alone, 4.0) * _OF_ONE, rel=1e-3)
    assert found.flags & Flag.UPPER_LIMIT
    without = with_mean_flux(each[0], each, TARGET)
    assert without.flux_mjy_err < 0.65 * found.flux_mjy_err


def test_without_a_flux_there_is_no_mean() -> None:
    assert mean_flux([replace(r, flux_mjy=math.nan) for r in series([4.0], [2.0])]) is None
