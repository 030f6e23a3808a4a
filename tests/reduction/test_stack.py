"""A night's frames of a faint source put together: truth by hand, and no bias."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from iop4d.model.flags import Flag
from iop4d.reduction.fluxes import light_error
from iop4d.reduction.stack import is_stacked, stack
from iop4d.science.flux import flux_mjy
from tests.reduction.calibrators import seen, series

_OF_ONE = flux_mjy(20.0, "R")  # mJy of an ADU per second at a zero point of 20


def test_the_mean_is_weighted_and_its_error_is_that_of_a_weighted_mean() -> None:
    each = series([5.0, 4.0, 3.0], [2.0, 1.0, 2.0])
    found = stack(each)
    assert found is not None
    assert found.mode == "stack"
    # Weights 1/4, 1, 1/4: (1.25 + 4 + 0.75) / 1.5, and 1.5 to the power of -1/2.
    assert found.flux_mjy == pytest.approx(4.0 * _OF_ONE, rel=1e-3)
    assert found.flux_mjy_err == pytest.approx(1.5**-0.5 * _OF_ONE, rel=1e-3)
    assert found.mag == pytest.approx(20.0 - 2.5 * math.log10(4.0), abs=2e-3)
    assert found.mag_err == pytest.approx(1.0857 * 1.5**-0.5 / 4.0, rel=1e-2)
    assert found.mag_err_common == pytest.approx(each[0].mag_err_common)
    assert found.exptime_s == 180.0
    assert found.jd_mid == pytest.approx(each[1].jd_mid)
    assert not found.flags & Flag.UPPER_LIMIT


def test_frames_that_scatter_by_more_than_their_errors_make_a_larger_one() -> None:
    """Fluxes 4 and 10 of error 1: chi-square 18 of one degree, so that 2 ** -0.5 becomes 3."""
    each = series([4.0, 10.0], [1.0, 1.0])
    found = stack(each)
    assert found is not None
    assert found.flux_mjy_err == pytest.approx(3.0 * _OF_ONE, rel=1e-3)
    assert not found.mag_err > 0  # 7 of error 3 is a limit
    assert found.mag_limit == pytest.approx(20.0 - 2.5 * math.log10(9.0), abs=2e-3)


def test_the_error_of_the_neighbours_light_is_as_large_in_a_stack_of_many() -> None:
    """Sixteen frames of flux 2 and error 1, a quarter of which is of the neighbours' light."""
    each = series([2.0] * 16, [1.0] * 16)
    light = [replace(seen("T", math.nan), flux=2.0, neighbours=0.25 / 0.15 / 2.0)] * 16
    shared = light_error(each, light)
    assert shared == pytest.approx(0.25 * _OF_ONE, rel=1e-3)
    found = stack(each, shared=shared)
    assert found is not None
    alone = math.sqrt((1.0 - 0.25**2) / 16.0)
    assert found.flux_mjy_err == pytest.approx(math.hypot(alone, 0.25) * _OF_ONE, rel=1e-3)


def test_a_frame_in_another_aperture_is_told_of_its_stack() -> None:
    first, second = series([4.0, 4.0], [1.0, 2.0])
    found = stack((first, replace(second, flags=int(Flag.OTHER_APERTURE))))
    assert found is not None
    assert found.flags & Flag.OTHER_APERTURE


def test_what_one_frame_does_not_know_is_the_others_mean() -> None:
    first, second = series([4.0, 4.0], [1.0, 2.0])
    found = stack((replace(first, airmass=math.nan, mag_err_common=0.01),
                   replace(second, airmass=1.5, mag_err_common=math.nan)))
    assert found is not None
    assert (found.airmass, found.mag_err_common) == (pytest.approx(1.5), pytest.approx(0.01))


def test_the_catalogue_s_error_is_the_weighted_mean_of_the_frames() -> None:
    first, second = series([4.0, 4.0], [1.0, 2.0])
    found = stack((replace(first, mag_err_common=0.02), replace(second, mag_err_common=0.01)))
    assert found is not None
    assert found.mag_err_common == pytest.approx(0.018, rel=1e-5)


def test_below_three_sigma_there_is_a_limit_at_three_sigma() -> None:
    found = stack(series([2.0, -1.0, 1.0, 0.0], [2.0] * 4))
    assert found is not None
    assert math.isnan(found.mag)
    assert found.mag_limit == pytest.approx(20.0 - 2.5 * math.log10(3.0), abs=2e-3)
    assert found.flux_mjy == pytest.approx(0.5 * _OF_ONE, rel=1e-3)
    assert found.flags & Flag.UPPER_LIMIT
    assert found.flags & Flag.NOT_DETECTED


def test_bright_sources_single_frames_and_spoilt_frames_make_no_stack() -> None:
    assert stack(series([100.0, 110.0], [5.0, 5.0])) is None
    faint = series([10.0, 4.0], [2.0, 2.0])
    assert stack(faint) is not None
    assert stack(faint[:1]) is None
    spoilt = replace(faint[1], flags=int(Flag.BAD_PIXELS))
    assert stack((faint[0], spoilt)) is None
    assert [is_stacked(one) for one in (faint[0], spoilt)] == [True, False]
    assert stack(tuple(replace(r, flux_mjy=math.nan) for r in faint)) is None


def test_stacks_of_a_source_of_two_sigma_a_frame_are_unbiased_and_their_errors_hold() -> None:
    """The mean of the magnitudes of positive fluxes would be too bright by some tenths."""
    rng = np.random.default_rng(4)
    pulls = []
    for _ in range(150):
        found = stack(series(rng.normal(4.0, 2.0, 9).tolist(), [2.0] * 9))
        assert found is not None
        pulls.append((found.flux_mjy / _OF_ONE - 4.0) / (found.flux_mjy_err / _OF_ONE))
    assert np.mean(pulls) == pytest.approx(0.0, abs=0.25)
    assert np.std(pulls) == pytest.approx(1.0, abs=0.2)
