"""``iop4d init``: a new site."""

from __future__ import annotations

import shlex
from importlib import resources
from pathlib import Path

import click

from iop4d.cli.common import verbosity
from iop4d.model.errors import Iop4dError

FOLDERS = ("raw", "masters", "reduced", "previews")


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@verbosity
def init(folder: Path) -> None:
    """Make a new site in DIR: a commented iop4d.toml and the folders beside it.

    Raw frames go to DIR/raw/<telescope>/<yyyy-mm-dd>/, which the daemon then watches. Existing
    files are not changed.
    """
    path = make_site(folder)
    site = shlex.quote(str(folder))
    click.echo(f"A new site is in {site}.")
    if (around := site_around(folder)) is not None:
        click.echo(f"Note: it stands inside the site {shlex.quote(str(around))}. The two know "
                   "nothing of each other; commands without --site take that of the folder in "
                   "which they are given.", err=True)
    click.echo(f"  1. Edit {shlex.quote(str(path))}")
    click.echo(f"  2. iop4d --site {site} catalogue import builtin:blazars")
    click.echo("  3. Index files, to find the fields: 'iop4d docs getting-started', step 2")
    click.echo(f"  4. iop4d --site {site} run      (and, beside it, iop4d --site {site} web)")


def site_around(folder: Path) -> Path | None:
    """The nearest site that a folder is inside of; None for none."""
    return next((outer for outer in folder.resolve().parents
                 if (outer / "iop4d.toml").is_file()), None)


def make_site(folder: Path, text: str | None = None) -> Path:
    """Write the site file and make the folders; the file's path. Refuses an existing site.

    The folder of the program is refused too, as a site is no part of it, and one among the files
    of another site, whose daemon would take its frames.
    """
    path = folder / "iop4d.toml"
    if path.exists():
        raise Iop4dError(f"{path} exists already and was not changed")
    if (folder / "iop4d" / "__init__.py").exists():
        raise Iop4dError(f"{folder} is the folder of the program: a site needs one of its own")
    around = site_around(folder)
    if around is not None and folder.resolve().relative_to(around).parts[0] in FOLDERS:
        raise Iop4dError(f"{folder} is among the files of the site {around}: a site needs a "
                         "folder outside of them")
    for name in FOLDERS:
        (folder / name).mkdir(parents=True, exist_ok=True)
    template = resources.files("iop4d.config") / "template.toml"
    try:
        path.write_text(text or template.read_text(encoding="utf-8"), encoding="utf-8")
    except OSError:
        path.unlink(missing_ok=True)  # half a file, on a full disk
        raise
    return path
