"""``iop4d results``: the results as a table."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from iop4d.cli.common import load, open_database, site_options
from iop4d.model.errors import Iop4dError


@click.command()
@click.option("--format", "form", type=click.Choice(["csv", "ecsv", "votable"]), default="csv",
              show_default=True, help="Format of the table.")
@click.option("--source", "sources", multiple=True, metavar="NAME",
              help="Only this source, by any of its names; may be repeated.")
@click.option("--band", "bands", multiple=True, help="Only this band; may be repeated.")
@click.option("--since", metavar="TIME",
              help="Only points from this time on: JD, MJD or UTC such as 2024-03-14T21:00.")
@click.option("--until", metavar="TIME", help="Only points up to this time.")
@click.option("--all-columns", is_flag=True,
              help="Add BJD, q and u, debiased p, limits, host-free values, method, revision.")
@click.option("--output", type=click.Path(path_type=Path), metavar="FILE",
              help="Write to a file instead of standard output.")
@site_options
@click.pass_context
def results(ctx: click.Context, form: str, sources: tuple[str, ...], bands: tuple[str, ...],
            since: str | None, until: str | None, all_columns: bool, output: Path | None,
            site_after: str | None, overrides_after: tuple[str, ...]) -> None:
    """Write one row for each result, in order of time.

    Times are JD(UTC) of mid-exposure. p is a fraction, chi is in degrees east of north. Flags are
    names joined by ';'. Unknown values are empty.
    """
    from iop4d.cli import tables
    from iop4d.store import catalogue
    from iop4d.store.results import Selection, select

    database = open_database(load(ctx, site_after, overrides_after), read_only=True)
    with database.read() as db:
        chosen = Selection(sources=tuple(catalogue.find(db, name).name for name in sources),
                           bands=bands, since_jd=_jd("--since", since),
                           until_jd=_jd("--until", until))
        columns = tables.COLUMNS | (tables.MORE_COLUMNS if all_columns else {})
        rows = [tables.row(result, columns) for result in select(db, chosen)]
    data = tables.FORMS[form](rows, columns)
    if output is not None:
        output.write_bytes(data)
    else:
        sys.stdout.buffer.write(data)


def _jd(option: str, value: str | None) -> float | None:
    from iop4d.instruments.base import julian_date
    from iop4d.model.errors import CardError

    if value is None:
        return None
    try:
        return julian_date({"TIME": value}, "TIME")
    except CardError:
        raise Iop4dError(f"{option} is '{value}', expected JD, MJD or a time such as "
                         "2024-03-14T21:00") from None
