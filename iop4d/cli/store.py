"""``iop4d store``: where a site keeps what it knows; copy it to another database."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from iop4d.cli.common import load, site_options
from iop4d.cli.output import counted, echo, json_option, write_json
from iop4d.model.errors import Iop4dError

if TYPE_CHECKING:
    from iop4d.config import Site


@click.group()
def store() -> None:
    """Show where the site keeps what it knows; copy all of it to another database."""


def _running(site: Site) -> list[str]:
    """The other nodes whose daemons run on the site's database."""
    from iop4d.cli.common import has_database, open_database
    from iop4d.store import nodes

    if not site.site.node or not has_database(site):
        return []
    with open_database(site, read_only=True).read() as db:
        return [node for node, beat in nodes.others(db).items()
                if nodes.is_seen(beat, time.time())]


@store.command()
@json_option
@site_options
@click.pass_context
def show(ctx: click.Context, as_json: bool, site_after: str | None,
         overrides_after: tuple[str, ...]) -> None:
    """Where the database is, how many rows its largest tables have, and which daemons share it.

    Of each node: whether its daemon runs, on which machine, and when it was seen last.
    """
    from dataclasses import asdict

    from iop4d.cli.common import open_database
    from iop4d.cli.status import node_line
    from iop4d.store import nodes
    from iop4d.store.copying import counts

    site = load(ctx, site_after, overrides_after)
    with open_database(site, read_only=True).read() as db:
        rows = counts(db)
        shared = [asdict(node) for node in nodes.listed(db, time.time())]
    if as_json:
        write_json({"database": str(site.database), "rows": dict(rows), "nodes": shared})
        return
    echo(f"{site.database}")
    for table, count in rows:
        echo(f"{count:10d}  {table}")
    for node in shared:
        echo(node_line(node), hang=9)


@store.command("rename-node")
@click.argument("old", metavar="OLD")
@click.argument("new", metavar="NEW")
@site_options
@click.pass_context
def rename_node(ctx: click.Context, old: str, new: str, site_after: str | None,
                overrides_after: tuple[str, ...]) -> None:
    """Give the frames, masters and jobs of the node OLD to the name NEW.

    A - stands for no node: 'iop4d store rename-node - granada' makes what a site without [site]
    node left in its database that of the node granada. Neither may have a running daemon.
    """
    from iop4d.cli.common import open_database
    from iop4d.config.site import NODE
    from iop4d.store import nodes

    site = load(ctx, site_after, overrides_after)
    old, new = ("" if name == "-" else name for name in (old, new))
    if new and not NODE.fullmatch(new):
        raise Iop4dError(f"'{new}' is no name of a node: letters, digits, ., - and _")
    with open_database(site, read_only=False).write() as tx:
        if nodes.is_seen(nodes.beats(tx).get(old, {}), time.time()):
            raise Iop4dError("its daemon runs, or ran some seconds ago: stop it first")
        count = nodes.rename(tx, old, new)
    echo(f"{counted(count, 'frame')} and what was made of them belong to "
         f"{f'the node {new}' if new else 'no node'} now")


@store.command()
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
@site_options
@click.pass_context
def copy(ctx: click.Context, source: str, target: str, site_after: str | None,
         overrides_after: tuple[str, ...]) -> None:
    """Copy everything from one database into an empty one, and compare each row.

    FROM and TO are urls as of [store] url: sqlite:///iop4d.db, postgresql://iop4d@host/iop4d. The
    password of a server is what [store] says. Stop the daemon first. The site file is not changed:
    afterwards set [store] url to TO.
    """
    from contextlib import ExitStack, closing

    from rich.progress import Progress

    from iop4d.config.store import FilePlace, is_url, place_of_url
    from iop4d.store.copying import copy as copy_rows
    from iop4d.store.database import Database
    from iop4d.system.lock import is_locked

    site = load(ctx, site_after, overrides_after)
    for url in (source, target):
        if not url or not is_url(url):
            raise Iop4dError(f"'{url}' is no url of a database: sqlite:///FILE, or "
                             "postgresql://USER@HOST/DATABASE without a password")
    from_, to = (place_of_url(url, site.root, password=site.store.secret.read)
                 for url in (source, target))
    beside = {place.path.parent for place in (from_, to) if isinstance(place, FilePlace)}
    if any(is_locked(folder / site.lock.name) for folder in {site.root, *beside}):
        raise Iop4dError("the daemon runs on this site and would write meanwhile: stop it first")
    if others := _running(site):
        raise Iop4dError(f"the node {others[0]} works on this database and would write meanwhile: "
                         "stop its daemon first")
    if from_ == to:
        raise Iop4dError("FROM and TO are the same database")
    if isinstance(from_, FilePlace) and not from_.path.exists():
        raise Iop4dError(f"no database at {from_}")
    tasks: dict[str, Any] = {}

    def note(table: str, rows: int) -> None:
        if table not in tasks:
            tasks[table] = bar.add_task(table, total=None)
        bar.update(tasks[table], description=f"{table}: {rows}")

    with ExitStack() as opened:
        one = opened.enter_context(closing(Database(from_, read_only=True)))
        one.check_schema()
        other = opened.enter_context(closing(Database(to)))
        for database in (one, other):
            opened.callback(database.kind.unclaim)
            database.kind.claim()  # no daemon works on either meanwhile, on whatever machine
        bar = opened.enter_context(Progress(transient=True))
        count = copy_rows(one, other, progress=note)
    echo(f"{counted(count, 'row')} copied to {to} and compared; set [store] url = \"{target}\" in "
         f"{site.root / 'iop4d.toml'} to use it")
