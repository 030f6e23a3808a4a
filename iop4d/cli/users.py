"""``iop4d users``: who may sign in on the page."""

from __future__ import annotations

import sys
import time

import click

from iop4d.cli.common import load, open_database, site_options
from iop4d.model.errors import Iop4dError

_SHORTEST = 8  # characters of a password


@click.group(invoke_without_command=True)
@site_options
@click.pass_context
def users(ctx: click.Context, site_after: str | None, overrides_after: tuple[str, ...]) -> None:
    """List who may acknowledge alerts, mute and add rules on the page.

    Reading the page needs no account.
    """
    if ctx.invoked_subcommand is not None:
        return
    from iop4d.store.users import names

    site = load(ctx, site_after, overrides_after)
    with open_database(site, read_only=True).read() as db:
        found = names(db)
    click.echo("\n".join(found) or "There is no account; 'iop4d users add NAME' creates one.")


@users.command()
@click.argument("name")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@site_options
@click.pass_context
def add(ctx: click.Context, name: str, password_stdin: bool, site_after: str | None,
        overrides_after: tuple[str, ...]) -> None:
    """Create an account, or change its password."""
    from werkzeug.security import generate_password_hash

    from iop4d.store.users import save

    site = load(ctx, site_after, overrides_after)
    password = sys.stdin.readline().rstrip("\n") if password_stdin else \
        click.prompt("Password", hide_input=True, confirmation_prompt=True)
    if len(password) < _SHORTEST:
        raise Iop4dError(f"the password is too short; expected {_SHORTEST} characters or more")
    with open_database(site, read_only=False).write() as tx:
        save(tx, name, generate_password_hash(password), now=time.time())
    click.echo(f"{name} may sign in.")


@users.command()
@click.argument("name")
@site_options
@click.pass_context
def remove(ctx: click.Context, name: str, site_after: str | None,
           overrides_after: tuple[str, ...]) -> None:
    """Remove an account."""
    from iop4d.store.users import remove as remove_account

    site = load(ctx, site_after, overrides_after)
    with open_database(site, read_only=False).write() as tx:
        gone = remove_account(tx, name)
    if not gone:
        raise Iop4dError(f"there is no account '{name}'")
    click.echo(f"{name} may no longer sign in.")
