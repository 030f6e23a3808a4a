"""``iop4d alerts`` and ``iop4d rules``: alerts that are active, and the rules that make them."""

from __future__ import annotations

import getpass
import time
from typing import TYPE_CHECKING

import click

from iop4d.cli import rule_changes, rule_wizard
from iop4d.cli.common import has_database, load, open_database, site_options, time_option
from iop4d.cli.output import counted, echo, json_option, write_json
from iop4d.cli.rule_changes import keep, read_keys
from iop4d.model import plain_json
from iop4d.model.errors import Iop4dError

if TYPE_CHECKING:
    from iop4d.config import Rule, Site
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
        click.echo(plain_json.dumps([_facts(row) for row in rows], indent=2))
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


@click.group(invoke_without_command=True)
@json_option
@site_options
@click.pass_context
def rules(ctx: click.Context, as_json: bool, site_after: str | None,
          overrides_after: tuple[str, ...]) -> None:
    """List, back-test, mute and add rules.

    Without a command: every rule with what it watches, its active alerts, and what is muted.
    """
    if ctx.invoked_subcommand is not None:
        return
    from iop4d.alerts.check import without_wrong_rules

    site = without_wrong_rules(load(ctx, site_after, overrides_after))
    active, muted, waits = _present(site)
    if as_json:
        write_json({"rules": [{**plain_json.plain(rule), "active": active.get(rule.name, 0),
                               "waits": waits.get(rule.name), "mutes": muted.get(rule.name, [])}
                              for rule in site.rule],
                    "not_used": site.wrong_rules, "mutes_of_all": muted.get("", [])})
        return
    for rule in site.rule:
        state = "; ".join([
            f"{active[rule.name]} active" if active.get(rule.name) else "not active",
            *([f"waits: {waits[rule.name]}"] if waits.get(rule.name) else []),
            *(["disabled"] if not rule.enabled else []),
            *(["muted in the site file"] if rule.muted else []), *muted.pop(rule.name, ())])
        echo(f"{rule.name}: {rule.condition}, {_watched(rule)}; {rule.severity}, notifies "
             f"{', '.join(rule.channels) or 'no channel'}; {state}")
    for wrong in site.wrong_rules:
        click.echo(f"{wrong.name}: not used: {wrong.why}")
    for of in ("", *filter(None, muted)):
        for line in muted.get(of, ()):
            click.echo(f"{of or 'every rule'}: {line}")
    if not site.rule and not site.wrong_rules:
        click.echo("There are no rules: add a [[rule]] section to the site file, or use "
                   "'iop4d rules add'.")


def _watched(rule: Rule) -> str:
    """What a rule watches: sources in a band, or a part of the system."""
    from iop4d.alerts.conditions import SYSTEM, Form, parse_condition

    named = ", ".join(rule.sources) or rule.source.replace("*", "")
    condition = parse_condition(rule.condition)
    if condition.form is Form.SYSTEM:
        return named or f"the system, each {SYSTEM[condition.quantity][2]}"
    return f"{named or 'every target'}, {rule.band}"


def _present(site: Site) -> tuple[dict[str, int], dict[str, list[str]], dict[str, str]]:
    """How many alerts of each rule are active, what is muted of each, and for what each waits."""
    from iop4d.alerts.backtest import waits_for
    from iop4d.alerts.engine import AlertEngine
    from iop4d.alerts.rendering import moment
    from iop4d.store import alerts as store

    if not has_database(site):
        return {}, {}, {}
    with open_database(site, read_only=True).read() as db:
        active = store.active_by_rule(db)
        muted: dict[str, list[str]] = {}
        for row in store.mutes(db, time.time()):
            of = f" on {row.source}" if row.source else ""
            muted.setdefault(row.rule, []).append(
                f"muted{of} until {moment(row.until)} UTC by {row.by}")
        engine = AlertEngine(site, time.time)
        waits = {rule.name: waits_for(db, engine, compiled) for rule in site.rule
                 if (compiled := engine.compiled(rule.name)) is not None}
    return active, muted, waits


@rules.command()
@click.argument("rule")
@click.option("--since", default="30d", metavar="DURATION|DATE",
              help="How far back: 12h, 30d, or a date such as 2026-01-31.  [30d]")
@click.option("--condition", help="Test another condition than the rule's.")
@click.option("--clear", help="Test another condition at which it ends; '' for none.")
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
@site_options
@click.pass_context
def test(ctx: click.Context, rule: str, since: str, condition: str | None,
         clear: str | None, as_json: bool, site_after: str | None,
         overrides_after: tuple[str, ...]) -> None:
    """Back-test RULE: when it would have fired, from the results there are. Nothing is sent."""
    from dataclasses import asdict

    from iop4d.alerts.backtest import backtest, changed_rule
    from iop4d.alerts.check import without_wrong_rules
    from iop4d.alerts.conditions import Form
    from iop4d.alerts.engine import AlertEngine
    from iop4d.model.units import decimal, jd_of_unix, utc_of_jd

    site = without_wrong_rules(load(ctx, site_after, overrides_after))
    compiled = changed_rule(_rule(site, rule), condition or "", clear)
    if compiled.condition.form is Form.SYSTEM:
        raise Iop4dError(f"the rule '{rule}' is about the system, of which no history is kept")
    begin = time_option("--since", since, now_jd=jd_of_unix(time.time()))
    with open_database(site, read_only=True).read() as db:
        found = backtest(db, AlertEngine(site, time.time), compiled, begin)
    if as_json:
        click.echo(plain_json.dumps(asdict(found), indent=2))
        return
    ends = f"until {compiled.clear}" if compiled.clear else "until it is no longer met"
    click.echo(f"{compiled.condition}, {ends}: evaluated on "
               f"{counted(found.points, 'point')} of {counted(found.series, 'light curve')} "
               f"since {utc_of_jd(begin)} UTC; {found.unknown} lacked enough earlier data.")
    for one in found.fired:
        end = f"until {utc_of_jd(one.ended_jd)}" if one.ended_jd else "and still active"
        click.echo(f"{utc_of_jd(one.fired_jd)}  {one.source} {one.band}  "
                   f"{decimal(one.value, 3)}  {end}")
    click.echo(f"It would have fired {counted(len(found.fired), 'time')}.")


def _rule(site: Site, name: str) -> Rule:
    rule = next((r for r in site.rule if r.name == name), None)
    if wrong := next((r for r in site.wrong_rules if r.name == name), None):
        raise Iop4dError(wrong.why)
    if rule is None:
        raise Iop4dError(f"the site file has no rule '{name}'; it has: "
                         f"{', '.join(r.name for r in site.rule) or 'none'}")
    return rule


@rules.command()
@click.argument("rule", default="")
@click.option("--source", default="", help="Mute this source alone, by any of its names.")
@click.option("--for", "duration", default="12h", help="How long: 90min, 12h, 2d.  [12h]")
@site_options
@click.pass_context
def mute(ctx: click.Context, rule: str, source: str, duration: str, site_after: str | None,
         overrides_after: tuple[str, ...]) -> None:
    """Send no notifications of RULE, of a source, or of a rule on a source, for a while.

    Muted alerts are still evaluated and shown. One that is still active when the mute ends is
    notified with its next point.
    """
    from iop4d.alerts import actions
    from iop4d.alerts.check import rules_of
    from iop4d.alerts.rendering import moment
    from iop4d.store import alerts as store

    site = load(ctx, site_after, overrides_after)
    with open_database(site, read_only=False).write() as tx:
        made = actions.mute(tx, rule=rule, source=source, seconds=actions.duration_of(duration),
                            by=getpass.getuser(), now=time.time(),
                            rules=rules_of(site))
    click.echo(f"{store.name_of_mute(made)} is muted until {moment(made.until)} UTC.")


@rules.command()
@click.argument("rule", default="")
@click.option("--source", default="",
              help="The source that was named when it was muted; * for everything.")
@site_options
@click.pass_context
def unmute(ctx: click.Context, rule: str, source: str, site_after: str | None,
           overrides_after: tuple[str, ...]) -> None:
    """End a mute: notifications are sent again."""
    from iop4d.alerts import actions

    site = load(ctx, site_after, overrides_after)
    with open_database(site, read_only=False).write() as tx:
        ended = actions.unmute(tx, rule=rule, source=source, by=getpass.getuser(),
                               now=time.time())
    click.echo(f"{ended} is unmuted.")


@rules.command()
@click.argument("name")
@click.option("--source", default="*", help="A source, * for every target, or tag:NAME.  [*]")
@click.option("--band", default="R", help="The band.  [R]")
@click.option("--condition", required=True, help="Such as 'mag < 13.0' or 'change mag < -0.5'.")
@click.option("--clear", default="", help="The condition at which it ends.")
@click.option("--severity", default="notice", help="info, notice, high, critical or atel.")
@click.option("--channel", "channels", multiple=True,
              help="A channel that it notifies; may be repeated.")
@click.option("--key", "more", multiple=True, metavar="KEY=VALUE",
              help="Any other key of a [[rule]], in TOML, such as --key max_err=0.05 or "
              "--key 'sources=[\"BL Lac\", \"tag:tev\"]'; may be repeated.")
@click.option("--dry-run", is_flag=True, help="Show the section; write nothing.")
@site_options
@click.pass_context
def add(ctx: click.Context, /, name: str, dry_run: bool, channels: tuple[str, ...],
        more: tuple[str, ...], site_after: str | None, overrides_after: tuple[str, ...],
        **keys: str) -> None:
    """Add a rule to the site file; a running daemon uses it after 'iop4d reload'."""
    from iop4d.alerts import rule_edits
    from iop4d.alerts.subjects import not_in_catalogue
    from iop4d.config.edit import rule_section

    site = load(ctx, site_after, overrides_after)
    wanted = {"name": name, **keys, "channels": list(channels), **read_keys(more)}
    _, new_site, compiled = rule_edits.new_rule(site.root, wanted)
    click.echo(rule_section(wanted).rstrip())
    if has_database(site):
        with open_database(site, read_only=True).read() as db:
            if missing := not_in_catalogue(db, new_site, compiled):
                click.echo(missing, err=True)
    if dry_run:
        return
    keep(site, {"act": rule_edits.ADD, "keys": wanted})
    click.echo("Added to the site file. 'iop4d rules test' back-tests it; 'iop4d reload' makes a "
               "running daemon use it.")


for _command in (rule_wizard.new, rule_changes.change, rule_changes.remove):
    rules.add_command(_command)
