"""``iop4d alerts``: what goes on, and saying that one knows."""

from __future__ import annotations

import getpass
import json
import time
from typing import TYPE_CHECKING

import click

from iop4d.cli.common import load, open_database, site_options

if TYPE_CHECKING:
    from iop4d.store.schema import Alert

_LATEST = 30  # alerts that are shown of those that are over


@click.group(invoke_without_command=True)
@click.option("--all", "every", is_flag=True, help="Those that are over too, the latest first.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@site_options
@click.pass_context
def alerts(ctx: click.Context, every: bool, as_json: bool, site_after: str | None,
           overrides_after: tuple[str, ...]) -> None:
    """The alerts that go on, by the tags that name them."""
    if ctx.invoked_subcommand is not None:
        return
    from iop4d.alerts.rules import ACTIVE
    from iop4d.store.schema import Alert

    site = load(ctx, site_after, overrides_after)
    with open_database(site, read_only=True).connected():
        query = Alert.select().order_by(Alert.fired_at.desc())
        rows = list(query.limit(_LATEST) if every else query.where(
            Alert.state.in_((*ACTIVE, "pending"))))
        lines = [(_facts(row), _line(row)) for row in rows]
    if as_json:
        click.echo(json.dumps([facts for facts, _ in lines], indent=2))
        return
    for _, line in lines:
        click.echo(line)
    if not lines:
        click.echo("No alert goes on." if not every else "No alert so far.")


def _facts(alert: Alert) -> dict[str, object]:
    from iop4d.alerts.compose import tag

    return {"tag": tag(alert), **{name: getattr(alert, name) for name in (
        "id", "rule", "source", "band", "episode", "state", "condition", "severity", "value",
        "fired_jd", "resolved_jd", "fired_at", "told_at", "acknowledged_by", "snoozed_until",
        "note")}}


def _line(alert: Alert) -> str:
    from iop4d.alerts.compose import tag
    from iop4d.model.units import utc_of_jd

    who = f" by {alert.acknowledged_by}" if alert.acknowledged_by else ""
    note = f" ({alert.note})" if alert.note else ""
    return (f"{tag(alert)}  {alert.state}{who}  {alert.rule}: {alert.source} {alert.band}".rstrip()
            + f"  {alert.condition}, since {utc_of_jd(alert.fired_jd)} UTC{note}")


@alerts.command()
@click.argument("alert", default="")
@click.option("--note", default="", help="What the others should know.")
@site_options
@click.pass_context
def ack(ctx: click.Context, alert: str, note: str, site_after: str | None,
        overrides_after: tuple[str, ...]) -> None:
    """Say that you know: ALERT (its tag or source; else the one told last) is not told again."""
    from iop4d.alerts import desk
    from iop4d.alerts.compose import tag

    site = load(ctx, site_after, overrides_after)
    with open_database(site, read_only=False).write():
        found = desk.find(alert)
        desk.acknowledge(found, by=getpass.getuser(), now=time.time(), note=note)
    click.echo(f"{tag(found)} is acknowledged: {found.rule}, {found.source} {found.band}".rstrip())


@alerts.command()
@click.argument("alert")
@click.argument("span")
@site_options
@click.pass_context
def snooze(ctx: click.Context, alert: str, span: str, site_after: str | None,
           overrides_after: tuple[str, ...]) -> None:
    """Do not tell ALERT again for SPAN, such as 3h."""
    from iop4d.alerts import desk
    from iop4d.alerts.compose import tag

    site = load(ctx, site_after, overrides_after)
    with open_database(site, read_only=False).write():
        found = desk.find(alert)
        desk.snooze(found, desk.span_of(span), by=getpass.getuser(), now=time.time())
    what = f"{found.rule}, {found.source} {found.band}".rstrip()
    click.echo(f"{tag(found)} sleeps for {span}: {what}")
