"""Frames on which every star has two images, though described as of single images."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

Floats = NDArray[np.float64]

_BRIGHTEST = 80  # detections looked at: by chance a tenth of so many make one difference
_FEWEST = 12  # images in pairs of one difference
_PART = 0.6  # of the images, that must be in such pairs; those at an edge lack the other one
_SPREAD = 1.5  # px that the difference may vary over a field
_SHORTEST = 4.0  # px: nearer images are one blend
_FLUX_RATIO = 2.5  # by which two images of a star may differ


def second_image(x: Floats, y: Floats, flux: Floats, *,
                 longest: float) -> tuple[float, float] | None:
    """The difference (dx, dy), dx < 0, at which nearly every star has a second image; None if few
    have.

    ``x``, ``y``: (n,) px, 0-based, of detections, brightest first; ``flux``: (n,); ``longest``: px
    between the two images. A frame during which the telescope jumped looks the same.
    """
    n = min(x.size, _BRIGHTEST)
    if n < _FEWEST:
        return None
    places = np.column_stack([x[:n], y[:n]])
    i, j = cKDTree(places).query_pairs(longest, output_type="ndarray").T
    step = places[i] - places[j]
    ratio = flux[:n][i] / np.maximum(flux[:n][j], 1e-30)
    good = (np.hypot(*step.T) > _SHORTEST) & (ratio < _FLUX_RATIO) & (ratio > 1.0 / _FLUX_RATIO)
    i, j, step = i[good], j[good], step[good]
    if i.size == 0:
        return None
    step *= np.where((step[:, :1] > 0) | ((step[:, :1] == 0) & (step[:, 1:] > 0)), -1.0, 1.0)
    # A difference along y alone has both signs of dx: its mirror image stands beside it.
    both = np.vstack([step, -step])
    near = cKDTree(both).query_ball_point(step, _SPREAD)
    best = near[int(np.argmax([len(some) for some in near]))]
    members = np.array(best)
    images = np.unique(np.concatenate([i[members % i.size], j[members % i.size]]))
    if images.size < max(_FEWEST, _PART * n):
        return None
    dx, dy = np.median(both[members], axis=0)
    return (float(dx), float(dy)) if dx <= 0 else (-float(dx), -float(dy))
