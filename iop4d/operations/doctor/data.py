"""What the site knows: its database, its files, its backups, the index files for its fields."""

from __future__ import annotations

import math
import os
import shlex
import time
from collections.abc import Iterator
from pathlib import Path

from iop4d.config import Site
from iop4d.config.store import FilePlace
from iop4d.fields.coverage import uncovered
from iop4d.fits.slim_index import has_further_columns
from iop4d.instruments.discovery import find_instruments
from iop4d.model.source import Catalogue, Source, SourceKind
from iop4d.model.states import DaemonState
from iop4d.operations import archive
from iop4d.operations.archive import BackupError
from iop4d.operations.backup import of_site, unreadable
from iop4d.operations.doctor.findings import (
    Finding,
    Surroundings,
    fault,
    good,
    is_folder,
    warning,
)
from iop4d.store import catalogue, files
from iop4d.store.database import Database, is_there
from iop4d.store.kind import StoreUnavailableError
from iop4d.store.nodes import listed
from iop4d.store.status import LIVE, daemon_state, heartbeat
from iop4d.system.lock import is_locked

_DAEMON, _STORE, _FILES, _INDEX, _BACKUPS = "daemon", "store", "files", "index files", "backups"
_NODES, _CATALOGUE = "nodes", "catalogue"
_LATE = 2.5 * 86400.0  # seconds since the last backup
_NAMED = 8  # things that are named of many


def daemon(around: Surroundings) -> Iterator[Finding]:
    """Whether it runs, and reduces."""
    site = around.site
    if not is_there(site.database):
        yield warning(_DAEMON, "it has never run on this site", "iop4d run")
        return
    with Database(site.database, read_only=True).read() as db:
        beat = heartbeat(db)
    state = daemon_state(beat, around.clock(), locked=is_locked(site.lock))
    if state is DaemonState.SILENT:
        yield fault(_DAEMON, "it did not stop, and yet does not run, or hangs",
                    "look at the end of its log, then start it: iop4d run")
    elif state is DaemonState.NEVER:
        yield warning(_DAEMON, "it has never run on this site", "iop4d run")
    elif state not in LIVE:
        yield warning(_DAEMON, "it does not run", "iop4d run, or: systemctl start iop4d")
    for why in (beat.get("trouble"), beat.get("paused")) if state in LIVE else ():
        if why:
            yield fault(_DAEMON, str(why), "mend that; the daemon continues by itself")
    if state in LIVE:
        yield good(_DAEMON, f"it runs, process {beat.get('pid')}")


def shared(around: Surroundings) -> Iterator[Finding]:
    """Whether the site files of the daemons that share the database say the same of alerts."""
    site = around.site
    if not site.site.node:
        yield good(_NODES, "no other daemon shares the database")
        return
    if not is_there(site.database):
        return
    with Database(site.database, read_only=True).read() as db:
        found = listed(db, around.clock())
    leader = next((one.node for one in found if one.leads), "")
    different = [one for one in found if one.differs]
    for one in different:
        yield warning(_NODES, f"the site file of the node '{one.node}' differs from that of "
                      f"'{leader}', which judges the rules, in {', '.join(one.differs)}: other "
                      "alerts are sent as soon as it takes over",
                      "write the same into both files ('iop4d docs postgresql'), and: iop4d reload")
    if found and not different:
        yield good(_NODES, f"{len(found)} nodes share the database" + (
            ", with the same rules and channels" if leader else "; none judges the rules now"))


def store(around: Surroundings) -> Iterator[Finding]:
    """Whether the database is whole."""
    site = around.site
    if not is_there(site.database):
        yield good(_STORE, "there is no database yet")
        return
    database = Database(site.database, read_only=True)
    try:
        database.check_schema()
    except StoreUnavailableError as error:
        if not error.absent:
            raise  # and is said once, for all checks of the database
    with database.read():
        wrong = database.kind.wrong()
    for text in wrong[:_NAMED]:
        yield fault(_STORE, f"{site.database}: {text}",
                    "stop the daemon, and restore the newest backup that is sound: iop4d backup "
                    "--list, iop4d restore")
    refused = list(_refused(around, database))
    for text, do in refused[:_NAMED]:
        yield fault(_STORE, text, do)
    if not wrong and not refused:
        yield good(_STORE, f"{site.database} is whole")


def _refused(around: Surroundings, reader: Database) -> Iterator[tuple[str, str]]:
    """What this account may not do with the database, and what to do about it."""
    place = around.site.database
    if isinstance(place, FilePlace):
        files = (place.path, *(place.path.with_name(place.path.name + end)
                               for end in ("-wal", "-shm")))
        closed = [str(file) for file in files
                  if file.exists() and not around.may(file, os.R_OK | os.W_OK)]
        if closed:
            yield (f"this account may not write {', '.join(closed)}: nothing can be stored",
                   "was a command run as another account, such as root? chown them to that of the "
                   f"daemon; else: chmod u+w {shlex.join(closed)}")
        return
    do = "GRANT it, as the owner of the tables ('iop4d docs postgresql')"
    with reader.read():
        yield from ((text, do) for text in reader.kind.forbidden())
    writer = Database(place, prepare=False)
    try:
        with writer.read():
            yield from ((text, do) for text in writer.kind.forbidden())
    finally:
        writer.close()


def targets(around: Surroundings) -> Iterator[Finding]:
    """Whether there are targets, each with calibrators."""
    known = Catalogue(version=0, sources=())
    if is_there(around.site.database):
        with Database(around.site.database, read_only=True).read() as db:
            known = catalogue.load(db)
    followed = [one.name for one in known.sources if one.kind is SourceKind.TARGET]
    bare = [name for name in followed if not known.calibrators_of(name)]
    if not known.sources:
        yield warning(_CATALOGUE, "it is empty: no frame gives a result",
                      "iop4d catalogue import FILE, or builtin:blazars ('iop4d docs catalogue')")
    elif bare:
        yield warning(_CATALOGUE, f"no star calibrates {_some(bare)}: no magnitude of them, only "
                      "polarisation", "iop4d catalogue find-calibrators, or import their stars "
                      "('iop4d docs catalogue')")
    else:
        yield good(_CATALOGUE, f"all {len(followed)} targets have calibrators")


def _some(names: list[str]) -> str:
    """The first of many."""
    return ", ".join(names[:_NAMED]) + f" and {len(names) - _NAMED} more" * (len(names) > _NAMED)


def missing_files(around: Surroundings) -> Iterator[Finding]:
    """Masters in use and newest raw frames whose files are not there."""
    if not is_there(around.site.database):
        return
    with Database(around.site.database, read_only=True).read() as db:
        masters = _missing(files.of_masters(db))
        raw = _missing(files.newest_raw(db))
    if masters:
        yield fault(_FILES, f"{len(masters)} masters in use are not there, such as {masters[0]}",
                    "restart the daemon: it builds them again, if their raw frames are there")
    if raw:
        yield fault(_FILES, f"{len(raw)} raw frames of the newest nights are not there, such as "
                    f"{raw[0]}", "is a disk not mounted, or were they moved?")
    if not masters and not raw:
        yield good(_FILES, "masters in use and the newest raw frames are there")


def _missing(paths: list[str]) -> list[str]:
    return [path for path in paths if not Path(path).exists()]


def index_files(around: Surroundings) -> Iterator[Finding]:
    """Whether every field of the catalogue can be found by an index file."""
    site = around.site
    if not is_there(site.database):
        return
    with Database(site.database, read_only=True).read() as db:
        sources = [source for source in catalogue.load(db).sources
                   if source.kind is not SourceKind.CALIBRATOR]
    if not site.astrometry.index:
        yield fault(_INDEX, "[astrometry] index names no folder: no frame gets a magnitude",
                    "iop4d index DIR, and name it in the site file ('iop4d docs indexes')")
        return
    bad = list(_unreadable_indexes(around))
    yield from bad
    if bad:  # what they cover is not known
        return
    left, wrong = uncovered(site.astrometry.index, sources)
    for path, text in wrong[:_NAMED]:
        yield fault(_INDEX, f"an index file cannot be read: {path}: {text}",
                    "make or fetch it again")
    if left:
        yield warning(_INDEX, f"no index file covers the fields of {_some(left)}",
                      "iop4d index DIR --fetch 5200, or --stars FILE ('iop4d docs indexes')")
    elif not wrong:
        yield good(_INDEX, f"the fields of all {len(sources)} sources are covered")
    if not wrong:
        yield from _slow_indexes(site)
    yield from _of_wrong_scale(site, [one for one in sources if one.name not in left])


def _unreadable_indexes(around: Surroundings) -> Iterator[Finding]:
    for folder in around.site.astrometry.index:
        if not is_folder(folder):
            yield fault(_INDEX, f"the folder {folder} of [astrometry] index is not there, or this "
                        "account may not enter the folders above it",
                        "mount it, or make it with: iop4d index DIR")
        elif not around.may(folder, os.R_OK | os.X_OK):
            yield fault(_INDEX, f"this account may not read the folder {folder} of [astrometry] "
                        "index: no frame gets a magnitude",
                        "give the account of the daemon the right to read it")
        else:
            closed = [file for file in sorted(folder.glob("*.fits"))
                      if not around.may(file, os.R_OK)]
            if closed:
                yield fault(_INDEX, f"this account may not read {len(closed)} index files, such "
                            f"as {closed[0]}",
                            "give the account of the daemon the right to read them")


def _slow_indexes(site: Site) -> Iterator[Finding]:
    """Whether index files hold more of their stars than a solution needs."""
    for folder in site.astrometry.index:
        if slow := [path for path in sorted(folder.glob("*.fits")) if has_further_columns(path)]:
            yield warning(_INDEX, f"{len(slow)} index files, such as {slow[0]}, hold further "
                          "columns of their stars: each frame takes longer, by about a hundredth "
                          "of a second for 1,000 stars in it", f"iop4d index {folder} --strip")


def _of_wrong_scale(site: Site, sources: list[Source]) -> Iterator[Finding]:
    """Whether the files that cover a field have patterns of stars of a size that a camera sees."""
    if not sources:
        return
    with Database(site.database, read_only=True).read() as db:
        seen = files.newest_formats(db)
    scales = {one.name: one.scale_arcsec
              for one in find_instruments(site.camera, site.polarimeter)}
    fields = {name: max(scales.get(name, math.nan) * binning * size / 60.0
                        for binning, size in formats) for name, formats in seen.items()}
    for name, width in fields.items():
        if not math.isfinite(width):
            continue
        left, _ = uncovered(site.astrometry.index, sources, width_arcmin=width)
        if left:
            yield warning(_INDEX, f"{name} sees {width:.1f} arcmin, and the index files of the "
                          f"fields of {_some(left)} have patterns of stars of other sizes alone: "
                          "its frames are not found by them",
                          f"iop4d index DIR with --scales {width / 8:.1f}-{width:.1f}, "
                          "or files of such a series ('iop4d docs indexes')")


def backups(around: Surroundings) -> Iterator[Finding]:
    """Whether there is a backup of the last days."""
    site = around.site
    if not is_there(site.database):
        return
    found = of_site(site, site.backups)
    do = "iop4d backup; every day: systemctl enable --now iop4d-backup.timer"
    for bad in unreadable(site.backups):
        yield fault(_BACKUPS, bad, "remove the file, and make another: iop4d backup")
    if not found:
        yield warning(_BACKUPS, f"there is no backup of this site in {site.backups}", do)
        return
    path, manifest = found[0]
    try:
        archive.unpack(path)
    except BackupError as error:
        yield fault(_BACKUPS, f"the newest of this site cannot be restored: {error}", do)
        return
    when = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(manifest.made_at))
    if around.clock() - manifest.made_at > _LATE:
        yield warning(_BACKUPS, f"the newest backup is of {when}: {path}", do)
    else:
        yield good(_BACKUPS, f"the newest of {len(found)} is of {when}")
