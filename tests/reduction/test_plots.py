"""The plot that goes with a message."""

from __future__ import annotations

import math

import pytest

from iop4d.model.messages import (
    Done,
    PlotRequest,
    Plotted,
)
from iop4d.reduction.workbench import Workbench


@pytest.mark.parametrize("span", [0.2, 40.0])
def test_a_light_curve_is_drawn(bench: Workbench, span: float) -> None:
    points = tuple((2460000.5 + span * i / 20, 13.0 + 0.1 * math.sin(i), 0.02) for i in range(20))
    outcome = bench.perform(PlotRequest(title="BL Lac", band="R", points=points,
                                        highlight_jd=points[-1][0], threshold=13.0))
    assert isinstance(outcome, Done)
    assert isinstance(outcome.value, Plotted)
    assert outcome.value.png.startswith(b"\x89PNG")


def test_a_light_curve_without_points_is_drawn_too(bench: Workbench) -> None:
    outcome = bench.perform(PlotRequest(title="Nothing", band="R", points=()))
    assert isinstance(outcome, Done)
