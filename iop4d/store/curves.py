"""The points of light curves, as plain rows: what plots of thousands of points are made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from iop4d.model.result import STACK
from iop4d.store.database import Connection
from iop4d.store.points import barring_flags

_SURE = 3.0  # standard errors of p that an angle needs
#: The column that says whether a person flagged a result.
BY_HAND = "human_flags <> '[]'"
#: Columns of every row, besides those that are asked for.
ALWAYS = ("id", "jd_mid", "band", "telescope", "instrument", "night", "mode", "flags",
          BY_HAND, "provisional")


@dataclass(frozen=True, kw_only=True)
class Extent:
    """How many points a source has, and the JD of the first and the last."""

    count: int = 0
    first_jd: float = 0.0
    last_jd: float = 0.0


def extent(db: Connection, source: str) -> Extent:
    """The extent of a source's light curve."""
    ((count, first, last),) = db.rows(
        "SELECT COUNT(*), MIN(jd_mid), MAX(jd_mid) FROM result "
        "WHERE source = ? AND withdrawn = FALSE",
        source)
    return Extent(count=count, first_jd=first or 0.0, last_jd=last or 0.0)


def rows(db: Connection, source: str, columns: Sequence[str], *, since_jd: float,
         until_jd: float) -> list[tuple[Any, ...]]:
    """``ALWAYS`` and some columns of a source's results between two JD, in order of time."""
    return db.rows(_statement((*ALWAYS, *columns), ""), source, since_jd, until_jd)


def polarised_rows(db: Connection, source: str, columns: Sequence[str], *, since_jd: float,
                   until_jd: float) -> list[tuple[Any, ...]]:
    """The id and some columns of those that have a polarisation: few, as a rule."""
    return db.rows(_statement(("id", *columns), "AND p IS NOT NULL "), source, since_jd, until_jd)


@lru_cache(maxsize=50)
def _statement(columns: tuple[str, ...], which: str) -> str:
    return (f"SELECT {', '.join(columns)} FROM result WHERE source = ? {which}"  # noqa: S608 - names of ours
            "AND withdrawn = FALSE AND jd_mid BETWEEN ? AND ? ORDER BY jd_mid, id")


def sure_angles(db: Connection, source: str) -> list[tuple[float, float]]:
    """JD and chi, degrees, of the sound angles of a source that are none of noise, by time."""
    return db.rows(
        "SELECT jd_mid, chi_deg FROM result WHERE source = ? AND p IS NOT NULL "
        "AND withdrawn = FALSE AND p_limit IS NULL AND chi_deg IS NOT NULL "
        "AND p >= ? * p_err AND flags & ? = 0 AND human_flags = '[]' AND mode <> ? "
        "ORDER BY jd_mid, id",
        source, _SURE, barring_flags(needs_mag=False), STACK)


def kinds(db: Connection, source: str) -> list[tuple[str, str]]:
    """The bands and instruments in which a source was measured."""
    return [(band, camera) for band, in db.rows(_BANDS, source, source) for camera, in db.rows(
        "SELECT DISTINCT instrument FROM result WHERE source = ? AND band = ? "
        "AND withdrawn = FALSE",
        source, band)]


#: The bands of a source, by steps through the index.
_BANDS = """
WITH RECURSIVE step(band) AS (
    SELECT MIN(band) FROM result WHERE source = ?
    UNION ALL
    SELECT (SELECT MIN(band) FROM result WHERE source = ? AND band > step.band) FROM step
    WHERE step.band IS NOT NULL
) SELECT band FROM step WHERE band IS NOT NULL
"""


def neighbours(db: Connection, source: str, targets: Sequence[str]) -> tuple[str, str]:
    """The measured source before one and that after it, by name; empty for none.

    ``targets``: names that count although they have no point yet.
    """
    names = sorted({source, *targets, *(name for name, in db.rows(_NAMES))}, key=str.casefold)
    at = names.index(source)
    return names[at - 1] if at else "", names[at + 1] if at + 1 < len(names) else ""


#: Every source with a result, found by steps through the index: not by reading all results.
_NAMES = """
WITH RECURSIVE name(source) AS (
    SELECT MIN(source) FROM result
    UNION ALL
    SELECT (SELECT MIN(source) FROM result WHERE source > name.source) FROM name
    WHERE name.source IS NOT NULL
) SELECT source FROM name WHERE source IS NOT NULL
"""
