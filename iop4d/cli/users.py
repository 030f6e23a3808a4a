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
    """Who may acknowledge and mute on the page. Looking needs no account."""
    if ctx.invoked_subcommand is not None:
        return
    from iop4d.store.schema import User

    site = load(ctx, site_after, overrides_after)
    with open_database(site, read_only=True).connected():
        names = [row.name for row in User.select().order_by(User.name)]
    click.echo("\n".join(names) or "Nobody: 'iop4d users add NAME' makes an account.")


@users.command()
@click.argument("name")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@site_options
@click.pass_context
def add(ctx: click.Context, name: str, password_stdin: bool, site_after: str | None,
        overrides_after: tuple[str, ...]) -> None:
    """Make an account, or give it another password."""
    from werkzeug.security import generate_password_hash

    from iop4d.store.schema import User

    site = load(ctx, site_after, overrides_after)
    password = sys.stdin.readline().rstrip("\n") if password_stdin else \
        click.prompt("Password", hide_input=True, confirmation_prompt=True)
    if len(password) < _SHORTEST:
        raise Iop4dError(f"the password is too short; expected {_SHORTEST} characters or more")
    with open_database(site, read_only=False).write():
        made = {"name": name, "password": generate_password_hash(password),
                "made_at": time.time()}
        User.insert(made).on_conflict(conflict_target=[User.name],
                                      preserve=[User.password]).execute()
    click.echo(f"{name} may sign in.")


@users.command()
@click.argument("name")
@site_options
@click.pass_context
def remove(ctx: click.Context, name: str, site_after: str | None,
           overrides_after: tuple[str, ...]) -> None:
    """Take an account away."""
    from iop4d.store.schema import User

    site = load(ctx, site_after, overrides_after)
    with open_database(site, read_only=False).write():
        gone = User.delete().where(User.name == name).execute()
    if not gone:
        raise Iop4dError(f"there is no account '{name}'")
    click.echo(f"{name} may not sign in any more.")
