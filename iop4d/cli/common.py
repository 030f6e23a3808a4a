"""What commands share: the site, given or overridden on the command line, and its options."""

from __future__ import annotations

import logging
import math
import os
import sys
import time
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from iop4d.model.errors import Iop4dError
from iop4d.model.escaped import escaped

if TYPE_CHECKING:
    from collections.abc import Callable

    from iop4d.config import Site
    from iop4d.store.database import Connection, Database


@dataclass(frozen=True, kw_only=True)
class Context:
    """What stands before the command's name."""

    folder: str
    overrides: tuple[str, ...]


COMPLETE_VARIABLE = "_IOP4D_COMPLETE"  # by which a shell asks what completes a line
LOG_VARIABLE = "IOP4D_LOG"  # text or json: how services write their messages
_LEVEL = "iop4d.level"  # of the log, as -v and -q ask for it


def _say(level: int) -> Callable[[click.Context, click.Parameter, bool], None]:
    def note(ctx: click.Context, _: click.Parameter, given: bool) -> None:
        if given:
            ctx.meta[_LEVEL] = level
    return note


def verbosity(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options ``-v`` and ``-q``, before and behind a command's name."""
    command = click.option("-v", "--verbose", is_flag=True, expose_value=False,
                           callback=_say(logging.DEBUG),
                           help="Log more, and where an error arose.")(command)
    return click.option("-q", "--quiet", is_flag=True, expose_value=False,
                        callback=_say(logging.WARNING),
                        help="Log warnings and errors alone; show no progress.")(command)


def log_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Let a service say how it writes its messages."""
    return click.option("--log", "log_form", type=click.Choice(["text", "json"]), default=None,
                        envvar=LOG_VARIABLE,
                        help="How messages are written to standard error [IOP4D_LOG, else text]."
                        )(command)


def is_quiet() -> bool:
    """Whether ``-q`` was given."""
    ctx = click.get_current_context(silent=True)
    return ctx is not None and ctx.meta.get(_LEVEL) == logging.WARNING


def site_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Let ``--site``, ``-o``, ``-v`` and ``-q`` stand behind the command's name too."""
    command = verbosity(command)
    command = click.option("--site", "site_after", metavar="DIR", default=None, type=click.Path(),
                           help="Folder of the site.")(command)
    return click.option("-o", "overrides_after", metavar="SECTION.KEY=VALUE", multiple=True,
                        help="Override a key of the site file for this run.")(command)


class Night(click.ParamType[str]):
    """A night as observers write it: 2023-03-13, 20230313, 230313, tonight or yesterday.

    Or the one that a JD, an MJD or a time is of. It becomes the date of its evening, YYYY-MM-DD.
    """

    name = "night"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The date; a usage error for what is no night."""
        from iop4d.archives.nights import parse_night

        try:
            return parse_night(str(value), tonight=tonight()).isoformat()
        except Iop4dError as error:
            self.fail(str(error), param, ctx)


def tonight() -> date:
    """The present night, UTC. Until noon it is still last night."""
    return (datetime.now(tz=UTC) - timedelta(hours=12)).date()


class Amount(click.FloatRange):
    """A number within limits; not NaN, which is within all of them, and not infinite."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The number; a usage error for anything else."""
        found = super().convert(value, param, ctx)
        if not math.isfinite(found):
            self.fail(f"{str(value)!r} is not a valid number.", param, ctx)
        return found


class Number(click.IntRange):
    """The number of a row of the database. ``where``: what shows such numbers."""

    def __init__(self, what: str, where: str) -> None:
        super().__init__(1, 2**63 - 1)
        self._said = f"expected the number of a {what}, as {where} shows it"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The number; a usage error for anything else."""
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter:
            self.fail(f"{str(value)!r} is no number; {self._said}", param, ctx)


NIGHT = Night()
RESULT_NUMBER = Number("result", "'iop4d results'")
FRAME_NUMBER = Number("frame", "'iop4d status'")
MASTER_NUMBER = Number("master", "'iop4d masters list'")
TRIGGER_NUMBER = Number("trigger", "'iop4d triggers'")


def load(ctx: click.Context, site_after: str | None, overrides_after: tuple[str, ...], *,
         has_indexes: bool = True, skip_wrong_rules: bool = True) -> Site:
    """The site that the command is for; raises ConfigError.

    ``has_indexes``: whether its folders of index files must be there. ``skip_wrong_rules``: as in
    ``parse_site``.
    """
    from functools import partial

    from iop4d.cli.named import check_named
    from iop4d.config import load_site
    from iop4d.config.load import place_of

    context: Context = ctx.find_object(Context) or Context(folder=".", overrides=())
    folder = Path(site_after or _of_groups(ctx, "site_after") or context.folder)
    overrides = (*context.overrides, *(_of_groups(ctx, "overrides_after") or ()), *overrides_after)
    site = load_site(folder, overrides, has_indexes=has_indexes, skip_wrong_rules=skip_wrong_rules)
    check_named(site, partial(place_of, folder))
    return site


def _of_groups(ctx: click.Context, name: str) -> Any:
    """What was given to the group that a command is one of, or to one above: ``users --site DIR
    add``. None for nothing."""
    above = ctx.parent
    while above is not None:
        if found := above.params.get(name):
            return found
        above = above.parent
    return None


def check_instrument(site: Site, name: str | None) -> None:
    """Refuse the name of an instrument that the site does not know."""
    from iop4d.instruments.discovery import find_instruments

    names = [one.name for one in find_instruments(site.camera, site.polarimeter)]
    if name and name not in names:
        raise Iop4dError(f"no instrument is named '{name}'; there are {', '.join(names)}")


def check_archive(site: Site, db: Connection, name: str | None) -> None:
    """Refuse the name of an archive that neither the site file nor any frame has."""
    from iop4d.store.frame_files import archive_names

    names = sorted({*archive_names(db), *(archive.name for archive in site.archive)})
    if name and name not in names:
        raise Iop4dError(f"no archive is named '{name}'; there are {', '.join(names) or 'none'}")


def open_database(site: Site, *, read_only: bool) -> Database:
    """The site's database."""
    from iop4d.store.database import GROUP_READS, PRIVATE, Database

    if not read_only:
        from iop4d.operations.backup import refuse_emptied

        refuse_emptied(site)
    return Database(site.database, read_only=read_only,
                    mode=GROUP_READS if site.daemon.group_reads else PRIVATE)


def has_database(site: Site) -> bool:
    """Whether anything ran on the site yet."""
    from iop4d.store.database import is_there

    return is_there(site.database)


def set_up_logging(ctx: click.Context, *, level: int = logging.INFO,
                   form: str | None = None) -> None:
    """Log to standard error, with systemd's priorities when the journal reads it.

    ``form``: text or json; None: as the variable IOP4D_LOG says, else text.
    """
    asked = ctx.meta.get(_LEVEL, level)
    level = asked if asked == logging.DEBUG else max(level, asked)
    handler = logging.StreamHandler(sys.stderr)
    if (form or os.environ.get(LOG_VARIABLE, "")) == "json":
        handler.setFormatter(_JsonFormatter())
    elif _journal_reads():
        handler.setFormatter(_JournalFormatter("%(name)s: %(message)s%(frames)s"))
    else:
        handler.setFormatter(_UtcFormatter(
            "%(asctime)s UTC %(levelname)-7s %(message)s%(frames)s", "%Y-%m-%d %H:%M:%S"))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for noisy in ("aioftp", "apprise", "apscheduler", "asyncio", "asyncssh", "httpcore2", "httpx2",
                  "peewee", "tzlocal", "urllib3", "waitress", "watchdog"):
        logging.getLogger(noisy).setLevel(max(level, logging.WARNING))


def keep_log(site: Site, service: str) -> None:
    """Keep the messages of a service in a file of the site, too, which the pages show."""
    from iop4d.store.database import GROUP_READS, PRIVATE
    from iop4d.system import logfile

    logfile.keep(site.root, service, mode=GROUP_READS if site.daemon.group_reads else PRIVATE,
                 telescopes={archive.name: archive.telescope for archive in site.archive})


@cache
def _journal_reads() -> bool:
    """Whether standard error is the journal's (systemd.exec(5)). What a service or a desktop
    starts inherits the variable, also where it writes to a terminal or a file."""
    try:
        info = os.fstat(2)
    except OSError:
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{info.st_dev}:{info.st_ino}"


_PRIORITY = {logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3,
             logging.CRITICAL: 2}


class _NamingFormatter(logging.Formatter):
    """Names the frames that a message is about at its end."""

    def format(self, record: logging.LogRecord) -> str:
        from iop4d.system.logfile import frames_of

        record.frames = frames_of(record)
        return super().format(record)

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - of logging.Formatter
        """On lines of its own: what is in a message, such as a name, makes none that looks so."""
        record.message = escaped(record.message, keep="\n\t").replace("\n", "\n    ")
        return super().formatMessage(record)


class _UtcFormatter(_NamingFormatter):
    """Times are UTC, whatever the machine's zone."""

    @staticmethod
    def converter(at: float | None) -> time.struct_time:
        """The parts of a time."""
        return time.gmtime(at)


class _JournalFormatter(_NamingFormatter):
    """Puts the syslog priority, such as ``<4>``, before each line (sd-daemon(3))."""

    def format(self, record: logging.LogRecord) -> str:
        priority = f"<{_PRIORITY.get(record.levelno, 6)}>"
        return "\n".join(priority + line for line in super().format(record).splitlines() or [""])


class _JsonFormatter(logging.Formatter):
    """A line of JSON, as in the files of the log; before it the journal's priority."""

    def format(self, record: logging.LogRecord) -> str:
        from iop4d.system.logfile import as_json

        priority = f"<{_PRIORITY.get(record.levelno, 6)}>" if _journal_reads() else ""
        return priority + as_json(record, {})


def time_option(option: str, text: str, *, now_jd: float | None = None) -> float:
    """The JD(UTC) that an option says; raises Iop4dError with its name.

    What ``jd_of_text`` reads, and whatever names a night: that begins at 0 h UTC, as a date does.
    """
    from iop4d.archives.nights import NightError, parse_night
    from iop4d.model.units import MomentError, jd_of_text

    try:
        return jd_of_text(text, now_jd=now_jd)
    except MomentError as error:
        try:
            return jd_of_text(parse_night(text, tonight=tonight()).isoformat())
        except NightError:
            raise Iop4dError(f"{option}: {error}") from None


def check_order(since: float | str | None, until: float | str | None) -> None:
    """Refuse an --until before --since: nothing is there."""
    if since is not None and until is not None and until < since:  # type: ignore[operator]
        raise Iop4dError("--until is before --since")
