"""How a calibrator did: where its points stand, which of them are hollow, and where they lead."""

from __future__ import annotations

import re

import pytest

from iop4d.store.calibrator_history import Use
from iop4d.web.calibrator_charts import residuals


def use(jd: float, residual: float | None, why_not: str = "", result: int = 7) -> Use:
    return Use(result=result, jd=jd, night="2026-11-27", instrument="CAFOS", band="R", source="C1",
               residual=residual, err=0.01, weight=0.5, why_not=why_not)


def test_residuals_stand_about_zero_by_time_and_lead_to_their_results() -> None:
    svg = residuals([use(2461000.5, 0.02), use(2461001.5, 0.0, result=8),
                     use(2461002.5, -0.02, "saturated")], "/iop4d")
    assert svg is not None
    places = [(float(x), float(y)) for x, y in re.findall(r'cx="([\d.]+)" cy="([\d.]+)"', svg)]
    (x0, high), (x1, middle), (x2, low) = places
    assert high < middle < low
    assert middle - high == pytest.approx(low - middle, abs=0.2)
    assert x1 - x0 == pytest.approx(x2 - x1, abs=0.2)
    assert svg.count("point band-R out") == 1
    assert 'href="/iop4d/results/8"' in svg
    assert "left out, saturated" in svg
    assert svg.count('class="across') == 1


def test_one_wild_point_of_many_leaves_the_others_apart() -> None:
    svg = residuals([*(use(2461000.5 + n, 0.01 * (-1) ** n) for n in range(200)),
                     use(2461300.5, 5.0)], "")
    assert svg is not None
    heights = {float(y) for y in re.findall(r'cy="([\d.]+)"', svg)}
    assert len(heights) == 3
    assert max(heights) - min(heights) > 100


def test_of_nothing_there_is_no_plot_and_of_one_point_there_is() -> None:
    assert residuals([use(2461000.5, None)], "") is None
    one = residuals([use(2461000.5, 0.0)], "")
    assert one is not None
    assert one.count("<circle") == 1
