"""The last value of every source in each of its bands, found from the ends of indexes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from iop4d.model.bands import band_order
from iop4d.model.flags import NEVER_ALERTS
from iop4d.model.source import Source, SourceKind
from iop4d.store import catalogue
from iop4d.store.database import Connection
from iop4d.store.schema import Result

_NEWEST = 12  # results of a band among which one without a doubt is preferred
_COLUMNS = ", ".join(f"r.{name}" for name in (
    "id", "source", "band", "jd_mid", "mag", "mag_err", "mag_err_common", "mag_limit", "flags",
    "human_flags", "p", "p_err", "p_debiased", "p_limit", "chi_deg", "chi_err_deg",
    "chi_err_common", "q", "u", "q0_err", "u0_err", "provisional"))
#: Every source that was measured: from each the next one, by the index, without the rows between.
_EVERY = """SELECT MIN(source) FROM result
    UNION ALL
    SELECT (SELECT MIN(source) FROM result WHERE source > n.source)
    FROM names n WHERE n.source IS NOT NULL"""
#: Each pair of these sources and a band, in the same way.
_PAIRS = """
WITH RECURSIVE names(source) AS (
    {names}),
pairs(source, band) AS (
    SELECT source, (SELECT MIN(band) FROM result WHERE source = n.source)
    FROM names n WHERE source IS NOT NULL
    UNION ALL
    SELECT source, (SELECT MIN(band) FROM result WHERE source = p.source AND band > p.band)
    FROM pairs p WHERE band IS NOT NULL)
"""
_LASTS = f"""{_PAIRS}
SELECT {_COLUMNS} FROM pairs p JOIN result r ON r.id = (
    SELECT id FROM (
        SELECT id, jd_mid, mag IS NULL AS limited,
               flags & {int(NEVER_ALERTS)} != 0 OR json_array_length(human_flags) > 0 AS doubtful
        FROM result WHERE source = p.source AND band = p.band AND NOT withdrawn
            AND (mag IS NOT NULL OR mag_limit IS NOT NULL)
        ORDER BY jd_mid DESC, id DESC LIMIT {_NEWEST}) AS newest
    ORDER BY doubtful, jd_mid DESC, id DESC LIMIT 1)
"""  # noqa: S608 - names of ours
_POLARISED = f"""{_PAIRS}
SELECT {_COLUMNS} FROM names p
JOIN result r ON r.id = (
    SELECT id FROM result WHERE source = p.source AND p IS NOT NULL AND NOT withdrawn
    ORDER BY jd_mid DESC, id DESC LIMIT 1)
"""  # noqa: S608 - names of ours


@dataclass(frozen=True, kw_only=True)
class SourceRow:
    """A source of the list. ``entry``: None if the catalogue does not have it (any more);
    ``last``: the newest good result of each band; ``polarised``: the newest polarisation."""

    name: str
    entry: Source | None
    last: dict[str, Result] = field(default_factory=dict)
    polarised: Result | None = None

    @property
    def newest_jd(self) -> float | None:
        """When it was measured last; None if never."""
        return max((row.jd_mid for row in (*self.last.values(), *filter(None, [self.polarised]))),
                   default=None)


def source_rows(db: Connection, *, calibrators: bool = False) -> list[SourceRow]:
    """Every source that was measured, and every target and standard of the catalogue.

    ``calibrators``: those of the catalogue too.
    """
    entries = {source.name: source for source in catalogue.load(db).sources}
    last: dict[str, dict[str, Result]] = {}
    for row in db.raw(Result, _LASTS.format(names=_EVERY)):
        last.setdefault(row.source, {})[row.band] = row
    polarised = {row.source: row for row in db.raw(Result, _POLARISED.format(names=_EVERY))}
    listed = [name for name, source in entries.items()
              if calibrators or source.kind is not SourceKind.CALIBRATOR]
    names = dict.fromkeys((*listed, *last, *polarised))
    return [SourceRow(name=name, entry=entries.get(name), last=last.get(name, {}),
                      polarised=polarised.get(name)) for name in names]


def source_row(db: Connection, name: str, entry: Source | None) -> SourceRow:
    """The last values of one source."""
    one = "SELECT CAST(? AS TEXT)"
    last = {row.band: row for row in db.raw(Result, _LASTS.format(names=one), name)}
    polarised = next(iter(db.raw(Result, _POLARISED.format(names=one), name)), None)
    return SourceRow(name=name, entry=entry, polarised=polarised, last=dict(
        sorted(last.items(), key=lambda pair: band_order(pair[0]))))


def bands_of(rows: Iterable[SourceRow]) -> list[str]:
    """The bands of some rows, by wavelength."""
    return sorted({band for row in rows for band in row.last}, key=band_order)
