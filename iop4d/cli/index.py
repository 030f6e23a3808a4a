"""``iop4d index``: index files for the catalogue's fields alone."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from iop4d.cli.common import Amount, load, open_database, site_options
from iop4d.cli.output import counted
from iop4d.model.errors import Iop4dError

if TYPE_CHECKING:
    from iop4d.fields.indexes import IndexFile, Stars
    from iop4d.model.source import Source

_FETCH_RADIUS_DEG = 0.5  # a field, and how far a telescope may point beside it
_TEST_FIELDS = (13.2, 7.9)  # arcmin: T090's and T150's, the widest and the narrowest of the OSN


@click.command("index")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path, file_okay=False))
@click.option("--stars", "lists", multiple=True, metavar="FILE", type=click.Path(path_type=Path),
              help="Star list to build from: a Gaia or Pan-STARRS cone as CSV, TSV, FITS or "
                   "VOTable. Give it once for each file.")
@click.option("--fetch", metavar="SERIES|URL",
              help="Download ready-made files instead: 5200 (Gaia), 4200 (2MASS), or the address "
                   "of the folder that holds them.")
@click.option("--series", default="5200", show_default=True, type=click.Choice(["5200", "4200"]),
              help="Which series the address of --fetch has.")
@click.option("--strip", is_flag=True,
              help="Only strip the files that are in DIR of comments and further columns of stars: "
                   "they cost time with each frame, and no solution needs them.")
@click.option("--scales", default="2-16", show_default=True, metavar="FROM-TO",
              help="Sizes of the quads of stars in arcmin: about a tenth of the narrowest field to "
                   "the whole of the widest.")
@click.option("--radius", type=Amount(0, min_open=True), default=15.0, show_default=True,
              metavar="ARCMIN",
              help="Radius around each source within which stars are used.")
@click.option("--faintest", type=Amount(), default=18.0, show_default=True,
              metavar="MAG",
              help="Faintest star of the list to use.")
@click.option("--name", default="iop4d", show_default=True,
              help="Files are index-NAME-....fits; a run replaces those of its name.")
@click.option("--source", "only", multiple=True, metavar="NAME",
              help="Only this source's field; any number of them.")
@site_options
@click.pass_context
def index(ctx: click.Context, folder: Path, lists: tuple[Path, ...], fetch: str | None, series: str,
          scales: str, radius: float, faintest: float, name: str, only: tuple[str, ...],
          site_after: str | None, overrides_after: tuple[str, ...], *, strip: bool) -> None:
    """Make astrometry.net index files in DIR for the fields of the catalogue alone.

    The fields are those of the site's targets and standards. With --stars the files are built from
    a star list, by build-astrometry-index of astrometry.net, and each field is tested. Columns may
    have the names of Gaia's, VizieR's or MAST's tables (ra, RA_ICRS, raMean; phot_g_mean_mag, Gmag,
    rMeanPSFMag; or simply ra, dec, mag). With --fetch the tiles of astrometry.net's own series
    that cover the fields are downloaded; only this uses the network. An interrupted download is
    resumed by the next run. With --strip files from elsewhere lose what only costs time.

    \b
    iop4d index /data/index --stars gaia.fits
    iop4d index /data/index --stars bllac.csv --source "BL Lac" --name bllac
    iop4d index /data/index --fetch 5200 --scales 4-16
    iop4d index /data/index --strip
    """
    from iop4d.fields.indexes import presets

    if strip:
        if lists or fetch is not None:
            raise click.UsageError("--strip is for files that are there: no --stars, no --fetch")
        _strip(folder)
        return
    if bool(lists) == (fetch is not None):
        raise click.UsageError("give either --stars FILE, to build, or --fetch 5200, to fetch")
    if not re.fullmatch(r"[A-Za-z0-9._]+", name):
        raise click.UsageError("--name may contain letters, digits, points and underscores")
    sizes = re.fullmatch(r"(\d+\.?\d*)-(\d+\.?\d*)", scales)
    if sizes is None or not float(sizes[1]) < float(sizes[2]):
        raise click.UsageError(f"--scales is '{scales}', expected as 2-16")
    wanted = presets(float(sizes.group(1)), float(sizes.group(2)))
    fields = _fields(ctx, only, site_after, overrides_after)
    if fetch is None:
        _build(folder, lists, fields, wanted, radius=radius, faintest=faintest, name=name)
    else:
        _fetch(folder, fetch, series, fields, wanted)
    click.echo(f'\nIn the site file:\n[astrometry]\nindex = ["{folder.resolve()}"]')


def _strip(folder: Path) -> None:
    from iop4d.fits.slim_index import slim

    files = sorted(folder.glob("*.fits"))
    if not files:
        raise Iop4dError(f"{folder} holds no index files (*.fits)")
    before, stripped = sum(path.stat().st_size for path in files), 0
    with _bar("Stripping", len(files)) as step:
        for path in files:
            try:
                stripped += slim(path)
            except OSError as error:
                raise Iop4dError(f"{path}: {error.strerror or error}") from error
            step(path)
    saved = before - sum(path.stat().st_size for path in files)
    click.echo(f"{stripped} of {counted(len(files), 'file')} stripped; "
               f"{saved / 1e6:.1f} MB less.")


def _fields(ctx: click.Context, only: tuple[str, ...], site_after: str | None,
            overrides_after: tuple[str, ...]) -> list[Source]:
    from iop4d.model.source import SourceKind
    from iop4d.store import catalogue

    database = open_database(
        load(ctx, site_after, overrides_after, has_indexes=False), read_only=True)
    with database.read() as db:
        if only:
            return [catalogue.find(db, name) for name in only]
        fields = [source for source in catalogue.load(db).sources
                  if source.kind is not SourceKind.CALIBRATOR]
    if not fields:
        raise Iop4dError("the catalogue has no targets: 'iop4d catalogue import' comes first")
    return fields


def _build(folder: Path, lists: tuple[Path, ...], fields: list[Source], wanted: tuple[int, ...], *,
           radius: float, faintest: float, name: str) -> None:
    from iop4d.fields import indexes, star_list

    stars = indexes.select(map(star_list.read, lists), fields, radius)
    counts = {field.name: stars.of[field.name] for field in fields}
    click.echo(f"{counted(stars.ra.size, 'star')} in "
               f"{counted(sum(count > 0 for count in counts.values()), 'field')}.")
    for said, names in (("no stars", [name for name, count in counts.items() if not count]),
                        ("fewer than 4 stars, too few for a quad,",
                         [name for name, count in counts.items() if 0 < count < 4])):
        if names:
            click.echo(f"The list has {said} for {', '.join(names)}.")
    sets = indexes.depths(faintest)
    with _bar("Building", len(sets) * len(wanted)) as step:
        made, left_out = indexes.build(stars, folder, name=name, wanted=wanted, sets=sets,
                                       done=step)
    _table(made)
    for text in left_out:
        click.echo(f"Left out: {text}.")
    _try(made, stars, fields)


def _try(made: list[IndexFile], stars: Stars, fields: list[Source]) -> None:
    from iop4d.fields.indexes import try_fields

    files = [one.path for one in made]
    for width in _TEST_FIELDS:
        found = try_fields(files, stars, fields, width)
        lost = [name for name, good in found.items() if not good]
        click.echo(f"Frames of {width:g}': {len(found) - len(lost)} of {len(found)} fields found"
                   + (f"; not {', '.join(lost)}" if lost else ""))


def _table(made: list[IndexFile]) -> None:
    click.echo(f"{'file':<34} {'arcmin':>11} {'quads':>8} {'stars':>7} {'kB':>7}")
    for one in made:
        size = f"{one.smallest:.1f}-{one.largest:.1f}"
        click.echo(f"{one.path.name:<34} {size:>11} {one.quads:8} {one.stars:7} "
                   f"{one.size / 1024:7.0f}")
    click.echo(f"{counted(len(made), 'file')}, {sum(one.size for one in made) / 1e6:.1f} MB.")


@contextmanager
def _bar(what: str, total: int) -> Iterator[Callable[[object], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    with Progress(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
                  TimeElapsedColumn(), console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(what, total=total)
        yield lambda _: progress.advance(task)


def _fetch(folder: Path, origin: str, series: str, fields: list[Source],
           scales: tuple[int, ...]) -> None:
    from iop4d.fields import download

    if origin in download.SERIES:
        series, url = origin, download.SERIES[origin].url
    elif "://" in origin:
        url = origin
    else:
        raise click.UsageError(f"--fetch is '{origin}', expected {', '.join(download.SERIES)} "
                               "or an address")
    names = download.wanted(series, scales, fields, _FETCH_RADIUS_DEG)
    click.echo(f"{counted(len(names), 'file')} of the {series} series "
               f"cover{'s' * (len(names) == 1)} {counted(len(fields), 'field')}.")
    new = 0
    for name in names:
        new += _fetch_one(f"{url.rstrip('/')}/{name}", folder / name)
    total = sum((folder / name).stat().st_size for name in names)
    click.echo(f"{new} fetched, {len(names) - new} were there; {total / 1e6:.1f} MB.")


def _fetch_one(url: str, path: Path) -> bool:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    from iop4d.fields.download import fetch

    with Progress(TextColumn("{task.description}"), BarColumn(), DownloadColumn(),
                  TransferSpeedColumn(), TimeRemainingColumn(),
                  console=Console(stderr=True)) as progress:
        task = progress.add_task(path.name, total=None)
        return fetch(url, path, progress=lambda have, total: progress.update(
            task, completed=have, total=total))
