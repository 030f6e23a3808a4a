"""``iop4d doctor``: what is wrong, and what to do about it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from iop4d.cli.common import Context, load, site_options
from iop4d.cli.output import counted, echo, json_option, write_json
from iop4d.model.errors import ConfigError

if TYPE_CHECKING:
    from iop4d.config import Site


@click.command()
@click.option("--offline", is_flag=True, help="Ask no server of an archive or a channel.")
@click.option("--all", "everything", is_flag=True, help="Show also what is as it should be.")
@json_option
@site_options
@click.pass_context
def doctor(ctx: click.Context, offline: bool, everything: bool, as_json: bool,
           site_after: str | None, overrides_after: tuple[str, ...]) -> None:
    """Look at everything that a site rests on, and say what is wrong and what to do about it.

    Versions, the site file, units of systemd, the daemon, the database, files, backups, the disk
    and its trend, the clock, the kernel's limits, index files, credentials, archives and channels.
    Exits with 1 if something is to be mended (fault), and with 0 if there are warnings alone.
    """
    from iop4d.operations.doctor.findings import Level, Surroundings, fault
    from iop4d.operations.doctor.run import examine

    site, wrong = _site(ctx, site_after, overrides_after)
    findings = [] if wrong is None else [fault(
        "site file", str(wrong), "mend it; what it says of index files, archives, "
        "channels and credentials is looked at then")]
    findings += examine(Surroundings(site=site, network=not offline), has_site_file=wrong is None)
    bad = [one for one in findings if one.level is not Level.GOOD]
    if as_json:
        write_json(findings)
    else:
        for one in findings if everything else bad:
            echo(f"{one.level.value:<8} {one.check:<12} {one.what}", hang=22)
            if one.do:
                echo(f"{'':22}-> {one.do}", hang=3)
        faults = sum(one.level is Level.FAULT for one in findings)
        echo(f"{counted(len(findings), 'finding')}: {counted(faults, 'fault')}, "
             f"{counted(len(bad) - faults, 'warning')}.")
    ctx.exit(int(any(one.level is Level.FAULT for one in findings)))


def _site(ctx: click.Context, site_after: str | None,
          overrides_after: tuple[str, ...]) -> tuple[Site, ConfigError | None]:
    """The site, or one without its file, and what is wrong with that."""
    from iop4d.config.load import SITE_FILE, parse_site

    try:
        return load(ctx, site_after, overrides_after, has_indexes=False), None
    except ConfigError as error:
        context = ctx.find_object(Context)
        folder = Path(site_after or (context.folder if context else "."))
        if not (folder / SITE_FILE).exists():
            raise
        return parse_site("", root=folder.resolve()), error
