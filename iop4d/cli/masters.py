"""``iop4d masters``: the masters, and what people think of them."""

from __future__ import annotations

import logging

import click

from iop4d.cli.common import load, open_database, set_up_logging, site_options
from iop4d.cli.follow import do
from iop4d.model.errors import Iop4dError


@click.group()
def masters() -> None:
    """List the masters; set bad ones aside, or take them back."""


@masters.command("list")
@click.option("--night", metavar="YYYY-MM-DD", help="Only of this night.")
@click.option("--instrument", metavar="NAME", help="Only of this instrument.")
@site_options
@click.pass_context
def list_(ctx: click.Context, night: str | None, instrument: str | None, site_after: str | None,
          overrides_after: tuple[str, ...]) -> None:
    """One line a master: id, state, night, kind, how many frames, level, and why it is not used."""
    from iop4d.store.schema import Master

    database = open_database(load(ctx, site_after, overrides_after), read_only=True)
    with database.connected():
        query = Master.select().order_by(Master.night, Master.instrument, Master.kind)
        if night:
            query = query.where(Master.night == night)
        if instrument:
            query = query.where(Master.instrument == instrument)
        for row in query:
            level = "" if row.level is None else f"level {row.level:.4g}"
            click.echo(f"{row.id:5d}  {row.state:9s}  {row.night}  {row.instrument:10s} "
                       f"{row.kind:5s} {row.band or '-':2s} {row.layout:20s} "
                       f"{row.n_frames:3d} frames  {level}  {row.reason}".rstrip())


@masters.command("set-aside")
@click.argument("ids", metavar="ID...", type=int, nargs=-1, required=True)
@click.option("--reason", required=True, metavar="TEXT", help="Why, in words.")
@site_options
@click.pass_context
def set_aside(ctx: click.Context, ids: tuple[int, ...], reason: str, site_after: str | None,
              overrides_after: tuple[str, ...]) -> None:
    """Use masters no more. What was reduced with them is done again with the next best."""
    _judge(ctx, ids, (), reason, site_after, overrides_after)


@masters.command()
@click.argument("ids", metavar="ID...", type=int, nargs=-1, required=True)
@site_options
@click.pass_context
def restore(ctx: click.Context, ids: tuple[int, ...], site_after: str | None,
            overrides_after: tuple[str, ...]) -> None:
    """Use masters again that were set aside, or refused for an odd level."""
    _judge(ctx, (), ids, "", site_after, overrides_after)


def _judge(ctx: click.Context, aside: tuple[int, ...], back: tuple[int, ...], reason: str,
           site_after: str | None, overrides_after: tuple[str, ...]) -> None:
    from iop4d.store.schema import Master

    site = load(ctx, site_after, overrides_after)
    set_up_logging(ctx, level=logging.ERROR)
    database = open_database(site, read_only=True)
    with database.connected():
        known = {row.id for row in Master.select(Master.id)}
    if missing := sorted({*aside, *back} - known):
        raise Iop4dError(f"no master {', '.join(map(str, missing))}; 'iop4d masters list' shows "
                         "their ids")
    do(site, "masters", {"aside": list(aside), "back": list(back), "reason": reason})
    click.echo(f"{len(aside) + len(back)} masters {'set aside' if aside else 'restored'}; what "
               "they change is done again")
