"""What the site knows: its database, its files, its backups, the index files for its fields."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from iop4d.fields.coverage import uncovered
from iop4d.model.source import Catalogue, SourceKind
from iop4d.model.states import DaemonState
from iop4d.operations import archive
from iop4d.operations.archive import BackupError
from iop4d.operations.backup import of_site, unreadable
from iop4d.operations.doctor.findings import Finding, Surroundings, fault, good, warning
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
    if not wrong:
        yield good(_STORE, f"{site.database} is whole")


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
    for folder in site.astrometry.index:
        if not folder.is_dir():
            yield fault(_INDEX, f"the folder {folder} of [astrometry] index is not there",
                        "mount it, or make it with: iop4d index DIR")
    left, wrong = uncovered(site.astrometry.index, sources)
    for text in wrong[:_NAMED]:
        yield fault(_INDEX, f"an index file cannot be read: {text}", "make or fetch it again")
    if left:
        yield warning(_INDEX, f"no index file covers the fields of {_some(left)}",
                      "iop4d index DIR --fetch 5200, or --stars FILE ('iop4d docs indexes')")
    elif not wrong:
        yield good(_INDEX, f"the fields of all {len(sources)} sources are covered")


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
