"""``iop4d explain`` and ``iop4d flag``: what a result rests on, and flags set by hand."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from iop4d.cli.common import RESULT_NUMBER, load, open_database, site_options
from iop4d.cli.output import echo
from iop4d.model import plain_json
from iop4d.model.errors import Iop4dError

if TYPE_CHECKING:
    from iop4d.config import Site
    from iop4d.store.database import Database


@click.command()
@click.argument("result", type=RESULT_NUMBER)
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@click.option("--plot", type=click.Path(path_type=Path), metavar="FILE.png",
              help="Also draw the modulation that a polarimetry group shows, with all fits.")
@click.option("--try", "tried", multiple=True, metavar="KEY=VALUE",
              help="Compute it with another setting, beside the stored one, which stays as it is; "
                   "may be given again.")
@click.option("--without", multiple=True, metavar="STAR",
              help="Compute it without this calibrator, likewise; may be given again.")
@site_options
@click.pass_context
def explain(ctx: click.Context, result: int, as_json: bool, plot: Path | None,
            tried: tuple[str, ...], without: tuple[str, ...], site_after: str | None,
            overrides_after: tuple[str, ...]) -> None:
    """Show what a result rests on, by its id as 'iop4d results' lists it.

    Its frames and their masters, its calibrators with their zero points, apertures, every method
    that applies, settings, versions, and its earlier values. With --try or --without: what it
    would be with other settings; nothing is written.
    """
    from iop4d.store import provenance
    from iop4d.web.explained import lines_of, modulation

    site = load(ctx, site_after, overrides_after)
    database = open_database(site, read_only=True)
    if tried or without:
        _try(site, database, result, tried, without, as_json=as_json)
        return
    with database.read() as db:
        chain = provenance.explain(db, result,
                                   index_minutes=site.photometry.spectral_index_minutes)
        if plot is not None:
            plot.write_bytes(modulation(db, chain, site))
    if as_json:
        click.echo(plain_json.dumps(chain, indent=2))
        return
    for line in lines_of(chain):
        echo(line)


def _try(site: Site, database: Database, result_id: int, tried: tuple[str, ...],
         without: tuple[str, ...], *, as_json: bool) -> None:
    """Compute a result with other settings in this process, and print the comparison."""
    from iop4d.instruments.discovery import find_instruments
    from iop4d.ledger.compared import compare, notes_of
    from iop4d.ledger.trials import answer_of, plan_trial
    from iop4d.reduction.context import WorkerContext
    from iop4d.reduction.workbench import Workbench
    from iop4d.store import catalogue, results

    said = dict(one.partition("=")[::2] for one in tried)
    instruments = {one.name: one for one in find_instruments(
        site.camera, site.polarimeter, site.colour_term)}
    with database.read() as db:
        planned = plan_trial(db, result_id, {key.strip(): value for key, value in said.items()},
                             without, site=site, instruments=instruments)
        row = results.find(db, result_id)
        bench = Workbench(WorkerContext(site=site, catalogue=catalogue.load(db)))
    answer = answer_of(bench.perform(planned))
    if "error" in answer:
        raise Iop4dError(f"result {result_id} cannot be computed so: {answer['error']}")
    assert row is not None
    if as_json:
        click.echo(plain_json.dumps(answer, indent=2))
        return
    echo(f"{'':<24}{'on record':>20}{'its frames alone':>20}{'tried':>20}{'difference':>12}"
         f"{'sigma':>8}")
    for line in compare(row.__data__, answer):
        pairs = "".join(f"{_with_error(*pair, line.digits):>20}"
                        for pair in (line.kept, line.stored, line.tried))
        label = f"{line.label} [{line.unit}]" if line.unit else line.label
        echo(f"{label:<24}{pairs}{_signed(line.difference, line.digits):>12}"
             f"{_signed(line.sigmas, 2):>8}")
    for note in notes_of(dict(planned.settings), answer):
        echo(note)


def _with_error(value: float | None, error: float | None, digits: int) -> str:
    text = "-" if value is None else f"{value:.{digits}f}"
    return text if value is None or error is None else f"{text} ± {error:.{digits}f}"


def _signed(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:+.{digits}f}"


@click.command()
@click.argument("results", metavar="RESULT...", type=RESULT_NUMBER, nargs=-1, required=True)
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
