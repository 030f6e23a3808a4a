"""Fetch the index files of astrometry.net that cover the catalogue's fields, and no others."""

from __future__ import annotations

import os
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any

from iop4d.fields.indexes import quad_size
from iop4d.fits.slim_index import slim
from iop4d.model.errors import Iop4dError
from iop4d.model.network import why_unreachable
from iop4d.model.source import Source
from iop4d.science.healpix import all_tiles, tiles_within

_CHUNK = 1 << 18  # bytes
_TIMEOUT = 60.0  # seconds without a byte
_BLOCK = 2880  # bytes; a FITS file is a whole number of these
_OK, _PARTIAL, _BEYOND = 200, 206, 416  # HTTP's answers to a request for a range


@dataclass(frozen=True, kw_only=True)
class Series:
    """A series of index files: where it lies, and nside by scale (0: one file for all the sky)."""

    url: str
    nside: dict[int, int]


#: astrometry.net/doc/readme.html: scale 0 has quads of 2 to 2.8 arcmin, each next one larger by the
#: square root of 2. 5200 is Gaia DR2 and Tycho-2, 4200 2MASS.
SERIES = {
    "5200": Series(url="https://portal.nersc.gov/project/cosmo/temp/dstn/index-5200/LITE/",
                   nside=dict.fromkeys(range(7), 2)),
    "4200": Series(url="http://data.astrometry.net/4200/",
                   nside={**dict.fromkeys(range(5), 2), **dict.fromkeys(range(5, 8), 1),
                          **dict.fromkeys(range(8, 20), 0)}),
}


def wanted(series: str, scales: Iterable[int], fields: Sequence[Source],
           radius_deg: float) -> list[str]:
    """Names of the files whose tiles a circle about any field touches, in order."""
    nsides = SERIES[series].nside
    names = []
    for scale in scales:
        if scale not in nsides:
            raise Iop4dError(_no_scale(series, scale))
        stem, nside = f"index-{int(series) + scale}", nsides[scale]
        if not nside:
            names.append(f"{stem}.fits")
            continue
        touched = {tile for field in fields for tile in tiles_within(
            field.ra_deg, field.dec_deg, radius_deg, nside)}
        names += [f"{stem}-{tile:02d}.fits" for tile in all_tiles(nside) if tile in touched]
    return names


def _no_scale(series: str, scale: int) -> str:
    """Why there is no file of a scale, in arcmin as asked for, and which series has one."""
    sizes = {name: (quad_size(min(one.nside)), quad_size(max(one.nside) + 1))
             for name, one in SERIES.items()}
    others = [name for name, one in SERIES.items() if scale in one.nside]
    return (f"the {series} series has no quads of {quad_size(scale):.0f} to "
            f"{quad_size(scale + 1):.0f} arcmin: it has those of {sizes[series][0]:.0f} to "
            f"{sizes[series][1]:.0f}" + "".join(
                f"; '--fetch {name}' has those of {sizes[name][0]:.0f} to {sizes[name][1]:.0f}"
                for name in others))


def fetch(url: str, path: Path, *, progress: Callable[[int, int | None], None]) -> bool:
    """Fetch a file; whether anything had to be fetched. Raises Iop4dError.

    A file that is there is left alone. What comes is kept in ``NAME.part`` first, from where a
    later run resumes if this one is broken off, and is renamed when it is whole, without the
    further columns of its stars. ``progress`` is called with the bytes there are and the bytes
    there will be, None if the server does not say.
    """
    if path.exists():
        return False
    if not url.lower().startswith(("http://", "https://")):
        raise Iop4dError(f"{url} is not an http or https address")
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    try:
        total = _download(url, part, progress)
    except urllib.error.HTTPError as error:
        error.close()
        raise Iop4dError(f"{url}: the server says {error.code} {error.reason}") from error
    except (OSError, HTTPException) as error:
        why = getattr(error, "reason", None) or error
        why = (isinstance(why, BaseException) and why_unreachable(why)) or why
        resumes = "; the part that was downloaded is kept, and the next run resumes from there"
        raise Iop4dError(f"{url}: {why}{resumes if part.exists() else ''}") from error
    _check(url, part, total)
    try:
        if slim(part, to=path):
            part.unlink()
        else:
            part.replace(path)
    except OSError as error:
        raise Iop4dError(f"{path}: {error.strerror or error}") from error
    return True


def _download(url: str, part: Path, progress: Callable[[int, int | None], None]) -> int | None:
    """Bytes that the file must have, None if the server does not say."""
    have = part.stat().st_size if part.exists() else 0
    try:
        response = _open(url, have)
    except urllib.error.HTTPError as error:
        if error.code != _BEYOND:
            raise
        all_there = str(error.headers.get("Content-Range", "")).endswith(f"/{have}")
        error.close()
        if all_there:
            return have
        part.unlink()  # no such range: what is there is not a part of this file
        have, response = 0, _open(url, 0)
    with response:
        if response.status != _PARTIAL:
            have = 0
        length = response.headers.get("Content-Length")
        total = have + int(length) if length and length.isdigit() else None
        with part.open("ab" if have else "wb") as file:
            progress(have, total)
            while chunk := response.read(_CHUNK):
                file.write(chunk)
                have += len(chunk)
                progress(have, total)
            file.flush()
            os.fsync(file.fileno())
    return total


def _open(url: str, start: int) -> Any:
    request = urllib.request.Request(url, headers={  # noqa: S310 - fetch() takes http(s) alone
        "User-Agent": "iop4d", **({"Range": f"bytes={start}-"} if start else {})})
    return urllib.request.urlopen(request, timeout=_TIMEOUT)  # noqa: S310 - as above


def _check(url: str, part: Path, total: int | None) -> None:
    size = part.stat().st_size
    if total is not None and size < total:
        raise Iop4dError(f"{url}: broken off after {size} of {total} bytes; the next run "
                         "resumes from there")
    with part.open("rb") as file:
        begins = file.read(6)
    if begins != b"SIMPLE" or size % _BLOCK or (total is not None and size > total):
        part.unlink()
        raise Iop4dError(f"{url} is not a complete FITS file; it was deleted")
