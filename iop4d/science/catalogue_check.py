"""Whether the calibrators of a field agree on its zero points: which catalogue magnitude is wrong.

A wrong magnitude is wrong in every frame alike, so that one frame shows it, where enough other
stars say the same.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from iop4d.science.ensemble import FLOOR, solve

Floats = NDArray[np.float64]

SIGMAS = 4.0  # off the others, from which a catalogue magnitude is called wrong
LEAST = 0.03  # mag, of which it must be off besides: authors differ by as much
FEWEST_STARS = 3  # of two that differ, either one may be wrong


@dataclass(frozen=True, kw_only=True)
class CatalogueOffsets:
    """How far the catalogue magnitudes of S stars are off; arrays of shape (S,).

    ``offset``: magnitude in the catalogue minus what the others say, mag, with its error ``err``;
    ``is_wrong``: by more than errors and differences of authors explain. NaN where nothing is
    known.
    """

    offset: Floats
    err: Floats
    is_wrong: NDArray[np.bool_]


def catalogue_offsets(estimates: Floats, errors: Floats, prior: Floats) -> CatalogueOffsets:
    """Hold each star's catalogue magnitude against those of all others.

    ``estimates``: (F, S) catalogue minus instrumental magnitude of S stars on F frames, NaN where
    one is not measured; ``errors``: (F, S) photometric errors; ``prior``: (S,) errors of the
    catalogue. A star that is wrong no longer speaks for the others; the worst goes first, as long
    as three speak.
    """
    found = solve(estimates, errors, prior)
    good = np.isfinite(estimates) & np.isfinite(errors)
    known = good.any(axis=0) & np.isfinite(found.offsets)
    noise = np.where(good, np.hypot(np.where(good, errors, 1.0), FLOOR) ** -2.0, 0.0).sum(axis=0)
    variance = prior**2 + 1.0 / np.where(known, noise, 1.0)
    level = np.where(known, found.offsets, 0.0)
    trusted = known.copy()
    while True:
        offset, err = _against_others(level, variance, known, trusted)
        wrong = (np.abs(offset) > SIGMAS * err) & (np.abs(offset) > LEAST)
        worst = np.where(wrong & trusted, np.abs(offset) / err, -1.0)
        if worst.max(initial=-1.0) < 0 or trusted.sum() < FEWEST_STARS:
            # Two that are left, and differ, may both be wrong: neither is named.
            named = wrong & (~trusted | (trusted.sum() >= FEWEST_STARS))
            return CatalogueOffsets(offset=offset, err=err, is_wrong=named)
        trusted[int(worst.argmax())] = False


def _against_others(level: Floats, variance: Floats, known: NDArray[np.bool_],
                    trusted: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Each star's offset from the weighted mean of the others, and its error."""
    offset, err = np.full(level.size, np.nan), np.full(level.size, np.nan)
    for star in np.flatnonzero(known):
        others = trusted.copy()
        others[star] = False
        if others.any():
            weights = 1.0 / variance[others]
            offset[star] = level[star] - float(np.average(level[others], weights=weights))
            err[star] = float(np.sqrt(variance[star] + 1.0 / weights.sum()))
    return offset, err
