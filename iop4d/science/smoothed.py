"""The pixels of an image that stand above a level once it is smoothed.

A weighted mean of pixels is above a level only where one of them is: where few pixels of the image
itself are, only those about them are smoothed. From one in a hundred on it is faster to smooth all,
row by row, than to fetch those.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatImage = NDArray[np.float32]
Mask = NDArray[np.bool_]
Integers = NDArray[np.intp]

_ROWS = 128  # rows that are looked at at a time: what is in use then stays in the processor's cache
_ALL_ROWS = 48  # where all are smoothed
_FEW = 0.02  # part of the pixels, over the number of weights, from which on all are smoothed
_SAMPLED = 8  # each so-manyth row says how many are above the level
_ROUNDED = 1e-5  # part by which rounding may put a weighted mean above all its pixels


def above(image: FloatImage, *, level: float, profile: FloatImage, bad: Mask | None = None,
          most: int | None = None) -> tuple[Integers, FloatImage]:
    """(places in the flattened image, rising; smoothed values) of the pixels above ``level``.

    ``image``: float32 [y, x]; smoothed along both axes with ``profile``, symmetric and positive,
    whose sum is 1; ``bad``: pixels that count as 0, as does what lies beyond the edge. Raises
    ValueError as soon as more than ``most`` pixels stand above the level.
    """
    middle = profile[profile.size // 2]
    strips = _Strips(image=np.ascontiguousarray(image), weights=profile / middle,
                     scale=middle * middle, bad=bad)
    count = 0
    indices, smooths = [np.zeros(0, dtype=np.intp)], [np.zeros(0, dtype=np.float32)]
    for index, smooth in strips.some(level) if strips.have_few(level) else strips.all(level):
        count += index.size
        if most is not None and count > most:
            raise ValueError(f"more than {most} pixels stand above the sky")
        indices.append(index)
        smooths.append(smooth)
    return np.concatenate(indices), np.concatenate(smooths) * strips.scale


@dataclass(frozen=True, kw_only=True)
class _Strips:
    """An image of which some rows at a time are smoothed.

    ``weights``: 1 in the middle, which spares a product for each pixel; what is smoothed with them
    is less than the true values by ``scale``.
    """

    image: FloatImage
    weights: FloatImage
    scale: np.float32
    bad: Mask | None

    @property
    def half(self) -> int:
        """How far the weights reach, in pixels."""
        return self.weights.size // 2

    def have_few(self, level: float) -> bool:
        """Whether so few pixels are above the level that it is worth to find them."""
        sample = self.image[::_SAMPLED]
        bright = int(np.count_nonzero(sample > np.float32(level)))
        return level > 0 and bright * self.weights.size < _FEW * sample.size

    def _near_bright(self, first: int, last: int, level: float) -> Mask:
        """Which pixels of some rows have one above the level within the weights' reach."""
        half, (ny, nx) = self.half, self.image.shape
        low, high = max(first - half, 0), min(last + half, ny)
        bright = np.zeros((last - first + 2 * half, nx + 2 * half), dtype=bool)
        np.greater(self.image[low:high], np.float32(level),
                   out=bright[low - first + half:high - first + half, half:half + nx])
        down = bright[:last - first].copy()
        for k in range(1, 2 * half + 1):
            down |= bright[k:k + last - first]
        near = down[:, :nx].copy()
        for k in range(1, 2 * half + 1):
            near |= down[:, k:k + nx]
        return near

    def some(self, level: float) -> Iterator[tuple[Integers, FloatImage]]:
        """(places, smoothed values) of the pixels above the level, by some rows."""
        for first in range(0, self.image.shape[0], _ROWS):
            near = self._near_bright(first, min(first + _ROWS, self.image.shape[0]),
                                     level * (1.0 - _ROUNDED))
            index, smooth = self._at(near, first)
            high = smooth > np.float32(level) / self.scale
            yield index[high], smooth[high]

    def _at(self, near: Mask, first: int) -> tuple[Integers, FloatImage]:
        """The same of marked pixels; ``first``: the row that ``near`` begins at."""
        half, (ny, nx) = self.half, self.image.shape
        index = np.flatnonzero(near)
        index += first * nx
        smooth = self._smoothed(index)
        rim = np.zeros_like(near)
        rim[:, :half] = rim[:, nx - half:] = True
        rim[:max(half - first, 0)] = rim[max(ny - half - first, 0):] = True
        rim &= near
        if rim.any():
            at_rim = np.flatnonzero(rim)
            at_rim += first * nx
            smooth[np.searchsorted(index, at_rim)] = self._padded(at_rim)
        return index, smooth

    def _smoothed(self, index: Integers) -> FloatImage:
        """The smoothed values at places that are nowhere near the edge."""
        nx, steps = self.image.shape[1], range(-self.half, self.half + 1)
        flat = self.image.ravel()
        holes = None if self.bad is None else self.bad.ravel()

        def values(step: int) -> FloatImage:
            at = index + step
            found = flat.take(at, mode="clip")  # what is beyond the edge is made up for
            if holes is not None:
                found[holes.take(at, mode="clip")] = 0.0
            return found

        return _sum([_sum([values(row * nx + column) for row in steps], self.weights)
                     for column in steps], self.weights)

    def _padded(self, index: Integers) -> FloatImage:
        """The same near the edge."""
        half, (ny, nx) = self.half, self.image.shape
        row, column = np.divmod(index, nx)
        rows, columns = (place[:, None] + np.arange(-half, half + 1) for place in (row, column))
        inside = (((rows >= 0) & (rows < ny))[:, :, None]
                  & ((columns >= 0) & (columns < nx))[:, None, :])
        at = np.clip(rows, 0, ny - 1)[:, :, None], np.clip(columns, 0, nx - 1)[:, None, :]
        if self.bad is not None:
            inside &= ~self.bad[at]
        squares = np.where(inside, self.image[at], np.float32(0.0))
        tall = _sum(list(np.moveaxis(squares, 1, 0)), self.weights)
        return _sum(list(np.moveaxis(tall, 1, 0)), self.weights)

    def all(self, level: float) -> Iterator[tuple[Integers, FloatImage]]:
        """The same where many are above it: all pixels are smoothed."""
        half, (ny, nx) = self.half, self.image.shape
        width = nx + 2 * half
        flat = np.zeros(_ALL_ROWS * width + 2 * half, dtype=np.float32)
        tall = flat[:_ALL_ROWS * width].reshape(_ALL_ROWS, width)[:, half:half + nx]
        for begin in range(0, ny, _ALL_ROWS):
            count = min(_ALL_ROWS, ny - begin)
            rows = self._rows(begin - half, begin + count + half)
            _sum([rows[k:k + count] for k in range(2 * half + 1)], self.weights, out=tall[:count])
            # The rows as a single one, with zeros between them, where sums mean nothing.
            smooth = _sum([flat[k:k + count * width] for k in range(2 * half + 1)], self.weights)
            smooth.reshape(count, width)[:, nx:] = -np.inf
            high = np.flatnonzero(smooth > np.float32(level) / self.scale)
            values = smooth[high]
            high -= high // width * (2 * half)
            high += begin * nx
            yield high, values

    def _rows(self, first: int, last: int) -> FloatImage:
        """Rows of the image without bad pixels, with zeros beyond its edge."""
        ny, nx = self.image.shape
        low, high = max(first, 0), min(last, ny)
        if self.bad is None and (low, high) == (first, last):
            return self.image[first:last]
        rows = np.zeros((last - first, nx), dtype=np.float32)
        inside = rows[low - first:high - first]
        inside[:] = self.image[low:high]
        if self.bad is not None:
            inside[self.bad[low:high]] = 0.0
        return rows


def _sum(parts: list[FloatImage], weights: FloatImage,
         out: FloatImage | None = None) -> FloatImage:
    """The sum of arrays by symmetric weights, 1 in the middle; always in the same order."""
    half = weights.size // 2
    total = parts[half]
    for k in range(1, half + 1):
        pair = parts[half - k] + parts[half + k]
        pair *= weights[half + k]
        total = np.add(pair, total, out=out if out is not None and k == half else pair)
    if out is not None and not half:
        out[:] = total
    return total
