"""Which frames of a night are one measurement of polarisation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from iop4d.model.polarimeter import same_position


@dataclass(frozen=True, kw_only=True)
class Exposure:
    """A frame at a position: JD(UTC) of its start, seconds, degrees of the polariser or plate."""

    jd_start: float
    exptime_s: float
    angle_deg: float

    @property
    def jd_end(self) -> float:
        """JD(UTC) of its end."""
        return self.jd_start + self.exptime_s / 86400.0


def partition(exposures: Sequence[Exposure], *, whole: int, turn_deg: float, longest_min: float,
              gap_min: float) -> list[list[int]]:
    """Indices of the exposures of each group, in order of time.

    A new group begins when it has ``whole`` exposures, when an angle comes again (after
    ``turn_deg`` it is the same one), after a pause of ``gap_min``, and ``longest_min`` minutes
    after its first exposure. It depends on the exposures alone, not on the order in which they
    became known.
    """
    groups: list[list[int]] = []
    for i in sorted(range(len(exposures)), key=lambda i: (exposures[i].jd_start, i)):
        mine = exposures[i]
        if groups and not _begins_group(mine, [exposures[j] for j in groups[-1]], whole,
                                        turn_deg, longest_min, gap_min):
            groups[-1].append(i)
        else:
            groups.append([i])
    return groups


def _begins_group(mine: Exposure, group: Sequence[Exposure], whole: int, turn_deg: float,
                  longest_min: float, gap_min: float) -> bool:
    return (len(group) >= whole
            or any(same_position(mine.angle_deg, other.angle_deg, turn_deg) for other in group)
            or (mine.jd_start - group[-1].jd_end) * 1440.0 > gap_min
            or (mine.jd_end - group[0].jd_start) * 1440.0 > longest_min)
