"""Plots as SVG inside a page."""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ET
from itertools import pairwise

import pytest

from iop4d.web.charts import Axis, Line, Panel, Point, Scale, plot, ticks
from iop4d.web.frame_charts import vectors

AXIS = Axis(label="x")


def circles(svg: str) -> list[tuple[float, float]]:
    return [(float(c.attrib["cx"]), float(c.attrib["cy"]))
            for c in ET.fromstring(svg).iter("circle")]


def test_points_stand_where_their_values_are() -> None:
    svg = plot("a plot", [Panel(label="y", points=[
        Point(x=0.0, y=1.0), Point(x=1.0, y=2.0), Point(x=2.0, y=3.0)])], AXIS)
    (x0, y0), (x1, y1), (x2, y2) = circles(svg)
    assert x0 < x1 < x2
    assert x1 - x0 == pytest.approx(x2 - x1, abs=0.11)
    assert y0 > y1 > y2


def test_magnitudes_grow_downwards() -> None:
    svg = plot("a plot", [Panel(label="mag", down=True, points=[
        Point(x=0.0, y=13.0), Point(x=1.0, y=12.0)])], AXIS)
    (_, faint), (_, bright) = circles(svg)
    assert bright < faint


def test_what_has_no_value_is_not_drawn() -> None:
    svg = plot("a plot", [Panel(label="y", lines=[Line(points=[(0.0, math.nan), (1.0, 1.0)])],
                                points=[Point(x=0.0, y=math.nan), Point(x=1.0, y=1.0,
                                                                        err=math.nan)])], AXIS)
    assert len(circles(svg)) == 1
    assert "nan" not in svg


def test_text_is_escaped() -> None:
    hostile = '"><script>alert(1)</script>'
    svg = plot(hostile, [Panel(label=hostile, points=[
        Point(x=0.0, y=1.0, title=hostile, href=hostile, look=hostile)],
        lines=[Line(points=[(0.0, 1.0)], label=hostile, look=hostile)],
        upright=[(0.0, hostile, hostile)])], Axis(label=hostile, names=[hostile]))
    assert "<script" not in svg
    ET.fromstring(svg)


def test_it_needs_no_inline_style_which_the_pages_forbid() -> None:
    svg = plot("a plot", [Panel(label="y", points=[Point(x=0.0, y=1.0)])], AXIS)
    assert "style=" not in svg
    assert "<style" not in svg


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (-3.0, 40.0), (2.461e6, 2.4611e6),
                                           (12.71, 12.72), (-1e-4, 1e-4)])
def test_ticks_are_round_and_few(low: float, high: float) -> None:
    found = ticks(Scale(low=low, high=high, start=0.0, end=1.0), 4)
    assert 2 <= len(found) <= 8
    assert all(low <= at <= high for at, _ in found)
    assert len({said for _, said in found}) == len(found)
    steps = {round(b - a, 12) for (a, _), (b, _) in pairwise(found)}
    assert len({f"{step:.6g}" for step in steps}) == 1


def test_a_residual_at_the_frame_s_edge_is_drawn_in_its_direction() -> None:
    stars = [[990.0, 500.0, 0.1, 0.1], [500.0, 5.0, 0.1, -0.1], [500.0, 500.0, -0.1, 0.1]]
    drawn, times = vectors({"solution": {"matched": stars}}, (1000, 1000)) or ("", 0)
    assert times == 1000
    ends = re.findall(r'class="line vector" d="M([\d.]+) ([\d.]+)L([\d.]+) ([\d.]+)"', drawn)
    moved = [(float(c) - float(a), float(b) - float(d)) for a, b, c, d in ends]
    for (across, up), (_, _, dx, dy) in zip(moved, stars, strict=True):
        assert across * dx > 0
        assert across / dx == pytest.approx(up / dy, abs=2.1)  # rounded to 0.1 of a unit
    assert abs(moved[2][0]) > 30 > abs(moved[0][0])
