"""From simulated frames to the polarisation of a source in a galaxy, in changing seeing."""

from __future__ import annotations

from pathlib import Path

from tests.bench.hard import run
from tests.support.lab import camera_masters


def test_an_unpolarised_source_in_a_galaxy_stays_unpolarised_while_the_seeing_changes(
        tmp_path: Path) -> None:
    """The galaxy of R = 13.7 about a nucleus of 14.3, the seeing 1, 1.05, 1.1, 1.2 of the usual."""
    score = run("host", "AndorT90", 11, 1, 0, camera_masters("AndorT90", tmp_path / "masters"))
    found = {one.quantity: one for one in score.found if one.quantity in ("q", "u")}
    assert set(found) == {"q", "u"}
    for one in found.values():
        assert abs(one.off) < 0.008
        assert abs(one.off) < 4.0 * one.whole
