"""The ``iop4d`` command: thin commands over the library.

Commands live in modules of their own that are imported when they run, so that ``--help`` is fast.
"""

from __future__ import annotations

import importlib
import sys
from difflib import get_close_matches

import click

from iop4d import __version__
from iop4d.cli.common import COMPLETE_VARIABLE, Context, verbosity
from iop4d.cli.endings import INTERRUPTED, ending_of, show_whatever_can_be_shown
from iop4d.system.astropy_folders import give_folders

#: Command to where it is and what it does, in one line.
COMMANDS = {
    "init": ("iop4d.cli.site:init", "Make a new site: a commented iop4d.toml and its folders."),
    "catalogue": ("iop4d.cli.catalogue:catalogue", "Import, export and show the sources."),
    "import-iop4": ("iop4d.cli.import_iop4:import_iop4",
                    "Bring the catalogue, results and archives of IOP4."),
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
    "shell": ("iop4d.cli.shell:shell", "Start Python with the site open, to look at results."),
    "samp": ("iop4d.cli.samp:samp", "Send a table or a frame to DS9, TOPCAT or Aladin."),
    "atel": ("iop4d.cli.atel:atel", "Draft an Astronomer's Telegram; it is never sent."),
    "calibrate-polarisation": ("iop4d.cli.instruments:calibrate_polarisation",
                               "Measure an instrument's polarisation from standards."),
    "calibrate-colours": ("iop4d.cli.colours:calibrate_colours",
                          "Measure an instrument's colour terms from calibrators."),
    "explain": ("iop4d.cli.explain:explain", "Show what a result rests on."),
    "flag": ("iop4d.cli.explain:flag", "Flag results by hand."),
    "reprocess": ("iop4d.cli.frames:reprocess", "Reduce frames again."),
    "ignore": ("iop4d.cli.frames:ignore", "Leave frames out, with a reason."),
    "retry": ("iop4d.cli.frames:retry", "Reduce failed and quarantined frames again."),
    "rules": ("iop4d.cli.alerts:rules", "List, back-test, mute, add and change rules of alerts."),
    "alerts": ("iop4d.cli.alerts:alerts", "List the active alerts; acknowledge or snooze one."),
    "triggers": ("iop4d.cli.triggers:triggers",
                 "List notices that raise a source; add one by hand, or end one."),
    "external": ("iop4d.cli.external:external",
                 "List, import and remove points that others measured."),
    "users": ("iop4d.cli.users:users",
              "List, make and change accounts of the page, and tokens of programs."),
    "status": ("iop4d.cli.status:status",
               "Show what the daemon does, and what failed and why."),
    "doctor": ("iop4d.cli.doctor:doctor",
               "Find what is wrong with the site or its machine, and say what to do."),
    "store": ("iop4d.cli.store:store",
              "Show where the site keeps what it knows; copy it to another database."),
    "backup": ("iop4d.cli.backup:backup", "Make a backup while the daemon works; list them."),
    "restore": ("iop4d.cli.backup:restore", "Restore a backup into a folder."),
    "prune": ("iop4d.cli.prune:prune",
              "Make room: remove what can be made again, by rule; never raw frames."),
    "summary": ("iop4d.cli.summary:summary", "Show the summary of a night; send it again."),
    "systemd": ("iop4d.cli.service:systemd", "Run as a service: write the units for systemd."),
    "completion": ("iop4d.cli.completion:completion",
                   "Write what a shell reads to complete commands and options."),
    "docs": ("iop4d.cli.docs:docs", "Show a page of the documentation."),
    "demo": ("iop4d.cli.demo:demo", "Start a simulated observatory with the daemon and the page."),
}


class LazyGroup(click.Group):
    """A group whose commands are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def resolve_command(self, ctx: click.Context, args: list[str],
                        ) -> tuple[str | None, click.Command | None, list[str]]:
        """As the base does; a word that is none has those that are like it."""
        if args[0] not in COMMANDS and (close := get_close_matches(args[0], COMMANDS)):
            ctx.fail(f"No such command '{args[0]}'; did you mean {' or '.join(close)}?")
        return super().resolve_command(ctx, args)

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
@click.option("--site", "site", metavar="DIR", envvar="IOP4D_SITE", default=".", type=click.Path(),
              help="Folder of the site [IOP4D_SITE, else the current folder].")
@click.option("-o", "overrides", metavar="SECTION.KEY=VALUE", multiple=True,
              help="Override a key of the site file for this run; the value as in TOML.")
@verbosity
@click.pass_context
def cli(ctx: click.Context, site: str, overrides: tuple[str, ...]) -> None:
    """Turns every raw frame of your telescopes, as it arrives, into calibrated magnitudes."""
    ctx.obj = Context(folder=site, overrides=overrides)


def main() -> None:
    """Run the command line; docs/commands.md lists the exit codes."""
    show_whatever_can_be_shown()
    give_folders()
    try:
        # What ctx.exit() asked for. The variable is that of 'iop4d completion', however the
        # program was started.
        code = cli(standalone_mode=False, complete_var=COMPLETE_VARIABLE)
        sys.stdout.flush()
    except click.exceptions.Abort:
        sys.exit(INTERRUPTED)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except click.exceptions.Exit as error:
        sys.exit(error.exit_code)
    except Exception as error:
        ending = ending_of(error)
        if ending is None:
            raise  # a fault of the program, to be shown as such
        sys.exit(ending.show(error))
    else:
        sys.exit(code if isinstance(code, int) else 0)
