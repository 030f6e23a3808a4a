"""Triggers: notices from elsewhere that raise a source to a priority target; by hand, too."""

from __future__ import annotations

import getpass
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from iop4d.cli.common import TRIGGER_NUMBER, Amount, load, open_database, site_options
from iop4d.cli.output import echo, json_option, write_json
from iop4d.model.errors import Iop4dError

if TYPE_CHECKING:
    from iop4d.store.trigger_table import Trigger

_SHOWN = ("id", "source", "named", "state", "reason", "text", "significance", "flux", "flux_unit",
          "ra_deg", "dec_deg", "error_deg", "at", "issued_at", "received_at", "until", "origin",
          "event")


@click.group(invoke_without_command=True)
@click.option("--all", "all_", is_flag=True, help="Also those that are over or raise nothing.")
@json_option
@site_options
@click.pass_context
def triggers(ctx: click.Context, all_: bool, as_json: bool, site_after: str | None,
             overrides_after: tuple[str, ...]) -> None:
    """List the triggers: notices that raise a source to a priority target; add or end one."""
    if ctx.invoked_subcommand is not None:
        return
    from iop4d.store import triggers as store

    site, now = load(ctx, site_after, overrides_after), time.time()
    with open_database(site, read_only=True).read() as db:
        found = store.newest(db) if all_ else store.active(db, now)
    if as_json:
        write_json([{name: getattr(row, name) for name in _SHOWN} for row in found])
        return
    for row in found:
        echo(_line(row, now))
    if not found:
        click.echo("There is no trigger." if all_ else
                   "No source is raised by a trigger; --all lists those that are over.")


@triggers.command()
@click.argument("source", required=False)
@click.option("--hours", type=Amount(min=0, min_open=True, max=24 * 366),
              help="For how long. [triggers] for_hours of the site file, if not given.")
@click.option("--text", default="", help="What happened, in a line.")
@click.option("--notice", type=click.Path(exists=True, dir_okay=False, path_type=Path),
              help="A file with a notice instead: JSON, a VOEvent or a text of GCN.")
@site_options
@click.pass_context
def add(ctx: click.Context, source: str | None, hours: float | None, text: str,
        notice: Path | None, site_after: str | None, overrides_after: tuple[str, ...]) -> None:
    """Raise SOURCE, by any of its names, to a priority target for a time."""
    from iop4d.store import catalogue
    from iop4d.triggers.receive import receive

    if (source is None) == (notice is None):
        raise click.UsageError("Expected the name of a source, or --notice FILE.")
    if notice is not None and (hours is not None or text):
        raise click.UsageError("--hours and --text do not go with --notice, which says both.")
    site, by, now = load(ctx, site_after, overrides_after), getpass.getuser(), time.time()
    with open_database(site, read_only=False).write() as tx:
        if notice is not None:
            body = notice.read_bytes()
        else:
            catalogue.find(tx, str(source))  # says which names are like it
            body = json.dumps({"source": source, "text": text or f"by {by}",
                               "id": f"{by} {now:.3f}"}
                              | ({} if hours is None else {"hours": hours})).encode()
        found = receive(tx, body, origin=f"command of {by}", settings=site.triggers, now=now,
                        by=by)
    if found.wrong:
        raise Iop4dError(f"{notice}: {found.wrong}")
    echo(("" if found.is_new else "known already: ") + _line(found.row, now))


@triggers.command()
@click.argument("id_", metavar="ID", type=TRIGGER_NUMBER)
@click.option("--why", default="", help="Why, for those who look at it later.")
@site_options
@click.pass_context
def end(ctx: click.Context, id_: int, why: str, site_after: str | None,
        overrides_after: tuple[str, ...]) -> None:
    """End the trigger ID before its time."""
    from iop4d.store import triggers as store

    site, now = load(ctx, site_after, overrides_after), time.time()
    with open_database(site, read_only=False).write() as tx:
        row = store.find(tx, id_)
        if row is None:
            raise Iop4dError(f"there is no trigger {id_}; 'iop4d triggers --all' lists them")
        was = row.reason
        ended = store.end(tx, row, by=getpass.getuser(), now=now, why=why)
    echo(("" if ended.reason != was else "not changed: ") + _line(ended, now))


def _line(row: Trigger, now: float) -> str:
    from iop4d.model.states import TriggerState
    from iop4d.model.units import utc_of_unix

    what: Any = row.source or row.named or "no source"
    state = row.state + (f" ({row.reason})" if row.reason else "")
    if row.state == TriggerState.ACCEPTED:
        word = "priority until" if row.until > now else "was a priority target until"
        state = f"{word} {utc_of_unix(row.until)} UTC"
    sigma = f", {row.significance:.1f} sigma" if row.significance is not None else ""
    return f"{row.id}: {what}: {state}; {row.text or 'no text'}{sigma}; from {row.origin}"
