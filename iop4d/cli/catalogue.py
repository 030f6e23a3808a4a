"""``iop4d catalogue``: the sources, and calibrators for them."""

from __future__ import annotations

import getpass
import math
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from iop4d.cli.catalogue_edit import remove, rename
from iop4d.cli.common import Amount, load, open_database, site_options
from iop4d.cli.interstellar import interstellar
from iop4d.cli.output import counted, echo, json_option, write_json
from iop4d.model.errors import CatalogueError
from iop4d.model.plain_json import plain
from iop4d.model.source import SAME_ARCSEC, arcsec_between, twice
from iop4d.model.units import NOTHING

if TYPE_CHECKING:
    from iop4d.config import Site
    from iop4d.fields.calibrators import Found
    from iop4d.model.source import Source
    from iop4d.science.calibrator_check import CheckedStar
    from iop4d.store.instrumental import Instrumental


@click.command("find-calibrators")
@click.argument("source")
@click.option("--from", "table", metavar="FILE", type=click.Path(path_type=Path),
              help="Pan-STARRS table of the field: CSV, TSV, FITS or VOTable.")
@click.option("--online", is_flag=True,
              help="Download it from MAST instead; needs astroquery (pip install 'iop4d[online]').")
@click.option("--radius", type=Amount(0, min_open=True), default=3.5, show_default=True,
              metavar="ARCMIN",
              help="Radius around the source; the default is inside every instrument's field.")
@click.option("--without-scatter", is_flag=True,
              help="Accept stars of unknown scatter, as in tables of VizieR.")
@click.option("--most", type=click.IntRange(min=1), metavar="N",
              help="Maximum number of stars, the brightest ones.")
@click.option("--output", type=click.Path(path_type=Path), metavar="FILE.csv",
              help="Write them as a table for 'catalogue import'.")
@click.option("--import", "import_", is_flag=True, help="Add them to the catalogue.")
@site_options
@click.pass_context
def find_calibrators(ctx: click.Context, source: str, table: Path | None, online: bool,
                     radius: float, without_scatter: bool, most: int | None,
                     output: Path | None, import_: bool, site_after: str | None,
                     overrides_after: tuple[str, ...]) -> None:
    """Choose calibrators for SOURCE from Pan-STARRS, with B, V, R and I.

    A star is chosen that has 13 < r < 18, ten detections, a scatter of its aperture magnitudes
    below 0.01 mag in g, r and i, no neighbours of more than 1 % of its light within 10 arcsec, and
    is no galaxy and not in the catalogue yet. Magnitudes go to Johnson-Cousins by Tonry et al.
    2012. Columns may be called as MAST does (raMean, decMean, nDetections, gMeanPSFMag,
    gMeanApMagStd, ...) or as VizieR does (RAJ2000, DEJ2000, Nd, gmag, e_gmag, ...).

    \b
    iop4d catalogue find-calibrators "BL Lac" --from ps1.csv
    iop4d catalogue find-calibrators "BL Lac" --online --most 8 --import
    """
    from iop4d.fields import calibrators
    from iop4d.fields.star_list import read
    from iop4d.store import catalogue as store

    if (table is None) == (not online):
        raise click.UsageError("give either --from FILE or --online")
    site = load(ctx, site_after, overrides_after)
    database = open_database(site, read_only=True)
    with database.read() as db:
        target, known = store.find(db, source), store.load(db).sources
    stars = calibrators.download(target, radius) if table is None else read(table)
    found = calibrators.find(stars, target, known, radius_arcmin=radius,
                             demand_scatter=not without_scatter)
    chosen = [one.source for one in found.calibrators[:most]]
    _report(found, most)
    if output is not None:
        from iop4d.store import catalogue_csv

        output.write_text(catalogue_csv.write(chosen), encoding="utf-8")
        click.echo(f"Written to {output}.")
    if import_:
        _save(site, chosen)


def _report(found: Found, most: int | None) -> None:
    shown = found.calibrators[:most]
    if shown:
        click.echo(f"{'name':<22} {'arcmin':>6} {'r':>6} " + " ".join(
            f"{band:>6} {'err':>5}" for band in "BVRI"))
    for one in shown:
        mags = " ".join(f"{mag:6.3f} {err:5.3f}" for mag, err in one.source.magnitudes.values())
        click.echo(f"{one.source.name:<22} {one.distance_arcmin:6.2f} {one.r:6.3f} {mags}")
    click.echo(f"{counted(len(shown), 'calibrator')} of {found.stars} entries.")
    for reason, count in sorted(found.left_out.items(), key=lambda item: -item[1]):
        click.echo(f"  {count:6} left out: {reason}")
    faintest = max((one.r for one in shown), default=0.0)
    if shown and not found.depth > faintest + 5.0:
        click.echo(f"The list ends at r = {found.depth:.1f}: neighbours of 1 % of the faintest of "
                   f"these (r = {faintest + 5.0:.1f}) may be missing from it.")


def _save(site: Site, chosen: list[Source]) -> None:
    from iop4d.fields.calibrators import merged
    from iop4d.store import catalogue as store
    from iop4d.store import catalogue_changes

    database = open_database(site, read_only=False)
    with database.write() as tx:
        added, replaced = catalogue_changes.import_table(
            tx, merged(chosen, store.load(tx).sources), by=getpass.getuser(), at=time.time(),
            why="from Pan-STARRS")
    click.echo(f"{counted(added, 'source')} added, {replaced} replaced.")


@click.command("check-calibrators")
@click.argument("source")
@click.option("--band", help="Only this band.")
@click.option("--floor", type=Amount(0), default=0.005, show_default=True, metavar="MAG",
              help="Maximum scatter of a constant star beyond its photometric errors.")
@json_option
@site_options
@click.pass_context
def check_calibrators(ctx: click.Context, source: str, band: str | None, floor: float,
                      as_json: bool, site_after: str | None,
                      overrides_after: tuple[str, ...]) -> None:
    """Say which calibrators of SOURCE vary or have a wrong magnitude, over all nights there are.

    Each is held against the weighted mean of the others, frame by frame, for each camera and band
    by itself. A star varies when a constant one had a chance below 0.001 to scatter so much, and
    the scatter beyond the errors is above 0.01 mag. Its catalogue magnitude is wrong when it is
    off the others by more than four errors and 0.03 mag; one frame shows that. Three calibrators
    are needed.
    """
    from iop4d.store import catalogue as store
    from iop4d.store.instrumental import instrumental

    database = open_database(load(ctx, site_after, overrides_after), read_only=True)
    with database.read() as db:
        target = store.find(db, source)
        stars = {one.name: one for one in store.load(db).calibrators_of(target.name)}
        rows = instrumental(db, stars, band=band)
    groups: dict[tuple[str, str], list[Instrumental]] = {}
    for row in rows:
        groups.setdefault((row.instrument, row.band), []).append(row)
    checked = [_checked(instrument, own_band, group, floor, stars)
               for (instrument, own_band), group in sorted(groups.items())]
    if as_json:
        write_json(checked)
        return
    if not checked:
        click.echo(f"No measurements of the {len(stars)} calibrators of {target.name}.")
    for one in checked:
        _show_checked(**one)


def _checked(instrument: str, band: str, rows: list[Instrumental], floor: float,
             stars: dict[str, Source]) -> dict[str, Any]:
    """What is found of the calibrators in one camera and band."""
    from iop4d.model.source import listed_in
    from iop4d.science.calibrator_check import check_stars

    return {"instrument": instrument, "band": band, "frames": len({row.frame for row in rows}),
            "nights": len({row.night for row in rows}),
            "calibrators": check_stars(rows, listed_in(stars.values(), band), floor=floor)}


def _show_checked(*, instrument: str, band: str, frames: int, nights: int,
                  calibrators: list[CheckedStar]) -> None:
    click.echo(f"{instrument} {band}: {frames} frames of {nights} nights")
    click.echo(f"  {'calibrator':<24} {'frames':>6} {'scatter':>8} {'excess':>8} {'p-value':>8} "
               f"{'catalogue off by':>18}")
    for star in calibrators:
        click.echo(f"  {star.name:<24} {star.n:>6} " + _steadiness(star)
                   + f" {_offset(star.offset, star.offset_err):>18}"
                   + ("  varies" if star.varies else "")
                   + (f"  catalogue magnitude off by {star.offset:+.2f} mag against the others"
                      if star.is_wrong else ""))


def _steadiness(star: CheckedStar) -> str:
    """The columns of a star's scatter: dashes with too few frames or other calibrators."""
    if not math.isfinite(star.p_value):
        return f"{NOTHING:>8} {NOTHING:>8} {NOTHING:>8}"
    return f"{star.scatter:8.4f} {star.excess:8.4f} {star.p_value:8.2g}"


def _offset(offset: float, err: float) -> str:
    return f"{offset:+.3f} +- {err:.3f}" if math.isfinite(offset) else NOTHING


@click.group()
def catalogue() -> None:
    """Import, export and look at the sources: targets, their calibrators, standards.

    A change takes effect at once: what was measured is calibrated again by a running daemon, or
    by the next one.
    """


catalogue.add_command(find_calibrators)
catalogue.add_command(check_calibrators)
catalogue.add_command(interstellar)
catalogue.add_command(remove)
catalogue.add_command(rename)


@catalogue.command("import")
@click.argument("table", metavar="FILE.csv|builtin:NAME")
@click.option("--dry-run", is_flag=True, help="Only say what would be added and replaced.")
@site_options
@click.pass_context
def import_(ctx: click.Context, table: str, dry_run: bool, site_after: str | None,
            overrides_after: tuple[str, ...]) -> None:
    """Add the sources of a CSV table, or replace those of the same name.

    Columns: name, other_names (separated by ;), ra, dec (degrees or sexagesimal), kind (target,
    calibrator, standard), calibrates (names of targets, separated by ;), mag_<band>,
    mag_<band>_err or mag_err, p and p_err (fractions), chi, chi_err (degrees), redshift, tags
    (separated by ;), note.
    If any row is wrong, all wrong rows are listed and nothing is imported. Tables that ship
    with the program: builtin:blazars (blazars, comparison stars, standards)
    and builtin:standards (the polarisation standards alone).
    """
    from iop4d.store import catalogue as store
    from iop4d.store import catalogue_changes, catalogue_csv

    site = load(ctx, site_after, overrides_after)
    if table.startswith("builtin:"):
        text = catalogue_csv.builtin(table.partition(":")[2])
    else:
        try:
            text = catalogue_csv.decoded(Path(table).read_bytes())
        except OSError as error:
            raise CatalogueError(f"{table} cannot be read: {error.strerror or error}") from error
    if dry_run:
        _dry_run(site, table, text)
        return
    database = open_database(site, read_only=False)
    try:
        with database.write() as tx:
            sources = catalogue_csv.parse(text, known=store.load(tx).sources)
            added, replaced = catalogue_changes.import_table(
                tx, sources, by=getpass.getuser(), at=time.time(), why=table)
            names = {source.name for source in sources}
            pairs = [pair for pair in twice(store.load(tx).sources)
                     if names & {source.name for source in pair}]
    except CatalogueError as error:
        raise CatalogueError(f"{table}: {error}") from None
    click.echo(f"{counted(added, 'source')} added, {replaced} replaced.")
    _tell_pairs(pairs)


def _dry_run(site: Site, table: str, text: str) -> None:
    """Say what an import would do, with all that it would refuse."""
    from dataclasses import replace

    from iop4d.model.source import canonical
    from iop4d.store import catalogue as store
    from iop4d.store import catalogue_csv

    with open_database(site, read_only=True).read() as db:
        known = store.load(db).sources
    own = {canonical(source.name) for source in known}
    try:
        sources = catalogue_csv.parse(text, known=known)
        names = {canonical(source.name) for source in sources}
        after = (*(s for s in known if canonical(s.name) not in names), *sources)
        store.check_names(after)
    except CatalogueError as error:
        raise CatalogueError(f"{table}: {error}") from None
    before = {canonical(s.name): s for s in known}
    same = {name for source in sources if (name := canonical(source.name)) in own
            and plain(replace(before[name], id=0)) == plain(replace(source, id=0))}
    for label, chosen in (("add", names - own), ("replace", (names & own) - same)):
        listed = sorted(s.name for s in sources if canonical(s.name) in chosen)
        echo(f"would {label} {counted(len(listed), 'source')}"
             + (f": {', '.join(listed)}" if listed else ""))
    if same:
        echo(f"{counted(len(same), 'source')} would stay as it is" if len(same) == 1 else
             f"{len(same)} sources would stay as they are")
    _tell_pairs([pair for pair in twice(after) if any(s in sources for s in pair)])


def _tell_pairs(pairs: list[tuple[Source, Source]]) -> None:
    """Name the stars that stand twice in the catalogue."""
    for one, other in pairs:
        click.echo(f"{one.name} and {other.name} are {arcsec_between(one, other):.1f} arcsec "
                   "apart: one star under two names, which calibrates once. Give it one name, and "
                   "the other one in other_names.", err=True)


@catalogue.command()
@json_option
@site_options
@click.pass_context
def check(ctx: click.Context, as_json: bool, site_after: str | None,
          overrides_after: tuple[str, ...]) -> None:
    """List the stars that stand twice in the catalogue, within 2 arcsec, under two names."""
    from iop4d.store import catalogue as store

    database = open_database(load(ctx, site_after, overrides_after), read_only=True)
    with database.read() as db:
        sources = store.load(db).sources
    pairs = twice(sources)
    if as_json:
        write_json({"sources": len(sources), "pairs": [
            {"names": [one.name, other.name], "arcsec": arcsec_between(one, other)}
            for one, other in pairs]})
        ctx.exit(1 if pairs else 0)
    _tell_pairs(pairs)
    click.echo(f"{len(sources)} sources; pairs within {SAME_ARCSEC:g} arcsec: {len(pairs)}.")
    ctx.exit(1 if pairs else 0)


@catalogue.command()
@click.argument("file", metavar="[FILE.csv]", required=False, type=click.Path(path_type=Path))
@site_options
@click.pass_context
def export(ctx: click.Context, file: Path | None, site_after: str | None,
           overrides_after: tuple[str, ...]) -> None:
    """Write the whole catalogue as a CSV table that 'import' reads back."""
    from iop4d.store import catalogue as store
    from iop4d.store import catalogue_csv

    database = open_database(load(ctx, site_after, overrides_after), read_only=True)
    with database.read() as db:
        text = catalogue_csv.write(store.load(db).sources)
    if file is None:
        sys.stdout.write(text)
    else:
        file.write_text(text, encoding="utf-8")


@catalogue.command("list")
@click.option("--kind", type=click.Choice(["target", "calibrator", "standard"]),
              help="Only sources of this kind.")
@json_option
@site_options
@click.pass_context
def list_(ctx: click.Context, kind: str | None, as_json: bool, site_after: str | None,
          overrides_after: tuple[str, ...]) -> None:
    """List the sources."""
    from iop4d.store import catalogue as store

    database = open_database(load(ctx, site_after, overrides_after), read_only=True)
    with database.read() as db:
        loaded = store.load(db)
    if as_json:
        write_json([s for s in loaded.sources if kind in (None, s.kind.value)])
        return
    for source in loaded.sources:
        if kind in (None, source.kind.value):
            serves = f"  calibrates {', '.join(source.calibrates)}" if source.calibrates else ""
            count = len(loaded.calibrators_of(source.name))
            served = f"  {counted(count, 'calibrator')}" if source.kind == "target" else ""
            echo(f"{source.name:<24} {source.kind.value:<10} {source.ra_deg:10.5f} "
                       f"{source.dec_deg:+10.5f}{serves}{served}")


@catalogue.command()
@click.argument("name")
@json_option
@site_options
@click.pass_context
def show(ctx: click.Context, name: str, as_json: bool, site_after: str | None,
         overrides_after: tuple[str, ...]) -> None:
    """Show everything about one source, by any of its names."""
    from iop4d.store import catalogue as store

    database = open_database(load(ctx, site_after, overrides_after), read_only=True)
    with database.read() as db:
        source = store.find(db, name)
        calibrators = store.load(db).calibrators_of(source.name)
    if as_json:
        write_json({**plain(source), "calibrators": [one.name for one in calibrators]})
        return
    click.echo(f"{source.name} ({source.kind.value})")
    lines = {
        "other names": ", ".join(source.other_names),
        "ICRS": f"{source.ra_deg:.6f} {source.dec_deg:+.6f} deg",
        "magnitudes": "  ".join(f"{band} {_value(mag, err)}"
                                for band, (mag, err) in source.magnitudes.items()),
        "p": _value(source.p, source.p_err), "chi": _value(source.chi_deg, source.chi_err_deg),
        "redshift": _value(source.redshift, math.nan), "calibrates": ", ".join(source.calibrates),
        "calibrators": ", ".join(c.name for c in calibrators), "note": source.note,
    }
    for label, text in lines.items():
        if text:
            echo(f"  {label:<12} {text}", hang=13)


def _value(value: float, err: float) -> str:
    if not math.isfinite(value):
        return ""
    return f"{value:g} ± {err:g}" if math.isfinite(err) else f"{value:g}"
