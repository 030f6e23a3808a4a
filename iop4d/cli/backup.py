"""``iop4d backup`` and ``restore``: a site is kept, and comes back."""

from __future__ import annotations

import getpass
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from iop4d.cli.common import Context, load, site_options
from iop4d.cli.output import counted, echo, json_option, write_json

if TYPE_CHECKING:
    from iop4d.operations.archive import Manifest


@click.command()
@click.argument("target", metavar="[FOLDER|FILE]", required=False,
                type=click.Path(path_type=Path))
@click.option("--keep", type=click.IntRange(0), metavar="N",
              help="Backups of this site that stay in the folder, the newest; 0: all "
                   "[backup.keep].")
@click.option("--list", "listing", is_flag=True, help="Only list the backups in the folder.")
@json_option
@site_options
@click.pass_context
def backup(ctx: click.Context, target: Path | None, keep: int | None, listing: bool,
           as_json: bool, site_after: str | None, overrides_after: tuple[str, ...]) -> None:
    """Make a backup of the site, while its daemon works, and read it back.

    It holds the database as of one moment (catalogue, results, flags, alerts, accounts, audit), the
    site file with its rules, and drafts of telegrams; never a password or a token. Raw frames are
    not in it, nor what is made from them again: masters, reduced frames, previews. Without FOLDER
    or FILE (.tar.gz) it goes to the folder of [backup].
    """
    from iop4d.operations.backup import make, of_site, unreadable

    site = load(ctx, site_after, overrides_after, has_indexes=False)
    target = target or site.backups
    if listing:
        found = of_site(site, target)
        if as_json:
            write_json([{"path": path, **_said(manifest)} for path, manifest in found])
            return
        for path, manifest in found:
            echo(f"{_moment(manifest.made_at)}  {path.stat().st_size / 1e6:9.1f} MB  {path}")
        if not found:
            echo(f"No backup of this site is in {target}.")
        for bad in unreadable(target):
            echo(f"! {bad}", err=True)
        return
    made = make(site, target, keep=site.backup.keep if keep is None else keep)
    if as_json:
        write_json({"path": made.path, "removed": made.removed, **_said(made.manifest)})
        return
    echo(f"{made.path} ({made.path.stat().st_size / 1e6:.1f} MB): "
         f"{counted(sum(made.manifest.rows.values()), 'row')} and "
         f"{counted(len(made.manifest.files) - 1, 'file')}, read back and compared.")
    for path in made.removed:
        echo(f"Removed, as {site.backup.keep if keep is None else keep} are kept: {path}")
    _say_what_is_missing(made.manifest)


@click.command()
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@click.option("--force", is_flag=True,
              help="Also where a site is: it is moved into a folder before-restore-... beside.")
@click.option("--dry-run", is_flag=True, help="Only check the backup, and show what it holds.")
@json_option
@site_options
@click.pass_context
def restore(ctx: click.Context, file: Path, force: bool, dry_run: bool, as_json: bool,
            site_after: str | None, overrides_after: tuple[str, ...]) -> None:
    """Restore a backup into the folder of --site, which may be new.

    The backup is checked first. Raw frames are not touched: the daemon finds what came since the
    backup, and makes masters that are missing again. -o store.url=... restores into another
    database than the site file of the backup names.
    """
    from iop4d.operations.restore import check
    from iop4d.operations.restore import restore as put

    context = ctx.find_object(Context) or Context(folder=".", overrides=())
    root = Path(site_after or context.folder)
    if dry_run:
        _show(check(file), as_json=as_json)
        return
    done = put(file, root, by=getpass.getuser(), force=force,
               overrides=(*context.overrides, *overrides_after))
    if as_json:
        write_json({"site": done.site.root, "before": done.before, **_said(done.manifest)})
        return
    echo(f"Restored into {done.site.root}: {counted(sum(done.manifest.rows.values()), 'row')} of "
         f"{_moment(done.manifest.made_at)}.")
    if done.before is not None:
        echo(f"What was there is in {done.before}.")
    _say_what_is_missing(done.manifest)
    echo("'iop4d run' continues: it finds the frames that came since, and builds missing masters.")


def _show(manifest: Manifest, *, as_json: bool) -> None:
    if as_json:
        write_json(_said(manifest))
        return
    echo(f"A sound backup of the site '{manifest.site}' in {manifest.root}, made "
         f"{_moment(manifest.made_at)} by iop4d {manifest.software}.")
    for table, count in manifest.rows.items():
        echo(f"{count:10d}  {table}")
    for name, (size, _) in manifest.files.items():
        echo(f"{size / 1e6:10.2f} MB  {name}")
    _say_what_is_missing(manifest)


def _say_what_is_missing(manifest: Manifest) -> None:
    """What whoever restores it has to bring by hand."""
    for where in manifest.left_out:
        echo(f"! left out of the site file, as it is a secret: {where}; write it again after a "
             "restore")
    for where in manifest.secrets:
        echo(f"! not in the backup: {where}")
    for folder, names in manifest.indexes.items():
        echo(f"! not in the backup: {counted(len(names), 'index file')} in {folder}")


def _said(manifest: Manifest) -> dict[str, Any]:
    return {**vars(manifest), "made_at": _moment(manifest.made_at)}


def _moment(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(at))
