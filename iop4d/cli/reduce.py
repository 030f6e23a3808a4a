"""``iop4d reduce``: given files, now."""

from __future__ import annotations

import asyncio
import logging
import re
import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from iop4d.cli.common import load, open_database, set_up_logging, site_options
from iop4d.model.errors import Iop4dError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from iop4d.config import Site
    from iop4d.store.progress import Progress

_FRAME = re.compile(r"(?i)^[^.~].*\.(fits?|fts)(\.gz|\.fz)?$")


@click.command()
@click.argument("paths", metavar="PATH...", nargs=-1, required=True,
                type=click.Path(exists=True, path_type=Path))
@click.option("--copy", is_flag=True,
              help="Copy the files into the site's raw folder first, and reduce those.")
@site_options
@click.pass_context
def reduce(ctx: click.Context, paths: tuple[Path, ...], copy: bool, site_after: str | None,
           overrides_after: tuple[str, ...]) -> None:
    """Reduce files, or all frames in folders, now: biases and flats among them make the masters.

    Frames are read where they lie, and nothing is copied unless --copy is given. With a daemon on
    the site the work is handed to it. Ends with a table of what failed and why, and exit code 1 if
    anything did.
    """
    site = load(ctx, site_after, overrides_after)
    set_up_logging(ctx, level=logging.ERROR)
    files = _files(paths)
    if copy:
        files = [_copied(path, site) for path in files]
    ended = _reduce(site, files)
    click.echo(f"{ended.counts.get('done', 0)} of {ended.total} frames done, "
               f"{ended.results} results.", err=True)
    if ended.troubles:
        _table(ended)
        sys.exit(1)


def _files(paths: tuple[Path, ...]) -> list[Path]:
    """Every file named, and every frame in the folders named, each once, absolute."""
    files: dict[Path, None] = {}
    for path in paths:
        if path.is_dir():
            inside = sorted(p for p in path.rglob("*") if p.is_file() and _FRAME.match(p.name))
            files |= dict.fromkeys(p.resolve() for p in inside)
        else:
            files[path.resolve()] = None
    if not files:
        raise Iop4dError("no frames there: no file is named .fit, .fits or .fts, also .gz or .fz")
    return list(files)


def _copied(path: Path, site: Site) -> Path:
    """The file's copy in raw/<telescope>/<night>/; one that cannot be read stays where it is."""
    from iop4d.instruments.discovery import find_instruments, instrument_for
    from iop4d.model.errors import FrameError
    from iop4d.reduction.fitsfile import read_header

    try:
        header = read_header(path)
        facts = instrument_for(header, find_instruments(site.camera)).read(header, path.name)
    except FrameError:
        return path
    place = site.folder("raw") / facts.telescope / facts.night / path.name
    if not place.exists():
        place.parent.mkdir(parents=True, exist_ok=True)
        part = place.with_name(f".{place.name}.part")
        shutil.copy2(path, part)
        part.replace(place)
    return place


def _reduce(site: Site, files: list[Path]) -> Progress:
    from iop4d.lock import is_locked
    from iop4d.store import asks

    content = {"paths": [str(path) for path in files]}
    if is_locked(site.lock):
        database = open_database(site, read_only=False)
        ask = asks.put(database, "reduce", content, time.time())
        return asyncio.run(_follow_running(site, ask))
    return asyncio.run(_run_here(site, content))


async def _follow_running(site: Site, ask: int) -> Progress:
    """Follow what the running daemon does with the ask."""
    from iop4d.lock import is_locked

    database = open_database(site, read_only=True)

    async def read() -> Progress | None:
        if not is_locked(site.lock):
            raise Iop4dError("the daemon stopped; what was asked of it goes on when it runs again")
        with database.connected():
            return _progress(ask)

    return await _follow(read)


async def _run_here(site: Site, content: dict[str, list[str]]) -> Progress:
    """Run a daemon that watches nothing until the files are done."""
    import dataclasses

    from iop4d.daemon import Daemon
    from iop4d.store import asks
    from iop4d.store.database import Database

    site = dataclasses.replace(site, masters=dataclasses.replace(
        site.masters, debounce=min(site.masters.debounce, 0.2)))
    daemon = Daemon(site, watch=False)
    stop = asyncio.Event()
    ended: list[Progress] = []

    async def work(running: Daemon) -> None:
        def put() -> int:
            return asks.put(running.database, "reduce", content, time.time())

        def look(database: Database, ask: int) -> Progress | None:
            with database.connected():
                return _progress(ask)

        ask = await running.run_db(put)
        ended.append(await _follow(lambda: running.run_db(look, running.database, ask)))
        await running.send_mails()
        stop.set()

    await daemon.run(stop, ready=work)
    return ended[0]


def _progress(ask: int) -> Progress | None:
    from iop4d.store.progress import progress_of

    return progress_of(ask)


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
