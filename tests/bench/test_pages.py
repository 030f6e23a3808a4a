"""The bench of the pages itself, on a small database: many heavy requests leave the rest alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench.pages import beside_streams, costs, limit_of, make_site, served, storm
from tests.bench.panning import panned
from tests.web.browser import CHROMIUM, Browser


def test_a_storm_of_heavy_requests_leaves_the_site_answering(tmp_path: Path) -> None:
    source, _ = make_site(tmp_path, frames=300, results=2000, more=600)
    with served(tmp_path) as site:
        assert costs(site, ["/sources", "/healthz"], 1)
        found = storm(site, "/api/results", seconds=1.5)
        streams = beside_streams(site, tmp_path / "iop4d.db", many=4, count=5)
    assert source
    assert found["looks"] > 3
    assert found["answered"] > 0
    assert found["refused"] > 0
    assert found["rss_mb"] < 400
    assert streams["streams"] == 4
    assert streams["events"] > 0
    assert streams["rss_mb"] < 400


@pytest.mark.browser
@pytest.mark.skipif(not CHROMIUM.exists(), reason="no Chromium on this machine")
def test_moving_a_light_curve_has_its_cost(tmp_path: Path) -> None:
    source, longest = make_site(tmp_path, frames=300, results=2400, more=9000)
    with served(tmp_path) as site, Browser() as browser:
        few, many = (panned(browser, site.address, name, 10) for name in (source, longest))
    assert (few.points, few.drawn) == (100, 100)
    assert many.points == 9000
    assert many.drawn < 7000  # thinned: more cannot be seen
    for one in (few, many):
        assert one.steps == 10
        assert one.moved == pytest.approx(10 / 200, rel=1e-3)
        assert f"{one.step_ms:.0f} ms a step" in str(one)


def test_each_address_has_its_limit_and_twice_that_on_a_larger_site() -> None:
    assert limit_of("/") == limit_of("/data/results?sort=-mag") == 40
    assert limit_of("/frames/1") == 25
    assert limit_of("/api/v1/results", large=True) == 120
    assert limit_of("/healthz") is None
