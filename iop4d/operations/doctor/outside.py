"""What the site needs of others: secrets that only it can read, archives, a broker."""

from __future__ import annotations

import asyncio
import os
import shlex
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from iop4d.archives.session import RemoteError, connect
from iop4d.config import FolderArchive, ServerArchive, SftpArchive
from iop4d.config.secret import Secret, secrets_of
from iop4d.config.store import FilePlace
from iop4d.model.errors import ConfigError
from iop4d.operations.doctor.findings import Finding, Surroundings, fault, good, warning
from iop4d.store.database import Database, is_there
from iop4d.store.status import LIVE, daemon_state, heartbeat
from iop4d.system.lock import is_locked
from iop4d.system.units import credential_files
from iop4d.triggers import broker

_SECRETS, _ARCHIVES, _TRIGGERS = "credentials", "archives", "triggers"
_WITHIN = 20.0  # seconds in which a server must answer


def credentials(around: Surroundings) -> Iterator[Finding]:
    """Whether secrets can be read by the site's account, and by no other."""
    found = 0
    for finding in (*_of_secrets(around), *_of_modes(around)):
        found += 1
        yield finding
    if not found:
        yield good(_SECRETS, f"{len(secrets_of(around.site))} secrets are where they should be, "
                   "and no other account can read them")


def _of_secrets(around: Surroundings) -> Iterator[Finding]:
    for secret in secrets_of(around.site):
        if exposed := secret.exposed():
            what, _, do = exposed.rpartition(": ")
            yield fault(_SECRETS, what, do)
        try:
            if not _is_of_a_service(secret):
                secret.read()
        except ConfigError as error:
            yield fault(_SECRETS, str(error), "write the secret there; only the account of the "
                        "daemon may read it")
    files = [set(credential_files(around.site, own=own).items()) for own in (False, True)]
    for name, path in sorted(files[0]):
        places = [path, dict(files[1])[name]]
        if not any(_may_exist(place) for place in places):
            yield fault(_SECRETS, f"the credential '{name}' of systemd is neither in {places[0]} "
                        f"nor in {places[1]}", f"write the secret into {places[0]}, for root alone")


def _is_of_a_service(secret: Secret) -> bool:
    """Whether systemd gives it to the service alone, so that a command cannot look."""
    return bool(secret.credential and not secret.file and not secret.env
                and not os.environ.get("CREDENTIALS_DIRECTORY"))


def _may_exist(path: Path) -> bool:
    try:
        return path.exists()
    except PermissionError:
        return True  # root alone may look


def _of_modes(around: Surroundings) -> Iterator[Finding]:
    """Files that others may read or write, and should not."""
    site = around.site
    keys = [archive.key_file for archive in site.archive
            if isinstance(archive, SftpArchive) and archive.key_file]
    own = [*keys, *([site.workers.key_file] if site.workers.key_file else [])]
    for path in own:
        if _mode(path) & (stat.S_IRWXG | stat.S_IRWXO):
            yield fault(_SECRETS, f"other accounts can read the private key {path}",
                        f"chmod 600 {shlex.quote(str(path))}")
    if isinstance(site.database, FilePlace) and _mode(site.database.path) & stat.S_IRWXO:
        yield fault(_SECRETS, f"any account can read {site.database.path}, in which hashes of "
                    "passwords are", f"chmod o-rwx {shlex.quote(str(site.database.path))}")
    for path in (site.root / "iop4d.toml", site.root):
        if _mode(path) & stat.S_IWOTH:
            yield fault(_SECRETS, f"any account can write {path}",
                        f"chmod o-w {shlex.quote(str(path))}")


def _mode(path: Path) -> int:
    try:
        return path.stat().st_mode
    except OSError:
        return 0


def archives(around: Surroundings) -> Iterator[Finding]:
    """Whether each can be read."""
    for archive in around.site.archive:
        if isinstance(archive, FolderArchive):
            yield _folder(archive, around)
        elif around.network:
            yield asyncio.run(_server(archive))
        else:
            yield good(_ARCHIVES, f"{archive.name}: {archive.host} was not asked (--offline)")
    if not around.site.archive:
        yield warning(_ARCHIVES, "the site has none: no frame comes",
                      "add an [[archive]] section to the site file ('iop4d docs archives')")


def _folder(archive: FolderArchive, around: Surroundings) -> Finding:
    path = archive.path
    try:
        is_there, is_folder = path.exists(), path.is_dir()
    except OSError as error:
        return fault(_ARCHIVES, f"{archive.name}: {path} cannot be reached: {error.strerror}",
                     "give the account of the daemon the right to enter the folders above it")
    if not is_there:
        return fault(_ARCHIVES, f"{archive.name}: {path} is not there",
                     "mount it, or mend the key path of the archive")
    if not is_folder:
        return fault(_ARCHIVES, f"{archive.name}: {path} is a file, not a folder",
                     "mend the key path of the archive: it is the folder in which frames appear")
    if not around.may(path, os.R_OK | os.X_OK):
        return fault(_ARCHIVES, f"{archive.name}: this account may not read {path}",
                     "give the account of the daemon the right to read it")
    return good(_ARCHIVES, f"{archive.name}: {path} can be read")


async def _server(archive: ServerArchive) -> Finding:
    try:
        async with asyncio.timeout(_WITHIN):
            session = await connect(archive)
            await session.close()
    except (RemoteError, ConfigError) as error:
        return fault(_ARCHIVES, f"{archive.name}: {error}",
                     "mend its keys, or ask whoever runs the server")
    except TimeoutError:
        return fault(_ARCHIVES, f"{archive.name}: {archive.host} did not answer within "
                     f"{_WITHIN:g} s", "is the network there? ask whoever runs the server")
    return good(_ARCHIVES, f"{archive.name}: {archive.host} lets us in")


def triggers(around: Surroundings) -> Iterator[Finding]:
    """Whether notices of a broker come."""
    site = around.site
    if not site.triggers.topics:
        yield good(_TRIGGERS, "the site listens to no topic; notices come by programs and commands")
        return
    if not broker.is_installed():
        yield fault(_TRIGGERS, "the extra iop4d[gcn] is not installed, without which no notice of "
                    "a broker is received", "pip install 'iop4d[gcn]'")
        return
    said: dict[str, Any] = {}
    if is_there(site.database):
        with Database(site.database, read_only=True).read() as db:
            beat = heartbeat(db)
            state = daemon_state(beat, around.clock(), locked=is_locked(site.lock))
            said = (beat.get("triggers") or {}) if state in LIVE else {}
    if said.get("state") == "unreachable":
        yield fault(_TRIGGERS, f"no notice is received: {said.get('reason')}",
                    "are client_id, its secret and topics right, and is the network there? "
                    "('iop4d docs triggers')")
    else:
        yield good(_TRIGGERS, f"{len(site.triggers.topics)} topics: "
                   + (f"{said.get('state')}, {said.get('received')} received" if said else
                      "the daemon listens to them when it runs"))
