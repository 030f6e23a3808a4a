"""The plot that goes with a message."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from matplotlib.figure import Figure

from iop4d.model.messages import (
    Done,
    NightPlotRequest,
    PlotPanel,
    PlotRequest,
    PlotSeries,
    Plotted,
)
from iop4d.reduction.plots import plot_night
from iop4d.reduction.workbench import Workbench


@pytest.mark.parametrize("span", [0.02, 0.03, 0.06, 0.1, 0.2, 0.3, 0.45])
def test_the_hours_of_a_night_and_of_one_before_do_not_run_into_each_other(
        span: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """An old fault: six of them stood in a third of the picture."""
    drawn: list[Figure] = []

    def saved(figure: Figure, *_: object, **__: object) -> None:
        figure.draw_without_rendering()
        drawn.append(figure)

    def series(start: float, *, before: bool) -> PlotSeries:
        return PlotSeries(band="R", camera="", before=before, points=tuple(
            (2460000.25 + start + span * i / 8, 13.0 + 0.01 * i, 0.01, True) for i in range(9)))

    monkeypatch.setattr(Figure, "savefig", saved)
    plot_night(NightPlotRequest(
        title="BL Lac", night="2026-11-27", before="2021-10-22", panels=(PlotPanel(
            label="magnitude", downwards=True, literature=(),
            series=(series(0.0, before=True), series(50.0, before=False))),)))
    for axes in drawn[0].axes:
        places = sorted((box.x0, box.x1) for label in axes.get_xticklabels()
                        if label.get_text() and (box := label.get_window_extent()))
        assert places
        assert all(left[1] < right[0] for left, right in pairwise(places))


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
