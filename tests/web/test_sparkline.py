"""Curves that the server draws: where a point stands, how many are drawn, and what they say."""

from __future__ import annotations

import math
import re
from xml.etree import ElementTree

import pytest

from iop4d.web.sparkline import Mark, Series, bars, sparkline, thinned, timeline


def places(svg: str) -> list[tuple[float, float]]:
    """Where the dots of a curve stand."""
    return [(float(x), float(y)) for x, y in re.findall(r"M([\d.]+) ([\d.]+)h0", svg)]


def test_the_largest_value_stands_above_and_the_last_point_right() -> None:
    svg = sparkline([Series(points=[(0, 1.0, None), (1, 3.0, None), (2, 2.0, None)])], "curve")
    assert places(svg) == [(8, 96), (240, 8), (472, 52)]


def test_of_magnitudes_the_smallest_stands_above() -> None:
    svg = sparkline([Series(points=[(0, 14.0, None), (1, 13.0, None)])], "curve", inverted=True)
    assert places(svg) == [(8, 96), (472, 8)]


def test_what_hardly_changes_is_not_blown_up() -> None:
    svg = sparkline([Series(points=[(0, 13.00, None), (1, 13.01, None)])], "x", least_span=1.0)
    (_, first), (_, last) = places(svg)
    assert abs(first - last) <= 1


def test_errors_are_drawn_where_they_can_be_seen() -> None:
    svg = sparkline([Series(points=[(0, 0.0, 0.5), (1, 1.0, 1e-4)])], "x")
    (bar,) = re.findall(r'class="bars" d="([^"]*)"', svg)
    assert bar.count("M") == 1


def test_thousands_of_points_become_means_of_those_that_fall_together() -> None:
    points = [(float(x), float(x % 2), 0.1) for x in range(10_000)]
    found = thinned(points)
    assert len(found) == 120
    assert all(y == pytest.approx(0.5, abs=0.01) for _, y, _ in found)
    assert found[0][2] == pytest.approx(0.1 / math.sqrt(10_000 / 120), rel=0.02)


def test_nothing_is_drawn_of_nothing() -> None:
    assert sparkline([Series(points=[(0, math.nan, None)])], "x") == ""
    assert bars([("0 h", None, None)], "x") == ""


def test_every_text_is_escaped() -> None:
    hostile = '"><script>alert(1)</script>'
    drawn = [sparkline([Series(points=[(0, 1.0, None)], style=hostile)], hostile),
             timeline([Mark(begin=0, end=1, style=hostile, title=hostile, address=hostile)],
                      hostile, 0, 2),
             bars([(hostile, 1.0, 2.0)], hostile)]
    for svg in drawn:
        assert "<script" not in svg
        ElementTree.fromstring(svg)


def test_a_mark_stands_where_its_exposure_was_and_trouble_is_higher() -> None:
    svg = timeline([Mark(begin=0.0, end=0.25, style="done", title="a", address="/frames/1"),
                    Mark(begin=0.5, end=0.5, style="failed", title="b")], "frames", 0.0, 1.0)
    done, failed = re.findall(
        r'<rect class="fate-(\w+)" x="([\d.]+)" width="([\d.]+)" y="([\d.]+)"', svg)
    assert done == ("done", "0", "249.4", "9")
    assert failed[0] == "failed"
    assert float(failed[3]) < float(done[3])
    assert 'href="/frames/1"' in svg
    assert "style=" not in svg


def test_bars_have_the_height_of_the_median_and_a_tick_at_95_percent() -> None:
    svg = bars([("0 h", 1.0, 4.0), ("1 h", None, None)], "latency")
    assert 'y="67.5"' in svg
    assert 'height="22.5"' in svg
    assert 'class="tick" d="M1.5 1h' in svg
