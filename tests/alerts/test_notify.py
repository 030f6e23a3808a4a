"""When people are notified of an alert."""

from __future__ import annotations

from iop4d.alerts.notify import quiet_end

HOUR = 3600.0


def test_quiet_hours_end_by_the_clock_on_the_wall_across_its_changes() -> None:
    """In Madrid the clocks go back on 2026-10-25 at 03:00 summer time."""
    late = 1_792_879_200.0  # 2026-10-24 22:00 UTC, midnight in Madrid
    assert quiet_end("23:00-08:00", "Europe/Madrid", late) - late == 9 * HOUR
    assert quiet_end("23:00-08:00", "UTC", late) == 0.0
    assert quiet_end("21:00-23:00", "UTC", late) - late == HOUR
