"""What commands share: the site, given or overridden on the command line, and its options."""

from __future__ import annotations

import logging
import os
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from iop4d.model.errors import Iop4dError

if TYPE_CHECKING:
    from collections.abc import Callable

    from iop4d.config import Site
    from iop4d.store.database import Database


@dataclass(frozen=True, kw_only=True)
class Context:
    """What stands before the command's name."""

    folder: str
    overrides: tuple[str, ...]
    verbose: bool


def site_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Let ``--site`` and ``-o`` stand behind the command's name too."""
    command = click.option("--site", "site_after", metavar="DIR", default=None,
                           help="Folder of the site.")(command)
    return click.option("-o", "overrides_after", metavar="SECTION.KEY=VALUE", multiple=True,
                        help="Override a key of the site file for this run.")(command)


class Night(click.ParamType[str]):
    """A night as observers write it: 2023-03-13, 20230313, 230313, tonight or yesterday.

    It becomes the date of its evening, YYYY-MM-DD. Until noon (UTC) it is still last night.
    """

    name = "night"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The date; a usage error for what is no night."""
        from iop4d.archives.nights import parse_night

        tonight = (datetime.now(tz=UTC) - timedelta(hours=12)).date()
        try:
            return parse_night(str(value), tonight=tonight).isoformat()
        except Iop4dError as error:
            self.fail(str(error), param, ctx)


NIGHT = Night()
ID = click.IntRange(1, 2**63 - 1)  # of a row of the database


def load(ctx: click.Context, site_after: str | None, overrides_after: tuple[str, ...], *,
         has_indexes: bool = True, skip_wrong_rules: bool = True) -> Site:
    """The site that the command is for; raises ConfigError.

    ``has_indexes``: whether its folders of index files must be there. ``skip_wrong_rules``: as in
    ``parse_site``.
    """
    from iop4d.config import load_site

    context: Context = ctx.find_object(Context) or Context(folder=".", overrides=(), verbose=False)
    return load_site(Path(site_after or context.folder),
                     (*context.overrides, *overrides_after), has_indexes=has_indexes,
                     skip_wrong_rules=skip_wrong_rules)


def check_instrument(site: Site, name: str | None) -> None:
    """Refuse the name of an instrument that the site does not know."""
    from iop4d.instruments.discovery import find_instruments

    names = [one.name for one in find_instruments(site.camera, site.polarimeter)]
    if name and name not in names:
        raise Iop4dError(f"no instrument is named '{name}'; there are {', '.join(names)}")


def open_database(site: Site, *, read_only: bool) -> Database:
    """The site's database."""
    from iop4d.store.database import GROUP_READS, PRIVATE, Database

    return Database(site.database, read_only=read_only,
                    mode=GROUP_READS if site.daemon.group_reads else PRIVATE)


def set_up_logging(ctx: click.Context, *, level: int = logging.INFO) -> None:
    """Log to standard error, with systemd's priorities when the journal reads it."""
    context = ctx.find_object(Context)
    if context is not None and context.verbose:
        level = logging.DEBUG
    journal = "JOURNAL_STREAM" in os.environ
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JournalFormatter("%(name)s: %(message)s") if journal else
                         logging.Formatter("%(asctime)s %(levelname)-7s %(message)s", "%H:%M:%S"))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for noisy in ("aioftp", "apprise", "apscheduler", "asyncio", "asyncssh", "httpcore2", "httpx2",
                  "tzlocal", "urllib3", "waitress", "watchdog"):
        logging.getLogger(noisy).setLevel(max(level, logging.WARNING))


_PRIORITY = {logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3,
             logging.CRITICAL: 2}


class _JournalFormatter(logging.Formatter):
    """Puts the syslog priority, such as ``<4>``, before each line (sd-daemon(3))."""

    def format(self, record: logging.LogRecord) -> str:
        priority = f"<{_PRIORITY.get(record.levelno, 6)}>"
        return "\n".join(priority + line for line in super().format(record).splitlines() or [""])


def time_option(option: str, text: str, *, now_jd: float | None = None) -> float:
    """The JD(UTC) that an option says; raises Iop4dError with its name. See ``jd_of_text``."""
    from iop4d.model.units import MomentError, jd_of_text

    try:
        return jd_of_text(text, now_jd=now_jd)
    except MomentError as error:
        raise Iop4dError(f"{option}: {error}") from None
