"""``iop4d retry``: try frames again that failed or were quarantined."""

from __future__ import annotations

import logging
import sys

import click

from iop4d.cli.common import load, open_database, set_up_logging, site_options
from iop4d.cli.follow import do, report
from iop4d.model.errors import Iop4dError
from iop4d.model.states import RequestKind


@click.command()
@click.argument("frames", metavar="[FRAME...]", type=int, nargs=-1)
@click.option("--failed", is_flag=True, help="Every frame that failed or was rejected.")
@click.option("--quarantined", is_flag=True,
              help="Every frame that was quarantined because its worker crashed or hung.")
@click.option("--archive", metavar="NAME", help="Only those of this archive.")
@click.option("--night", metavar="YYYY-MM-DD", help="Only those of this night.")
@site_options
@click.pass_context
def retry(ctx: click.Context, frames: tuple[int, ...], failed: bool, quarantined: bool,
          archive: str | None, night: str | None, site_after: str | None,
          overrides_after: tuple[str, ...]) -> None:
    """Try frames again, by their ids as 'iop4d status --json' and the page show them.

    Their attempts are counted from the start. Raw files are untouched, and what was found before
    stands until it is replaced.
    """
    from iop4d.model.states import FrameState
    from iop4d.store.frames import Chosen, choose

    if not (frames or failed or quarantined):
        raise Iop4dError("name the frames: their ids, --failed or --quarantined")
    site = load(ctx, site_after, overrides_after)
    set_up_logging(ctx, level=logging.ERROR)
    states = [FrameState.FAILED, FrameState.REJECTED] * failed \
        + [FrameState.QUARANTINED] * quarantined
    with open_database(site, read_only=True).read() as db:
        ids = sorted(row.id for row in choose(db, Chosen(
            ids=frames, states=tuple(states), archive=archive or "",
            nights=(night,) if night else ())))
    if unknown := set(frames) - set(ids):
        raise Iop4dError("no frame " + ", ".join(map(str, sorted(unknown))))
    if not ids:
        click.echo("No such frame: nothing to try again.")
        return
    sys.exit(report(do(site, RequestKind.REPROCESS, {"frames": ids})))
