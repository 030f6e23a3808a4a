"""A little of the month of ``make bench-alerts``: nothing false, each flare and withdrawal."""

from __future__ import annotations

import random
from dataclasses import replace

from iop4d.alerts.rules import compile_rule
from tests.bench.alert_month import a_source, false_alerts, firings, found_flares, month
from tests.bench.alerts import FLARE, withdrawn

WATCH = compile_rule(FLARE)


def test_constant_sources_fire_nothing() -> None:
    fired, points = false_alerts(WATCH, 20)
    assert fired == 0
    assert points > 5000


def test_flares_of_half_a_magnitude_are_found() -> None:
    assert found_flares(WATCH, 20) == 20


def test_a_second_camera_with_another_band_is_no_flare() -> None:
    """0.3 mag brighter in DIPOL, which observes its first night late in the month."""
    rng = random.Random(3)
    sky = replace(a_source(rng), host=0.0, error=0.01, offset=-0.3, second_each=20)
    assert firings(WATCH, month(rng, sky)) == []


def test_every_alert_whose_points_are_measured_again_is_withdrawn_and_told() -> None:
    assert withdrawn(5).holds
