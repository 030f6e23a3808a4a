"""The ``iop4d`` command: thin commands over the library.

Commands live in modules of their own that are imported when they run, so that ``--help`` is fast.
"""

from __future__ import annotations

import importlib
import os
import sys

import click

from iop4d import __version__
from iop4d.cli.common import Context
from iop4d.model.errors import ConfigError, Iop4dError

EX_TEMPFAIL = 75  # sysexits.h: it may succeed later
EX_CONFIG = 78  # sysexits.h: something is wrong in the configuration

#: Command to where it is and what it does, in one line.
COMMANDS = {
    "init": ("iop4d.cli.site:init", "Make a new site: a commented iop4d.toml and its folders."),
    "catalogue": ("iop4d.cli.catalogue:catalogue", "Import, export and show the sources."),
    "archives": ("iop4d.cli.archives:archives",
                 "Show the archives and what they hold; download nights by hand."),
    "instruments": ("iop4d.cli.instruments:instruments",
                    "List the instruments; explain how a frame is read."),
    "masters": ("iop4d.cli.masters:masters", "List the masters; reject bad ones."),
    "index": ("iop4d.cli.index:index", "Make index files for the catalogue's fields."),
    "run": ("iop4d.cli.service:run", "Run the daemon: watch the archives and reduce what comes."),
    "reload": ("iop4d.cli.service:reload", "Have the running daemon reload the site file."),
    "reduce": ("iop4d.cli.frames:reduce", "Reduce given files now."),
    "web": ("iop4d.cli.service:web", "Serve the live page."),
    "channels": ("iop4d.cli.channels:channels",
                 "Show how messages reach people; send a test message."),
    "results": ("iop4d.cli.results:results", "Write the results as a table."),
    "atel": ("iop4d.cli.atel:atel", "Draft an Astronomer's Telegram; it is never sent."),
    "calibrate-polarisation": ("iop4d.cli.instruments:calibrate_polarisation",
                               "Measure an instrument's polarisation from standards."),
    "calibrate-colours": ("iop4d.cli.colours:calibrate_colours",
                          "Measure an instrument's colour terms from calibrators."),
    "explain": ("iop4d.cli.explain:explain", "Show what a result rests on."),
    "flag": ("iop4d.cli.explain:flag", "Flag results by hand."),
    "reprocess": ("iop4d.cli.frames:reprocess", "Reduce frames again."),
    "retry": ("iop4d.cli.frames:retry", "Reduce failed and quarantined frames again."),
    "rules": ("iop4d.cli.alerts:rules", "List, back-test, mute and add rules of alerts."),
    "alerts": ("iop4d.cli.alerts:alerts", "List the active alerts; acknowledge or snooze one."),
    "users": ("iop4d.cli.site:users", "List, add and remove who may sign in on the page."),
    "status": ("iop4d.cli.status:status",
               "Show what the daemon does, and what failed and why."),
    "summary": ("iop4d.cli.summary:summary", "Show the summary of a night; send it again."),
    "systemd": ("iop4d.cli.service:systemd", "Run as a service: write the units for systemd."),
    "demo": ("iop4d.cli.demo:demo", "Start a simulated observatory with the daemon and the page."),
}


class LazyGroup(click.Group):
    """A group whose commands are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]},
             epilog="A first look: 'iop4d demo'. A site of your own: 'iop4d init DIR'.")
@click.version_option(__version__, prog_name="iop4d")
@click.option("--site", "site", metavar="DIR", envvar="IOP4D_SITE", default=".",
              help="Folder of the site [IOP4D_SITE, else the current folder].")
@click.option("-o", "overrides", metavar="SECTION.KEY=VALUE", multiple=True,
              help="Override a key of the site file for this run; the value as in TOML.")
@click.option("-v", "--verbose", is_flag=True, help="Log more.")
@click.pass_context
def cli(ctx: click.Context, site: str, overrides: tuple[str, ...], verbose: bool) -> None:
    """Turns every raw frame of your telescopes, as it arrives, into calibrated magnitudes."""
    ctx.obj = Context(folder=site, overrides=overrides, verbose=verbose)


def _is_locked(error: BaseException) -> bool:
    """Whether another program held the database for longer than is waited."""
    if isinstance(error, BaseExceptionGroup):
        return any(map(_is_locked, error.exceptions))
    return type(error).__name__ == "OperationalError" and "database is locked" in str(error)


def main() -> None:
    """Run the command line; wrong configuration exits with 78, other known trouble with 1."""
    try:
        code = cli(standalone_mode=False)  # what ctx.exit() asked for
    except click.exceptions.Abort:
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except click.exceptions.Exit as error:
        sys.exit(error.exit_code)
    except ConfigError as error:
        click.echo(f"iop4d: {error}", err=True)
        sys.exit(EX_CONFIG)
    except Iop4dError as error:
        click.echo(f"iop4d: {error}", err=True)
        sys.exit(1)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    # Raised deep inside, perhaps in a group of a task's errors; all else is a fault to be shown.
    except Exception as error:
        if not _is_locked(error):
            raise
        click.echo("iop4d: the database is locked by another program; nothing is lost: try again "
                   "once that has ended", err=True)
        sys.exit(EX_TEMPFAIL)
    else:
        sys.exit(code if isinstance(code, int) else 0)
