"""Polarisation standards of a night against the literature: how far off, in all their errors."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from iop4d.model import uncertainty
from iop4d.model.source import Source, SourceKind
from iop4d.model.units import angle_difference
from iop4d.store import catalogue
from iop4d.store.database import Connection
from iop4d.store.points import barring_flags
from iop4d.store.results import STANDS
from iop4d.store.schema import Result
from iop4d.store.table import is_filled

#: A listed p below this, a fraction, is that of an unpolarised standard, whose angle says nothing.
_UNPOLARISED = 0.005


@dataclass(frozen=True, kw_only=True)
class StandardOff:
    """A result of a standard minus the literature: ``p_off`` a fraction, ``chi_off`` degrees.

    Errors hold the point's own, the instrument's constants' and the catalogue's. NaN: not known.
    """

    id: int
    source: str
    instrument: str
    band: str
    jd_mid: float
    p_off: float
    p_err: float
    chi_off: float
    chi_err: float

    @property
    def sigmas(self) -> float:
        """The larger of both, in units of its error; 0 where neither is known."""
        found = [abs(off) / err for off, err in ((self.p_off, self.p_err),
                                                 (self.chi_off, self.chi_err))
                 if math.isfinite(off) and err > 0.0]
        return max(found, default=0.0)


def of_night(db: Connection, night: str) -> tuple[StandardOff, ...]:
    """The standards that were observed in a night, by instrument, source and time."""
    return _compared(db, Result.night == night)


def newest(db: Connection, since_jd: float) -> tuple[StandardOff, ...]:
    """The newest sound observation of any standard by each instrument, since a JD."""
    sound = (Result.flags.bin_and(barring_flags(needs_mag=False)) == 0) \
        & ~is_filled(Result.human_flags)
    found = {one.instrument: one for one in sorted(
        _compared(db, (Result.jd_mid >= since_jd) & sound), key=lambda one: one.jd_mid)}
    return tuple(found[name] for name in sorted(found))


def _compared(db: Connection, which: Any) -> tuple[StandardOff, ...]:
    known = {source.name: source for source in catalogue.load(db).sources
             if source.kind is SourceKind.STANDARD and math.isfinite(source.p)}
    rows = db.select(Result).where(
        which & Result.source.in_(list(known)) & Result.p.is_null(False)
        & STANDS
    ).order_by(Result.instrument, Result.source, Result.jd_mid)
    return tuple(compared(row, known[row.source]) for row in rows)


def compared(row: Result, standard: Source) -> StandardOff:
    """A result of a standard against its catalogue values."""
    p = row.p if row.p_debiased is None else row.p_debiased
    angle = standard.p > _UNPOLARISED and math.isfinite(standard.chi_deg) \
        and row.chi_deg is not None
    return StandardOff(
        id=row.id, source=row.source, instrument=row.instrument, band=row.band, jd_mid=row.jd_mid,
        p_off=p - standard.p, p_err=_with(uncertainty.p_total(row), standard.p_err),
        chi_off=angle_difference(row.chi_deg, standard.chi_deg) if angle else math.nan,
        chi_err=_with(uncertainty.chi_total(row), standard.chi_err_deg) if angle else math.nan)


def _with(err: float | None, listed: float) -> float:
    return math.nan if err is None else math.hypot(err, listed if math.isfinite(listed) else 0.0)
