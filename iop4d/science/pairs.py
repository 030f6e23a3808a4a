"""The two images of every star behind a Wollaston prism or a calcite plate.

The ordinary image is the one of smaller x. An offset is that of the ordinary image against the
extraordinary one, in pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from scipy.special import pdtrc

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]

_FLUX_RATIO = 2.5  # by which the images of one star may differ: p of 40 % and a beam ratio of 1.1
_SPREAD = 1.5  # px that the offset may vary over a field, besides the centroids' errors
_RATIO_SPREAD = 0.3  # that the logarithm of the fluxes' ratio varies: p of 15 % in one of two beams
_RING = (3.0, 12.0)  # of those spreads about a peak of differences: what is there by chance
_BY_CHANCE = 1e-4  # probability below which a peak of differences is none by chance
_SURELY = 1e-9  # below which no fainter stars are asked
_BRIGHTEST = (40, 120, 400, 1500)  # detections in which a peak is looked for
_FEWEST_AT_PEAK = 3
_LOOKED_AT = 40  # densest places of the differences whose surroundings are looked at


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
               tolerance: tuple[float, float],
               cut: NDArray[np.bool_] | None = None) -> Pairs:
    """Pairs at a known offset, within ``tolerance`` px in x and in y, and of similar flux.

    A first look finds the frame's own offset as the densest place of the differences within the
    tolerance, of equally dense ones the nearest to ``offset``; a second one pairs with it; each
    image belongs to one pair, the nearest. ``cut``: images that the frame's edge cuts, whose places
    are wrong: pairs with one have no part in the first look, unless there are no others. Arrays
    (n,), 0-based pixels.
    """
    i, j = _candidates(x, y, flux, offset, tolerance)
    if i.size == 0:
        return Pairs(ordinary=i, extraordinary=j, offset=offset)
    whole = np.ones(i.size, dtype=bool) if cut is None else ~(cut[i] | cut[j])
    seen = whole if whole.any() else np.ones(i.size, dtype=bool)
    own = _densest((x[i] - x[j])[seen], (y[i] - y[j])[seen], offset, tolerance)
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
    if not x.size:
        return x, y, flux
    tree = cKDTree(np.column_stack([x, y]))
    both, under = np.zeros(x.size, dtype=bool), np.zeros((x.size, 2), dtype=bool)
    for column, side in enumerate((1.0, -1.0)):
        places = cKDTree(np.column_stack([x + side * offset[0], y + side * offset[1]]))
        near = places.sparse_distance_matrix(tree, reach, output_type="ndarray")
        star, other = near["i"], near["j"]
        ratio = flux[other] / flux[star]
        both[star[(ratio > 1.0 / _FLUX_RATIO) & (ratio < _FLUX_RATIO)
                  & (near["v"] < 2.0 * _SPREAD)]] = True
        under[star[ratio >= _FLUX_RATIO], column] = True
    star, column_of = np.nonzero(under & ~both[:, None])
    side_of = 1.0 - 2.0 * column_of
    return x[star] + side_of * offset[0], y[star] + side_of * offset[1], flux[star]


def find_offset(x: Floats, y: Floats, flux: Floats, *, longest: float,
                near: tuple[float, float] | None = None) -> tuple[float, float] | None:
    """An unknown offset: the one peak of all differences up to ``longest`` px, in x, y and flux.

    The two images of a star differ in flux by nearly the same ratio, two stars by any. A peak
    counts where chance makes so many differences of so similar a ratio, somewhere in the circle,
    once in ten thousand fields, given how many lie around it; brighter stars are asked first. None
    where there is no such peak. The ordinary image is that of the smaller x; but where the offset
    is like ``near``, or like its opposite, the one that makes it like it.
    """
    order = np.argsort(-flux, kind="stable")
    best: tuple[float, tuple[float, float]] | None = None
    for most in _BRIGHTEST:
        some = order[:most]
        peak = _peak(_differences(x[some], y[some], flux[some], longest), longest)
        if peak is not None and (best is None or peak[0] < best[0]):
            best = peak
        if most >= x.size or (best is not None and best[0] < _SURELY):
            break
    if best is None or best[0] > _BY_CHANCE:
        return None
    dx, dy = best[1]
    for sign in (1.0, -1.0) if near is not None else ():
        if near is not None and np.hypot(sign * dx - near[0], sign * dy - near[1]) < 0.5 * np.hypot(
                *near):
            return sign * dx, sign * dy
    return (dx, dy) if dx < 0.0 else (-dx, -dy)


def is_chance(x: Floats, y: Floats, flux: Floats, pairs: Pairs, *,
              tolerance: tuple[float, float]) -> bool:
    """Whether so many pairs, somewhere within ``tolerance`` px of an offset, may well be accidents.

    They are where the field's differences are as dense all around. ``pairs``: of these detections.
    """
    differences = _differences(x, y, flux, float(np.hypot(*pairs.offset)) + _RING[1] * _SPREAD)
    places = max(1.0, 4.0 * tolerance[0] * tolerance[1] / (np.pi * _SPREAD**2))
    return _chance(differences, np.array([*pairs.offset]), None) * places > _BY_CHANCE


def _differences(x: Floats, y: Floats, flux: Floats, longest: float) -> Floats:
    """(n, 3) of each ordered pair of detections up to ``longest`` px apart: dx, dy, log of ratio.
    """
    if x.size < 2:
        return np.zeros((0, 3))
    found = cKDTree(np.column_stack([x, y])).query_pairs(longest, output_type="ndarray")
    i = np.concatenate([found[:, 0], found[:, 1]])
    j = np.concatenate([found[:, 1], found[:, 0]])
    ratio = np.log(np.maximum(flux[i], 1e-30) / np.maximum(flux[j], 1e-30))
    apart = np.hypot(x[i] - x[j], y[i] - y[j])
    keep = (np.abs(ratio) < np.log(_FLUX_RATIO)) & (apart > 3.0)
    return np.asarray(np.column_stack([x[i] - x[j], y[i] - y[j], ratio])[keep])


def _peak(differences: Floats, longest: float) -> tuple[float, tuple[float, float]] | None:
    """(probability by chance, offset) of the least likely place; None with too few differences."""
    if differences.shape[0] < 2 * _FEWEST_AT_PEAK:
        return None
    scaled = differences * (1.0, 1.0, _SPREAD / _RATIO_SPREAD)
    counts = np.asarray(cKDTree(scaled).query_ball_point(scaled, _SPREAD, return_length=True))
    trials = max(longest**2 / (2.0 * _SPREAD**2), differences.shape[0] / 2.0)
    best: tuple[float, tuple[float, float]] | None = None
    for at in np.argsort(-counts, kind="stable")[:_LOOKED_AT]:
        if counts[at] < _FEWEST_AT_PEAK:
            break
        chance = trials * _chance(differences, differences[at, :2], float(differences[at, 2]))
        if best is None or chance < best[0]:
            mine = np.hypot(*(differences[:, :2] - differences[at, :2]).T) < _SPREAD
            mine &= np.abs(differences[:, 2] - differences[at, 2]) < _RATIO_SPREAD
            dx, dy = np.median(differences[mine, :2], axis=0)
            best = chance, (float(dx), float(dy))
    return best


def _chance(differences: Floats, place: Floats, ratio: float | None) -> float:
    """Probability that so many differences lie at one place, by how many lie in a ring about it.

    ``ratio``: logarithm of the fluxes' about which they must lie; None: their own median.
    """
    away = np.hypot(*(differences[:, :2] - place).T)
    radius = _SPREAD if ratio is not None else 2.0 * _SPREAD
    at = away < radius
    if ratio is None:
        ratio = float(np.median(differences[at, 2])) if at.any() else 0.0
    alike = np.abs(differences[:, 2] - ratio) < _RATIO_SPREAD
    ring = (away > _RING[0] * _SPREAD) & (away < _RING[1] * _SPREAD) & alike
    part = radius**2 / ((_RING[1] ** 2 - _RING[0] ** 2) * _SPREAD**2)
    expected = (float(ring.sum()) + 1.0) * part
    return float(pdtrc(int((at & alike).sum()) - 1, expected))


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


def _densest(dx: Floats, dy: Floats, offset: tuple[float, float],
             tolerance: tuple[float, float]) -> tuple[float, float]:
    """The median of the differences about the one that has the most others near it.

    Of equally dense places the one nearest to the known offset counts, in units of its tolerance.
    """
    counts = _counts(dx, dy)
    away = np.hypot((dx - offset[0]) / tolerance[0], (dy - offset[1]) / tolerance[1])
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
