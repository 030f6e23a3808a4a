"""``iop4d channels``: how people are told, whether it works, and a test message."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from typing import TYPE_CHECKING, Any

import click

from iop4d.cli.common import load, open_database, set_up_logging, site_options
from iop4d.model.errors import Iop4dError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from iop4d.alerts.channels.base import Channel as Way
    from iop4d.alerts.channels.base import Notice
    from iop4d.config import Channel, Site


@click.group(invoke_without_command=True)
@site_options
@click.pass_context
def channels(ctx: click.Context, site_after: str | None, overrides_after: tuple[str, ...]) -> None:
    """How people are told of alerts: mail, Telegram, webhooks and other services.

    Without a command: every channel with its recipients, its last success, what waits, and what
    went wrong last.
    """
    if ctx.invoked_subcommand is None:
        site = load(ctx, site_after, overrides_after)
        states = _states(site)
        for channel in site.channel:
            _show(channel, states.get(channel.name, {}), time.time())
        if not site.channel:
            click.echo("No channel: add a [[channel]] section to the site file "
                       "(docs/channels.md).")


@channels.command()
@click.argument("name", required=False)
@click.option("--to", "recipient", metavar="RECIPIENT",
              help="Only this recipient, who need not be in the site file.")
@site_options
@click.pass_context
def test(ctx: click.Context, name: str | None, recipient: str | None, site_after: str | None,
         overrides_after: tuple[str, ...]) -> None:
    """Send a test message now, by the channel NAME or by all, and tell what became of it.

    It goes out directly, whatever waits, and is not tried again.
    """
    from iop4d.alerts.channels.base import make_channels

    site = load(ctx, site_after, overrides_after)
    set_up_logging(ctx, level=logging.ERROR)
    chosen = _chosen(site, name, recipient)
    ways = make_channels(site)
    failed = 0
    for channel in chosen:
        recipients = (recipient,) if recipient else channel.to
        if not recipients:
            raise Iop4dError(f"channel '{channel.name}' has no recipient: set its key 'to', or "
                             "name one with --to")
        failed += asyncio.run(_send_all(ways[channel.name], channel, recipients, _notice(site)))
    ctx.exit(1 if failed else 0)


def _chosen(site: Site, name: str | None, recipient: str | None) -> list[Channel]:
    names = ", ".join(channel.name for channel in site.channel)
    if not site.channel:
        raise Iop4dError("the site file has no [[channel]] section; docs/channels.md shows some")
    chosen = [channel for channel in site.channel if name in (None, channel.name)]
    if not chosen:
        raise Iop4dError(f"no channel is named '{name}'; there are {names}")
    if recipient and len(chosen) > 1:
        raise Iop4dError(f"say by which channel to reach {recipient}: {names}")
    return chosen


def _notice(site: Site) -> Notice:
    from iop4d.alerts.channels.base import Notice
    from iop4d.model.states import MessageKind

    name = site.site.name
    return Notice(
        id=f"<iop4d.test.{secrets.token_hex(8)}@localhost>", kind=MessageKind.TEST.value,
        at=time.time(), subject=f"[{name}] Test message", severity="info", link=site.site.url,
        text=f"This is a test message of {name}, sent by hand. Alerts come this way.",
        html=f"<p>This is a test message of {_escaped(name)}, sent by hand. Alerts come this "
             "way.</p>")


def _escaped(text: str) -> str:
    from html import escape

    return escape(text)


async def _send_all(way: Way, channel: Channel, recipients: Iterable[str], notice: Notice) -> int:
    """Send a notice to some recipients of one channel; how many did not take it."""
    from iop4d.alerts.channels.base import SendError

    failed = 0
    for recipient in recipients:
        try:
            await way.send(notice, recipient)
        except SendError as error:
            failed += 1
            more = f"; use {error.moved_to} in its place" if error.moved_to else ""
            click.echo(f"{channel.name}: {recipient}: not sent: {error.reason}{more}")
        else:
            click.echo(f"{channel.name}: {recipient}: accepted")
    return failed


def _show(channel: Channel, state: dict[str, Any], now: float) -> None:
    recipients = ", ".join(channel.to) or "no recipient"
    sent = f"last sent {_ago(now - state['sent_at'])}" if state.get("sent_at") else "nothing sent"
    counts = "".join(f", {state[what]} {word}" for what, word in
                     (("queued", "waiting"), ("failed", "given up")) if state.get(what))
    click.echo(f"{channel.name:<12} {channel.kind}: {recipients}\n{'':12} {sent}{counts}")
    if state.get("error"):
        click.echo(f"{'':12} last error: {state['error']}")


def _ago(seconds: float) -> str:
    for unit, length in (("d", 86400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit} ago"
    return f"{max(seconds, 0.0):.0f} s ago"


def _states(site: Site) -> dict[str, dict[str, Any]]:
    """What the outbox knows of each channel."""
    from peewee import fn

    from iop4d.store.schema import Outbox

    if not site.database.exists():
        return {}
    with open_database(site, read_only=True).connected():
        counted = (Outbox.select(Outbox.channel, Outbox.state, fn.COUNT(Outbox.id),
                                 fn.MAX(Outbox.sent_at))
                   .group_by(Outbox.channel, Outbox.state).tuples())
        states: dict[str, dict[str, Any]] = {}
        for name, state, count, sent_at in counted:
            found = states.setdefault(name, {})
            found[state] = count
            if state == "sent":
                found["sent_at"] = sent_at
        latest = (Outbox.select(fn.MAX(Outbox.id)).where(Outbox.last_error != "")
                  .group_by(Outbox.channel))
        for row in Outbox.select(Outbox.channel, Outbox.last_error).where(Outbox.id.in_(latest)):
            states[row.channel]["error"] = row.last_error
    return states
