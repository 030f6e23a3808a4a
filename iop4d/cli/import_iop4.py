"""``iop4d import-iop4``: the catalogue, results and archives of IOP4."""

from __future__ import annotations

import getpass
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from iop4d.cli.common import load, open_database, site_options
from iop4d.cli.output import counted, echo, json_option, write_json
from iop4d.model.errors import Iop4dError
from iop4d.model.plain_json import plain

if TYPE_CHECKING:
    from iop4d.config import Site
    from iop4d.moving.archives import Configuration
    from iop4d.moving.bring import Report

DATABASE = "iop4.db"  # as IOP4 calls it in its data folder


@click.command("import-iop4")
@click.argument("path", type=click.Path(exists=True, path_type=Path))
@click.option("--no-results", is_flag=True, help="Only the catalogue and the archives.")
@click.option("--dry-run", is_flag=True, help="Say what would come; write nothing.")
@json_option
@site_options
@click.pass_context
def import_iop4(ctx: click.Context, path: Path, no_results: bool, dry_run: bool, as_json: bool,
                site_after: str | None, overrides_after: tuple[str, ...]) -> None:
    """Bring the catalogue, the results and the archives of IOP4 to this site.

    PATH is IOP4's configuration (~/.iop4.config.yaml), which leads to its database, or its database
    (iop4.db, or the folder that has it), or what its dumpdata wrote as JSON or YAML. IOP4's files
    are only read, and raw frames stay where they are.

    A source that is in the catalogue already, by name or by place, keeps its values and gets IOP4's
    names. Results come with the flag imported and the flags that people set. A result of iop4d from
    the same raw files counts instead. A second call brings only what is new.

    \b
    iop4d import-iop4 ~/.iop4.config.yaml --dry-run
    iop4d import-iop4 iop4.db
    """
    from iop4d.moving import archives, records
    from iop4d.moving.bring import bring

    site = load(ctx, site_after, overrides_after, has_indexes=False)
    configuration = None
    if path.is_dir() and not (path / DATABASE).is_file():
        raise Iop4dError(f"{path} is a folder without a file {DATABASE}: give IOP4's "
                         "configuration, its database or a dump")
    path = path / DATABASE if path.is_dir() else path
    if archives.is_configuration(path):
        watched = frozenset(archive.telescope for archive in site.archive)
        configuration = archives.read(path, watched=watched)
        if configuration.database is None or not configuration.database.is_file():
            raise Iop4dError(f"{path} names the database {configuration.database}, which is not "
                             "there: give its path itself")
        path = configuration.database
    found = records.read(path)
    database = open_database(site, read_only=False)
    report = bring(database, found, by=getpass.getuser(), now=time.time(), dry_run=dry_run,
                   with_results=not no_results)
    if configuration is not None:
        _add_archives(site, configuration, dry_run)
    if as_json:
        write_json({"dry_run": dry_run, **plain(report), "archives": {
            "added": list(configuration.sections) if configuration else [],
            "notes": configuration.notes if configuration else []}})
        return
    if configuration is not None:
        _say_archives(site, configuration, dry_run)
    _say(report, dry_run)
    _say_instruments(site, report)


def _add_archives(site: Site, found: Configuration, dry_run: bool) -> None:
    """Add sections to the end of the site file."""
    from iop4d.config.load import SITE_FILE, parse_site, site_text
    from iop4d.fits.atomic import write_atomic

    if found.sections:
        text = site_text(site.root).rstrip("\n") + "\n\n" + "\n".join(found.sections.values())
        parse_site(text, root=site.root)
        if not dry_run:
            write_atomic(site.root / SITE_FILE, [text.encode()], durable=True)


def _say_archives(site: Site, found: Configuration, dry_run: bool) -> None:
    from iop4d.config.load import SITE_FILE

    if found.sections:
        echo(f"{_would(dry_run, 'archives added to')} {site.root / SITE_FILE}: "
             f"{', '.join(found.sections)}")
    for note in found.notes:
        echo(f"  {note}", hang=4)


def _say(report: Report, dry_run: bool) -> None:
    echo(f"{_would(dry_run, 'sources added')}: {report.sources_added}; in the catalogue already: "
         f"{report.sources_known}")
    for note in report.notes:
        echo(f"  {note}", hang=4)
    echo(f"{_would(dry_run, 'results added')}: {report.results['added']}; of all that it has, with "
         f"a flag set by hand: {report.flagged}")
    for name, words in (("changed", "changed since the last import"),
                        ("same", "here already, unchanged"),
                        ("measured here", "left out: measured by iop4d from the same files")):
        if report.results[name]:
            echo(f"  {counted(report.results[name], 'result')} {words}")
    for reason, count in sorted(report.left_out.items()):
        echo(f"  {counted(count, 'result')} left out: {reason}")


def _say_instruments(site: Site, report: Report) -> None:
    """Name instruments whose frames this site would not read."""
    from iop4d.instruments.discovery import find_instruments

    known = {one.name for one in find_instruments(site.camera, site.polarimeter)}
    for name, count in sorted(report.instruments.items()):
        if name not in known:
            echo(f"  {counted(count, 'result')} of {name}, which is no instrument of this site: "
                 "its frames need a [[camera]] section")


def _would(dry_run: bool, words: str) -> str:
    what, _, done = words.partition(" ")
    return f"{what} that would be {done}" if dry_run else words
