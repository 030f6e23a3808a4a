"""Have the daemon do something, or do it here when none runs, and follow how far it is."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from iop4d.cli.common import open_database
from iop4d.model.errors import Iop4dError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from iop4d.config import Site
    from iop4d.store.requests import Progress


def do(site: Site, kind: str, content: dict[str, Any]) -> Progress:
    """Ask a running daemon, or run one for this alone; ends when everything asked has ended."""
    from iop4d.store import requests
    from iop4d.system.lock import is_locked

    if is_locked(site.lock):
        with open_database(site, read_only=False).write() as tx:
            ask = requests.put(tx, kind, content, time.time())
        return asyncio.run(_follow_running(site, ask))
    return asyncio.run(_run_here(site, kind, content))


def report(ended: Progress) -> int:
    """Say how it ended; the exit code, 1 if anything failed."""
    click.echo(f"{ended.counts.get('done', 0)} of {ended.total} frames done, "
               f"{ended.results} results.", err=True)
    if ended.troubles:
        _table(ended)
    return 1 if ended.troubles else 0


async def _follow_running(site: Site, ask: int) -> Progress:
    """Follow what the running daemon does with the ask."""
    from iop4d.store import requests
    from iop4d.system.lock import is_locked

    database = open_database(site, read_only=True)

    async def read() -> Progress | None:
        if not is_locked(site.lock):
            raise Iop4dError("the daemon stopped; what was asked of it goes on when it runs again")
        with database.read() as db:
            return requests.progress_of(db, ask, time.time())

    return await _follow(read)


async def _run_here(site: Site, kind: str, content: dict[str, Any]) -> Progress:
    """Run a daemon that watches nothing until the files are done."""
    import dataclasses

    from iop4d.daemon import Daemon
    from iop4d.store import requests
    from iop4d.store.database import Database

    site = dataclasses.replace(site, masters=dataclasses.replace(
        site.masters, build_delay=min(site.masters.build_delay, 0.2)))
    daemon = Daemon(site, watch=False)
    stop = asyncio.Event()
    ended: list[Progress] = []

    async def work(running: Daemon) -> None:
        def put() -> int:
            with running.database.write() as tx:
                return requests.put(tx, kind, content, time.time())

        def look(database: Database, ask: int) -> Progress | None:
            with database.read() as db:
                return requests.progress_of(db, ask, time.time())

        ask = await running.run_db(put)
        ended.append(await _follow(lambda: running.run_db(look, running.database, ask)))
        await running.send_mails()
        stop.set()

    await daemon.run(stop, ready=work)
    return ended[0]


async def _follow(read: Callable[[], Awaitable[Progress | None]]) -> Progress:
    """Show progress until everything has ended."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
               TimeElapsedColumn())
    with Bar(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("reducing", total=None)
        while True:
            state = await read()
            if state is not None:
                bar.update(task, total=state.total, completed=state.ended,
                           description=f"reducing {state.current}".strip())
                if state.is_over:
                    return state
            await asyncio.sleep(0.2)


def _table(ended: Progress) -> None:
    """What failed and why: one file a row, whole names, however narrow the terminal."""
    click.echo("\nWhat failed:", err=True)
    width = max(len(Path(trouble.path).name) for trouble in ended.troubles)
    for trouble in ended.troubles:
        click.echo(f"  {Path(trouble.path).name:<{width}}  {trouble.state:<11}  {trouble.reason}",
                   err=True)
    click.echo("'iop4d status' shows this again, with the whole paths.", err=True)
