"""``iop4d prune``: make room by removing what can be made again."""

from __future__ import annotations

import getpass
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from iop4d.cli.common import Amount, load, open_database, site_options
from iop4d.cli.output import counted, echo, json_option, write_json
from iop4d.model.errors import Iop4dError

if TYPE_CHECKING:
    from collections.abc import Callable

    from iop4d.config.operations import Prune
    from iop4d.operations.prune import Plan

_SHOWN = 5  # files that are named of each kind


def _days(name: str, what: str) -> Callable[..., Any]:
    return click.option(f"--{name}", f"{name}_days", metavar="SPAN",
                        help=f"Remove {what} that are older, such as 90d [prune.{name}_days].")


@click.command()
@_days("reduced", "reduced frames")
@_days("previews", "previews")
@_days("events", "events of the live pages")
@_days("ended", "answered requests, and ended jobs that no page shows,")
@_days("triggers", "triggers, whose time is over,")
@_days("logs", "files of the log")
@click.option("--reduced-max-gb", type=Amount(0, min_open=True), metavar="GB",
              help="Remove reduced frames of the oldest nights beyond this size.")
@click.option("--previews-max-gb", type=Amount(0, min_open=True), metavar="GB",
              help="The same for previews.")
@click.option("--keep-nights", type=click.IntRange(0), metavar="N",
              help="Keep the products of the newest nights [prune.keep_nights].")
@click.option("--keep-results", is_flag=True, default=None,
              help="Keep the products of frames on which a result rests [prune.keep_results].")
@click.option("--dry-run", is_flag=True, help="Only show what would go.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
@site_options
@click.pass_context
def prune(ctx: click.Context, /, dry_run: bool, yes: bool, as_json: bool, site_after: str | None,
          overrides_after: tuple[str, ...], **given: Any) -> None:
    """Remove reduced frames, previews, events, triggers, ended work and files of the log by rule:
    never raw frames, masters or results.

    The rules are those of [prune] in the site file, or given here. What would go is shown first. A
    frame whose products are gone says so on its page, and 'iop4d reprocess --pruned' makes them
    again.
    """
    from iop4d.operations.prune import act, plan

    site = load(ctx, site_after, overrides_after, has_indexes=False)
    rules, now = _rules(site.prune, given), time.time()
    with open_database(site, read_only=True).read() as db:
        what = plan(db, site, rules, now)
    if as_json and (dry_run or what.is_empty):
        write_json(_said(what))
        return
    if not as_json:
        _show(what)
    if dry_run or what.is_empty:
        return
    if not yes:
        click.confirm("Remove them?", abort=True, err=True)
    database = open_database(site, read_only=False)

    def write(do: Callable[[Any], None]) -> None:
        with database.write() as tx:
            do(tx)

    try:
        gone = act(site, what, write, rules=rules, by=getpass.getuser(), now=now)
    finally:
        database.close()
    if as_json:
        write_json(_said(what) | {"removed_bytes": gone})
    else:
        echo(f"{gone / 1e9:.2f} GB are free again.")


def _rules(rules: Prune, given: dict[str, Any]) -> Prune:
    """Those of the site file, with what was given in their place: then these alone."""
    from iop4d.model.units import seconds_of

    said: dict[str, Any] = {}
    for name, value in given.items():
        if value is not None:
            said[name] = seconds_of(value, bare="d") / 86400.0 if name.endswith("_days") else value
    chosen = {name for name in said if not name.startswith("keep_")}
    if chosen:
        rules = replace(rules, reduced_days=0.0, previews_days=0.0, events_days=0.0, logs_days=0.0,
                        reduced_max_gb=0.0, previews_max_gb=0.0, ended_days=0.0, triggers_days=0.0)
    rules = replace(rules, **said)
    if not any((rules.reduced_days, rules.previews_days, rules.events_days, rules.logs_days,
                rules.reduced_max_gb, rules.previews_max_gb, rules.triggers_days,
                "ended_days" in chosen)):  # of the site file it is the daemon's, and always there
        raise Iop4dError("no rule says what may go: set one in [prune] of the site file, or give "
                         "one, such as --reduced 90d")
    return rules


def _show(what: Plan) -> None:
    files = {product.value: removals for product, removals in what.products.items()}
    for name, removals in (files | {"logs": what.logs}).items():
        if not removals:
            continue
        nights = sorted({one.night for one in removals if one.night})
        span = f", nights {nights[0]} to {nights[-1]}" if nights else ""
        size = sum(one.size for one in removals)
        echo(f"{name}: {counted(len(removals), 'file')}, {size / 1e9:.3f} GB{span}")
        for one in removals[:_SHOWN]:
            echo(f"  {one.path}")
        if len(removals) > _SHOWN:
            echo(f"  and {len(removals) - _SHOWN} more")
    if what.events:
        echo(f"events: {what.events}")
    if what.ended.requests:
        echo(f"answered requests: {len(what.ended.requests)}")
    if what.ended.jobs:
        echo(f"ended jobs: {len(what.ended.jobs)}")
    if what.triggers:
        echo(f"triggers: {what.triggers}")
    if what.is_empty:
        echo("Nothing is to be removed.")


def _said(what: Plan) -> dict[str, Any]:
    return {**{product.value: removals for product, removals in what.products.items()},
            "logs": what.logs, "events": what.events, "requests": len(what.ended.requests),
            "jobs": len(what.ended.jobs), "triggers": what.triggers, "bytes": what.size()}
