"""``iop4d masters``: list the masters, reject and restore some."""

from __future__ import annotations

import getpass
import logging
from typing import TYPE_CHECKING, Any

import click

from iop4d.cli.common import (
    MASTER_NUMBER,
    NIGHT,
    check_instrument,
    load,
    open_database,
    set_up_logging,
    site_options,
)
from iop4d.cli.follow import do
from iop4d.cli.output import counted, echo, json_option, write_json
from iop4d.model.errors import Iop4dError

if TYPE_CHECKING:
    from iop4d.config import Site


_COLUMNS = ("id", "state", "night", "instrument", "kind", "band", "layout", "n_frames", "level",
            "path", "reason")


@click.group()
def masters() -> None:
    """List the masters; reject bad ones, or restore them."""


@masters.command("list")
@click.option("--night", type=NIGHT, metavar="NIGHT", help="Only of this night.")
@click.option("--instrument", metavar="NAME", help="Only of this instrument.")
@json_option
@site_options
@click.pass_context
def list_(ctx: click.Context, night: str | None, instrument: str | None, as_json: bool,
          site_after: str | None, overrides_after: tuple[str, ...]) -> None:
    """One line a master: id, state, night, kind, how many frames, level, and why it is not used."""
    from iop4d.store.masters import listed

    site = load(ctx, site_after, overrides_after)
    check_instrument(site, instrument)
    with open_database(site, read_only=True).read() as db:
        rows = listed(db, night=night, instrument=instrument)
    if as_json:
        write_json([{name: getattr(row, name) for name in _COLUMNS} for row in rows])
        return
    for row in rows:
        level = "" if row.level is None else f"level {row.level:.4g}"
        echo(f"{row.id:5d}  {row.state:9s}  {row.night}  {row.instrument:10s} "
             f"{row.kind:5s} {row.band or '-':2s} {row.layout:20s} "
             f"{counted(row.n_frames, 'frame'):>10}  {level}  {row.reason}".rstrip())
    if not rows:
        click.echo("No masters.", err=True)


@masters.command()
@click.argument("ids", metavar="ID...", type=MASTER_NUMBER, nargs=-1, required=True)
@click.option("--reason", required=True, metavar="TEXT", help="Why, in words.")
@site_options
@click.pass_context
def reject(ctx: click.Context, ids: tuple[int, ...], reason: str, site_after: str | None,
           overrides_after: tuple[str, ...]) -> None:
    """Reject masters: what was reduced with them is reduced again with the next best."""
    site = load(ctx, site_after, overrides_after)
    _request(ctx, site, ids, {"reject": list(ids), "restore": [], "reason": reason})
    click.echo(f"{counted(len(ids), 'master')} rejected; frames that used them are reduced again")


@masters.command()
@click.argument("ids", metavar="ID...", type=MASTER_NUMBER, nargs=-1, required=True)
@site_options
@click.pass_context
def restore(ctx: click.Context, ids: tuple[int, ...], site_after: str | None,
            overrides_after: tuple[str, ...]) -> None:
    """Use masters again that were rejected, or refused because their level deviates."""
    site = load(ctx, site_after, overrides_after)
    _request(ctx, site, ids, {"reject": [], "restore": list(ids), "reason": ""})
    click.echo(f"{counted(len(ids), 'master')} restored; frames that they suit better are reduced "
               "again")


def _request(ctx: click.Context, site: Site, ids: tuple[int, ...],
             content: dict[str, Any]) -> None:
    from iop4d.model.states import RequestKind
    from iop4d.store.masters import among

    set_up_logging(ctx, level=logging.ERROR)
    with open_database(site, read_only=True).read() as db:
        known = {row.id for row in among(db, ids)}
    if missing := sorted(set(ids) - known):
        raise Iop4dError(f"no master {', '.join(map(str, missing))}; 'iop4d masters list' shows "
                         "their ids")
    do(site, RequestKind.MASTERS, content | {"by": getpass.getuser()})
