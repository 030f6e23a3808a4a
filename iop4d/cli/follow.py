"""Request something of the daemon, or do it here when none runs, and show the progress."""

from __future__ import annotations

import asyncio
import logging
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from iop4d.cli.common import is_quiet, open_database
from iop4d.cli.output import counted, echo
from iop4d.model.errors import Iop4dError
from iop4d.model.escaped import escaped
from iop4d.model.reasons import without_numbers

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from iop4d.config import Site
    from iop4d.daemon import Daemon
    from iop4d.store.requests import Progress, Trouble

log = logging.getLogger(__name__)


def do(site: Site, kind: str, content: dict[str, Any], *,
       interrupted: Callable[[], None] | None = None) -> Progress:
    """Request something of a running daemon, or run one for this alone; ends when it is done.

    Raises Iop4dError if the request is refused. ``interrupted``: called at a Ctrl-C while a running
    daemon works on it.
    """
    from iop4d.store import requests
    from iop4d.system.lock import is_locked

    if is_locked(site.lock):
        with open_database(site, read_only=False).write() as tx:
            request = requests.put(tx, kind, content, time.time())
        try:
            ended = asyncio.run(_follow_running(site, request))
        except KeyboardInterrupt:
            if interrupted is not None:
                interrupted()
            raise
    else:
        try:
            ended = asyncio.run(_run_here(site, kind, content))
        except KeyboardInterrupt:
            if interrupted is not None:
                click.echo("Interrupted: the next daemon on this site does the rest; 'iop4d "
                           "reprocess --stop' prevents that.", err=True)
            raise
    if ended.error:
        raise Iop4dError(ended.error)
    return ended


def report(ended: Progress) -> int:
    """Print how it ended; the exit code, 1 if anything failed."""
    if not is_quiet():
        click.echo(f"{ended.counts.get('done', 0)} of {counted(ended.total, 'frame')} done, "
                   f"{counted(ended.results, 'result')}.", err=True)
        for note, count in ended.notes:
            echo(f"{counted(count, 'frame')}: {note}.", err=True)
    if ended.groups:
        click.echo("\nGroups without polarisation:", err=True)
    for group, reason in ended.groups:
        click.echo(f"  {group}: {reason}", err=True)
    if ended.troubles:
        _table(ended)
    return 1 if ended.troubles else 0


async def _follow_running(site: Site, request: int) -> Progress:
    """Follow what the running daemon does with a request."""
    from iop4d.store import nodes, requests
    from iop4d.store.status import heartbeat
    from iop4d.system.lock import is_locked

    database = open_database(site, read_only=True)

    async def read() -> Progress | None:
        if not is_locked(site.lock):
            raise Iop4dError("the daemon stopped; it continues with the request when it starts "
                             "again")
        with database.read() as db:
            if why := nodes.why_not_done(db, requests.node_of(db, request), time.time()):
                raise Iop4dError(f"{why}; the request is kept")
            if trouble := heartbeat(db).get("trouble"):
                raise Iop4dError(f"the daemon reduces nothing: {trouble}; the request is kept")
            return requests.progress_of(db, request, time.time())

    return await _follow(read)


async def _run_here(site: Site, kind: str, content: dict[str, Any]) -> Progress:
    """Run a daemon that watches nothing until the request is done."""
    import dataclasses

    from iop4d.daemon import Daemon
    from iop4d.store import nodes, requests

    site = dataclasses.replace(site, masters=dataclasses.replace(
        site.masters, build_delay=min(site.masters.build_delay, 0.2)))
    stop = asyncio.Event()
    ended: list[Progress] = []

    async def work(daemon: Daemon) -> None:
        request = await daemon.database.write(requests.put, kind, content, time.time())
        node = await daemon.database.read(requests.node_of, request)

        async def read() -> Progress | None:
            if why := await daemon.database.read(nodes.why_not_done, node, time.time()):
                raise Iop4dError(f"{why}; the request is kept")
            if daemon.trouble:
                raise Iop4dError(daemon.trouble)
            return await daemon.database.read(requests.progress_of, request, time.time())

        ended.append(await _follow(read))
        await _send_messages(daemon, site.alerts.timeout)
        stop.set()

    await Daemon(site, watch=False).run(stop, ready=work)
    return ended[0]


async def _send_messages(daemon: Daemon, seconds: float) -> None:
    """Try once to send what is due: this daemon does not stay. Of several nodes that is left to
    the one that leads."""
    if not daemon.leads:
        return
    try:
        async with asyncio.timeout(seconds):
            await daemon.relay.send_due()
    except TimeoutError:
        log.warning("messages are not sent yet; the daemon sends them when it runs")


async def _follow(read: Callable[[], Awaitable[Progress | None]]) -> Progress:
    """Show progress until everything has ended."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.progress import Progress as Bar

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
               TimeElapsedColumn(), TimeRemainingColumn(compact=True))
    console = Console(stderr=True)
    # Of no use in a log or a pipe, where the last line alone would stand.
    with Bar(*columns, console=console, disable=is_quiet() or not console.is_terminal,
             speed_estimate_period=300.0) as bar:
        task = bar.add_task("reducing", total=None)
        while True:
            state = await read()
            if state is not None:
                bar.update(task, total=state.total, completed=state.ended,
                           description=f"reducing {state.current}".strip())
                if state.is_over:
                    return state
            await asyncio.sleep(0.2 if state is None or state.total < _MANY else 2.0)


def _table(ended: Progress) -> None:
    """What failed and why, the commonest reason first: whole names, however narrow the terminal.

    Reasons that differ in numbers alone are one, with those of its first frame.
    """
    click.echo("\nWhat failed:", err=True)
    reasons: dict[tuple[str, str], list[Trouble]] = {}
    for trouble in ended.troubles:
        key = trouble.state, without_numbers(trouble.reason)
        reasons.setdefault(key, []).append(trouble)
    for alike in sorted(reasons.values(), key=len, reverse=True):
        echo(f"  {len(alike)} {alike[0].state}: {alike[0].reason}", err=True)
        for trouble in alike[:_EXAMPLES]:
            echo(f"      {escaped(Path(trouble.path).name)}", err=True)
        if len(alike) > _EXAMPLES:
            click.echo(f"      and {len(alike) - _EXAMPLES} more", err=True)
    click.echo("'iop4d status --all' lists each, with the whole paths.", err=True)


_MANY = 1000  # frames from which the progress is looked at rarely
_EXAMPLES = 10  # names of files with the same reason
