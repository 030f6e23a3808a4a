"""``iop4d archives``: what they are, whether they answer, what they hold, and fetching by hand."""

from __future__ import annotations

import asyncio
import fnmatch
import time
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from iop4d.cli.common import check_order, has_database, load, open_database, site_options
from iop4d.cli.output import counted, json_option, write_json
from iop4d.config import FolderArchive
from iop4d.model.errors import Iop4dError
from iop4d.model.states import RequestKind

if TYPE_CHECKING:
    from iop4d.archives.session import Session
    from iop4d.archives.survey import Known, NightSurvey, WantedFile
    from iop4d.config import Archive, ServerArchive, Site

_SHOWN = 5  # names of files that a line gives


@click.group(invoke_without_command=True)
@json_option
@site_options
@click.pass_context
def archives(ctx: click.Context, as_json: bool, site_after: str | None,
             overrides_after: tuple[str, ...]) -> None:
    """Where frames come from: folders and servers.

    Without a command: every archive with its state. Nights are named as T090/230313 or
    OSN-T090/2023-03-13, and tonight or yesterday.
    """
    if ctx.invoked_subcommand is None:
        site = load(ctx, site_after, overrides_after)
        states = _states(site)
        if as_json:
            write_json([{"name": one.name, "kind": one.kind, "place": _place(one),
                         "path": one.path, "telescope": one.telescope,
                         "now": states.get(one.name)} for one in site.archive])
            return
        for archive in site.archive:
            click.echo(_line(archive, states.get(archive.name, {})))
        if not site.archive:
            click.echo("No archive: add an [[archive]] section to the site file.")


def _states(site: Site) -> dict[str, dict[str, Any]]:
    """What a running daemon said last of each archive."""
    from iop4d.store.status import daemon_of
    from iop4d.system.lock import is_locked

    if not has_database(site):
        return {}
    database = open_database(site, read_only=True)
    with database.read() as db:
        daemon = daemon_of(db, time.time(), locked=is_locked(site.lock))
    running = daemon["state"] in ("running", "stopping")
    return {a["name"]: a for a in daemon.get("archives", ())} if running else {}


def _place(archive: Archive) -> str:
    if isinstance(archive, FolderArchive):
        return str(archive.path)
    return f"{archive.kind}://{archive.user}@{archive.host}{archive.night_folder}"


def _line(archive: Archive, state: dict[str, Any]) -> str:
    said = state.get("state", "the daemon is not running")
    if state.get("reason"):
        said += f": {state['reason']}"
    elif state:
        said += f", {counted(state['files'], 'file')}"
    return f"{archive.name:<12} {_place(archive)}\n{'':12} {said}"


@archives.command()
@click.argument("name", required=False)
@json_option
@site_options
@click.pass_context
def check(ctx: click.Context, name: str | None, as_json: bool, site_after: str | None,
          overrides_after: tuple[str, ...]) -> None:
    """Log in to the archive NAME and show what would be downloaded. Downloads nothing.

    NAME may be left out where there is one archive alone.
    """
    from iop4d.archives.nights import find_archive

    site = load(ctx, site_after, overrides_after)
    names = [one.name for one in site.archive]
    if name is None and len(names) != 1:
        raise Iop4dError(f"name one of the archives: {', '.join(names)}" if names else
                         "there is no archive: add an [[archive]] section to the site file")
    archive = find_archive(name or names[0], site.archive)
    if isinstance(archive, FolderArchive):
        _check_folder(archive, as_json)
        return
    asyncio.run(_check(site, archive, as_json))


def _check_folder(archive: Archive, as_json: bool) -> None:
    import re

    if not archive.path.is_dir():
        raise Iop4dError(f"{archive.path} is not a folder; check the key 'path' of the archive "
                         f"'{archive.name}'")
    pattern = re.compile(archive.file_pattern)
    names = [p.name for p in archive.path.rglob("*") if p.is_file()]
    wanted = [n for n in names if pattern.search(n)]
    if as_json:
        write_json({"path": archive.path, "files": len(names), "wanted": len(wanted)})
    else:
        click.echo(f"{archive.path}: {len(names)} files, {len(wanted)} of them match the key "
                   "'file_pattern'")
    if names and not wanted:
        raise Iop4dError(f"no file matches file_pattern = '{archive.file_pattern}'; one of "
                         f"them is {names[0]}")


async def _check(site: Site, archive: ServerArchive, as_json: bool) -> None:
    from datetime import timedelta

    from iop4d.archives.survey import parent_names, survey_night

    session = await _connected(archive, quiet=as_json)
    try:
        known, tonight = _known(site, archive), _tonight(site, archive)
        nights = [await survey_night(session, archive, tonight - timedelta(days=k), known)
                  for k in range(archive.lookback_nights + 1)]
        if as_json:
            write_json([_night_facts(night) for night in nights])
        for night in [] if as_json else nights:
            click.echo(_night_line(night))
        if all(night.listing is None for night in nights):
            above, names = await parent_names(session, archive)
            near = ", ".join(names[-_SHOWN:]) or "no folder at all"
            raise Iop4dError(
                f"none of these nights has a folder. {above or 'the login folder'} contains: "
                f"{near}. If the folders of nights have other names, correct the key "
                f"'night_folder', now '{archive.night_folder}'; if nothing was observed, "
                "nothing is wrong")
        seen = [night for night in nights if night.files]
        if seen and not any(night.wanted for night in seen):
            example = next(e.name for e in seen[0].listing.entries  # type: ignore[union-attr]
                           if not e.folder)
            raise Iop4dError(f"no file matches the keys of the archive: '{example}', for "
                             f"example, does not match file_pattern = '{archive.file_pattern}'" + (
                                 f" or name_prefixes = {list(archive.name_prefixes)}"
                                 if archive.name_prefixes else ""))
    finally:
        await session.close()


async def _connected(archive: ServerArchive, *, quiet: bool = False) -> Session:
    from iop4d.archives.session import connect

    session = await connect(archive)
    if not quiet:
        click.echo(f"{archive.host} answers; the login of {archive.user} succeeded.")
    return session


def _night_facts(night: NightSurvey) -> dict[str, Any]:
    """A night on a server, for programs."""
    return {"night": str(night.night), "folder": night.folder, "exists": night.listing is not None,
            "files": night.files, "wanted": len(night.wanted),
            "missing": [file.entry.name for file in night.missing],
            "missing_bytes": night.missing_bytes,
            "cut_off": night.listing.cut_off if night.listing else ""}


def _night_line(night: NightSurvey) -> str:
    from iop4d.archives.names import printable

    if night.listing is None:
        return f"{night.night}  {night.folder}: no such folder"
    odd = f", {night.listing.skipped} lines that cannot be parsed" if night.listing.skipped else ""
    if night.folders:
        odd += f", in {night.folders + 1} folders"
    if night.listing.cut_off:
        odd += f"; THERE ARE MORE: the server says '{night.listing.cut_off}'"
    if night.listing.cut_off and not night.files:
        return (f"{night.night}  {night.folder}: cannot be listed, the server says "
                f"'{night.listing.cut_off}'")
    line = (f"{night.night}  {night.folder}: {night.files} files, {len(night.wanted)} match, "
            f"{len(night.missing)} missing here ({night.missing_bytes / 1e6:.1f} MB){odd}")
    if night.missing:
        names = [printable(f.entry.name) for f in night.missing[:_SHOWN]]
        more = f" and {len(night.missing) - _SHOWN} more" if len(night.missing) > _SHOWN else ""
        line += f"\n{'':12}{', '.join(names)}{more}"
    return line


def _known(site: Site, archive: Archive) -> Known:
    """What was delivered before, of this archive."""
    from iop4d.store import frame_files

    if not has_database(site):
        return {}
    database = open_database(site, read_only=True)
    with database.read() as db:
        return frame_files.known_files(db, archive.name)


def _tonight(site: Site, archive: Archive) -> date:
    from iop4d.instruments.discovery import find_instruments
    from iop4d.instruments.telescopes import Telescope, night_of
    from iop4d.model.units import jd_of_unix

    known = {i.telescope.name: i.telescope
             for i in find_instruments(site.camera, site.polarimeter)}
    telescope = known.get(archive.telescope, Telescope(name=""))
    return date.fromisoformat(night_of(jd_of_unix(time.time()), telescope))


@archives.command()
@click.argument("name")
@click.option("--since", metavar="NIGHT", help="Only nights from this one on.")
@click.option("--until", metavar="NIGHT", help="Only nights up to this one.")
@click.option("--missing", is_flag=True, help="Only nights of which files are missing here.")
@json_option
@site_options
@click.pass_context
def discover(ctx: click.Context, name: str, since: str | None, until: str | None, missing: bool,
             as_json: bool, site_after: str | None, overrides_after: tuple[str, ...]) -> None:
    """List the nights on the server of NAME, and how much of each was downloaded."""
    site = load(ctx, site_after, overrides_after)
    archive = _remote(site, name)
    from iop4d.archives.nights import parse_night

    tonight = _tonight(site, archive)
    first, last = (parse_night(n, tonight=tonight) if n else None for n in (since, until))
    check_order(since and str(first), until and str(last))
    facts = asyncio.run(_discover(site, archive, first, last, missing=missing, as_json=as_json))
    if as_json:
        write_json(facts)


async def _discover(site: Site, archive: ServerArchive, first: date | None, last: date | None, *,
                    missing: bool, as_json: bool) -> list[dict[str, Any]]:
    """The nights that are listed; as lines at once, if not for programs."""
    from iop4d.archives.survey import nights_on, survey_night

    session = await _connected(archive, quiet=as_json)
    facts = []
    try:
        known, count, lacking = _known(site, archive), 0, 0
        nights = [night async for night in nights_on(session, archive)]
        for night in nights:
            if (first and night < first) or (last and night > last):
                continue
            found = await survey_night(session, archive, night, known)
            count += 1
            lacking += len(found.missing)
            if found.missing or not missing:
                facts.append(_night_facts(found))
                if not as_json:
                    click.echo(_night_line(found))
        if not as_json:
            click.echo(f"{counted(count, 'night')}, {counted(lacking, 'file')} missing here.")
    finally:
        await session.close()
    return facts


def _remote(site: Site, name: str) -> ServerArchive:
    from iop4d.archives.nights import find_archive

    archive = find_archive(name, site.archive)
    if isinstance(archive, FolderArchive):
        raise Iop4dError(f"'{archive.name}' is a local folder; there is nothing to download")
    return archive


@archives.command()
@click.argument("places", metavar="ARCHIVE/NIGHT...", nargs=-1, required=True)
@click.option("--files", "patterns", multiple=True, metavar="NAME",
              help="Only files of these names (* and ? stand for anything); any number of them.")
@click.option("--from", "lists", multiple=True, type=click.Path(exists=True, path_type=Path),
              metavar="FILE", help="Only files named in this list, one per line.")
@click.option("--again", is_flag=True,
              help="Files that were reduced and then removed here as well.")
@click.option("--dry-run", is_flag=True, help="Only list what would be downloaded.")
@site_options
@click.pass_context
def fetch(ctx: click.Context, places: tuple[str, ...], patterns: tuple[str, ...],
          lists: tuple[Path, ...], again: bool, dry_run: bool, site_after: str | None,
          overrides_after: tuple[str, ...]) -> None:
    """Download the missing files of nights, such as T090/230313.

    A running daemon reduces them at once; otherwise the next one does when it starts.
    """
    from iop4d.archives.nights import parse_place

    site = load(ctx, site_after, overrides_after)
    wanted: dict[str, list[date]] = {}
    for place in places:
        archive, _ = parse_place(place, site.archive, tonight=date(2000, 1, 1))
        _remote(site, archive.name)
        _, night = parse_place(place, site.archive, tonight=_tonight(site, archive))
        if night is None:
            raise Iop4dError(f"'{place}' has no night; expected {archive.name}/2023-03-13")
        wanted.setdefault(archive.name, []).append(night)
    names = [*patterns, *(name for path in lists for name in _listed(path))]
    failed = 0
    for name, nights in wanted.items():
        try:
            failed += asyncio.run(_fetch(site, _remote(site, name), nights,
                                         [n for n in names if n], again, dry_run))
        except (Iop4dError, OSError) as error:  # the others are fetched all the same
            click.echo(f"{name}: {error}", err=True)
            failed += 1
    ctx.exit(1 if failed else 0)


def _listed(path: Path) -> list[str]:
    try:
        return [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines()]
    except UnicodeDecodeError:
        raise Iop4dError(f"{path}: not UTF-8 text: save the list as UTF-8") from None


async def _fetch(site: Site, archive: ServerArchive, nights: Sequence[date], names: Sequence[str],
                 again: bool, dry_run: bool) -> int:
    """Fetch nights of one archive; how many files did not come."""
    from iop4d.archives.names import printable
    from iop4d.archives.survey import survey_night

    session = await _connected(archive)
    try:
        known, files, there, absent = {} if again else _known(site, archive), [], set(), 0
        for night in nights:
            found = await survey_night(session, archive, night, known)
            click.echo(_night_line(found))
            if gone := sum(not file.local.exists() for file in found.wanted) - len(found.missing):
                click.echo(f"{'':12}{gone} more were reduced and removed here; --again downloads "
                           "them once more")
            absent += found.listing is None
            there |= {f.entry.name for f in found.wanted}
            files += [f for f in found.missing if not names or any(
                fnmatch.fnmatch(f.entry.name, pattern) for pattern in names)]
    finally:
        await session.close()
    unknown = [name for name in names if not fnmatch.filter(there, name)]
    for name in unknown:
        click.echo(f"{archive.name}: no file of these nights matches '{name}'", err=True)
    if dry_run:
        for file in files:
            click.echo(f"would download {printable(file.remote)} ({file.entry.size} bytes) "
                       f"to {file.local}")
        return len(unknown) + absent
    came, taken = await _download_all(archive, files)
    _hand_over(site, came)
    click.echo(f"{len(came)} of {len(files)} files downloaded"
               + (f", {taken} by the daemon." if taken else "."), err=True)
    return len(files) - len(came) - taken + len(unknown) + absent


async def _download_all(archive: ServerArchive,
                        files: Sequence[WantedFile]) -> tuple[list[Path], int]:
    """Fetch files one by one, each up to three times; those that came, and how many others took.
    """
    from rich.progress import BarColumn, DownloadColumn, Progress, TransferSpeedColumn

    from iop4d.archives.download import Limiter, download
    from iop4d.archives.names import printable
    from iop4d.archives.session import PathError, TakenError, TransferError, connect

    limiter = Limiter(archive.max_kb_per_s * 1000.0) if archive.max_kb_per_s else None
    session, came, taken = None, [], 0
    with Progress("{task.description}", BarColumn(), DownloadColumn(), TransferSpeedColumn(),
                  transient=True) as bar:
        task = bar.add_task(archive.name, total=sum(f.entry.size for f in files))
        before = 0
        for file in files:
            def show(done: int, before: int = before) -> None:
                bar.update(task, completed=before + done)

            before += file.entry.size
            for attempt in range(3):
                try:
                    session = session or await connect(archive)
                    file.local.parent.mkdir(parents=True, exist_ok=True)
                    await download(session, file.remote, file.entry, file.local, limiter=limiter,
                                   progress=show)
                    came.append(file.local)
                    break
                except TakenError:
                    bar.console.print(f"{printable(file.remote)}: the daemon downloads it now")
                    taken += 1
                    break
                except PathError as error:
                    bar.console.print(f"{printable(file.remote)}: {error}")
                    break
                except TransferError as error:
                    bar.console.print(f"{printable(file.remote)}: {error} (attempt {attempt + 1} "
                                      "of 3)")
                    if session is not None:
                        await session.close()
                    session = None
    if session is not None:
        await session.close()
    return came, taken


def _hand_over(site: Site, paths: Sequence[Path]) -> None:
    """Have a running daemon reduce them; one that starts later finds them by itself."""
    from iop4d.store import requests
    from iop4d.system.lock import is_locked

    if paths and is_locked(site.lock):
        with open_database(site, read_only=False).write() as tx:
            requests.put(tx, RequestKind.REDUCE, {"paths": [str(path) for path in paths]},
                         time.time())
