"""``iop4d reprocess``: reduce frames again."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING

import click

from iop4d.cli.common import load, open_database, set_up_logging, site_options
from iop4d.cli.follow import do, report
from iop4d.model.errors import Iop4dError
from iop4d.model.states import RequestKind

if TYPE_CHECKING:
    from iop4d.config import Site

_SHOWN = 20  # frames that a dry run lists by name


@click.command()
@click.option("--source", metavar="NAME", help="Frames on which this source was measured.")
@click.option("--night", "nights", multiple=True, metavar="YYYY-MM-DD",
              help="Frames of this night; may be given again.")
@click.option("--instrument", metavar="NAME", help="Frames of this instrument.")
@click.option("--failed", is_flag=True, help="Frames that failed, were rejected or quarantined.")
@click.option("--stale", "only_stale", is_flag=True,
              help="Frames whose masters, settings or software have changed since.")
@click.option("--dry-run", is_flag=True, help="Only list them, with the reason.")
@site_options
@click.pass_context
def reprocess(ctx: click.Context, source: str | None, nights: tuple[str, ...],
              instrument: str | None, failed: bool, only_stale: bool, dry_run: bool,
              site_after: str | None, overrides_after: tuple[str, ...]) -> None:
    """Reduce frames again from their raw files: those that meet all conditions.

    Results keep their ids, flags set by hand and their history, and change in place. New frames go
    first. A changed catalogue needs no reprocessing: results follow it by themselves.
    """
    site = load(ctx, site_after, overrides_after)
    set_up_logging(ctx, level=logging.ERROR)
    if not (source or nights or instrument or failed or only_stale):
        raise Iop4dError("expected one of --source, --night, --instrument, --failed and --stale")
    chosen = _chosen(site, source, nights, instrument, failed=failed, only_stale=only_stale)
    if dry_run or not chosen:
        _list(chosen)
        return
    sys.exit(report(do(site, RequestKind.REPROCESS, {"frames": [id_ for id_, _, _ in chosen]})))


def _chosen(site: Site, source: str | None, nights: tuple[str, ...], instrument: str | None, *,
            failed: bool, only_stale: bool) -> list[tuple[int, str, str]]:
    """(id, name, why) of the frames."""
    from iop4d.instruments.discovery import find_instruments
    from iop4d.ledger.stale import stale
    from iop4d.model.states import FrameState
    from iop4d.store import catalogue
    from iop4d.store.frames import Chosen, choose
    from iop4d.store.status import TROUBLE

    with open_database(site, read_only=True).read() as db:
        rows = choose(db, Chosen(
            source=catalogue.find(db, source).name if source else "", nights=nights,
            instrument=instrument or "", science=not failed,
            states=TROUBLE if failed else (FrameState.DONE, FrameState.FAILED)))
        if not only_stale:
            return [(row.id, row.name, row.reason) for row in rows]
        instruments = {i.name: i for i in find_instruments(site.camera, site.polarimeter)}
        return [(s.frame, s.name, s.why)
                for s in stale(db, rows, site=site, instruments=instruments)]


def _list(chosen: list[tuple[int, str, str]]) -> None:
    click.echo(f"{len(chosen)} frames")
    for id_, name, why in chosen[:_SHOWN]:
        click.echo(f"  {id_:6d}  {name}  {why}".rstrip())
    if len(chosen) > _SHOWN:
        click.echo(f"  and {len(chosen) - _SHOWN} more")
