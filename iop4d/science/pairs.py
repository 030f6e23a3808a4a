"""The two images of every star behind a Wollaston prism or a calcite plate.

The ordinary image is the one of smaller x. An offset is that of the ordinary image against the
extraordinary one, in pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]

_FLUX_RATIO = 2.5  # by which the images of one star may differ: p of 40 % and a beam ratio of 1.1
_SPREAD = 1.5  # px that the offset may vary over a field, besides the centroids' errors
_PEAK = 4.0  # sigmas of its chance level above which a peak of the histogram is a real one


@dataclass(frozen=True, kw_only=True)
class Pairs:
    """Pairs of detections: indices of the ``ordinary`` and the ``extraordinary`` images, (n,) each,
    in the order of the latter's list; ``offset``: median ordinary minus extraordinary, px."""

    ordinary: Indices
    extraordinary: Indices
    offset: tuple[float, float]

    def __len__(self) -> int:
        return int(self.ordinary.size)


def find_pairs(x: Floats, y: Floats, flux: Floats, *, offset: tuple[float, float],
               tolerance: tuple[float, float]) -> Pairs:
    """Pairs at a known offset, within ``tolerance`` px in x and in y, and of similar flux.

    A first look finds the frame's own offset as the densest place of the differences within the
    tolerance, a second one pairs with it; each image belongs to one pair, the nearest. Arrays (n,),
    0-based pixels.
    """
    i, j = _candidates(x, y, flux, offset, tolerance)
    if i.size == 0:
        return Pairs(ordinary=i, extraordinary=j, offset=offset)
    own = _densest(x[i] - x[j], y[i] - y[j])
    distance = np.hypot(x[i] - x[j] - own[0], y[i] - y[j] - own[1])
    near = distance < 2.0 * _SPREAD
    i, j, distance = i[near], j[near], distance[near]
    ordinary, extraordinary = _each_once(i, j, distance)
    if ordinary.size == 0:
        return Pairs(ordinary=ordinary, extraordinary=extraordinary, offset=offset)
    order = np.argsort(extraordinary, kind="stable")
    ordinary, extraordinary = ordinary[order], extraordinary[order]
    own = (float(np.median(x[ordinary] - x[extraordinary])),
           float(np.median(y[ordinary] - y[extraordinary])))
    return Pairs(ordinary=ordinary, extraordinary=extraordinary, offset=own)


def hidden_images(x: Floats, y: Floats, flux: Floats, *, offset: tuple[float, float],
                  reach: float) -> tuple[Floats, Floats, Floats]:
    """Images that lie unseen under brighter stars: (x, y, flux) of each.

    A star of which only one image is seen has its other one at ``offset`` from it, or at minus the
    offset: if within ``reach`` px of that place stands a brighter star, the image is under it. The
    flux is that of the image that is seen. Arrays (n,) of all detections.
    """
    found = []
    tree = cKDTree(np.column_stack([x, y])) if x.size else None
    for i in range(x.size):
        sides = [(x[i] + side * offset[0], y[i] + side * offset[1]) for side in (1.0, -1.0)]
        near = [tree.query_ball_point(place, reach) if tree else [] for place in sides]
        own = [[j for j in some if 1.0 / _FLUX_RATIO < flux[j] / flux[i] < _FLUX_RATIO
                and np.hypot(x[j] - place[0], y[j] - place[1]) < 2.0 * _SPREAD]
               for some, place in zip(near, sides, strict=True)]
        if any(own):
            continue  # both its images are seen
        for some, place in zip(near, sides, strict=True):
            if any(flux[j] >= _FLUX_RATIO * flux[i] for j in some):
                found.append((*place, flux[i]))
    places = np.array(found, dtype=np.float64).reshape(-1, 3)
    return places[:, 0], places[:, 1], places[:, 2]


def find_offset(x: Floats, y: Floats, flux: Floats, *,
                longest: float) -> tuple[float, float] | None:
    """An unknown offset: the one peak in the histogram of all differences up to ``longest`` px.

    None where no peak stands above chance. The ordinary image is that of the smaller x.
    """
    i, j = _candidates(x, y, flux, (-longest / 2.0, 0.0), (longest / 2.0, longest))
    dx, dy = x[i] - x[j], y[i] - y[j]
    keep = (dx < 0) & (np.hypot(dx, dy) > 3.0)
    dx, dy = dx[keep], dy[keep]
    if dx.size < 3:
        return None
    counts = _counts(dx, dy)
    best = int(np.argmax(counts))
    # By chance a circle holds as many differences as its share of the searched half-circle.
    chance = dx.size * (_SPREAD**2) / (longest**2 / 2.0)
    if counts[best] < max(3.0, chance + _PEAK * np.sqrt(chance)):
        return None
    return _densest(dx, dy)


def _candidates(x: Floats, y: Floats, flux: Floats, offset: tuple[float, float],
                tolerance: tuple[float, float]) -> tuple[Indices, Indices]:
    """All (ordinary, extraordinary) at a difference within tolerance and of like fluxes."""
    if x.size < 2:
        none = np.zeros(0, dtype=np.intp)
        return none, none
    scaled = np.column_stack([x / tolerance[0], y / tolerance[1]])
    shift = np.array([offset[0] / tolerance[0], offset[1] / tolerance[1]])
    near = cKDTree(scaled).query_ball_point(scaled + shift, 1.0, p=np.inf)
    extraordinary = np.repeat(np.arange(x.size), [len(found) for found in near])
    ordinary = np.array([i for found in near for i in found], dtype=np.intp)
    keep = ordinary != extraordinary
    ordinary, extraordinary = ordinary[keep], extraordinary[keep]
    ratio = flux[ordinary] / np.maximum(flux[extraordinary], 1e-30)
    alike = (ratio < _FLUX_RATIO) & (ratio > 1.0 / _FLUX_RATIO)
    return ordinary[alike], extraordinary[alike]


def _counts(dx: Floats, dy: Floats) -> Indices:
    tree = cKDTree(np.column_stack([dx, dy]))
    return np.asarray(tree.query_ball_point(tree.data, _SPREAD, return_length=True))


def _densest(dx: Floats, dy: Floats) -> tuple[float, float]:
    """The median of the differences about the one that has the most others near it.

    Of equally dense places the one nearest to the middle of all counts.
    """
    counts = _counts(dx, dy)
    away = np.hypot(dx - np.median(dx), dy - np.median(dy))
    best = int(np.lexsort((away, -counts))[0])
    near = np.hypot(dx - dx[best], dy - dy[best]) < _SPREAD
    return float(np.median(dx[near])), float(np.median(dy[near]))


def _each_once(i: Indices, j: Indices, distance: Floats) -> tuple[Indices, Indices]:
    """Nearest first, each detection in one pair."""
    used: set[int] = set()
    ordinary, extraordinary = [], []
    for n in np.argsort(distance, kind="stable").tolist():
        a, b = int(i[n]), int(j[n])
        if a not in used and b not in used:
            used |= {a, b}
            ordinary.append(a)
            extraordinary.append(b)
    return np.array(ordinary, dtype=np.intp), np.array(extraordinary, dtype=np.intp)
