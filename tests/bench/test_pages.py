"""The bench of the pages itself, on a small database: many heavy requests leave the rest alone."""

from __future__ import annotations

from pathlib import Path

from tests.bench.pages import costs, make_site, served, storm


def test_a_storm_of_heavy_requests_leaves_the_site_answering(tmp_path: Path) -> None:
    source, _ = make_site(tmp_path, frames=300, results=2000, more=600)
    with served(tmp_path) as site:
        assert costs(site, ["/sources", "/healthz"], 1)
        found = storm(site, "/api/results", seconds=1.5)
    assert source
    assert found["looks"] > 3
    assert found["answered"] > 0
    assert found["refused"] > found["answered"]
    assert found["rss_mb"] < 400
