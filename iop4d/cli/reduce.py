"""``iop4d reduce``: reduce given files, now."""

from __future__ import annotations

import logging
import re
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from iop4d.cli.common import load, set_up_logging, site_options
from iop4d.cli.follow import do, report
from iop4d.model.errors import Iop4dError
from iop4d.model.states import RequestKind

if TYPE_CHECKING:
    from iop4d.config import Site

_FRAME = re.compile(r"(?i)^[^.~].*\.(fits?|fts)(\.gz|\.fz)?$")


@click.command()
@click.argument("paths", metavar="PATH...", nargs=-1, required=True,
                type=click.Path(exists=True, path_type=Path))
@click.option("--copy", is_flag=True,
              help="Copy the files into the site's raw folder first, and reduce those.")
@site_options
@click.pass_context
def reduce(ctx: click.Context, paths: tuple[Path, ...], copy: bool, site_after: str | None,
           overrides_after: tuple[str, ...]) -> None:
    """Reduce files, or all frames in folders, now: biases and flats among them make the masters.

    Frames are read in place, and nothing is copied unless --copy is given. If a daemon
    runs on the site, it does the work. Ends with a table of what failed and why, and exit code 1
    if anything did.
    """
    site = load(ctx, site_after, overrides_after)
    set_up_logging(ctx, level=logging.ERROR)
    files = _files(paths)
    if copy:
        files = [_copied(path, site) for path in files]
    sys.exit(report(do(site, RequestKind.REDUCE, {"paths": [str(path) for path in files]})))


def _files(paths: tuple[Path, ...]) -> list[Path]:
    """Every file named, and every frame in the folders named, each once, absolute."""
    files: dict[Path, None] = {}
    for path in paths:
        if path.is_dir():
            inside = sorted(p for p in path.rglob("*") if p.is_file() and _FRAME.match(p.name))
            files |= dict.fromkeys(p.resolve() for p in inside)
        else:
            files[path.resolve()] = None
    if not files:
        raise Iop4dError("no frames there: no file is named .fit, .fits or .fts, also .gz or .fz")
    return list(files)


def _copied(path: Path, site: Site) -> Path:
    """The file's copy in raw/<telescope>/<night>/; one that cannot be read stays where it is."""
    from iop4d.fits.read import read_header
    from iop4d.instruments.discovery import find_instruments, instrument_for
    from iop4d.model.errors import FrameError

    try:
        header = read_header(path)
        instrument = instrument_for(header, find_instruments(site.camera, site.polarimeter))
        facts = instrument.read(header, path.name)
    except FrameError:
        return path
    place = site.folder("raw") / facts.telescope / facts.night / path.name
    if not place.exists():
        place.parent.mkdir(parents=True, exist_ok=True)
        part = place.with_name(f".{place.name}.part")
        shutil.copy2(path, part)
        part.replace(place)
    return place
