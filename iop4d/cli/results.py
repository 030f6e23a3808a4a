"""``iop4d results``: the results as a table, in the formats that astronomers' programs read."""

from __future__ import annotations

import re
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import click

from iop4d.cli.common import (
    NIGHT,
    check_instrument,
    check_order,
    load,
    open_database,
    site_options,
    time_option,
)
from iop4d.model.errors import Iop4dError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from iop4d.config import Site
    from iop4d.store.database import Connection


_PART = 1000  # rows that are read at a time


def _observer(_: click.Context, __: click.Parameter, value: str) -> str:
    if value and not re.fullmatch(r"[A-Za-z0-9]{2,5}", value):
        raise click.BadParameter(f"'{value}' is no code of the AAVSO; expected 2 to 5 letters or "
                                 "digits")
    return value


@click.command()
@click.option("--format", "form", default="csv", show_default=True, help="Format of the table.",
              type=click.Choice(["csv", "ecsv", "fits", "votable", "aavso"]))
@click.option("--source", "sources", multiple=True, metavar="NAME",
              help="Only this source, by any of its names; may be repeated.")
@click.option("--band", "bands", multiple=True, help="Only this band; may be repeated.")
@click.option("--since", metavar="TIME",
              help="Only points from this time on: JD, MJD or UTC such as 2024-03-14T21:00.")
@click.option("--until", metavar="TIME", help="Only points up to this time.")
@click.option("--night", "nights", multiple=True, type=NIGHT, metavar="NIGHT",
              help="Only this night; may be repeated.")
@click.option("--instrument", "instruments", multiple=True, metavar="NAME",
              help="Only this instrument; may be repeated.")
@click.option("--mode", type=click.Choice(["photometry", "polarimetry", "stack"]),
              help="Only this mode; stack: a night's frames put together.")
@click.option("--good", is_flag=True,
              help="Only results that alerts count: with no flag by hand and no severe one.")
@click.option("--all-columns", is_flag=True,
              help="Add RA, Dec, MJD, BJD, flux, q and u, limits, host-free values and more.")
@click.option("--observer", default="", metavar="CODE", callback=_observer,
              help="Code of the observer at the AAVSO, for its format; else that of the site file.")
@click.option("--output", type=click.Path(path_type=Path), metavar="FILE",
              help="Write to a file instead of standard output.")
@site_options
@click.pass_context
def results(ctx: click.Context, form: str, sources: tuple[str, ...], bands: tuple[str, ...],
            since: str | None, until: str | None, nights: tuple[str, ...],
            instruments: tuple[str, ...], mode: str | None, good: bool, all_columns: bool,
            observer: str, output: Path | None, site_after: str | None,
            overrides_after: tuple[str, ...]) -> None:
    """Write one row for each result, in order of time.

    Times are JD(UTC) of mid-exposure. p is a fraction, chi is in degrees east of north. Flags are
    names joined by ';'. Unknown values are empty.
    """
    from iop4d.export.aavso import COLUMNS as OF_AAVSO
    from iop4d.export.content import Content
    from iop4d.export.forms import FORMS
    from iop4d.store.tables.listing import parts, read_query
    from iop4d.store.tables.results import FIRST, MORE, RESULTS

    site = load(ctx, site_after, overrides_after)
    since_jd, until_jd = _jd("--since", since), _jd("--until", until)
    check_order(since_jd, until_jd)
    database = open_database(site, read_only=True)
    wanted = tuple(RESULTS.by_name[name] for name in OF_AAVSO) if form == "aavso" else (
        FIRST + MORE if all_columns else FIRST)
    with database.read() as db:
        _check_bands(db, bands)
        _check_instruments(site, db, instruments)
        fields = [("source", _source(db, name)) for name in sources]
        for name, values in (("band", bands), ("night", nights), ("instrument", instruments)):
            fields += [(name, value) for value in values]
        fields += [(f"jd_mid.{end}", repr(jd)) for end, jd in (("from", since_jd), ("to", until_jd))
                   if jd is not None]
        fields += [("mode", mode or ""), ("good", "yes" if good else "")]
        query = read_query(RESULTS, [*fields, ("sort", "jd_mid"),
                                     ("columns", ",".join(column.name for column in wanted))])
        rows = parts(lambda: nullcontext(db), query, _PART, context={
            "index_minutes": site.photometry.spectral_index_minutes})
        pieces = FORMS[form].write(Content(
            name="results", columns=wanted, about=f"Results of {site.site.name}.",
            observer=observer or site.site.aavso_observer, comments=False), rows)
        if output is None:
            for piece in pieces:
                sys.stdout.buffer.write(piece)
            return
        _write(output, pieces)


def _write(path: Path, pieces: Iterable[bytes]) -> None:
    """Into a file, which is whole or as it was; into whatever else stands there as it comes."""
    from iop4d.fits.atomic import write_atomic

    if path.is_file() or (path.parent.is_dir() and not path.exists()):
        write_atomic(path.resolve(), pieces, durable=False)
        return
    with path.open("wb") as file:
        for piece in pieces:
            file.write(piece)


def _source(db: Connection, name: str) -> str:
    """The name of a source in the results; of one that the catalogue no longer has, its own."""
    from iop4d.store import catalogue
    from iop4d.store.results import is_of_any

    try:
        return catalogue.find(db, name).name
    except Iop4dError:
        if is_of_any(db, source=name):
            return name
        raise


def _check_instruments(site: Site, db: Connection, names: tuple[str, ...]) -> None:
    """Refuse one that neither the site nor any result knows."""
    from iop4d.store.results import is_of_any

    for name in names:
        try:
            check_instrument(site, name)
        except Iop4dError:
            if not is_of_any(db, instrument=name):
                raise


def _check_bands(db: Connection, bands: tuple[str, ...]) -> None:
    """Refuse a band that neither the catalogue nor any result has."""
    from iop4d.store import catalogue
    from iop4d.store.results import bands_of_results

    known = {band for source in catalogue.load(db).sources for band in source.magnitudes}
    known |= bands_of_results(db)
    for band in bands:
        if band not in known:
            raise Iop4dError(f"--band: no result and no source has the band '{band}'; there are "
                             f"{', '.join(sorted(known)) or 'none'}")


def _jd(option: str, value: str | None) -> float | None:
    return None if value is None else time_option(option, value)
