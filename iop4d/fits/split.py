"""The images of a file of several chips, each as a file of its own."""

from __future__ import annotations

import re
import warnings
from io import BytesIO
from pathlib import Path

from iop4d.fits.atomic import write_atomic
from iop4d.fits.read import hdus_in, images_of
from iop4d.model.errors import FrameError

#: Cards of the structure of a file, and sums over it, which the new file has of its own.
_STRUCTURE = re.compile(r"SIMPLE|XTENSION|BITPIX|NAXIS\d*|EXTEND|NEXTEND|PCOUNT|GCOUNT|GROUPS|"
                        r"INHERIT|CHECKSUM|DATASUM|END|")
#: Cards of the stored numbers, of each image its own.
_SCALES = ("BZERO", "BSCALE", "BLANK")


def split(path: Path, folder: Path) -> list[Path]:
    """Write each chip's image as a file with the primary cards and its own; returns the new files.

    ``CHIP`` tells which one it is, its EXTNAME where all have one of their own, else its number,
    and ``CHIPOF`` of which file. Numbers are stored as they were. Raises FrameError where the file
    holds one image only.
    """
    from astropy.io import fits  # half a second to import

    data, hdus = hdus_in(path)
    images = [image for image, _ in images_of(hdus)]
    if len(images) < 2:
        raise FrameError("holds one image only: iop4d reads it as it is")
    names = [str(image.header.get("EXTNAME", "")).strip() for image in images]
    if len(set(names)) < len(names) or not all(names):
        names = [str(number) for number in range(1, len(images) + 1)]
    written = []
    with warnings.catch_warnings(), fits.open(
            BytesIO(data), memmap=False, do_not_scale_image_data=True) as opened:
        warnings.simplefilter("ignore")  # of cards that are none by the standard, and stay so
        for image, name in zip(images, names, strict=True):
            hdu = opened[hdus.index(image)]
            header = fits.Header()
            shared = [] if hdu is opened[0] else opened[0].header.cards
            own = {card.keyword for card in hdu.header.cards} | set(_SCALES)
            for card in (*(card for card in shared if card.keyword not in own
                           or card.keyword in ("COMMENT", "HISTORY")), *hdu.header.cards):
                if not _STRUCTURE.fullmatch(card.keyword):
                    header.append(card, end=True)
            header["CHIP"] = (name, "which image of the file")
            header["CHIPOF"] = (path.name[-60:], "the file of all chips")
            stored = BytesIO()
            new = fits.PrimaryHDU(hdu.data, header, do_not_scale_image_data=True)
            for scale in _SCALES:  # which astropy drops, as if it scaled
                if scale in header:
                    new.header[scale] = header[scale]
            new.writeto(stored, output_verify="silentfix")
            stem = re.sub(r"\.(fits?|fts)?(\.gz|\.fz)?$", "", path.name, flags=re.IGNORECASE)
            target = folder / f"{stem}-{re.sub(r'[^A-Za-z0-9_.]+', '_', name)}.fits"
            write_atomic(target, [stored.getvalue()], durable=False)
            written.append(target)
    return written
