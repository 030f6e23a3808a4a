"""Scales of pictures, and where their ticks stand."""

from __future__ import annotations

import math

import pytest

from iop4d.model.units import jd_of_unix
from iop4d.web.axes import Scale, date_ticks, scale_of, ticks

NIGHT = 1763_769_600.0  # 2025-11-22 00:00 UTC


def test_a_scale_leaves_room_at_both_ends() -> None:
    found = scale_of([10.0, 20.0], 0.0, 100.0, least=1.0, edge=0.05)
    assert (found.low, found.high) == (9.5, 20.5)
    assert found(15.0) == 50.0
    assert found.inside(99.0) == 100.0


@pytest.mark.parametrize("values", [[], [3.0], [3.0, 3.0], [-1e9, 1e9], [1e-12, 2e-12]])
def test_any_values_have_a_scale_with_ticks(values: list[float]) -> None:
    found = scale_of(values, 100.0, 0.0, least=0.1, edge=0.06)
    assert found.high - found.low >= 0.1
    said = ticks(found, 4)
    assert 1 <= len(said) <= 12
    assert all(found.low <= at <= found.high for at, _ in said)
    assert len({text for _, text in said}) == len(said), "two ticks have the same words"


@pytest.mark.parametrize(("days", "form"), [
    (0.01, "11-22 00:"), (0.3, "11-22 "), (9.0, "2025-11-2"), (4000.0, "20")])
def test_moments_are_whole_hours_or_days(days: float, form: str) -> None:
    low = jd_of_unix(NIGHT - 60.0)
    scale = Scale(low=low, high=low + days, start=0.0, end=700.0)
    found = list(date_ticks(scale, 6))
    assert 1 <= len(found) <= 7
    assert found[0][1].startswith(form)
    for jd, _ in found:
        assert low <= jd <= low + days
        assert math.isclose(((jd - 2440587.5) * 86400.0 + 1e-3) % 60.0, 0.0, abs_tol=0.01)
    assert len({text for _, text in found}) == len(found)


def test_one_value_alone_stands_in_the_middle() -> None:
    scale = scale_of([2461000.5], 0.0, 100.0, least=0.0, edge=0.0)
    assert (scale(2461000.5), scale.slope) == (50.0, 0.0)
