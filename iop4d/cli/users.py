"""``iop4d users``: accounts with their roles, and tokens of programs."""

from __future__ import annotations

import getpass
import sys
import time
from typing import TYPE_CHECKING

import click

from iop4d.cli.common import load, open_database, site_options
from iop4d.cli.output import echo, json_option, write_json
from iop4d.model.states import Role

if TYPE_CHECKING:
    from iop4d.store.schema import ApiToken

ROLES = click.Choice([role.value for role in Role])


@click.group(invoke_without_command=True)
@json_option
@site_options
@click.pass_context
def users(ctx: click.Context, as_json: bool, site_after: str | None,
          overrides_after: tuple[str, ...]) -> None:
    """List, make and change accounts of the page, and tokens of programs.

    A viewer reads; an observer also flags, acknowledges, snoozes and mutes; an editor also changes
    the catalogue and rules and retries frames; an admin also changes accounts. Whether reading
    needs an account is said by [web] read of the site file.
    """
    if ctx.invoked_subcommand is not None:
        return
    from iop4d.store import people

    site = load(ctx, site_after, overrides_after)
    with open_database(site, read_only=True).read() as db:
        found = people.accounts(db, time.time())
    if as_json:
        write_json([{"name": one.name, "role": one.role.value,
                     "tokens": [_facts(token) for token in one.tokens]} for one in found])
        return
    for one in found:
        more = f", {len(one.tokens)} token{'s' * (len(one.tokens) != 1)}" if one.tokens else ""
        echo(f"{one.name}: {one.role}{more}")
    if not found:
        click.echo("There is no account; 'iop4d users add NAME' creates one.")


@users.command()
@click.argument("name")
@click.option("--role", type=ROLES, help="What the account may do. Of a new one: editor.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@site_options
@click.pass_context
def add(ctx: click.Context, name: str, role: str | None, password_stdin: bool,
        site_after: str | None, overrides_after: tuple[str, ...]) -> None:
    """Create an account, or change its password (and, with --role, its role)."""
    from werkzeug.security import generate_password_hash

    from iop4d.store import people
    from iop4d.store.users import password_of

    site = load(ctx, site_after, overrides_after)
    password = sys.stdin.readline().rstrip("\n") if password_stdin else \
        click.prompt("Password", hide_input=True, confirmation_prompt=True)
    people.check_password(password)
    hashed, by, now = generate_password_hash(password), getpass.getuser(), time.time()
    with open_database(site, read_only=False).write() as tx:
        if password_of(tx, name) is None:
            people.add(tx, name, hashed, Role(role or Role.EDITOR), by=by, now=now)
        else:
            people.set_password(tx, name, hashed, by=by, now=now)
            if role is not None:
                people.set_role(tx, name, Role(role), by=by, now=now)
    click.echo(f"{name} may sign in.")


@users.command()
@click.argument("name")
@click.argument("role", type=ROLES)
@site_options
@click.pass_context
def role(ctx: click.Context, name: str, role: str, site_after: str | None,
         overrides_after: tuple[str, ...]) -> None:
    """Give the account NAME another ROLE: viewer, observer, editor or admin."""
    from iop4d.store import people

    site = load(ctx, site_after, overrides_after)
    with open_database(site, read_only=False).write() as tx:
        is_last = people.is_last_admin(tx, name) and Role(role) is not Role.ADMIN
        people.set_role(tx, name, Role(role), by=getpass.getuser(), now=time.time())
    _warn(is_last)
    click.echo(f"The role of {name} is {role}.")


@users.command()
@click.argument("name")
@site_options
@click.pass_context
def remove(ctx: click.Context, name: str, site_after: str | None,
           overrides_after: tuple[str, ...]) -> None:
    """Remove an account, with its sessions and tokens."""
    from iop4d.store import people

    site = load(ctx, site_after, overrides_after)
    with open_database(site, read_only=False).write() as tx:
        is_last = people.is_last_admin(tx, name)
        people.remove(tx, name, by=getpass.getuser(), now=time.time())
    _warn(is_last)
    click.echo(f"{name} may no longer sign in.")


def _warn(is_last: bool) -> None:
    if is_last:
        click.echo("No admin is left: accounts can be changed only by this command, until "
                   "'iop4d users role NAME admin'.", err=True)


@users.group(invoke_without_command=True)
@json_option
@site_options
@click.pass_context
def token(ctx: click.Context, as_json: bool, site_after: str | None,
          overrides_after: tuple[str, ...]) -> None:
    """List, make and revoke tokens, by which programs act for an account."""
    if ctx.invoked_subcommand is not None:
        return
    from iop4d.store import people

    site = load(ctx, site_after, overrides_after)
    with open_database(site, read_only=True).read() as db:
        found = [(one.name, token) for one in people.accounts(db, time.time())
                 for token in one.tokens]
    if as_json:
        write_json([{"user": name} | _facts(token) for name, token in found])
        return
    for name, one in found:
        echo(f"{name}: {one.name}: {_line(one)}")
    if not found:
        click.echo("There is no token; 'iop4d users token add USER NAME' makes one.")


@token.command("add")
@click.argument("user")
@click.argument("name")
@click.option("--scope", default="read", help="read, trigger (read and post triggers), flag or "
              "edit, within the account's role.  [read]")
@click.option("--expires", default="", metavar="DURATION", help="Such as 90d; without it the "
              "token does not expire.")
@site_options
@click.pass_context
def add_token(ctx: click.Context, user: str, name: str, scope: str, expires: str,
              site_after: str | None, overrides_after: tuple[str, ...]) -> None:
    """Make the token NAME for USER and write it; it is shown this once."""
    from iop4d.model.units import seconds_of
    from iop4d.store import people

    site = load(ctx, site_after, overrides_after)
    now = time.time()
    ends_at = now + seconds_of(expires, longest_s=people.LONGEST_TOKEN) if expires else None
    with open_database(site, read_only=False).write() as tx:
        sent = people.add_token(tx, user, name, scope, by=getpass.getuser(), now=now,
                                ends_at=ends_at)
    click.echo(sent)


@token.command()
@click.argument("user")
@click.argument("name")
@site_options
@click.pass_context
def revoke(ctx: click.Context, user: str, name: str, site_after: str | None,
           overrides_after: tuple[str, ...]) -> None:
    """End the token NAME of USER at once."""
    from iop4d.store import people

    site = load(ctx, site_after, overrides_after)
    with open_database(site, read_only=False).write() as tx:
        people.revoke_token(tx, user, name, by=getpass.getuser(), now=time.time())
    click.echo(f"The token '{name}' of {user} is revoked.")


def _facts(token: ApiToken) -> dict[str, object]:
    from iop4d.store.people import scope_of

    return {"name": token.name, "scope": scope_of(token), "made_at": token.made_at,
            "ends_at": token.ends_at, "used_at": token.used_at}


def _line(token: ApiToken) -> str:
    from iop4d.model.units import utc_of_unix
    from iop4d.store.people import scope_of

    used = f"used last {utc_of_unix(token.used_at)} UTC" if token.used_at else "never used"
    ends = f"expires {utc_of_unix(token.ends_at)} UTC" if token.ends_at else "does not expire"
    return f"{scope_of(token)}, {used}, {ends}"
