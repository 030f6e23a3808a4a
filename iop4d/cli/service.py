"""``iop4d run``, ``reload``, ``web`` and ``systemd``: the two services of a site."""

from __future__ import annotations

import os
import pwd
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from iop4d.cli.common import keep_log, load, log_option, set_up_logging, site_options
from iop4d.model.errors import Iop4dError

if TYPE_CHECKING:
    from iop4d.config import Site


_CHECKED_IN = 0.5  # seconds in which a daemon reads and checks a site file
_RELOADED = 60.0  # seconds within which a daemon must have reloaded: running jobs may end


@click.command()
@log_option
@site_options
@click.pass_context
def run(ctx: click.Context, log_form: str | None, site_after: str | None,
        overrides_after: tuple[str, ...]) -> None:
    """Run the daemon: watch the archives, reduce each frame as it comes, send alerts.

    It stops cleanly on SIGTERM and Ctrl-C: running jobs end, the rest is done after the next start.
    On SIGHUP, or 'iop4d reload', it reads the site file again; one with an error is rejected, and
    the daemon keeps using the previous one. Rules that are wrong at a start are not used, and
    shown by 'iop4d status'. However it ends, nothing is lost.
    """
    from iop4d.daemon import Daemon
    from iop4d.system.service import serve

    site = load(ctx, site_after, overrides_after)
    set_up_logging(ctx, form=log_form)
    keep_log(site, "daemon")
    serve(site, lambda: load(ctx, site_after, overrides_after, skip_wrong_rules=False), Daemon)


@click.command()
@site_options
@click.pass_context
def reload(ctx: click.Context, site_after: str | None, overrides_after: tuple[str, ...]) -> None:
    """Have the running daemon read the site file again.

    The file is checked first. Running jobs end; a few seconds later the new file applies.
    Overrides (-o) are those that the daemon was started with.
    """
    import os
    import signal

    from iop4d.model.states import DaemonState
    from iop4d.system.lock import holder, is_locked

    site = load(ctx, site_after, overrides_after, skip_wrong_rules=False)
    pid = holder(site.lock)
    if not is_locked(site.lock) or pid is None:
        raise Iop4dError("no daemon runs on this site; it reads the file when it starts")
    before, requested = _heartbeat(site).get("started_at", 0.0), time.time()
    os.kill(pid, signal.SIGHUP)
    deadline = time.monotonic() + _RELOADED
    while time.monotonic() < deadline:
        time.sleep(0.2)
        beat = _heartbeat(site)
        if beat.get("config_error") and beat.get("beat_at", 0.0) > requested + _CHECKED_IN:
            raise Iop4dError(f"site file rejected: {beat['config_error']}")
        if beat.get("started_at", 0.0) > before and beat.get("state") == DaemonState.RUNNING:
            click.echo("Site file reloaded.")
            return
    raise Iop4dError(f"the daemon (process {pid}) did not reload it within {_RELOADED:g} s; see "
                     "its log")


def _heartbeat(site: Site) -> dict[str, Any]:
    from iop4d.cli.common import open_database
    from iop4d.store.status import heartbeat

    with open_database(site, read_only=True).read() as db:
        return heartbeat(db)


@click.command()
@click.option("--port", type=int, help="Port to listen at, instead of the site file's.")
@log_option
@site_options
@click.pass_context
def web(ctx: click.Context, port: int | None, log_form: str | None, site_after: str | None,
        overrides_after: tuple[str, ...]) -> None:
    """Serve the live page. It reads the daemon's database and needs no running daemon."""
    from iop4d.web.server import serve

    if port is not None:
        overrides_after = (*overrides_after, f"web.port={port}")
    site = load(ctx, site_after, overrides_after)
    set_up_logging(ctx, form=log_form)
    keep_log(site, "web")
    serve(site, load=lambda: load(ctx, site_after, overrides_after))


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
@click.option("--group", metavar="GROUP", default="",
              help="Group that it runs as, with --system; the default is that of the account.")
@click.option("--memory", metavar="SIZE", default="",
              help="Most memory of the daemon and its workers; the default is 4G, or half a "
                   "gigabyte for each worker where that is more.")
@click.option("--output", type=click.Path(path_type=Path, file_okay=False), metavar="DIR",
              help="Write them here instead.")
@click.option("--dry-run", is_flag=True, help="Only show them.")
@site_options
@click.pass_context
def install(ctx: click.Context, system: bool, own: bool, account: str, group: str,
            memory: str, output: Path | None, dry_run: bool, site_after: str | None,
            overrides_after: tuple[str, ...]) -> None:
    """Write the units of the site: the daemon, the page with its address, and daily backups.

    Nothing is started: the commands for that are shown, and what would keep the services from
    working. Units that were there and differ are kept beside the new ones.
    """
    from iop4d.system.installation import obstacles, site_of_unit, write_units
    from iop4d.system.units import units

    if system == own:
        raise Iop4dError("say --user (for your own service manager) or --system")
    site = load(ctx, site_after, overrides_after)
    if own and (account or group):
        raise Iop4dError("--as and --group are for --system: your own service manager runs as you")
    user = (account or _me()) if system else ""
    made = units(site, user=user, group=group, memory=memory)
    if dry_run:
        for name, text in made.items():
            click.echo(f"# ---- {name}\n{text}")
    else:
        folder = output or (_SYSTEM if system else Path.home() / ".config" / "systemd" / "user")
        try:
            kept = write_units(made, folder)
        except OSError as error:
            raise Iop4dError(f"{error}; with --system this needs the rights of root"
                             if system and os.geteuid() else str(error)) from error
    for sentence in obstacles(site, user=user, group=group):
        click.echo(f"! {sentence}", err=True)
    if dry_run:
        return
    for copy in kept:
        other = site_of_unit(copy)
        whose = f", of the site {other}, which has no service now" * (other != str(site.root))
        click.echo(f"! the previous unit differs{whose}; it is kept as {copy}", err=True)
    click.echo(f"Written to {folder}: {', '.join(made)}. Now:")
    began = "iop4d.service iop4d-web.socket iop4d-backup.timer"
    for words in ("daemon-reload", f"enable --now {began}", f"restart {began}" * bool(kept),
                  "status iop4d"):
        if words:
            click.echo(f"  systemctl {'' if system else '--user '}{words}")
    if own:
        click.echo("So that it starts with the machine and stays when you sign out:\n"
                   f"  loginctl enable-linger {_me()}")


def _me() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        raise Iop4dError(f"the account with the number {os.geteuid()} has no name on this machine; "
                         "say --as ACCOUNT") from None
