"""``iop4d alerts``: the active alerts; acknowledging and snoozing them."""

from __future__ import annotations

import getpass
import json
import time
from typing import TYPE_CHECKING

import click

from iop4d.cli.common import load, open_database, site_options

if TYPE_CHECKING:
    from iop4d.store.schema import Alert

_LATEST = 30  # alerts that are listed of those that are over


@click.group(invoke_without_command=True)
@click.option("--all", "every", is_flag=True, help="List resolved ones too, the latest first.")
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
@site_options
@click.pass_context
def alerts(ctx: click.Context, every: bool, as_json: bool, site_after: str | None,
           overrides_after: tuple[str, ...]) -> None:
    """List the active and pending alerts, with the tags that name them."""
    if ctx.invoked_subcommand is not None:
        return
    from iop4d.store import alerts as store

    site = load(ctx, site_after, overrides_after)
    with open_database(site, read_only=True).read() as db:
        rows = store.newest(db, _LATEST) if every else store.unfinished(db)
    if as_json:
        click.echo(json.dumps([_facts(row) for row in rows], indent=2))
        return
    for row in rows:
        click.echo(_line(row))
    if not rows:
        click.echo("No alerts so far." if every else "No active alerts.")


def _facts(alert: Alert) -> dict[str, object]:
    from iop4d.alerts.episodes import tag

    return {"tag": tag(alert), **{name: getattr(alert, name) for name in (
        "id", "rule", "source", "band", "episode", "state", "condition", "severity", "value",
        "fired_jd", "resolved_jd", "fired_at", "notified_at", "acknowledged_by", "snoozed_until",
        "note")}}


def _line(alert: Alert) -> str:
    from iop4d.alerts.episodes import tag
    from iop4d.model.units import utc_of_jd

    who = f" by {alert.acknowledged_by}" if alert.acknowledged_by else ""
    note = f" ({alert.note})" if alert.note else ""
    return (f"{tag(alert)}  {alert.state}{who}  {alert.rule}: {alert.source} {alert.band}".rstrip()
            + f"  {alert.condition}, since {utc_of_jd(alert.fired_jd)} UTC{note}")


@alerts.command()
@click.argument("alert", default="")
@click.option("--note", default="", help="A note for the alert's history.")
@site_options
@click.pass_context
def ack(ctx: click.Context, alert: str, note: str, site_after: str | None,
        overrides_after: tuple[str, ...]) -> None:
    """Acknowledge ALERT (a tag or source; default: the last notified): no further reminders."""
    from iop4d.alerts import actions

    site = load(ctx, site_after, overrides_after)
    with open_database(site, read_only=False).write() as tx:
        found = actions.acknowledge(tx, actions.find(tx, alert), by=getpass.getuser(),
                                    now=time.time(), note=note)
    click.echo(f"Acknowledged {actions.described(found)}.")


@alerts.command()
@click.argument("alert")
@click.argument("duration")
@site_options
@click.pass_context
def snooze(ctx: click.Context, alert: str, duration: str, site_after: str | None,
           overrides_after: tuple[str, ...]) -> None:
    """Send no reminders of ALERT for DURATION, such as 3h."""
    from iop4d.alerts import actions
    from iop4d.alerts.rendering import moment

    site = load(ctx, site_after, overrides_after)
    with open_database(site, read_only=False).write() as tx:
        found = actions.snooze(tx, actions.find(tx, alert), actions.duration_of(duration),
                               by=getpass.getuser(), now=time.time())
    click.echo(f"Snoozed {actions.described(found)} until "
               f"{moment(found.snoozed_until)} UTC.")
