"""``iop4d explain`` and ``iop4d flag``: what a result rests on, and flags set by hand."""

from __future__ import annotations

import json
from pathlib import Path

import click

from iop4d.cli.common import ID, load, open_database, site_options
from iop4d.cli.output import echo


@click.command()
@click.argument("result", type=ID)
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@click.option("--plot", type=click.Path(path_type=Path), metavar="FILE.png",
              help="Also draw the modulation that a polarimetry group shows, with all fits.")
@site_options
@click.pass_context
def explain(ctx: click.Context, result: int, as_json: bool, plot: Path | None,
            site_after: str | None, overrides_after: tuple[str, ...]) -> None:
    """Show what a result rests on, by its id as 'iop4d results' lists it.

    Its frames and their masters, its calibrators with their zero points, apertures, every method
    that applies, settings, versions, and its earlier values.
    """
    from iop4d.store import provenance
    from iop4d.web.explained import lines_of, modulation

    site = load(ctx, site_after, overrides_after)
    database = open_database(site, read_only=True)
    with database.read() as db:
        chain = provenance.explain(db, result,
                                   index_minutes=site.photometry.spectral_index_minutes)
        if plot is not None:
            plot.write_bytes(modulation(db, chain, site))
    if as_json:
        click.echo(json.dumps(chain, indent=2))
        return
    for line in lines_of(chain):
        echo(line)


@click.command()
@click.argument("results", metavar="RESULT...", type=ID, nargs=-1, required=True)
@click.option("--note", metavar="TEXT", default="", help="The reason.")
@click.option("--name", metavar="WORD", default="bad", show_default=True,
              help="Which flag: bad, clouds, trailed, or any other word.")
@click.option("--by", metavar="WHO", default="", help="Who sets it.")
@click.option("--remove", is_flag=True, help="Remove the flag.")
@site_options
@click.pass_context
def flag(ctx: click.Context, results: tuple[int, ...], note: str, name: str, by: str,
         remove: bool, site_after: str | None, overrides_after: tuple[str, ...]) -> None:
    """Flag results by hand. Such a flag is kept when frames are reduced again.

    Alerts ignore results flagged by hand; tables and pages show the flag.
    """
    import time

    from iop4d.store.flagging import clear_flag, set_flag

    database = open_database(load(ctx, site_after, overrides_after), read_only=False)
    with database.write() as tx:
        change = clear_flag if remove else set_flag
        changed = change(tx, results, name, note=note, by=by, now=time.time())
    count = f"{changed} result{'s' * (changed != 1)}"
    click.echo(f"{count}: flag '{name}' {'removed' if remove else 'set'}")
