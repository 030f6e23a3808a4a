"""``iop4d rules new``: a rule from plain questions, tested on the past before it is written."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from iop4d.cli.common import Amount, has_database, load, open_database, site_options
from iop4d.cli.output import counted
from iop4d.model.errors import ConfigError, Iop4dError

if TYPE_CHECKING:
    from pathlib import Path

    from iop4d.alerts.rules import CompiledRule
    from iop4d.config import Site

_SHOWN = 5  # episodes of the back-test that are listed
_DAYS = 365.0  # of the past on which it is tested
_SHORT = 7.0  # days of a window in which few points are to be expected
_FEW = 4  # points that are enough then


@dataclass(frozen=True, kw_only=True)
class _Kind:
    """What a rule can watch. ``condition``: with a place for the ``amount`` that is asked for."""

    what: str
    condition: str = ""
    amount: str = ""
    default: str = ""
    days: float = 0.0  # of the window, asked for where it is not 0
    of_system: bool = False


_KINDS = (
    _Kind(what="a flare: brighter than in the days before", condition="change mag < -{}",
          amount="By how many magnitudes", default="0.5", days=14.0),
    _Kind(what="a fading: fainter than in the days before", condition="change mag > {}",
          amount="By how many magnitudes", default="0.5", days=14.0),
    _Kind(what="brighter than a magnitude", condition="mag < {}", amount="Brighter than which "
          "magnitude", default="13.0"),
    _Kind(what="fainter than a magnitude", condition="mag > {}", amount="Fainter than which "
          "magnitude", default="16.0"),
    _Kind(what="a high degree of polarisation", condition="p > {} %", amount="Above how many "
          "percent", default="15"),
    _Kind(what="a rotation of the polarisation angle", condition="rotation chi > {} deg",
          amount="By how many degrees", default="90", days=14.0),
    _Kind(what="a low state: the faintest of the days before", condition="state low", days=365.0),
    _Kind(what="a new source: its first results", condition="new source"),
    _Kind(what="a trigger: others reported that the source flares", condition="triggered"),
    _Kind(what="a trigger, while the source is brighter than a magnitude",
          condition="mag < {} and triggered", amount="Brighter than which magnitude",
          default="14.0"),
    _Kind(what="a telescope without data by an hour of the night", condition="no data by {}",
          amount="By which hour (UTC, or with a zone: 22:00 Europe/Madrid)", default="22:00",
          of_system=True),
    _Kind(what="something else: a condition in full", condition="{}",
          amount="The condition, such as p > 15 % and mag < 13", days=14.0),
)


@click.command()
@site_options
@click.pass_context
def new(ctx: click.Context, site_after: str | None, overrides_after: tuple[str, ...]) -> None:
    """Make a rule from the answers to a few questions.

    It is shown, tested on the results of the last year, and written into the site file only if you
    say so.
    """
    if not has_terminal():
        raise Iop4dError("'iop4d rules new' asks questions and needs a terminal; without one, "
                         "'iop4d rules add NAME --condition ...' does the same")
    site = load(ctx, site_after, overrides_after)
    keys = _ask(site)
    compiled, new_site, keys = _checked(site.root, keys)
    _show(site, new_site, compiled, keys)
    if not click.confirm("Write it into the site file?", default=False):
        click.echo("Nothing was written.")
        return
    from iop4d.alerts.rule_edits import ADD
    from iop4d.cli.rule_changes import keep

    keep(site, {"act": ADD, "keys": keys})
    click.echo("Added to the site file. 'iop4d reload' makes a running daemon use it.")


def has_terminal() -> bool:
    """Whether the input is a terminal, at which questions can be answered."""
    return sys.stdin.isatty()


def _ask(site: Site) -> dict[str, Any]:
    """The keys of a rule, from answers."""
    for number, kind in enumerate(_KINDS, 1):
        click.echo(f"{number:3d}  {kind.what}")
    kind = _KINDS[click.prompt("What shall the rule watch", type=click.IntRange(1, len(_KINDS)),
                               default=1) - 1]
    amount = click.prompt(kind.amount, default=kind.default or None) if kind.amount else ""
    keys: dict[str, Any] = {"condition": kind.condition.format(amount.strip().lstrip("+-")
                                                               if kind.default else amount)}
    if kind.of_system:
        keys["source"] = click.prompt("Which telescope (* for each)", default="*")
    else:
        keys["source"] = click.prompt("Which source (any of its names, * for every target, or "
                                      "tag:NAME)", default="*")
        keys["band"] = click.prompt("In which band", default="R")
        if kind.days:
            keys["window_days"] = click.prompt("Compared with how many days before",
                                               type=Amount(min=0.01), default=kind.days)
            if keys["window_days"] < _SHORT:
                keys["min_points"] = _FEW
        keys["confirm"] = click.prompt("How many points in a row must meet it",
                                       type=click.IntRange(1, 20), default=2)
    keys["severity"] = click.prompt("How severe", type=click.Choice(
        ("info", "notice", "high", "critical", "atel")), default="notice")
    keys["channels"] = _ask_channels(site)
    names = {rule.name for rule in site.rule}
    keys["name"] = _ask_name(f"{keys['source']} {keys['condition']}".replace("* ", ""), names)
    return {"name": keys.pop("name"), **keys}


def _ask_channels(site: Site) -> list[str]:
    there = [channel.name for channel in site.channel]
    if not there:
        click.echo("The site file has no [[channel]] so far: no message is sent, alerts are shown "
                   "on the page.")
        return []
    while True:
        said = click.prompt(f"Whom to notify ({', '.join(there)}; several with commas, or none)",
                            default=", ".join(there))
        names = [name.strip() for name in said.split(",") if name.strip() not in ("", "none")]
        if unknown := [name for name in names if name not in there]:
            click.echo(f"There is no channel {', '.join(unknown)}.")
            continue
        return names


def _ask_name(default: str, there: set[str]) -> str:
    while True:
        name = str(click.prompt("Name of the rule", default=default)).strip()
        if name not in there:
            return name
        click.echo(f"A rule '{name}' exists already.")


def _checked(root: Path, keys: dict[str, Any]) -> tuple[CompiledRule, Site, dict[str, Any]]:
    """A rule that is right: what is wrong with a condition is said, and it is asked for again."""
    from iop4d.alerts import rule_edits

    while True:
        try:
            _, site, compiled = rule_edits.new_rule(root, keys)
            return compiled, site, keys
        except ConfigError as error:
            click.echo(str(error))
            if "condition" not in str(error):
                raise
        keys = keys | {"condition": click.prompt("The condition again")}


def _show(site: Site, new_site: Site, compiled: CompiledRule, keys: dict[str, Any]) -> None:
    """The section, and when it would have fired."""
    from iop4d.alerts.conditions import Form
    from iop4d.config.edit import rule_section

    click.echo("")
    click.echo(rule_section(keys))
    if compiled.condition.form is Form.SYSTEM:
        click.echo("It is about the system, of which no history is kept: there is no back-test.")
    elif not has_database(site):
        click.echo("There are no results so far on which it could be tested.")
    else:
        _back_test(new_site, compiled)


def _back_test(site: Site, compiled: CompiledRule) -> None:
    from iop4d.alerts.backtest import backtest, waits_for
    from iop4d.alerts.check import without_wrong_rules
    from iop4d.alerts.engine import AlertEngine
    from iop4d.alerts.subjects import not_in_catalogue
    from iop4d.model.units import decimal, jd_of_unix, utc_of_jd

    now = time.time()
    with open_database(site, read_only=True).read() as db:
        if missing := not_in_catalogue(db, site, compiled):
            click.echo(missing)
        found = backtest(db, AlertEngine(without_wrong_rules(site), lambda: now), compiled,
                         jd_of_unix(now) - _DAYS)
        waits = waits_for(db, AlertEngine(without_wrong_rules(site), lambda: now), compiled)
    for one in found.fired[-_SHOWN:]:
        end = f"until {utc_of_jd(one.ended_jd)}" if one.ended_jd else "and still active"
        click.echo(f"{utc_of_jd(one.fired_jd)}  {one.source} {one.band}  "
                   f"{decimal(one.value, 3)}  {end}")
    click.echo(f"In the last year it would have fired {counted(len(found.fired), 'time')}, on "
               f"{counted(found.points, 'point')} of {counted(found.series, 'light curve')}.")
    if found.unknown:
        click.echo(f"{counted(found.unknown, 'point')} could not be judged: the condition needs "
                   f"{compiled.rule.min_points} earlier points within "
                   f"{compiled.rule.window_days:g} days, with errors where it counts them; a "
                   "longer window or a smaller min_points helps."
                   + (f" Now: {waits}." if waits else ""))
