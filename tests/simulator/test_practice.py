"""A site to practise on: as a daemon would have left it, rules and all."""

from __future__ import annotations

from pathlib import Path

import pytest

import iop4d
from iop4d.model.errors import Iop4dError
from iop4d.simulator.night import NightPlan
from iop4d.simulator.practice import practice

_RULE = '[[rule]]\nname = "bright"\ncondition = "mag < 14.5"\nconfirm = 1\n'


def test_the_night_is_reduced_and_its_rule_fires(tmp_path: Path) -> None:
    made = practice(tmp_path / "site", NightPlan(n_bias=3, n_flat=3, frames=1), more=_RULE)
    with iop4d.open(made.folder) as site:
        (result,) = site.results
        truth = made.truth[result["frames"][0]]
        assert result["mag"] == pytest.approx(truth.target_mag, abs=0.05)
        assert {frame.state for frame in site.frames} == {"done"}
        assert [alert.rule for alert in site.alerts] == ["bright"]
        assert site.alerts.first().points.first() == result
    with pytest.raises(Iop4dError, match="is not empty"):
        practice(tmp_path / "site")
