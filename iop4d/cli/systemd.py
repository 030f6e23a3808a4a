"""``iop4d systemd``: the site's units for the service manager."""

from __future__ import annotations

import getpass
import os
from pathlib import Path

import click

from iop4d.cli.common import load, site_options
from iop4d.model.errors import Iop4dError

_SYSTEM = Path("/etc/systemd/system")


@click.group()
def systemd() -> None:
    """Run the daemon and the page as services of systemd."""


@systemd.command()
@click.option("--system", "system", is_flag=True,
              help="For the whole machine, in /etc/systemd/system; needs its rights.")
@click.option("--user", "own", is_flag=True,
              help="For your own service manager, in ~/.config/systemd/user.")
@click.option("--as", "account", metavar="ACCOUNT", default="",
              help="Account that it runs as, with --system; the default is you.")
@click.option("--memory", default="4G", show_default=True, help="Most memory of the daemon.")
@click.option("--output", type=click.Path(path_type=Path, file_okay=False), metavar="DIR",
              help="Write them here instead.")
@click.option("--dry-run", is_flag=True, help="Only show them.")
@site_options
@click.pass_context
def install(ctx: click.Context, system: bool, own: bool, account: str, memory: str,
            output: Path | None, dry_run: bool, site_after: str | None,
            overrides_after: tuple[str, ...]) -> None:
    """Write the units of the site: the daemon, the page, and the page's address.

    Nothing is started: the commands for that are shown.
    """
    from iop4d.system.units import units

    if system == own:
        raise Iop4dError("say --user (for your own service manager) or --system")
    site = load(ctx, site_after, overrides_after)
    made = units(site, user=(account or getpass.getuser()) if system else "", memory=memory)
    if dry_run:
        for name, text in made.items():
            click.echo(f"# ---- {name}\n{text}")
        return
    folder = output or (_SYSTEM if system else Path.home() / ".config" / "systemd" / "user")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in made.items():
            part = folder / f".{name}.part"
            part.write_text(text, encoding="utf-8")
            part.replace(folder / name)
    except OSError as error:
        raise Iop4dError(f"{error}; with --system this needs the rights of root"
                         if os.geteuid() else str(error)) from error
    call = "systemctl" if system else "systemctl --user"
    click.echo(f"Written to {folder}: {', '.join(made)}. Now:")
    click.echo(f"  {call} daemon-reload\n  {call} enable --now iop4d.service iop4d-web.socket\n"
               f"  {call} status iop4d")
