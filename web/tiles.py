"""Images of frames and masters for the screen: made of parts of their files, in bounded memory.

A tile holds the codes of ``science.display``, not colours: stretch, cuts and colours are the
viewer's, at once and without asking again.
"""

from __future__ import annotations

import threading
import zlib
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from iop4d.fits.window import Cut, ImageFile, binned
from iop4d.model.errors import FrameError
from iop4d.science import display
from iop4d.science.display import Levels
from iop4d.web.held import Held
from iop4d.web.reader import RefusedError, open_inside

FloatImage = NDArray[np.float32]

TILE = 256  # pixels of a side
_OVERVIEW = 4_200_000  # pixels up to which an image is held as it is; larger ones are made smaller
_HELD = 96 << 20  # bytes of images that are held
_SCRATCH = 1 << 30  # bytes of unpacked files that are kept
_TILES = 24 << 20  # bytes of tiles that are held
_GZIP = 16 + zlib.MAX_WBITS
_LEVEL = 3
_STILL = 700  # px of the longer side of a still picture, at most
_CUTOUT = 160  # px of a side of a small picture


@dataclass(frozen=True, kw_only=True)
class Picture:
    """An image as it is shown: ``shape`` (ny, nx); ``small``: its means over ``factor`` pixels."""

    shape: tuple[int, int]
    small: FloatImage
    factor: int
    levels: Levels
    header: dict[str, Any]
    file: ImageFile | None = None  # of what had to be unpacked
    lock: threading.Lock

    @property
    def depth(self) -> int:
        """How many times the image is made half as large until it is one tile."""
        return max(0, int(np.ceil(np.log2(max(self.shape) / TILE))))

    def described(self) -> dict[str, Any]:
        """What the viewer has to know, as plain values."""
        return {"width": self.shape[1], "height": self.shape[0], "tile": TILE,
                "depth": self.depth, "step": display.STEP, "none": display.NONE,
                **asdict(self.levels)}


@dataclass(frozen=True, kw_only=True)
class Place:
    """A file and what is shown of it; raises RefusedError where it may not be handed out."""

    path: str
    roots: tuple[Path, ...]
    cut: Cut

    def stamp(self) -> tuple[Any, ...]:
        """What is another one when the file is."""
        try:
            found = Path(self.path).stat()
        except OSError as error:
            raise RefusedError(str(error)) from error
        return (self.path, found.st_mtime_ns, found.st_size, self.cut)


class Pictures:
    """The images and tiles that were asked for last."""

    def __init__(self, scratch: Path) -> None:
        self._scratch = scratch
        self._pictures: Held[Any, Picture] = Held(_HELD, _bytes_of)
        self._tiles: Held[Any, bytes] = Held(_TILES, len)
        self._one = threading.Lock()  # large files are read one at a time

    def picture(self, place: Place) -> Picture:
        """An image; raises RefusedError where its file cannot be shown."""
        return self._pictures.get(place.stamp(), lambda: self._read(place))

    def tile(self, place: Place, level: int, column: int, row: int) -> bytes:
        """A tile, packed by gzip: the low bytes of its codes, then the high ones.

        From the lowest row upwards; RefusedError where the image has none there.
        """
        return self._tiles.get((*place.stamp(), level, column, row),
                               lambda: self._tile(place, level, column, row))

    def part(self, place: Place, x: int, y: int, nx: int, ny: int) -> FloatImage:
        """The pixels of a part of an image, as far as it reaches."""
        picture = self.picture(place)
        if x >= picture.shape[1] or y >= picture.shape[0]:
            return np.empty((0, 0), dtype=np.float32)
        if picture.factor == 1:
            return picture.small[max(y, 0):max(y + ny, 0), max(x, 0):max(x + nx, 0)]
        return self._of_file(place, picture, x, y, nx, ny)

    def _tile(self, place: Place, level: int, column: int, row: int) -> bytes:
        picture = self.picture(place)
        if level > picture.depth:  # before any number is shifted by it
            raise RefusedError("the image has no such tile")
        side = TILE << level
        x, y = column * side, row * side
        if not (x < picture.shape[1] and y < picture.shape[0]):
            raise RefusedError("the image has no such tile")
        if (1 << level) >= picture.factor:
            step = side // picture.factor
            i, j = x // picture.factor, y // picture.factor
            pixels = binned(picture.small[j:j + step, i:i + step],
                            (1 << level) // picture.factor)
        else:
            pixels = binned(self._of_file(place, picture, x, y, side, side), 1 << level)
        codes = display.encode(pixels, picture.levels.sky, picture.levels.sigma)
        plain = codes.astype("<i2").view(np.uint8).reshape(-1, 2)
        packer = zlib.compressobj(_LEVEL, wbits=_GZIP)
        return packer.compress(plain[:, 0].tobytes() + plain[:, 1].tobytes()) + packer.flush()

    def _of_file(self, place: Place, picture: Picture, x: int, y: int, nx: int,
                 ny: int) -> FloatImage:
        if picture.file is not None:
            with picture.lock:
                return picture.file.part(x, y, nx, ny)
        image = _opened(place, self._scratch)
        try:
            return image.part(x, y, nx, ny)
        except FrameError as error:
            raise RefusedError(str(error)) from error
        finally:
            image.close()

    def _read(self, place: Place) -> Picture:
        with self._one:
            image = _opened(place, self._scratch)
            keep = False
            try:
                pixels = image.shape[0] * image.shape[1]
                factor = 1
                while pixels > _OVERVIEW * factor**2:
                    factor *= 2
                small = image.smaller(factor)
                levels = display.levels_of(small if factor == 1 else _strips(image))
                keep = factor > 1 and image.scratch_bytes > 0
                return Picture(shape=image.shape, small=small, factor=factor, levels=levels,
                               header=dict(image.header), file=image if keep else None,
                               lock=threading.Lock())
            except FrameError as error:
                raise RefusedError(str(error)) from error
            finally:
                if not keep:
                    image.close()


def _opened(place: Place, scratch: Path) -> ImageFile:
    file = open_inside(place.path, place.roots)
    try:
        return ImageFile(file, place.cut, scratch=scratch)
    except (FrameError, OSError) as error:
        file.close()
        raise RefusedError(str(error)) from error


def _strips(image: ImageFile) -> FloatImage:
    """Rows at equal distances, of an image that is not held as it is."""
    ny, nx = image.shape
    return np.concatenate([image.part(0, first, nx, 8)
                           for first in range(0, ny - 8, max(8, ny // 24))])


def _bytes_of(picture: Picture) -> int:
    # What was unpacked lies on the disk: it counts as much as keeps it within its own limit.
    unpacked = picture.file.scratch_bytes if picture.file is not None else 0
    return picture.small.nbytes + unpacked * _HELD // _SCRATCH


def still(picture: Picture) -> bytes:
    """The whole image as a small PNG picture, y upwards, between the cuts of zscale."""
    image = picture.small
    step = -(-max(image.shape) // _STILL)
    small = binned(image, step)
    low, high = picture.levels.zscale
    with np.errstate(invalid="ignore", divide="ignore"):
        scaled = np.clip((small - low) / ((high - low) or 1.0), 0.0, 1.0) * 255.0
    made = BytesIO()
    Image.fromarray(np.nan_to_num(scaled).astype(np.uint8)[::-1]).save(
        made, "PNG", compress_level=3)
    return made.getvalue()


def cutout(pixels: FloatImage, levels: Levels, *, circles: Iterable[tuple[float, float, float]],
           dark: tuple[float, float] = (-2.0, 40.0)) -> bytes:
    """A part of an image as a small PNG picture, y upwards, with circles (x, y, radius) on it."""
    low, high = (np.arcsinh(level / 3.0) for level in dark)
    with np.errstate(invalid="ignore"):
        scaled = np.arcsinh((pixels - levels.sky) / (3.0 * levels.sigma))
    grey = np.nan_to_num(np.clip((scaled - low) / (high - low), 0.0, 1.0) * 255.0)
    scale = max(1, round(_CUTOUT / max(pixels.shape)))
    picture = Image.fromarray(grey.astype(np.uint8)[::-1]).convert("RGB").resize(
        (pixels.shape[1] * scale, pixels.shape[0] * scale), Image.Resampling.NEAREST)
    draw = ImageDraw.Draw(picture)
    for (x, y, radius), colour in zip(circles, ("#ffd166", "#7fb2ff", "#7fb2ff"), strict=False):
        i, j, r = (x + 0.5) * scale, (pixels.shape[0] - y - 0.5) * scale, radius * scale
        draw.ellipse((i - r, j - r, i + r, j + r), outline=colour, width=1)
    made = BytesIO()
    picture.save(made, "PNG", compress_level=3)
    return made.getvalue()
