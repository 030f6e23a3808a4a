"""Points that others measured: of another telescope, a survey or a paper, to compare ours with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

NAN = float("nan")


@dataclass(frozen=True, kw_only=True)
class ExternalPoint:
    """One point. ``p`` and its error are fractions, angles degrees; NaN where nothing is known.

    ``mag_limit``: the source is fainter than this.
    """

    band: str
    jd: float
    mag: float = NAN
    mag_err: float = NAN
    mag_limit: float = NAN
    p: float = NAN
    p_err: float = NAN
    chi_deg: float = NAN
    chi_err_deg: float = NAN


@dataclass(frozen=True, kw_only=True)
class PointTable:
    """The points of a file. ``sha256``: of its octets; ``times``: what its times are; ``left_out``:
    how many rows for which reason."""

    points: Sequence[ExternalPoint]
    sha256: str
    times: str
    left_out: dict[str, int]
