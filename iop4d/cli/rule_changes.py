"""``iop4d rules change`` and ``remove``: rules of the site file as commands change them."""

from __future__ import annotations

import getpass
import time
from typing import TYPE_CHECKING, Any

import click

from iop4d.cli.common import has_database, load, open_database, site_options
from iop4d.model.errors import Iop4dError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from iop4d.config import Site


@click.command()
@click.argument("rule")
@click.option("--key", "more", multiple=True, metavar="KEY=VALUE",
              help="A key and its new value, in TOML, such as --key 'condition=\"mag < 13\"' or "
              "--key enabled=false; may be repeated.")
@click.option("--default", "defaults", multiple=True, metavar="KEY",
              help="A key that gets its default again; may be repeated.")
@click.option("--dry-run", is_flag=True, help="Show the section; write nothing.")
@site_options
@click.pass_context
def change(ctx: click.Context, rule: str, more: tuple[str, ...], defaults: tuple[str, ...],
           dry_run: bool, site_after: str | None, overrides_after: tuple[str, ...]) -> None:
    """Change keys of RULE in the site file; all else in the file stays as it is."""
    from iop4d.alerts import rule_edits
    from iop4d.config.edit import rule_as_written, rule_section

    site = load(ctx, site_after, overrides_after)
    was = rule_as_written(site.root, rule)
    keys = was | read_keys(more)
    if not more and not defaults:
        raise Iop4dError("expected --key KEY=VALUE or --default KEY")
    wanted = {key: value for key, value in keys.items() if key not in defaults}
    rule_edits.changed_rule(site.root, rule, wanted)
    click.echo(rule_section(wanted).rstrip())
    if dry_run:
        return
    keep(site, {"act": rule_edits.CHANGE, "rule": rule, "was": was, "keys": wanted})
    click.echo("Changed in the site file. 'iop4d rules test' back-tests it; 'iop4d reload' makes a "
               "running daemon use it.")


@click.command()
@click.argument("rule")
@site_options
@click.pass_context
def remove(ctx: click.Context, rule: str, site_after: str | None,
           overrides_after: tuple[str, ...]) -> None:
    """Remove RULE from the site file; 'rules change RULE --key enabled=false' keeps it there."""
    from iop4d.alerts import rule_edits

    site = load(ctx, site_after, overrides_after)
    keep(site, {"act": rule_edits.REMOVE, "rule": rule})
    click.echo("Removed from the site file. 'iop4d reload' makes a running daemon do without it.")


def keep(site: Site, what: Mapping[str, Any]) -> None:
    """Write a change of the rules into the site file, and into the audit where there is one."""
    from iop4d.alerts import rule_edits

    if has_database(site):
        with open_database(site, read_only=False).write() as tx:
            rule_edits.edit(tx, site.root, what, by=getpass.getuser(), now=time.time())
    else:
        rule_edits.write_edited(site.root, what)


def read_keys(texts: tuple[str, ...]) -> dict[str, object]:
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
