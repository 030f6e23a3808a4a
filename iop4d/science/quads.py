"""Place a frame with a few stars on another one by the shapes that four stars make.

Every four stars have a hash, two relative places in the frame of their farthest two (Lang et al.
2010, AJ 139, 1782, section 2.1), here also free of reflection; with the length of the base beside
it, as both frames have one scale. Equal hashes give a rotation and a translation, which all other
stars then confirm or refuse.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

Floats = NDArray[np.float64]

_HASH_REACH = 0.03  # distance of two hashes of the same four stars
_SCALE_REACH = 0.02  # relative difference of the bases' lengths
_TRIED = 400  # most alike pairs of quads that are followed
_REACH = 4.0  # px within which a placed star is at its counterpart
_FEWEST = 4  # stars that a quad needs
_SHORTEST_BASE = 10.0  # px
_NEARLY = 0.04  # of the base: sums of places that noise may bring to either side of 1
_SIDES = tuple(combinations(range(4), 2))
#: For each side its two ends, then the two other stars.
_ORDERS = np.array([[*side, *(i for i in range(4) if i not in side)] for side in _SIDES])


@dataclass(frozen=True, kw_only=True)
class Placement:
    """Reference = rotation @ frame + shift; ``matched``: (n, 2) indices (frame, reference).

    ``rotation``: (2, 2), with determinant -1 where one frame is a mirror image; ``rms_px``: of the
    matched stars, per axis; ``second``: stars that the best other placement matched.
    """

    rotation: Floats
    shift: Floats
    matched: NDArray[np.intp]
    rms_px: float
    second: int

    def __call__(self, x: Floats, y: Floats) -> tuple[Floats, Floats]:
        """Places on the reference of 0-based pixels of the frame."""
        moved = np.column_stack([np.atleast_1d(x), np.atleast_1d(y)]) @ self.rotation.T + self.shift
        return moved[:, 0], moved[:, 1]


def place(x: Floats, y: Floats, ref_x: Floats, ref_y: Floats, *, stars: int = 10,
          reflected: bool = False, most_turn_deg: float = 180.0) -> Placement | None:
    """Place the ``stars`` brightest of a frame on those of a reference; None without a match.

    Arrays brightest first, pixels of one scale. ``reflected``: the frame may be a mirror image;
    ``most_turn_deg``: how far it can be turned, as two images of every star look the same upside
    down. All stars of both lists, not the brightest alone, confirm it. The placement that the most
    stars confirm wins, and of equals the one that fits better.
    """
    frame, reference = np.column_stack([x, y]), np.column_stack([ref_x, ref_y])
    mine, theirs = _quads(frame[:stars]), _quads(reference[:2 * stars + 4])
    if mine is None or theirs is None:
        return None
    tree = cKDTree(reference)
    best: Placement | None = None
    found: list[tuple[int, float, Placement]] = []
    for a, b in _alike(mine, theirs):
        placed = _fit(frame[a], reference[b], reflected)
        if placed is None or _turn_deg(placed[0]) > most_turn_deg:
            continue
        grown = _confirm(frame, reference, tree, *placed)
        if grown is not None:
            found.append((grown.matched.shape[0], -grown.rms_px, grown))
    if not found:
        return None
    found.sort(key=lambda item: item[:2], reverse=True)
    best = found[0][2]
    second = max((n for n, _, other in found if _differs(best, other, frame)), default=0)
    return Placement(rotation=best.rotation, shift=best.shift, matched=best.matched,
                     rms_px=best.rms_px, second=second)


@dataclass(frozen=True)
class _Quads:
    hashes: Floats  # (m, 4)
    base: Floats  # (m,) px
    stars: NDArray[np.intp]  # (m, 4) in the order of the hash: A, B, C, D


def _quads(points: Floats) -> _Quads | None:
    """The quads of all stars: places of C and D with A at the origin and B at (1, 0).

    A and B are the farthest two, A the end for which xC + xD <= 1, C has the smaller x; y of C is
    never negative, so that a mirror image has the same hash.
    """
    if points.shape[0] < _FEWEST:
        return None
    four = np.array(list(combinations(range(points.shape[0]), 4)), dtype=np.intp)
    p = points[four]
    apart = np.stack([np.hypot(*(p[:, i] - p[:, j]).T) for i, j in _SIDES], axis=1)
    longest = np.argmax(apart, axis=1)
    order = _ORDERS[longest]
    long_enough = apart[np.arange(len(four)), longest] >= _SHORTEST_BASE
    four, order = four[long_enough], order[long_enough]
    if len(four) == 0:
        return None
    stars = np.take_along_axis(four, order, axis=1)
    ends = _places(points[stars])[:, :, 0].sum(axis=1) - 1.0
    stars[ends > 0] = stars[ends > 0][:, [1, 0, 2, 3]]
    # Of a parallelogram, two stars with both images, either end is as good: both are tried.
    either = np.abs(ends) < _NEARLY
    stars = np.concatenate([stars, stars[either][:, [1, 0, 2, 3]]])
    places = _places(points[stars])
    swap = places[:, 0, 0] > places[:, 1, 0]
    stars[swap] = stars[swap][:, [0, 1, 3, 2]]
    places[swap] = places[swap][:, ::-1]
    places[:, :, 1] *= np.where(places[:, 0, 1] < 0, -1.0, 1.0)[:, None]
    base = np.hypot(*(points[stars[:, 1]] - points[stars[:, 0]]).T)
    return _Quads(places.reshape(len(stars), 4), base, stars)


def _places(p: Floats) -> Floats:
    """(m, 2, 2): places of the third and fourth of (m, 4, 2) points in the frame of the first two.
    """
    along = p[:, 1] - p[:, 0]
    along = along / np.sum(along**2, axis=1)[:, None]
    off = p[:, 2:] - p[:, :1]
    return np.stack([np.einsum("mij,mj->mi", off, along),
                     off[:, :, 1] * along[:, None, 0] - off[:, :, 0] * along[:, None, 1]], axis=2)


def _alike(mine: _Quads, theirs: _Quads) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Pairs of quads with equal hashes and bases, the most alike first."""
    near = cKDTree(theirs.hashes).query_ball_point(mine.hashes, _HASH_REACH)
    alike = []
    for i, found in enumerate(near):
        for j in found:
            if abs(math.log(mine.base[i] / theirs.base[j])) < _SCALE_REACH:
                off = float(np.linalg.norm(mine.hashes[i] - theirs.hashes[j])) * mine.base[i]
                alike.append((off, i, j))
    alike.sort()
    return [(mine.stars[i], theirs.stars[j]) for _, i, j in alike[:_TRIED]]


def _fit(frame: Floats, reference: Floats,
         reflected: bool) -> tuple[Floats, Floats] | None:
    """Rotation and shift that bring points on points (Kabsch 1976, Acta Cryst. A32, 922)."""
    centre_f, centre_r = frame.mean(axis=0), reference.mean(axis=0)
    left, _, right = np.linalg.svd((reference - centre_r).T @ (frame - centre_f))
    rotation = left @ right
    if np.linalg.det(rotation) < 0 and not reflected:
        return None
    return rotation, centre_r - rotation @ centre_f


def _turn_deg(rotation: Floats) -> float:
    """By how much a rotation turns the x axis, degrees without sign."""
    return abs(math.degrees(math.atan2(rotation[1, 0], rotation[0, 0])))


def _confirm(frame: Floats, reference: Floats, tree: cKDTree, rotation: Floats,
             shift: Floats) -> Placement | None:
    """Fit again to all stars that the placement brings together, twice."""
    matched = np.zeros((0, 2), dtype=np.intp)
    rms = math.inf
    for _ in range(2):
        moved = frame @ rotation.T + shift
        distance, index = tree.query(moved, distance_upper_bound=_REACH)
        near = np.flatnonzero(np.isfinite(distance))
        order = near[np.argsort(distance[near], kind="stable")]
        _, first = np.unique(index[order], return_index=True)
        chosen = np.sort(order[first])
        if chosen.size < _FEWEST:
            return None
        matched = np.column_stack([chosen, index[chosen]]).astype(np.intp)
        fitted = _fit(frame[chosen], reference[index[chosen]], reflected=True)
        assert fitted is not None
        rotation, shift = fitted
        off = reference[index[chosen]] - (frame[chosen] @ rotation.T + shift)
        rms = float(np.sqrt(np.mean(off**2)))
    return Placement(rotation=rotation, shift=shift, matched=matched, rms_px=rms, second=0)


def _differs(one: Placement, other: Placement, frame: Floats) -> bool:
    """Whether two placements put the frame's stars at other places."""
    a = frame @ one.rotation.T + one.shift
    b = frame @ other.rotation.T + other.shift
    return bool(np.hypot(*(a - b).T).max() > 2.0 * _REACH)
