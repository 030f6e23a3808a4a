"""What is known of a detected source from its pixels above the threshold.

The quantities of SExtractor (Bertin & Arnouts 1996, A&AS 117, 393), and of its user's manual.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, fields
from itertools import chain

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from iop4d.science.connected import Connected
from iop4d.science.ordered import percentiles

Floats = NDArray[np.float64]
Integers = NDArray[np.intp]
Mask = NDArray[np.bool_]

_NARROW = 0.00694  # pixels^4: (1/12)^2, the moments of a single row of pixels
_PIXEL = 1.0 / 12.0  # variance of a pixel's own width
_REACH = 10.0  # major axes, within which the wings of a source count
_COMMON = 0.97  # part of the sources that are looked at together
_WIDE_AT_ONCE = 16  # of the others


@dataclass(frozen=True, kw_only=True)
class Isophotes:
    """Sources; arrays of one length. ``pixels``: how many each has.

    ``x``, ``y``: barycentre, 0-based pixels; ``xx``, ``yy``, ``xy``: second moments about it,
    pixels squared; ``flux``, ``peak``: ADU; ``smooth_flux``: of the smoothed image; ``core``:
    pixels brighter than half way from the threshold to the peak, less those above the threshold;
    ``faintest``: ADU above the threshold of the pixel that makes the source as large as a source
    must be; ``left`` to ``top``: outermost pixels; ``peak_at``, ``smooth_peak_at``: place of the
    brightest pixel in the flattened image.
    """

    x: Floats
    y: Floats
    xx: Floats
    yy: Floats
    xy: Floats
    flux: Floats
    smooth_flux: Floats
    peak: Floats
    pixels: Integers
    core: Integers
    faintest: Floats
    left: Integers
    right: Integers
    bottom: Integers
    top: Integers
    peak_at: Integers
    smooth_peak_at: Integers

    def __len__(self) -> int:
        return int(self.x.size)

    def only(self, keep: NDArray[np.generic]) -> Isophotes:
        """Those that a boolean mask or an index array selects."""
        return Isophotes(**{name: values[keep] for name, values in vars(self).items()})

    def and_also(self, others: Isophotes) -> Isophotes:
        """These and some others behind them."""
        return Isophotes(**{field.name: np.concatenate(
            [getattr(self, field.name), getattr(others, field.name)]) for field in fields(self)})

    def about(self, x: Floats, y: Floats) -> Isophotes:
        """The same pixels with other barycentres, of which the moments then are."""
        dx, dy = self.x - x, self.y - y
        return Isophotes(**{**vars(self), "x": x, "y": y, "xx": self.xx + dx * dx,
                            "yy": self.yy + dy * dy, "xy": self.xy + dx * dy})

    @property
    def axes(self) -> tuple[Floats, Floats]:
        """(major, minor) axis, pixels: roots of the second moments' largest and smallest."""
        xx, yy, xy = self._moments
        mean, apart = (xx + yy) / 2.0, np.sqrt((xx - yy) ** 2 / 4.0 + xy**2)
        return np.sqrt(mean + apart), np.sqrt(np.maximum(mean - apart, 0.0))

    @property
    def ellipse(self) -> tuple[Floats, Floats, Floats]:
        """(XX, YY, XY) of the ellipse XX dx^2 + YY dy^2 + XY dx dy = 1 of these axes."""
        xx, yy, xy = self._moments
        area = xx * yy - xy * xy
        return yy / area, xx / area, -2.0 * xy / area

    @property
    def _moments(self) -> tuple[Floats, Floats, Floats]:
        wider = np.where(self.xx * self.yy - self.xy**2 < _NARROW, _PIXEL, 0.0)
        return self.xx + wider, self.yy + wider, self.xy


def isophotes(found: Connected, *, level: float, width: int, fewest: int) -> Isophotes:
    """The figures of groups of pixels in an image of ``width`` columns.

    ``level``: ADU, above which the pixels stand; ``fewest``: pixels that a source must have.
    """
    first, sizes, smooth = found.first, found.sizes, found.smooth.astype(np.float64)
    y = found.index // width
    x = found.index - y * width  # np.divmod takes as long as all else
    left, bottom = np.minimum.reduceat(x, first), y[first]
    dx, dy = x - np.repeat(left, sizes), y - np.repeat(bottom, sizes)
    total = np.add.reduceat(smooth, first)
    xm, ym = (np.add.reduceat(smooth * d, first) / total for d in (dx, dy))
    xx, yy, xy = (np.add.reduceat(smooth * d, first) / total for d in (dx * dx, dy * dy, dx * dy))
    peak = np.maximum.reduceat(found.value, first)
    half = np.repeat((np.float32(level) + peak) / np.float32(2.0), sizes)
    core = np.add.reduceat((found.value > half).astype(np.intp)
                           - (found.value > np.float32(level)), first)
    return Isophotes(
        x=xm + left, y=ym + bottom, xx=xx - xm * xm, yy=yy - ym * ym, xy=xy - xm * ym,
        flux=np.add.reduceat(found.value.astype(np.float64), first), smooth_flux=total,
        peak=peak.astype(np.float64), pixels=sizes, core=core,
        faintest=_nth_largest(found, fewest) - level,
        left=left, right=np.maximum.reduceat(x, first), bottom=bottom,
        top=np.maximum.reduceat(y, first),
        peak_at=found.index[_largest(found.value, found)],
        smooth_peak_at=found.index[_largest(found.smooth, found)])


def _largest(values: NDArray[np.float32], found: Connected) -> Integers:
    """The first of each group's largest values: its index among the pixels."""
    at = np.flatnonzero(values == np.repeat(np.maximum.reduceat(values, found.first), found.sizes))
    return at[np.searchsorted(at, found.first)]


def _nth_largest(found: Connected, n: int) -> Floats:
    """Each group's n-th largest smoothed value; -inf of a group that has fewer.

    Values are positive, as they stand above the sky, and their bits are in the order of theirs.
    """
    keys = (found.group.astype(np.uint64) << 32) | ~found.smooth.view(np.uint32)
    keys.sort()
    nth = (~keys[np.minimum(found.first + n - 1, keys.size - 1)].astype(np.uint32)).view(np.float32)
    return np.where(found.sizes >= n, nth, -np.inf).astype(np.float64)


def without_wings(found: Isophotes, *, level: float) -> Mask:
    """Which sources would be there without the wings of the brighter ones about them.

    SExtractor's CLEAN: wings of a Moffat profile of exponent 1 are laid through each source; one
    that stands on more light than its own is a bump of the brighter one's wings, and goes.
    ``level``: the threshold, ADU.
    """
    area = math.pi * np.multiply(*found.axes)
    half = (level + found.peak) / 2.0
    slope = np.log(np.minimum(level / half, 0.99))
    part = np.minimum(np.minimum(found.core, -1) / (2.0 * slope * area), 1.0)
    centre = found.smooth_flux / (2.0 * area * part)
    alpha, ellipse = (centre / level - 1.0) * area / found.pixels, found.ellipse
    goes = []
    for large, small in _pairs(found):
        dx, dy = found.x[large] - found.x[small], found.y[large] - found.y[small]
        xx, yy, xy = (term[large] for term in ellipse)
        fall = 1.0 + alpha[large] * (xx * dx * dx + yy * dy * dy + xy * dx * dy)
        bump = (fall > 1.0) & (centre[large] > fall * found.faintest[small])
        goes.append((large[bump], small[bump]))
    large, small = (np.concatenate(some) for some in zip(*goes, strict=True))
    stays = np.ones(len(found), dtype=bool)
    order = np.argsort(-found.smooth_flux[large], kind="stable")
    for one, other in zip(large[order].tolist(), small[order].tolist(), strict=True):
        if stays[one]:
            stays[other] = False
    return stays


def _pairs(found: Isophotes) -> Iterator[tuple[Integers, Integers]]:
    """(brighter, fainter) sources of which one may be a bump of the other, some at a time: those
    that are nearer to each other than ten times the sum of their major axes."""
    major = found.axes[0]
    places = np.column_stack([found.x, found.y])
    tree = cKDTree(places, balanced_tree=False, compact_nodes=False)

    def near(one: Integers, other: Integers) -> tuple[Integers, Integers]:
        apart = np.hypot(*(places[one] - places[other]).T)
        is_near = (apart <= _REACH * (major[one] + major[other])) & (one != other)
        one, other = one[is_near], other[is_near]
        swap = found.smooth_flux[one] < found.smooth_flux[other]
        return np.where(swap, other, one), np.where(swap, one, other)

    # Nearly all are as wide as a star, and found at once; the few wide ones reach further, and
    # may have every other within their reach.
    common = percentiles(major, 100.0 * _COMMON)[0] if len(found) else 0.0
    yield near(*tree.query_pairs(2.0 * _REACH * common, output_type="ndarray").T)
    wide = np.flatnonzero(major > common)
    for first in range(0, wide.size, _WIDE_AT_ONCE):
        some = wide[first:first + _WIDE_AT_ONCE]
        within = tree.query_ball_point(places[some], 2.0 * _REACH * major[some])
        yield near(np.repeat(some, [len(one) for one in within]),
                   np.fromiter(chain.from_iterable(within), dtype=np.intp))
