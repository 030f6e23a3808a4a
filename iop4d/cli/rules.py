"""``iop4d rules``: the rules, when they would have fired, muting them, adding one."""

from __future__ import annotations

import getpass
import json
import time
from typing import TYPE_CHECKING

import click

from iop4d.cli.common import load, open_database, site_options
from iop4d.model.errors import Iop4dError

if TYPE_CHECKING:
    from iop4d.config import Rule, Site

_JD_EPOCH = 2440587.5


@click.group(invoke_without_command=True)
@site_options
@click.pass_context
def rules(ctx: click.Context, site_after: str | None, overrides_after: tuple[str, ...]) -> None:
    """When people are told.

    Without a command: every rule with what it watches, and what fires or is muted now.
    """
    if ctx.invoked_subcommand is not None:
        return
    site = load(ctx, site_after, overrides_after)
    going, mutes = _present(site)
    for rule in site.rule:
        whom = ", ".join(rule.sources) or ("every target" if rule.source == "*" else rule.source)
        state = "; ".join([
            f"{going[rule.name]} firing" if going.get(rule.name) else "quiet",
            *(["muted in the site file"] if rule.muted else []), *mutes.pop(rule.name, ())])
        click.echo(f"{rule.name}: {rule.condition}, {whom}, {rule.band}; {rule.severity}, tells "
                   f"{', '.join(rule.channels) or 'nobody'}; {state}")
    for of in ("", *filter(None, mutes)):
        for muted in mutes.get(of, ()):
            click.echo(f"{of or 'every rule'}: {muted}")
    if not site.rule:
        click.echo("No rule: add a [[rule]] section to the site file, or try 'iop4d rules add'.")


def _present(site: Site) -> tuple[dict[str, int], dict[str, list[str]]]:
    """How many alerts of each rule go on, and what is muted of each until when."""
    from collections import Counter

    from iop4d.alerts.rendering import moment
    from iop4d.alerts.rules import ACTIVE
    from iop4d.store import mutes
    from iop4d.store.schema import Alert

    if not site.database.exists():
        return {}, {}
    with open_database(site, read_only=True).connected():
        going = Counter(row.rule for row in Alert.select(Alert.rule).where(
            Alert.state.in_(ACTIVE)))
        muted: dict[str, list[str]] = {}
        for row in mutes.current(time.time()):
            of = f" on {row.source}" if row.source else ""
            muted.setdefault(row.rule, []).append(
                f"muted{of} until {moment(row.until)} UTC by {row.by}")
    return dict(going), muted


@rules.command()
@click.argument("rule")
@click.option("--since", default="30d", metavar="SPAN|DATE",
              help="How far back: 12h, 30d, or a date such as 2026-01-31.  [30d]")
@click.option("--condition", help="Try another condition than the rule's.")
@click.option("--clear", help="Try another one at which it ends; '' for none.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@site_options
@click.pass_context
def test(ctx: click.Context, rule: str, since: str, condition: str | None,
         clear: str | None, as_json: bool, site_after: str | None,
         overrides_after: tuple[str, ...]) -> None:
    """When RULE would have fired, from the results there are. Nobody is told anything."""
    from dataclasses import asdict

    from iop4d.alerts.conditions import Form
    from iop4d.alerts.desk import since_unix
    from iop4d.alerts.engine import AlertEngine
    from iop4d.alerts.replay import replay, tried
    from iop4d.model.units import decimal, utc_of_jd

    site = load(ctx, site_after, overrides_after)
    watch = tried(_rule(site, rule), condition or "", clear)
    if watch.condition.form is Form.SYSTEM:
        raise Iop4dError(f"the rule '{rule}' is about the system, of which no history is kept")
    begin = since_unix(since, time.time())
    with open_database(site, read_only=True).connected():
        found = replay(AlertEngine(site, time.time), watch, begin / 86400.0 + _JD_EPOCH)
    if as_json:
        click.echo(json.dumps(asdict(found), indent=2))
        return
    ends = f"until {watch.clear}" if watch.clear else "until it no longer holds"
    click.echo(f"{watch.condition}, {ends}: asked of {found.points} points of {found.series} "
               f"series since {utc_of_jd(begin / 86400.0 + _JD_EPOCH)} UTC; "
               f"{found.untold} had too little before them to tell a change.")
    for one in found.fired:
        end = f"until {utc_of_jd(one.ended_jd)}" if one.ended_jd else "and goes on"
        click.echo(f"{utc_of_jd(one.fired_jd)}  {one.source} {one.band}  "
                   f"{decimal(one.value, 3)}  {end}")
    click.echo(f"It would have fired {len(found.fired)} times.")


def _rule(site: Site, name: str) -> Rule:
    rule = next((r for r in site.rule if r.name == name), None)
    if rule is None:
        raise Iop4dError(f"the site file has no rule '{name}'; it has: "
                         f"{', '.join(r.name for r in site.rule) or 'none'}")
    return rule


@rules.command()
@click.argument("rule", default="")
@click.option("--source", default="", help="Of this source alone, by any of its names.")
@click.option("--for", "span", default="12h", help="How long: 90min, 12h, 2d.  [12h]")
@site_options
@click.pass_context
def mute(ctx: click.Context, rule: str, source: str, span: str, site_after: str | None,
         overrides_after: tuple[str, ...]) -> None:
    """Tell nobody of RULE, of a source, or of a rule on a source, for a while.

    Alerts are judged and shown all the same; one that still goes on when the time is over is told
    with its next point.
    """
    from iop4d.alerts import desk
    from iop4d.alerts.engine import AlertEngine
    from iop4d.alerts.rendering import moment
    from iop4d.store import mutes

    site = load(ctx, site_after, overrides_after)
    with open_database(site, read_only=False).write():
        made = desk.mute(rule=rule, source=source, seconds=desk.span_of(span),
                         by=getpass.getuser(), now=time.time(),
                         rules=AlertEngine(site, time.time).rules)
    click.echo(f"{mutes.name_of(made)} is muted until {moment(made.until)} UTC.")


@rules.command()
@click.argument("rule", default="")
@click.option("--source", default="",
              help="The source that was named when it was muted; * for everything.")
@site_options
@click.pass_context
def unmute(ctx: click.Context, rule: str, source: str, site_after: str | None,
           overrides_after: tuple[str, ...]) -> None:
    """Tell people again."""
    from iop4d.alerts import desk

    site = load(ctx, site_after, overrides_after)
    with open_database(site, read_only=False).write():
        ended = desk.unmute(rule=rule, source=source, now=time.time())
    click.echo(f"{ended} is told again.")


@rules.command()
@click.argument("name")
@click.option("--source", default="*", help="A source, * for every target, or tag:NAME.  [*]")
@click.option("--band", default="R", help="The band.  [R]")
@click.option("--condition", required=True, help="Such as 'mag < 13.0' or 'change mag < -0.5'.")
@click.option("--clear", default="", help="The condition at which it ends.")
@click.option("--severity", default="notice", help="info, notice, high, critical or atel.")
@click.option("--channel", "channels", multiple=True, help="Whom it tells; may be repeated.")
@click.option("--key", "more", multiple=True, metavar="KEY=VALUE",
              help="Any other key of a [[rule]], in TOML, such as --key max_err=0.05 or "
              "--key 'sources=[\"BL Lac\", \"tag:tev\"]'; may be repeated.")
@click.option("--dry-run", is_flag=True, help="Show the section; write nothing.")
@site_options
@click.pass_context
def add(ctx: click.Context, /, name: str, dry_run: bool, channels: tuple[str, ...],
        more: tuple[str, ...], site_after: str | None, overrides_after: tuple[str, ...],
        **keys: str) -> None:
    """Add a rule to the site file; a running daemon takes it after 'iop4d reload'."""
    from iop4d.alerts import desk
    from iop4d.alerts.rules import understand
    from iop4d.config.edit import rule_section, with_rule

    site = load(ctx, site_after, overrides_after)
    wanted = {"name": name, **keys, "channels": list(channels), **_read_keys(more)}
    understand(with_rule(site.root, wanted)[1])
    click.echo(rule_section(wanted).rstrip())
    if dry_run:
        return
    desk.add_rule(site.root, wanted)
    click.echo("Added to the site file. 'iop4d rules test' shows when it would have fired; "
               "'iop4d reload' puts it to work.")


def _read_keys(texts: tuple[str, ...]) -> dict[str, object]:
    """Keys and values as TOML has them."""
    import tomllib

    found: dict[str, object] = {}
    for text in texts:
        try:
            found |= tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise Iop4dError(f"--key '{text}': expected KEY=VALUE as in the site file, such as "
                             f"max_err=0.05: {error}") from error
    return found
