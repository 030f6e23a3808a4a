"""Fewer points where a screen could not show all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from iop4d.web.curves.colours import ColourSeries
from iop4d.web.curves.columns import BY_HAND, Array, Series

#: Points that a plot shows without thinning.
MOST = 6_000
_FEWEST = 20  # stretches of time of a series
_OF_EACH = ("y", "p", "y_limit")  # whose extremes are kept
_FLAGGED = 1_000  # points flagged by hand that are kept whatever they are


def thinned(series: Sequence[Series], most: int = MOST) -> list[Series]:
    """About ``most`` points in all: of each stretch of time the first and the extremes.

    Those that people flagged stay, as the brightest, the faintest, and the most and the least
    polarised of each stretch: the envelope of what is not shown.
    """
    total = sum(one.size for one in series)
    if total <= most:
        return list(series)
    first = min(one.columns["jd"][0] for one in series if one.size)
    last = max(one.columns["jd"][-1] for one in series if one.size)
    extremes = sum(2 * sum(_has(one, name) for name in _OF_EACH) + 1 for one in series)
    stretches = max(_FEWEST, most // max(extremes, 1))
    edges = np.linspace(first, last, stretches + 1)[1:-1]
    return [one.only(_kept(one, edges)) for one in series]


def _has(series: Series, name: str) -> bool:
    """Whether it has any such value; means of nights have no upper limits."""
    return name in series.columns and bool(np.isfinite(series.columns[name]).any())


def _kept(series: Series, edges: Array) -> Array:
    jd = series.columns["jd"]
    if not len(jd):
        return np.empty(0, dtype=int)
    starts = np.unique(np.concatenate([[0], np.searchsorted(jd, edges)]))
    starts = starts[starts < len(jd)]
    kept = [starts]
    for name in _OF_EACH:
        if _has(series, name):
            values = series.columns[name]
            kept += [_extreme(values, starts), _extreme(-values, starts)]
    if "state" in series.columns:  # means of nights have none
        by_hand = np.flatnonzero(series.columns["state"] & BY_HAND)
        kept.append(by_hand[:: max(1, -(-len(by_hand) // _FLAGGED))])
    return np.unique(np.concatenate(kept))


def thinned_colours(series: Sequence[ColourSeries], most: int = MOST) -> list[ColourSeries]:
    """About ``most`` colours in all: of each stretch of time the first, bluest and reddest."""
    if sum(len(one.jd) for one in series) <= most:
        return list(series)
    found = []
    for one in series:
        order = np.argsort(one.jd, kind="stable")
        jd, value = one.jd[order], one.value[order]
        edges = np.linspace(jd[0], jd[-1], max(_FEWEST, most // (3 * len(series))) + 1)[1:-1]
        starts = np.unique(np.concatenate([[0], np.searchsorted(jd, edges)]))
        starts = starts[starts < len(jd)]
        kept = order[np.unique(np.concatenate(
            [starts, _extreme(value, starts), _extreme(-value, starts)]))]
        found.append(replace(one, jd=one.jd[kept], value=one.value[kept], err=one.err[kept]))
    return found


def _extreme(values: Array, starts: Array) -> Array:
    """The place of the smallest value of each stretch that has any."""
    filled = np.where(np.isfinite(values), values, np.inf)
    lowest = np.minimum.reduceat(filled, starts)
    sizes = np.diff(np.append(starts, len(values)))
    places = np.flatnonzero((filled == np.repeat(lowest, sizes)) & np.isfinite(filled))
    # The first of each stretch alone: many may be alike.
    _, first = np.unique(np.searchsorted(starts, places, side="right"), return_index=True)
    found: Array = places[first]
    return found
