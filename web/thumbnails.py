"""Small pictures of previews, for lists: a card on a phone needs a tenth of the preview."""

from __future__ import annotations

from functools import lru_cache
from io import BytesIO
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from iop4d.web.reader import RefusedError, picture_inside

MIMETYPE = "image/jpeg"
_SIZE = (352, 264)  # twice that of a card: screens with two pixels for one
_QUALITY = 70
_KEPT = 300  # of some 10 kB


def thumbnail(path: str, root: Path, version: float) -> bytes:
    """A preview made small, as JPEG; raises RefusedError. ``version``: changes with the preview."""
    return _made(path, root, version)


@lru_cache(maxsize=_KEPT)
def _made(path: str, root: Path, _: float) -> bytes:
    content = picture_inside(path, root)
    try:
        with Image.open(BytesIO(content), formats=("PNG",)) as picture:
            small = picture.convert("RGB")
    except (UnidentifiedImageError, OSError, ValueError, Image.DecompressionBombError) as error:
        raise RefusedError(f"not a picture: {error}") from error
    small.thumbnail(_SIZE)
    made = BytesIO()
    small.save(made, "JPEG", quality=_QUALITY, optimize=True)
    return made.getvalue()
