"""``iop4d catalogue remove`` and ``rename``: a source that was wrong, or has a better name."""

from __future__ import annotations

import getpass
import time

import click

from iop4d.cli.common import load, open_database, site_options
from iop4d.cli.output import counted
from iop4d.model.errors import CatalogueError, Iop4dError


@click.command()
@click.argument("name")
@click.option("--force", is_flag=True,
              help="Also one that results, other sources or the site file need.")
@site_options
@click.pass_context
def remove(ctx: click.Context, name: str, force: bool, site_after: str | None,
           overrides_after: tuple[str, ...]) -> None:
    """Take the source NAME out of the catalogue.

    Its results stay, and are listed under its name. What it calibrated is calibrated again without
    it. A source that anything needs is refused, and what that is is listed.
    """
    from iop4d.store import catalogue, catalogue_changes, catalogue_edit

    site = load(ctx, site_after, overrides_after)
    with open_database(site, read_only=False).write() as tx:
        source = catalogue.find(tx, name)
        needs = catalogue_edit.uses(tx, source, site)
        if needs and not force:
            raise CatalogueError(f"{source.name} is not removed, it is needed by: "
                                 f"{'; '.join(needs)}. --force removes it nevertheless")
        catalogue_changes.remove(tx, source, by=getpass.getuser(), at=time.time())
    click.echo(f"{source.name} removed from the catalogue.")


@click.command()
@click.argument("old")
@click.argument("new")
@click.option("--forget", is_flag=True, help="Do not keep OLD as one of its other names.")
@site_options
@click.pass_context
def rename(ctx: click.Context, old: str, new: str, forget: bool, site_after: str | None,
           overrides_after: tuple[str, ...]) -> None:
    """Call the source OLD by the name NEW, with all its results, alerts and mutes.

    OLD stays one of its other names. No daemon may run meanwhile: a frame that it just measures
    would have the old name.
    """
    from iop4d.store import catalogue, catalogue_changes, catalogue_edit, nodes
    from iop4d.system.lock import is_locked

    site = load(ctx, site_after, overrides_after)
    new = catalogue_edit.checked_name(new)
    if is_locked(site.lock):
        raise Iop4dError("a daemon runs on this site; stop it, rename, and start it again")
    with open_database(site, read_only=False).write() as tx:
        for node, beat in nodes.others(tx).items():
            if nodes.is_seen(beat, time.time()):
                raise Iop4dError(f"the daemon of the node {node} runs; stop it, rename, and start "
                                 "it again")
        source = catalogue.find(tx, old)
        if forget and (named := catalogue_edit.named_by(source, site)):
            raise CatalogueError(f"{source.name} is named by {'; '.join(named)}: correct that "
                                 "first, or leave --forget out")
        count = catalogue_changes.rename(tx, source, new, keep=not forget, by=getpass.getuser(),
                                         at=time.time())
    click.echo(f"{source.name} is now {new}, with {counted(count, 'result')}.")
