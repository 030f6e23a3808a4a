"""The sky background of an image as SExtractor has it: modes of cells, and a spline through them.

Bertin & Arnouts 1996, A&AS 117, 393; SEP (Barbary 2016, JOSS 1, 58). SEP fills a histogram for each
cell and goes through it in each round of clipping, which is two thirds of its time. Here the pixels
of each cell are sorted once: a clipped sum is then the difference of two cumulative ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

FloatImage = NDArray[np.float32]
Floats = NDArray[np.float64]
Integers = NDArray[np.intp]
Mask = NDArray[np.bool_]

_CLIP = 3.0  # standard deviations from the median within which pixels count
_SETTLED = 1e-4  # part by which the standard deviation changes from round to round at the end
_ROUNDS = 100
_SKEW = 0.3  # of mean and median, in standard deviations, from which on the median counts
_FEWEST = 0.5  # part of a cell's pixels that must be usable
_ONE_SIGMA = 0.159  # part of a Gaussian's values below minus one standard deviation
_INFINITE = np.float32(np.inf)
_AT_ONCE = 1024  # cells, so that a large image needs little memory
_FAR = np.float32(1e6)  # from a cell's median: no sky is beyond, and squares would take its digits
_BLOCK = 32  # sorted pixels that are summed together
_PRODUCT = 1 << 17  # multiplications that BLAS does in one thread


@dataclass(frozen=True, kw_only=True)
class Background:
    """``cells``: (rows, columns) the background in each; ``level``, ``sigma``: medians of all cells
    of it and of a pixel's noise, in the image's unit; ``shape``: of the image; ``cell``: rows and
    columns of pixels of a cell."""

    cells: Floats
    level: float
    sigma: float
    shape: tuple[int, int]
    cell: tuple[int, int]

    def at_pixels(self) -> FloatImage:
        """[y, x] the natural cubic spline through the middles of the cells at every pixel."""
        rows, columns = (_spline(pixels, cell) for pixels, cell in
                         zip(self.shape, self.cell, strict=True))
        along = (self.cells - self.level).astype(np.float32) @ columns.T
        # Some rows at a time: of a large product BLAS has other last digits with each number of
        # threads.
        some = max(1, _PRODUCT // along.size)
        whole = np.zeros((-(-rows.shape[0] // some) * some, rows.shape[1]), dtype=np.float32)
        whole[:rows.shape[0]] = rows
        every = whole.reshape(-1, some, rows.shape[1]) @ along
        smooth: FloatImage = every.reshape(-1, along.shape[1])[:rows.shape[0]]
        smooth += np.float32(self.level)  # small numbers lose less
        return smooth


def background(image: FloatImage, bad: Mask | None, *, rows: int, columns: int) -> Background:
    """The background of a float32 image [y, x] in cells of ``rows`` times ``columns`` pixels.

    ``bad``: pixels that do not count; neither does what is no finite number. A cell of which less
    than half is usable is as its nearest ones; without any the level is 0 and the noise 1.
    """
    ny, nx = image.shape
    pixels = np.outer(*(np.minimum(cell, size - np.arange(0, size, cell))
                        for size, cell in ((ny, rows), (nx, columns))))
    level, sigma = np.zeros(pixels.shape), np.ones(pixels.shape)
    usable = np.zeros(pixels.shape, dtype=bool)
    some = max(1, _AT_ONCE // pixels.shape[1])
    for first in range(0, pixels.shape[0], some):
        part, here = np.s_[first:first + some], np.s_[first * rows:(first + some) * rows]
        values, count = _sorted_cells(image[here], None if bad is None else bad[here], rows,
                                      columns)
        enough = (count > 0) & (count >= _FEWEST * pixels[part].ravel())
        usable[part] = enough.reshape(-1, pixels.shape[1])
        if not enough.all():
            values, count = values[enough], count[enough]
        level[part].flat[enough], sigma[part].flat[enough] = _clipped(values, count)
    level, sigma = (_filtered(_filled(each, usable)) for each in (level, sigma))
    return Background(cells=level, level=float(np.median(level)), sigma=_noise(sigma),
                      shape=(ny, nx), cell=(rows, columns))


def _noise(sigma: Floats) -> float:
    """The median, of those cells that have noise if most have none; 1 without any."""
    noise = float(np.median(sigma))
    noisy = sigma[sigma > 0.0]
    return noise if noise > 0.0 else float(np.median(noisy)) if noisy.size else 1.0


def _sorted_cells(image: FloatImage, bad: Mask | None, rows: int,
                  columns: int) -> tuple[FloatImage, Integers]:
    """((n, m) usable pixels of each cell, rising, and NaN behind them; (n,) how many they are)."""
    (ny, nx), not_one = image.shape, np.float32(np.nan)
    down, across = -(-ny // rows), -(-nx // columns)
    if bad is not None or (ny, nx) != (down * rows, across * columns):
        whole = np.full((down * rows, across * columns), not_one)
        whole[:ny, :nx] = image if bad is None else np.where(bad, not_one, image)
        image = whole
    size = rows * columns
    values = np.full((down * across, -(-size // _BLOCK) * _BLOCK), not_one)
    values[:, :size].reshape(down, across, rows, columns)[:] = image.reshape(
        down, rows, across, columns).swapaxes(1, 2)
    values.sort(axis=1)
    if np.isfinite(values[:, [0, -1]]).all():
        return values, np.full(values.shape[0], values.shape[1])
    values[~np.isfinite(values)] = not_one
    values.sort(axis=1)
    return values, np.count_nonzero(np.isfinite(values), axis=1)


class _Sums:
    """How many of each cell's sorted values are below a limit, and sums of them and their squares.

    ``values``: (n, m), NaN behind the last; sums are those of blocks, and of the rest of one.
    """

    def __init__(self, values: FloatImage) -> None:
        n, m = values.shape
        blocks = m // _BLOCK
        self.blocks = values.reshape(n, blocks, _BLOCK)
        self.last = values[:, _BLOCK - 1::_BLOCK].copy()
        full = np.nan_to_num(values) if np.isnan(values[:, -1]).any() else values
        ones = np.ones(_BLOCK, dtype=np.float32)
        self.sums = np.zeros((2, n, blocks + 1))
        # A dark pixel far from the sky is in all differences, and takes digits from them.
        darkest = full[:, :_BLOCK].astype(np.float64)
        for total, each, exact in zip(self.sums, (full, full * full), (darkest, darkest**2),
                                      strict=True):
            total[:, 1:] = (each.reshape(n * blocks, _BLOCK) @ ones).reshape(n, blocks)
            total[:, 1] = exact.sum(axis=1)
            np.cumsum(total, axis=1, out=total)

    def below(self, limit: FloatImage, cells: Integers) -> Floats:
        """(3, k) count, sum and sum of squares of what is at most ``limit`` (k,) in ``cells``."""
        block = (self.last[cells] <= limit[:, None]).sum(axis=1)
        rest = self.blocks[cells, np.minimum(block, self.blocks.shape[1] - 1)]
        inside = (rest <= limit[:, None]) & (block < self.blocks.shape[1])[:, None]
        rest = np.where(inside, rest.astype(np.float64), 0.0)
        return np.stack([block * _BLOCK + inside.sum(axis=1),
                         self.sums[0, cells, block] + rest.sum(axis=1),
                         self.sums[1, cells, block] + (rest * rest).sum(axis=1)])


def _clipped(values: FloatImage, count: Integers) -> tuple[Floats, Floats]:
    """(mode, standard deviation) of cells, clipped about the median until the deviation settles.

    ``values``: as of ``_sorted_cells``, overwritten. The mode is 2.5 medians less 1.5 means.
    """
    cells = np.arange(count.size)
    middle = values[cells, count // 2]
    values -= middle[:, None]  # squares of small numbers are exact enough in float32
    if not (np.abs(values[:, [0, -1]]) < _FAR).all():  # NaN is not
        np.clip(values, -_FAR, _FAR, out=values)
    sums = _Sums(values)
    low, high = _first_limits(values, count, sums)
    median, mean, sigma = np.full((3, count.size), np.nan)
    for _ in range(_ROUNDS):
        limits = np.concatenate([np.nextafter(low[cells].astype(np.float32), -_INFINITE),
                                 high[cells].astype(np.float32)])
        below = sums.below(limits, np.concatenate([cells, cells])).reshape(3, 2, cells.size)
        n, total, squares = below[:, 1] - below[:, 0]
        first = below[0, 0].astype(np.intp)
        ends = (first + (n.astype(np.intp) - 1) // 2, first + n.astype(np.intp) // 2)
        before = sigma[cells]
        median[cells] = 0.5 * sum(values[cells, end].astype(np.float64) for end in ends)
        mean[cells] = total / n
        sigma[cells] = np.sqrt(np.maximum(squares / n - mean[cells] ** 2, 0.0))
        low, high = median - _CLIP * sigma, median + _CLIP * sigma
        cells = cells[~(np.abs(sigma[cells] - before) <= _SETTLED * before)]
        if not cells.size:
            break
    mode = np.where(np.abs(mean - median) < _SKEW * sigma, 2.5 * median - 1.5 * mean, median)
    return mode + middle, sigma


def _first_limits(values: FloatImage, count: Integers, sums: _Sums) -> tuple[Floats, Floats]:
    """Limits wide enough for all of the sky: by the darker half of the pixels, as stars are bright.

    Where a third of them are equal, it is five standard deviations of all.
    """
    cells = np.arange(count.size)
    sigma = -values[cells, (_ONE_SIGMA * count).astype(np.intp)].astype(np.float64)
    mean, squares = sums.sums[:, :, -1] / count
    spread = np.sqrt(np.maximum(squares - mean * mean, 0.0))
    reach = np.where(sigma > 0.0, 1.1 * _CLIP * sigma, 5.0 * spread)
    return -reach, reach


def _filled(values: Floats, usable: Mask) -> Floats:
    """The values of cells, those that are not usable as the mean of their nearest usable ones."""
    if usable.all() or not usable.any():
        return values
    filled = values.copy()
    row, column = np.nonzero(usable)
    for y, x in zip(*np.nonzero(~usable), strict=True):
        distance = (row - y) ** 2 + (column - x) ** 2
        filled[y, x] = values[usable][distance == distance.min()].mean()
    return filled


def _filtered(values: Floats) -> Floats:
    """Medians of each cell and its eight neighbours, at the rim of it and its two there."""

    def middle(parts: list[Floats]) -> Floats:
        return np.asarray(np.sort(parts, axis=0)[len(parts) // 2])

    (ny, nx), found, three = values.shape, values.copy(), range(3)
    ends = [0, -1]
    found[ends, 1:-1] = middle([values[ends, i:max(nx - 2, 0) + i] for i in three])
    found[1:-1, ends] = middle([values[j:max(ny - 2, 0) + j, ends] for j in three])
    if min(ny, nx) > 2:
        found[1:-1, 1:-1] = middle([values[j:ny - 2 + j, i:nx - 2 + i] for j in three
                                    for i in three])
    return found


@cache
def _spline(pixels: int, cell: int) -> FloatImage:
    """(pixels, cells) what each cell's value gives to the spline at each pixel along an axis."""
    cells = -(-pixels // cell)
    if cells == 1:
        return np.ones((pixels, 1), dtype=np.float32)
    one = np.eye(cells)
    tied, bent = one.copy(), np.zeros((cells, cells))
    for k in range(1, cells - 1):  # a natural spline is straight at its ends
        tied[k, k - 1:k + 2] = 1.0, 4.0, 1.0
        bent[k, k - 1:k + 2] = 6.0, -12.0, 6.0
    second = np.linalg.solve(tied, bent)
    place = (np.arange(pixels) + 0.5) / cell - 0.5
    left = np.clip(np.floor(place).astype(np.intp), 0, cells - 2)
    right = (place - left)[:, None]
    away = 1.0 - right
    return np.asarray(away * one[left] + right * one[left + 1] + (
        (away**3 - away) * second[left] + (right**3 - right) * second[left + 1]) / 6.0,
        dtype=np.float32)
