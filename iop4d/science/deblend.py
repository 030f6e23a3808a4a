"""Groups of pixels that hold several stars, parted by SEP (Barbary 2016, JOSS 1, 58).

SEP parts a group at 32 levels of brightness, and would look at every group for that, which is two
thirds of the time of a detection. But a group with a single maximum has one part at every level:
only the others, a tenth of a crowded frame's, are given to SEP, on a small canvas.
"""

from __future__ import annotations

import numpy as np
import sep
from numpy.typing import NDArray

from iop4d.science.connected import Connected
from iop4d.science.isophotes import Isophotes, isophotes

FloatImage = NDArray[np.float32]
Mask = NDArray[np.bool_]
Integers = NDArray[np.intp]

LEVELS = 32  # SEP's default; with half of it neighbours within 1.7 FWHM are missed
_CANVAS = 512  # pixels that a canvas is wide at least


def with_several_maxima(found: Connected, shape: tuple[int, ...]) -> Integers:
    """The groups with more than one pixel that is at least as bright as all eight about it."""
    if found.first.size == 0:
        return found.first
    width = shape[1] + 2
    room = np.zeros((shape[0] + 2) * width, dtype=np.float32)
    at = found.index + 2 * (found.index // shape[1]) + width + 1
    room[at] = found.smooth
    maxima = np.flatnonzero((found.smooth >= room[at - 1]) & (found.smooth >= room[at + 1]))
    for step in (-width, width, -width - 1, -width + 1, width - 1, width + 1):  # few are left
        maxima = maxima[found.smooth[maxima] >= room[at[maxima] + step]]
    return np.flatnonzero(np.diff(np.searchsorted(maxima, found.first), append=maxima.size) > 1)


def parted(image: FloatImage, found: Connected, groups: Integers, figures: Isophotes, *,
           level: float, profile: FloatImage, fewest: int,
           bad: Mask | None = None) -> tuple[Isophotes, Integers]:
    """The stars of some ``groups``, and the group of each.

    ``figures``: of all groups; the rest as for :func:`iop4d.science.connected.connected`. Raises
    ValueError where SEP gives up.
    """
    half = profile.size // 2
    canvas, down, across = _copied(image, bad, groups, figures, margin=half + 1, gap=half)
    map_, x, y = _extracted(canvas, level=level, profile=profile, fewest=fewest)
    # Pixels of other groups lie in the boxes too; what SEP makes of them is not wanted.
    sizes = found.sizes[groups]
    number = np.repeat(np.arange(groups.size), sizes)
    mine = np.arange(number.size) + np.repeat(found.first[groups] - np.cumsum(sizes) + sizes, sizes)
    row = found.index[mine] // image.shape[1]
    column = found.index[mine] - row * image.shape[1]
    part = map_[row + down[number], column + across[number]]
    mine, number, part = mine[part > 0], number[part > 0], part[part > 0]
    order = np.argsort(part, kind="stable")
    mine, number, part = mine[order], number[order], part[order]
    first = np.flatnonzero(np.diff(part, prepend=0))
    figures = isophotes(Connected(
        index=found.index[mine], value=found.value[mine], smooth=found.smooth[mine], first=first),
        level=level, width=image.shape[1], fewest=fewest)
    number, part = number[first], part[first] - 1
    # The barycentre of a blend's star is that of its core, before the pixels about it were shared.
    return figures.about(x[part] - across[number], y[part] - down[number]), groups[number]


def _copied(image: FloatImage, bad: Mask | None, groups: Integers, figures: Isophotes, *,
            margin: int, gap: int) -> tuple[FloatImage, Integers, Integers]:
    """(canvas with the boxes of the groups, what to add to a pixel's row and column).

    A ``margin`` of pixels is copied around each box, with a ``gap`` of zeros to the next one.
    """
    ny, nx = image.shape
    top, left = (np.maximum(edge[groups] - margin, 0) for edge in (figures.bottom, figures.left))
    rows = np.minimum(figures.top[groups] + margin + 1, ny) - top
    columns = np.minimum(figures.right[groups] + margin + 1, nx) - left
    width = max(_CANVAS, int(columns.max()) + 2 * gap)
    down, across = np.zeros_like(top), np.zeros_like(left)
    x, y, height = gap, gap, 0
    order = np.argsort(-rows, kind="stable")
    for k, tall, wide in zip(order.tolist(), rows[order].tolist(), columns[order].tolist(),
                             strict=True):  # shelves of boxes, the highest first
        if x + wide + gap > width:
            x, y, height = gap, y + height + gap, 0
        down[k], across[k] = y, x
        x, height = x + wide + gap, max(height, tall)
    canvas = np.zeros((y + height + gap, width), dtype=np.float32)
    for y, x, row, column, tall, wide in np.column_stack(
            [down, across, top, left, rows, columns]).tolist():
        there = (slice(row, row + tall), slice(column, column + wide))
        box = canvas[y:y + tall, x:x + wide]
        box[:] = image[there]
        if bad is not None:
            box[bad[there]] = 0.0
    return canvas, down - top, across - left


def _extracted(canvas: FloatImage, *, level: float, profile: FloatImage,
               fewest: int) -> tuple[NDArray[np.int32], NDArray[np.float64], NDArray[np.float64]]:
    """(number of each pixel's source from 1 on, x and y of the sources) by SEP."""
    sep.set_extract_pixstack(canvas.size + 10)
    try:
        sources, numbers = sep.extract(
            canvas, level, minarea=fewest, filter_kernel=np.outer(profile, profile),
            filter_type="conv", deblend_nthresh=LEVELS, clean=False, segmentation_map=True)
    except Exception as error:  # noqa: BLE001 - sep raises bare Exception
        raise ValueError(f"the detection gave up: {error}") from None
    return numbers, np.asarray(sources["x"]), np.asarray(sources["y"])
