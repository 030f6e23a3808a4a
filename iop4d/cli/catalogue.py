"""``iop4d catalogue``: the sources."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import click

from iop4d.cli.calibrators import check_calibrators, find_calibrators
from iop4d.cli.common import load, open_database, site_options
from iop4d.model.errors import CatalogueError


@click.group()
def catalogue() -> None:
    """Import, export and look at the sources: targets, their calibrators, standards.

    A change takes effect at once: what was measured is calibrated again by a running daemon, or
    by the next one.
    """


catalogue.add_command(find_calibrators)
catalogue.add_command(check_calibrators)


@catalogue.command("import")
@click.argument("table", metavar="FILE.csv|builtin:NAME")
@site_options
@click.pass_context
def import_(ctx: click.Context, table: str, site_after: str | None,
            overrides_after: tuple[str, ...]) -> None:
    """Add the sources of a CSV table, or replace those of the same name.

    Columns: name, other_names (separated by ;), ra, dec (degrees or sexagesimal), kind (target,
    calibrator, standard), calibrates (names of targets, separated by ;), mag_<band>,
    mag_<band>_err or mag_err, p and p_err (fractions), chi, chi_err (degrees), redshift, note.
    If any row is wrong, all wrong rows are listed and nothing is imported. Tables that ship
    with the program: builtin:blazars (blazars, comparison stars, standards)
    and builtin:standards (the polarisation standards alone).
    """
    from iop4d.store import catalogue as store
    from iop4d.store import catalogue_csv

    site = load(ctx, site_after, overrides_after)
    if table.startswith("builtin:"):
        text = catalogue_csv.builtin(table.partition(":")[2])
    else:
        try:
            text = Path(table).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise CatalogueError(f"{table} cannot be read: {error}") from error
    database = open_database(site, read_only=False)
    try:
        with database.write() as tx:
            sources = catalogue_csv.parse(text, known=store.load(tx).sources)
            added, replaced = store.save(tx, sources)
    except CatalogueError as error:
        raise CatalogueError(f"{table}: {error}") from None
    click.echo(f"{added} sources added, {replaced} replaced.")


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
@site_options
@click.pass_context
def list_(ctx: click.Context, kind: str | None, site_after: str | None,
          overrides_after: tuple[str, ...]) -> None:
    """List the sources."""
    from iop4d.store import catalogue as store

    database = open_database(load(ctx, site_after, overrides_after), read_only=True)
    with database.read() as db:
        loaded = store.load(db)
    for source in loaded.sources:
        if kind in (None, source.kind.value):
            serves = f"  calibrates {', '.join(source.calibrates)}" if source.calibrates else ""
            count = len(loaded.calibrators_of(source.name))
            served = f"  {count} calibrators" if source.kind == "target" else ""
            click.echo(f"{source.name:<24} {source.kind.value:<10} {source.ra_deg:10.5f} "
                       f"{source.dec_deg:+10.5f}{serves}{served}")


@catalogue.command()
@click.argument("name")
@site_options
@click.pass_context
def show(ctx: click.Context, name: str, site_after: str | None,
         overrides_after: tuple[str, ...]) -> None:
    """Show everything about one source, by any of its names."""
    from iop4d.store import catalogue as store

    database = open_database(load(ctx, site_after, overrides_after), read_only=True)
    with database.read() as db:
        source = store.find(db, name)
        calibrators = store.load(db).calibrators_of(source.name)
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
            click.echo(f"  {label:<12} {text}")


def _value(value: float, err: float) -> str:
    if not math.isfinite(value):
        return ""
    return f"{value:g} ± {err:g}" if math.isfinite(err) else f"{value:g}"
