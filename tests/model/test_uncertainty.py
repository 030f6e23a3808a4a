"""Errors put together, by hand."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import pytest

from iop4d.model.uncertainty import (
    between,
    chi_text,
    chi_total,
    mag_text,
    mag_total,
    nucleus_total,
    p_nucleus_common,
    p_nucleus_host,
    p_total,
    total,
)


def row(**values: Any) -> SimpleNamespace:
    names = ("mag", "mag_err", "mag_err_common", "p", "p_err", "q", "u", "q0_err", "u0_err",
             "chi_deg", "chi_err_deg", "chi_err_common", "mag_nucleus", "mag_nucleus_err",
             "host_mjy", "host_mjy_err")
    return SimpleNamespace(**(dict.fromkeys(names) | values))


def test_a_value_by_itself_has_both_errors_and_an_unknown_one_counts_nothing() -> None:
    assert total(0.003, 0.004) == pytest.approx(0.005)
    assert total(0.003, None) == total(0.003, math.nan) == 0.003
    assert total(None, 0.004) is None
    assert mag_total(row(mag_err=0.03, mag_err_common=0.04)) == pytest.approx(0.05)


def test_of_common_errors_a_difference_has_what_is_not_shared() -> None:
    assert between(0.03, 0.03, shared=True) == 0.0
    # One star of 0.02 against four of them, that one among them: var = 0.02^2 (1 - 1/4).
    assert between(0.02, 0.01, shared=True) == pytest.approx(0.02 * math.sqrt(0.75))
    assert between(0.03, 0.02, shared=False) == 0.03
    assert between(None, math.nan, shared=False) == 0.0


def test_p_has_the_instrument_s_error_along_it_and_chi_that_across() -> None:
    found = row(p=0.1, q=0.06, u=0.08, p_err=0.001, q0_err=0.003, u0_err=0.004, chi_err_deg=0.3,
                chi_err_common=0.4)
    assert p_total(found) == pytest.approx(math.hypot(0.001, 0.6 * 0.003, 0.8 * 0.004))
    across = math.hypot(0.8 * 0.003, 0.6 * 0.004) / 0.1
    assert chi_total(found) == pytest.approx(math.hypot(0.5, math.degrees(across) / 2))


def test_an_angle_just_below_180_degrees_is_written_as_0() -> None:
    assert chi_text(row(p=0.1, chi_deg=179.97, chi_err_deg=0.4, p_limit=None)) == "0.0 ± 0.4"


def test_at_no_polarisation_the_instrument_s_error_is_the_mean_one() -> None:
    found = row(p=0.0, q=0.0, u=0.0, p_err=0.0, q0_err=0.003, u0_err=0.003)
    assert p_total(found) == pytest.approx(0.003)


def test_an_older_result_has_the_errors_that_it_has() -> None:
    found = row(p=0.1, p_err=0.002, chi_err_deg=1.0, q=0.1, u=0.0)
    assert (p_total(found), chi_total(found)) == (0.002, 1.0)


def test_without_the_host_errors_weigh_more_and_the_host_s_own_comes_to_them() -> None:
    """Half of the light is the host's: 8 of 16 mJy, known to 10 %."""
    found = row(mag=13.0, mag_err_common=0.01, mag_nucleus=13.0 + 2.5 * math.log10(2.0),
                mag_nucleus_err=0.006, host_mjy=8.0, host_mjy_err=0.8)
    expected = math.hypot(0.006, 0.02, 2.5 / math.log(10.0) * 0.1)
    assert nucleus_total(found) == pytest.approx(expected, rel=1e-3)


def test_p_without_the_host_has_the_instrument_s_error_twice_as_large_and_the_host_s() -> None:
    """Half of the light is the host's: p' = 2 p, and 10 % of the host move p' by 10 %."""
    found = row(mag=13.0, mag_nucleus=13.0 + 2.5 * math.log10(2.0), host_mjy=8.0, host_mjy_err=0.8,
                p=0.05, q=0.05, u=0.0, q0_err=0.001, u0_err=0.0, p_nucleus=0.1)
    assert p_nucleus_common(found) == pytest.approx(0.002, rel=1e-3)
    assert p_nucleus_host(found) == pytest.approx(0.01, rel=1e-3)


def test_a_magnitude_in_words_has_its_error_or_is_a_limit() -> None:
    seen = SimpleNamespace(mag=13.0, mag_err=0.003, mag_err_common=0.004, mag_limit=None)
    assert mag_text(seen) == "13.000 ± 0.005"
    unseen = SimpleNamespace(mag=None, mag_err=None, mag_err_common=None, mag_limit=19.24)
    assert mag_text(unseen) == "> 19.2"
    assert mag_text(SimpleNamespace(mag=None, mag_err=None, mag_err_common=None)) == "–"
