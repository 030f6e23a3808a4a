"""Colour indices of a light curve: the difference of two bands' magnitudes near in time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from iop4d.model.bands import band_order
from iop4d.web.curves.columns import Array, Series


@dataclass(frozen=True, kw_only=True)
class ColourSeries:
    """A colour of one source by one telescope: ``jd``, ``value`` and random ``err``, mag."""

    source: str
    telescope: str
    bands: tuple[str, str]
    jd: Array
    value: Array
    err: Array


def pairs_of(bands: Sequence[str]) -> list[str]:
    """The colours that some bands make, the farthest apart first, as ``B-R``."""
    ordered = sorted(set(bands), key=band_order)
    pairs = [(other - one, one, other) for one, other in combinations(range(len(ordered)), 2)]
    return [f"{ordered[one]}-{ordered[other]}" for _, one, other in sorted(
        pairs, key=lambda pair: (-pair[0], pair[1]))]


def colours(series: Sequence[Series], pair: str, minutes: float) -> list[ColourSeries]:
    """The colours of each source and telescope.

    Of sound points alone; each of the bluer band with the nearest in time of the redder one, at
    most so many minutes away.
    """
    blue, _, red = pair.partition("-")
    found = []
    places = dict.fromkeys((one.source, one.telescope) for one in series)
    for source, telescope in places:
        mine = [one for one in series if (one.source, one.telescope) == (source, telescope)]
        first, second = _sound(mine, blue), _sound(mine, red)
        if not (len(first[0]) and len(second[0])):
            continue
        at = np.clip(np.searchsorted(second[0], first[0]), 1, max(len(second[0]) - 1, 1))
        before, after = at - 1, np.minimum(at, len(second[0]) - 1)
        nearer = np.where(np.abs(second[0][before] - first[0]) <= np.abs(
            second[0][after] - first[0]), before, after)
        near = np.abs(second[0][nearer] - first[0]) <= minutes / 1440.0
        if near.any():
            nearer = nearer[near]
            found.append(ColourSeries(
                source=source, telescope=telescope, bands=(blue, red),
                jd=(first[0][near] + second[0][nearer]) / 2.0,
                value=first[1][near] - second[1][nearer],
                err=np.hypot(first[2][near], second[2][nearer])))
    return found


def _sound(series: Sequence[Series], band: str) -> tuple[Array, Array, Array]:
    """JD, magnitude and error of the sound points of a band, in order of time."""
    chosen = [one.only(one.columns["sound_y"] & np.isfinite(one.columns["mag"]),
                       ("jd", "mag", "mag_err")).columns for one in series if one.band == band]
    if not chosen:
        return np.empty(0), np.empty(0), np.empty(0)
    jd, mag, err = (np.concatenate([columns[name] for columns in chosen])
                    for name in ("jd", "mag", "mag_err"))
    order = np.argsort(jd, kind="stable")
    return jd[order], mag[order], err[order]
