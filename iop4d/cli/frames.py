"""``iop4d reduce``, ``reprocess``, ``retry`` and ``ignore``: what is done with files and frames."""

from __future__ import annotations

import getpass
import logging
import os
import re
import shutil
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from iop4d.cli.common import (
    FRAME_NUMBER,
    NIGHT,
    check_archive,
    check_instrument,
    load,
    open_database,
    set_up_logging,
    site_options,
)
from iop4d.cli.follow import do, report
from iop4d.cli.output import counted, echo, write_json
from iop4d.model.errors import Iop4dError
from iop4d.model.states import RequestKind

if TYPE_CHECKING:
    from iop4d.config import Site


_FRAME = re.compile(r"(?is)^[^.~].*\.(fits?|fts)(\.gz|\.fz)?$")


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

    Frames are read in place, and nothing is copied unless --copy is given. If a daemon
    runs on the site, it does the work. Ends with a table of what failed and why, and exit code 1
    if anything did.
    """
    site = load(ctx, site_after, overrides_after)
    set_up_logging(ctx, level=logging.ERROR)
    files, unread = _files(paths)
    for text in unread:
        click.echo(f"{text}: no frame in it is reduced", err=True)
    if not files:
        raise Iop4dError("no frames there: no file is named .fit, .fits or .fts, also .gz or .fz")
    named = [path for path in files if is_utf8(path)]
    for path in files:
        if not is_utf8(path):
            click.echo(f"{shown(path)} is not reduced: its name is no UTF-8; rename it", err=True)
    if copy:
        named = [_copied(path, site) for path in named]
    failed = report(do(site, RequestKind.REDUCE, {"paths": [str(path) for path in named]})) \
        if named else 1
    _warn_of_empty_catalogue(site)
    sys.exit(failed or int(len(named) < len(files) or bool(unread)))


def _warn_of_empty_catalogue(site: Site) -> None:
    from iop4d.store import catalogue

    with open_database(site, read_only=True).read() as db:
        if not catalogue.load(db).sources:
            click.echo("The catalogue is empty, so there are no results: 'iop4d catalogue import "
                       "builtin:blazars' imports sources.", err=True)


def is_utf8(path: Path) -> bool:
    """Whether a path can be written down, in a database, a log or a mail."""
    try:
        str(path).encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def shown(path: Path) -> str:
    """A path as it can be printed."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _files(paths: tuple[Path, ...]) -> tuple[list[Path], list[str]]:
    """Every file named, and every frame in the folders named, each once, absolute; and which
    folders cannot be read, with the reason.
    """
    files: dict[Path, None] = {}
    unread: list[str] = []
    for path in paths:
        inside = _inside(path, unread) if path.is_dir() else [path]
        files |= dict.fromkeys(p.resolve() for p in inside)
    return list(files), unread


def _inside(folder: Path, unread: list[str]) -> list[Path]:
    """The frames in a folder and all folders in it, also those that are links."""
    seen: set[tuple[int, int]] = set()  # links may loop
    found: list[Path] = []

    def failed(error: OSError) -> None:
        unread.append(f"{shown(Path(error.filename))}: {error.strerror or error}")

    for top, folders, names in os.walk(folder, followlinks=True, onerror=failed):
        info = Path(top).stat()
        if (info.st_dev, info.st_ino) in seen:
            folders.clear()
            continue
        seen.add((info.st_dev, info.st_ino))
        folders.sort()
        inside = (Path(top) / name for name in sorted(names) if _FRAME.match(name))
        found += [path for path in inside if path.is_file()]
    return sorted(found)


def _copied(path: Path, site: Site) -> Path:
    """The file's copy in raw/<telescope>/<night>/; one that cannot be read stays where it is."""
    from iop4d.fits.read import read_header
    from iop4d.instruments.discovery import find_instruments, instrument_for
    from iop4d.model.errors import FrameError

    try:
        header = read_header(path)
        instrument = instrument_for(header, find_instruments(site.camera, site.polarimeter))
        facts = instrument.read(header, path.name)
    except FrameError:
        return path
    place = site.folder("raw") / facts.telescope / facts.night / path.name
    if not place.exists():
        place.parent.mkdir(parents=True, exist_ok=True)
        part = place.with_name(f".{place.name}.part")
        shutil.copy2(path, part)
        part.replace(place)
    return place


_COUNTED = 1000  # frames above which progress is a count, and may be stopped
_SHOWN = 20  # frames that a dry run lists by name


@click.command()
@click.option("--source", metavar="NAME", help="Frames on which this source was measured.")
@click.option("--night", "nights", multiple=True, type=NIGHT, metavar="NIGHT",
              help="Frames of this night; may be given again.")
@click.option("--instrument", metavar="NAME", help="Frames of this instrument.")
@click.option("--failed", is_flag=True, help="Frames that failed, were rejected or quarantined.")
@click.option("--stale", "only_stale", is_flag=True,
              help="Frames whose masters, settings or software have changed since.")
@click.option("--pruned", is_flag=True,
              help="Frames whose reduced frame or preview was removed by 'iop4d prune'.")
@click.option("--all", "every", is_flag=True, help="Every science frame.")
@click.option("--stop", is_flag=True, help="Stop what is being reduced again: frames that are not "
              "begun keep the results that they have.")
@click.option("--continue", "go_on", is_flag=True, help="Resume what was stopped.")
@click.option("--dry-run", is_flag=True, help="Only list them, with the reason.")
@click.option("--json", "as_json", is_flag=True, help="As JSON, with --dry-run.")
@site_options
@click.pass_context
def reprocess(ctx: click.Context, source: str | None, nights: tuple[str, ...],
              instrument: str | None, failed: bool, only_stale: bool, pruned: bool, every: bool,
              stop: bool, go_on: bool, dry_run: bool, as_json: bool, site_after: str | None,
              overrides_after: tuple[str, ...]) -> None:
    """Reduce frames again from their raw files: those that meet all conditions.

    Results keep their ids, flags set by hand and their history, and change in place. New frames go
    first. A changed catalogue needs no reprocessing: results follow it by themselves. While a
    daemon works on it, Ctrl-C stops it as --stop does, and --continue resumes it.
    """
    site = load(ctx, site_after, overrides_after)
    set_up_logging(ctx, level=logging.ERROR)
    if stop:
        _stop(site)
        return
    if go_on:
        sys.exit(_redone(site, {"act": "continue", "frames": []}))
    if not (source or nights or instrument or failed or only_stale or pruned or every):
        raise Iop4dError("expected one of --source, --night, --instrument, --failed, --stale, "
                         "--pruned and --all")
    check_instrument(site, instrument)
    chosen = _chosen(site, source, nights, instrument, failed=failed, only_stale=only_stale,
                     pruned=pruned)
    if dry_run or not chosen:
        _list(chosen, as_json=as_json)
        return
    sys.exit(_redone(site, {"frames": [id_ for id_, _, _ in chosen]}))


def _redone(site: Site, content: dict[str, Any]) -> int:
    """Have frames reduced again; many of them are counted, and can be stopped: the exit code."""
    from iop4d.store import reprocessing

    if "act" in content or len(content["frames"]) > _COUNTED:
        now = datetime.now(UTC).isoformat(sep=" ", timespec="milliseconds").removesuffix("+00:00")
        content["mark"] = reprocessing.mark_at(now)
    return report(do(site, RequestKind.REPROCESS, content, interrupted=(
        lambda: _stop(site)) if "mark" in content else None))


def _stop(site: Site) -> None:
    """Stop what is being reduced again, and say how to go on."""
    stopped = do(site, RequestKind.REPROCESS, {"act": "stop"}).stopped
    click.echo(f"{counted(stopped, 'frame')} not begun, which keep their results; 'iop4d reprocess "
               "--continue' resumes it." if stopped else "No frame waits to be reduced again.",
               err=True)


def _chosen(site: Site, source: str | None, nights: tuple[str, ...], instrument: str | None, *,
            failed: bool, only_stale: bool, pruned: bool) -> list[tuple[int, str, str]]:
    """(id, name, why) of the frames."""
    from iop4d.instruments.discovery import find_instruments
    from iop4d.ledger.stale import stale
    from iop4d.model.states import FrameState
    from iop4d.store import catalogue
    from iop4d.store.frames import Chosen, choose, choose_names
    from iop4d.store.status import TROUBLE

    with open_database(site, read_only=True).read() as db:
        wanted = Chosen(
            source=catalogue.find(db, source).name if source else "", nights=nights,
            instrument=instrument or "", science=not failed, pruned=pruned,
            states=TROUBLE if failed else (FrameState.DONE, FrameState.FAILED))
        if not only_stale:
            return choose_names(db, wanted)
        rows = choose(db, wanted)
        instruments = {i.name: i for i in find_instruments(site.camera, site.polarimeter)}
        return [(s.frame, s.name, s.why)
                for s in stale(db, rows, site=site, instruments=instruments)]


def _list(chosen: list[tuple[int, str, str]], *, as_json: bool) -> None:
    if as_json:
        write_json([{"id": id_, "name": name, "reason": why} for id_, name, why in chosen])
        return
    click.echo(counted(len(chosen), "frame"))
    for id_, name, why in chosen[:_SHOWN]:
        echo(f"  {id_:6d}  {name}  {why}".rstrip(), hang=8)
    if len(chosen) > _SHOWN:
        click.echo(f"  and {len(chosen) - _SHOWN} more")


@click.command()
@click.argument("frames", metavar="[FRAME...]", type=FRAME_NUMBER, nargs=-1)
@click.option("--failed", is_flag=True, help="Every frame that failed or was rejected.")
@click.option("--quarantined", is_flag=True,
              help="Every frame that was quarantined because its worker crashed or hung.")
@click.option("--archive", metavar="NAME", help="Only those of this archive.")
@click.option("--night", type=NIGHT, metavar="NIGHT", help="Only those of this night.")
@click.option("--dry-run", is_flag=True, help="Only list them, with the reason.")
@click.option("--json", "as_json", is_flag=True, help="As JSON, with --dry-run.")
@site_options
@click.pass_context
def retry(ctx: click.Context, frames: tuple[int, ...], failed: bool, quarantined: bool,
          archive: str | None, night: str | None, dry_run: bool, as_json: bool,
          site_after: str | None, overrides_after: tuple[str, ...]) -> None:
    """Try frames again, by their ids as 'iop4d status --all' and the page show them.

    Their attempts are counted from the start. Raw files are untouched, and what was found before
    stands until it is replaced.
    """
    from iop4d.model.states import FrameState
    from iop4d.store.frames import Chosen, choose

    if not (frames or failed or quarantined):
        raise Iop4dError("name the frames: their ids, --failed or --quarantined")
    site = load(ctx, site_after, overrides_after)
    set_up_logging(ctx, level=logging.ERROR)
    states = [FrameState.FAILED, FrameState.REJECTED] * failed \
        + [FrameState.QUARANTINED] * quarantined
    with open_database(site, read_only=True).read() as db:
        check_archive(site, db, archive)
        rows = sorted(choose(db, Chosen(
            ids=frames, states=tuple(states), archive=archive or "",
            nights=(night,) if night else ())), key=lambda row: row.id)
    ids = [row.id for row in rows]
    if unknown := set(frames) - set(ids):
        raise Iop4dError("no frame " + ", ".join(map(str, sorted(unknown))))
    if dry_run:
        _list([(row.id, row.name, row.reason) for row in rows], as_json=as_json)
        return
    if not ids:
        click.echo("No such frame: nothing to try again.")
        return
    sys.exit(report(do(site, RequestKind.REPROCESS, {
        "frames": ids, "act": "retry", "by": getpass.getuser()})))


@click.command()
@click.argument("frames", metavar="FRAME...", type=FRAME_NUMBER, nargs=-1, required=True)
@click.option("--reason", required=True, metavar="TEXT", help="Why, in words.")
@site_options
@click.pass_context
def ignore(ctx: click.Context, frames: tuple[int, ...], reason: str, site_after: str | None,
           overrides_after: tuple[str, ...]) -> None:
    """Leave frames out: their results are withdrawn, groups and masters are made without them.

    'iop4d retry' uses them again.
    """
    from iop4d.store.frames import among

    site = load(ctx, site_after, overrides_after)
    set_up_logging(ctx, level=logging.ERROR)
    with open_database(site, read_only=True).read() as db:
        known = {row.id for row in among(db, frames)}
    if unknown := set(frames) - known:
        raise Iop4dError("no frame " + ", ".join(map(str, sorted(unknown))))
    do(site, RequestKind.IGNORE, {"frames": sorted(known), "reason": reason,
                                  "by": getpass.getuser()})
    click.echo(f"{counted(len(known), 'frame')} ignored; 'iop4d retry' uses them again")
