"""Index files as other people make them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from astropy.io import fits

from iop4d.simulator.sky import index_folder


def with_further_columns(folder: Path) -> list[Path]:
    """The simulator's index files with the magnitudes of their stars, as the 4200 series has."""
    folder.mkdir(parents=True)
    made = []
    for path in sorted(index_folder().glob("*.fits")):
        count = int(fits.getheader(path)["NSTARS"])
        table = fits.BinTableHDU.from_columns([
            fits.Column("MAG", "E", array=np.linspace(10.0, 18.0, count))])
        table.header["AN_FILE"] = "TAGALONG"
        table.writeto(folder / "table")
        further = (folder / "table").read_bytes()
        made.append(folder / path.name)
        made[-1].write_bytes(path.read_bytes() + further[len(further) - _size(folder / "table"):])
        (folder / "table").unlink()
    return made


def _size(path: Path) -> int:
    """Bytes of a file's second unit."""
    with fits.open(path) as units:
        place = units[1].fileinfo()
        return int(place["datLoc"] + place["datSpan"] - place["hdrLoc"])
