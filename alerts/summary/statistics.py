"""What the points of each night, band and camera say together, from stored results.

For the summary of a night, the page of a source, and the API.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from iop4d.alerts.rendering import clean
from iop4d.alerts.summary.facts import CameraNight, Numbers
from iop4d.model.bands import band_order
from iop4d.model.uncertainty import mag_common, p_total
from iop4d.science.nightly import (
    MagnitudePoint,
    MagnitudeStatistics,
    StokesPoint,
    StokesStatistics,
    magnitudes,
    polarisation,
    unwrapped,
)
from iop4d.store import summaries

if TYPE_CHECKING:
    from iop4d.store.schema import Result

_SURE = 3.0  # standard errors of p that an angle needs

def camera_nights(rows: Iterable[Result]) -> tuple[CameraNight, ...]:
    """The nights of one source's results, in order of night, band and instrument.

    ``rows``: in order of time. Only sound points count, of a magnitude or a polarisation.
    """
    groups: dict[tuple[str, str, str, str], list[Result]] = defaultdict(list)
    for row in rows:
        groups[row.night, row.band, row.telescope, row.instrument].append(row)
    ordered = sorted(groups.items(), key=lambda item: (
        item[0][0], band_order(item[0][1]), *item[0][2:]))
    found = [CameraNight(night=night, band=clean(band, 20), telescope=clean(telescope, 60),
                         instrument=clean(instrument, 60),
                         magnitudes=_numbers(of_magnitudes(mine)),
                         polarisation=_numbers(of_polarisation(mine)))
             for (night, band, telescope, instrument), mine in ordered]
    return tuple(one for one in found if one.magnitudes or one.polarisation)


def unwrapped_angles(rows: Iterable[Result]) -> list[dict[str, Any]]:
    """The sound angles of each band and camera in order of time, continued across 0 and 180.

    ``points``: lists of JD, chi and its random error, degrees; only where p is at least three times
    its error, for the angle of noise is any angle.
    """
    groups: dict[tuple[str, str, str], list[Result]] = defaultdict(list)
    for row in rows:
        error = p_total(row)
        if (row.chi_deg is not None and row.p is not None and error
                and row.p >= _SURE * error and summaries.is_sound(row, "p")):
            groups[row.band, row.telescope, row.instrument].append(row)
    return [{"band": band, "telescope": telescope, "instrument": instrument,
             "points": [[row.jd_mid, chi, row.chi_err_deg] for row, chi in zip(
                 mine, unwrapped([row.chi_deg for row in mine]), strict=True)]}
            for (band, telescope, instrument), mine in sorted(groups.items())]


def of_magnitudes(rows: Sequence[Result]) -> MagnitudeStatistics | None:
    """The statistics of the sound magnitudes among some results."""
    return magnitudes([
        MagnitudePoint(mag=row.mag, err=row.mag_err, common=mag_common(row))
        for row in rows if row.mag is not None and row.mag_err and summaries.is_sound(row, "mag")])


def of_polarisation(rows: Sequence[Result]) -> StokesStatistics | None:
    """The statistics of the sound polarisations among some results, in order of time."""
    points = (_stokes(row) for row in rows if row.p is not None and summaries.is_sound(row, "p"))
    return polarisation([point for point in points if point is not None])


def _stokes(row: Result) -> StokesPoint | None:
    q_err, u_err = row.q_err or row.p_err, row.u_err or row.p_err
    if not q_err or not u_err:
        return None
    if row.q is not None and row.u is not None:
        q, u = row.q, row.u
    elif row.chi_deg is not None:
        two = math.radians(2.0 * row.chi_deg)
        q, u = row.p * math.cos(two), row.p * math.sin(two)
    else:
        return None
    return StokesPoint(q=q, u=u, q_err=q_err, u_err=u_err, qu_cov=row.qu_cov or 0.0,
                       q0_err=row.q0_err or 0.0, u0_err=row.u0_err or 0.0,
                       chi_common=row.chi_err_common or 0.0)


def _numbers(found: Any) -> Numbers | None:
    """As JSON takes it."""
    return None if found is None else {
        name: value if math.isfinite(value) else None for name, value in asdict(found).items()}
