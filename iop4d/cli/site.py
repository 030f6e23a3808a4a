"""``iop4d init`` and ``iop4d users``: a new site, and who may sign in on its page."""

from __future__ import annotations

import shlex
import sys
import time
from importlib import resources
from pathlib import Path

import click

from iop4d.cli.common import load, open_database, site_options, verbosity
from iop4d.cli.output import json_option, write_json
from iop4d.model.errors import Iop4dError

FOLDERS = ("raw", "masters", "reduced", "previews")


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@verbosity
def init(folder: Path) -> None:
    """Make a new site in DIR: a commented iop4d.toml and the folders beside it.

    Raw frames go to DIR/raw/<telescope>/<yyyy-mm-dd>/, which the daemon then watches. Existing
    files are not changed.
    """
    path = make_site(folder)
    site = shlex.quote(str(folder))
    click.echo(f"A new site is in {site}.")
    click.echo(f"  1. Edit {shlex.quote(str(path))}")
    click.echo(f"  2. iop4d --site {site} catalogue import builtin:blazars")
    click.echo(f"  3. iop4d --site {site} run      (and, beside it, iop4d --site {site} web)")


def make_site(folder: Path, text: str | None = None) -> Path:
    """Write the site file and make the folders; the file's path. Refuses an existing site."""
    path = folder / "iop4d.toml"
    if path.exists():
        raise Iop4dError(f"{path} exists already and was not changed")
    for name in FOLDERS:
        (folder / name).mkdir(parents=True, exist_ok=True)
    template = resources.files("iop4d.config") / "template.toml"
    try:
        path.write_text(text or template.read_text(encoding="utf-8"), encoding="utf-8")
    except OSError:
        path.unlink(missing_ok=True)  # half a file, on a full disk
        raise
    return path


_SHORTEST = 8  # characters of a password


@click.group(invoke_without_command=True)
@json_option
@site_options
@click.pass_context
def users(ctx: click.Context, as_json: bool, site_after: str | None,
          overrides_after: tuple[str, ...]) -> None:
    """List who may acknowledge alerts, mute and add rules on the page.

    Whether reading the pages needs one is said by [web] read of the site file.
    """
    if ctx.invoked_subcommand is not None:
        return
    from iop4d.store.users import names

    site = load(ctx, site_after, overrides_after)
    with open_database(site, read_only=True).read() as db:
        found = names(db)
    if as_json:
        write_json(found)
        return
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
