"""``iop4d channels``: how people are notified, whether it works, and a test message."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from typing import TYPE_CHECKING

import click

from iop4d.cli.common import has_database, load, open_database, set_up_logging, site_options
from iop4d.cli.output import json_option, write_json
from iop4d.model.errors import Iop4dError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from iop4d import config
    from iop4d.alerts.channels.base import Channel, Notice
    from iop4d.config import Site
    from iop4d.store.deliveries import Tally


@click.group(invoke_without_command=True)
@json_option
@site_options
@click.pass_context
def channels(ctx: click.Context, as_json: bool, site_after: str | None,
             overrides_after: tuple[str, ...]) -> None:
    """Show how people are notified of alerts: mail, Telegram, webhooks and other services.

    Without a command: every channel with its recipients, its last success, how many messages wait
    or were given up, and its last error.
    """
    from iop4d.config.secret import secret_of

    if ctx.invoked_subcommand is None:
        site = load(ctx, site_after, overrides_after)
        tallies = _tallies(site)
        if as_json:
            write_json([{"name": one.name, "kind": one.kind, "recipients": one.recipients,
                         "messages": tallies.get(one.name)}
                        for one in site.channel])
            return
        for section in site.channel:
            _show(section, tallies.get(section.name), time.time())
            if exposed := secret_of(section).exposed():
                click.echo(f"{'':12} {exposed}")
        if not site.channel:
            click.echo("The site has no channel: add a [[channel]] section to the site file "
                       "('iop4d docs channels').")


@channels.command()
@click.argument("name", required=False)
@click.option("--to", "recipient", metavar="RECIPIENT",
              help="Only this recipient, who need not be in the site file.")
@json_option
@site_options
@click.pass_context
def test(ctx: click.Context, name: str | None, recipient: str | None, as_json: bool,
         site_after: str | None, overrides_after: tuple[str, ...]) -> None:
    """Send a test message now, by the channel NAME or by all, and show whether it was accepted.

    It is sent directly, whatever waits in the outbox, and is not tried again.
    """
    from iop4d.alerts.channels.base import make_channels

    site = load(ctx, site_after, overrides_after)
    set_up_logging(ctx, level=logging.ERROR)
    chosen = _chosen(site, name, recipient)
    made = make_channels(site)
    sent: list[dict[str, str]] = []
    for section in chosen:
        recipients = (recipient,) if recipient else section.recipients
        if not recipients:
            raise Iop4dError(f"channel '{section.name}' has no recipient: set its key 'to', or "
                             "name one with --to")
        for one in asyncio.run(_send_all(made[section.name], section.name, recipients,
                                         _notice(site))):
            sent.append(one)
            if not as_json:
                said = f"not sent: {one['error']}" if one["error"] else "accepted"
                click.echo(f"{one['channel']}: {one['recipient']}: {said}")
    if as_json:
        write_json(sent)
    ctx.exit(int(any(one["error"] for one in sent)))


def _chosen(site: Site, name: str | None, recipient: str | None) -> list[config.Channel]:
    names = ", ".join(section.name for section in site.channel)
    if not site.channel:
        raise Iop4dError("the site file has no [[channel]] section; 'iop4d docs channels' shows "
                         "some")
    chosen = [section for section in site.channel if name in (None, section.name)]
    if not chosen:
        raise Iop4dError(f"no channel is named '{name}'; there are {names}")
    if recipient and len(chosen) > 1:
        raise Iop4dError(f"name the channel by which to reach {recipient}: {names}")
    return chosen


def _notice(site: Site) -> Notice:
    from iop4d.alerts.channels.base import Notice
    from iop4d.alerts.rendering import render
    from iop4d.model.states import MessageKind

    name = site.site.name
    subject = f"Test message [{name}]"
    text = f"This is a test message of {name}, sent by hand. Alerts are sent this way."
    return Notice(
        id=f"<iop4d.test.{secrets.token_hex(8)}@localhost>", kind=MessageKind.TEST.value,
        at=time.time(), subject=subject, severity="info", link=site.site.url, text=text,
        html=render("test.html", {"subject": subject, "site": name, "text": text,
                                  "url": site.site.url}))


async def _send_all(channel: Channel, name: str, recipients: Iterable[str],
                    notice: Notice) -> list[dict[str, str]]:
    """Send a notice to some recipients of one channel; for each why it was not, or nothing."""
    from iop4d.alerts.channels.base import SendError

    sent = []
    for recipient in recipients:
        error = ""
        try:
            await channel.send(notice, recipient)
        except SendError as refused:
            more = f"; use {refused.moved_to} instead" if refused.moved_to else ""
            error = f"{refused.reason}{more}"
        sent.append({"channel": name, "recipient": recipient, "error": error})
    return sent


def _show(section: config.Channel, tally: Tally | None, now: float) -> None:
    from iop4d.model.states import MessageState
    from iop4d.model.units import span_text

    recipients = ", ".join(section.recipients) or "no recipient"
    sent_at = tally and tally.sent_at
    line = f"last sent {span_text(now - sent_at)} ago" if sent_at else "nothing sent"
    for state, word in ((MessageState.QUEUED, "waiting"), (MessageState.FAILED, "given up")):
        if tally and (number := tally.counts.get(state)):
            line += f", {number} {word}"
    click.echo(f"{section.name:<12} {section.kind}: {recipients}\n{'':12} {line}")
    if tally and tally.last_error:
        click.echo(f"{'':12} last error: {tally.last_error}")


def _tallies(site: Site) -> dict[str, Tally]:
    from iop4d.store import deliveries

    if not has_database(site):
        return {}
    with open_database(site, read_only=True).read() as db:
        return deliveries.tallies(db)
