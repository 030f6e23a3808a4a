"""``iop4d external``: points that others measured, to compare the group's own with."""

from __future__ import annotations

import getpass
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from iop4d.cli.common import Number, load, open_database, site_options
from iop4d.cli.output import counted, echo, json_option, write_json
from iop4d.model.plain_json import plain

if TYPE_CHECKING:
    from iop4d.store.external_tables import ExternalTable

_SHOWN = ("id", "source", "origin", "reference", "file", "sha256", "times", "count", "first_jd",
          "last_jd", "imported_by", "imported_at")


@click.group(invoke_without_command=True)
@json_option
@site_options
@click.pass_context
def external(ctx: click.Context, as_json: bool, site_after: str | None,
             overrides_after: tuple[str, ...]) -> None:
    """List the points that others measured, which light curves show; import or remove them.

    They are drawn beside the group's own points, with their origin. No mean, file of results, alert
    or telegram has them.
    """
    if ctx.invoked_subcommand is not None:
        return
    from iop4d.store import external as store

    with open_database(load(ctx, site_after, overrides_after), read_only=True).read() as db:
        found = store.tables(db)
    if as_json:
        write_json([{name: getattr(row, name) for name in _SHOWN} for row in found])
        return
    for row in found:
        echo(_line(row))
    if not found:
        click.echo("There are no points of others; 'iop4d external import' adds a table of them.")


@external.command("import")
@click.argument("table", metavar="FILE", type=click.Path(exists=True, dir_okay=False,
                                                         path_type=Path))
@click.option("--source", required=True, help="The source that they are of, by any of its names.")
@click.option("--origin", required=True,
              help="Whose points: a telescope, a survey, a paper. What was imported from the same "
                   "origin before is replaced.")
@click.option("--reference", default="", help="How to cite them.")
@click.option("--band", default="", help="Their band, where the table does not say it.")
@click.option("--percent", is_flag=True, help="Degrees of polarisation of the column p are "
                                              "percent, not fractions.")
@json_option
@site_options
@click.pass_context
def import_(ctx: click.Context, table: Path, source: str, origin: str, reference: str, band: str,
            percent: bool, as_json: bool, site_after: str | None,
            overrides_after: tuple[str, ...]) -> None:
    """Import the points of FILE: CSV, TSV, text with blanks, ECSV, FITS or VOTable.

    Columns are found by the names that surveys give them: the time as jd, mjd, hjd, bjd or date;
    band or filter; mag with mag_err, or mag_limit; p with p_err (fractions), or p_percent;
    chi_deg or evpa with its error. 'iop4d docs external' lists all of them.

    \b
    iop4d external import asassn.csv --source "BL Lac" --origin "ASAS-SN" \\
        --reference "Shappee et al. 2014"
    """
    from iop4d.fields.point_table import Wanted, read_points
    from iop4d.store import catalogue
    from iop4d.store import external as store

    site = load(ctx, site_after, overrides_after)
    database = open_database(site, read_only=False)
    with database.read() as db:
        found = catalogue.find(db, source)
    points = read_points(table, Wanted(names=(found.name, *found.other_names), band=band.strip(),
                                       percent=percent))
    with database.write() as tx:
        row, replaced = store.save(tx, found.name, points, origin=origin.strip(),
                                   reference=reference.strip(), file=table.name,
                                   by=getpass.getuser(), now=time.time())
    if as_json:
        write_json({**plain({name: getattr(row, name) for name in _SHOWN}),
                    "replaced": replaced, "left_out": points.left_out})
        return
    echo(_line(row))
    if replaced:
        echo(f"  {counted(replaced, 'point')} of the import before replaced")
    for why, count in sorted(points.left_out.items()):
        echo(f"  {counted(count, 'row')} left out: {why}")


@external.command()
@click.argument("id_", metavar="ID", type=Number("table", "'iop4d external'"))
@site_options
@click.pass_context
def remove(ctx: click.Context, id_: int, site_after: str | None,
           overrides_after: tuple[str, ...]) -> None:
    """Remove the table ID with its points."""
    from iop4d.store import external as store

    database = open_database(load(ctx, site_after, overrides_after), read_only=False)
    with database.write() as tx:
        row = store.remove(tx, id_, by=getpass.getuser(), now=time.time())
    echo(f"removed: {_line(row)}")


def _line(row: ExternalTable) -> str:
    from iop4d.model.units import utc_of_jd

    when = " to ".join(dict.fromkeys(utc_of_jd(jd)[:10] for jd in (row.first_jd, row.last_jd)))
    return (f"{row.id}: {row.source}: {counted(row.count, 'point')} of {row.origin}, {when}, times "
            f"as {row.times}; {row.file}" + (f"; {row.reference}" if row.reference else ""))
