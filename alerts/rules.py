"""When a rule fires and when it clears: a function of the points alone.

Everything is counted over the good points of a source and band in the order of their time of
observation, not in the order in which they were committed, and not by the clock on the wall. So the
same points give the same edges after a restart or in a rerun.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from iop4d.alerts.conditions import Condition


@dataclass(frozen=True, kw_only=True)
class Point:
    """A good point: the result's id, its JD(UTC) and its value."""

    id: int
    jd: float
    value: float


@dataclass(frozen=True, kw_only=True)
class RuleLogic:
    """What of a rule decides: conditions, points to confirm, cooldown in days."""

    condition: Condition
    clear: Condition | None
    confirm: int
    cooldown_days: float

    def clears(self, value: float) -> bool:
        """Whether a value ends the alert."""
        if self.clear is not None:
            return self.clear.holds(value)
        return not self.condition.holds(value)


@dataclass(frozen=True, kw_only=True)
class Episode:
    """One time that a rule fired, from the points that confirmed it to those that cleared it."""

    fired: tuple[Point, ...]
    cleared_jd: float | None = None

    @property
    def fired_jd(self) -> float:
        """JD(UTC) of the point at which it fired."""
        return self.fired[-1].jd


def episodes(rule: RuleLogic, points: Sequence[Point], *,
             last_fired_jd: float | None = None, is_firing: bool = False,
             fired: tuple[Point, ...] = ()) -> list[Episode]:
    """The episodes of points in order of time, beginning from a state.

    ``is_firing`` with ``fired``: an episode is open before the first point, and is the first of the
    list. ``last_fired_jd``: when the last episode before fired, for the cooldown.
    """
    found: list[Episode] = [Episode(fired=fired)] if is_firing else []
    last = last_fired_jd
    run: list[Point] = []
    for point in points:
        meets = rule.clears(point.value) if is_firing else rule.condition.holds(point.value)
        run = [*run, point] if meets else []
        if len(run) < rule.confirm:
            continue
        if is_firing:
            found[-1] = Episode(fired=found[-1].fired, cleared_jd=point.jd)
            is_firing, run = False, []
        elif last is None or point.jd - last >= rule.cooldown_days:
            found.append(Episode(fired=tuple(run[-rule.confirm:])))
            is_firing, last, run = True, point.jd, []
    return found
