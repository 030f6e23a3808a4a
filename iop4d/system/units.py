"""The units of a site for systemd: templates, filled in."""

from __future__ import annotations

import grp
import ipaddress
import os
import pwd
import re
import socket
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import fields, is_dataclass
from importlib import resources
from pathlib import Path

from iop4d.config import Site
from iop4d.config.archive import SftpArchive
from iop4d.config.secret import secret_of, secrets_of
from iop4d.model.errors import Iop4dError

NAMES = ("iop4d.service", "iop4d-web.service", "iop4d-web.socket", "iop4d-backup.service",
         "iop4d-backup.timer")
#: The page about the units, as it is installed.
_DOCUMENTATION = Path(__file__).parents[1] / "docs" / "service.md"
_PLACE = re.compile(r"@([A-Z0-9]+)@")
_HOMES = (Path("/home"), Path("/root"), Path("/run/user"))  # what ProtectHome= hides
_TEMPORARY = (Path("/tmp"), Path("/var/tmp"))  # noqa: S108  # what PrivateTmp= hides
#: What a service manager that is a user's own can do: without rights to set up mounts.
_OF_A_USER = ("NoNewPrivileges", "LockPersonality", "MemoryDenyWriteExecute", "RestrictNamespaces",
              "RestrictRealtime", "RestrictSUIDSGID", "UMask", "SystemCallArchitectures",
              "SystemCallFilter", "SystemCallErrorNumber")
_NOT_OF_A_USER = ("PrivateNetwork", "IPAddressDeny", "ReadWritePaths", "User=", "Group=")
_CREDENTIALS = "/etc/iop4d/credentials"
_OWN_CREDENTIALS = ".config/iop4d/credentials"  # in the home of a user with a service manager
_CREDENTIAL = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._@+-]{0,254}")
_MEMORY = re.compile(r"[1-9]\d*[KMGT]?|(100|[1-9]\d?)%|infinity")
_UNQUOTED = re.compile(r"[\w%+=:,./@-]+")


def units(site: Site, *, user: str = "", group: str = "", memory: str = "") -> dict[str, str]:
    """Name to text of each unit of a site.

    ``user``: the account that runs it as a system's service, and its ``group`` (empty: that of the
    account); without, the units are for the user's own service manager. ``memory``: of the daemon
    and its workers; empty: 4G, or half a gigabyte for each worker where that is more. Raises
    Iop4dError for an account, group, size, address or path that systemd would refuse.
    """
    own = not user
    memory = memory or f"{max(4, 1 + _workers(site) // 2)}G"
    if not _MEMORY.fullmatch(memory):
        raise Iop4dError(f"--memory is '{memory}'; expected a size such as 4G, 512M or 50%")
    used = [path for named in _used(site, user) for path in _passed(named)]
    values = {
        "SITE": _word(site.root), "FOLDER": _line(site.root), "SAID": _text(site.root),
        "IOP4D": f"{_program(Path(sys.executable))} -m iop4d",
        "ARGUMENT": _word(site.root).replace("$", "$$"),
        "DOCS": _DOCUMENTATION.as_uri().replace("%", "%%"), "MEMORY": memory,
        "USER": "" if own else f"User={user}\nGroup={group_of(user, group)}",
        "CREDENTIALS": "\n".join(_credential(name, own) for name in _credentials(site)),
        # The dash: one that is not there yet keeps nothing else from working.
        "WRITABLE": " ".join(_word(path, "-") for path in _outside(paths_written(site), site.root)),
        "STORECREDENTIAL": _credential(site.store.password_credential, own)
        if site.store.password_credential else "", "AT": site.backup.at,
        "BACKUPS": " ".join(_word(path, "-") for path in _outside([site.backups], site.root)),
        "READONLY": "", "HOME": "read-only" if _is_in(used, _HOMES) else "yes",
        "TMP": "no" if _is_in(used, _TEMPORARY) else "yes",
        "PROC": "pid", "TARGET": "default.target" if own else "multi-user.target",
        "LISTEN": _address(site.web.host, site.web.port),
    }
    values["HARDENING"] = _filled("hardening", values)
    made = {name: _filled(name, values) for name in NAMES}
    return {name: _of_a_user(text) for name, text in made.items()} if own else made


def _filled(name: str, values: dict[str, str]) -> str:
    text = (resources.files("iop4d.systemd") / f"{name}.in").read_text(encoding="utf-8")
    filled = _PLACE.sub(lambda found: values[found.group(1)], text)
    lines = "\n".join(line.rstrip() for line in filled.splitlines())
    return re.sub(r"\n{3,}", "\n\n", lines) + "\n"


# Words as systemd reads them (systemd.syntax(7), systemd.unit(5)).


def _text(path: Path) -> str:
    """Within a line of text: percent signs begin a specifier of systemd."""
    text = str(path)
    if not text.isprintable():
        raise Iop4dError(f"systemd cannot read the path {text!r}: a character in it cannot be "
                         "printed")
    return text.replace("%", "%%")


def _line(path: Path) -> str:
    """As the rest of a line, which takes no quotes."""
    text = _text(path)
    if text != text.rstrip() or text.endswith("\\"):
        raise Iop4dError(f"systemd cannot read the path {text!r}: it ends with a space or a "
                         "backslash")
    return text


def _word(path: Path, before: str = "") -> str:
    """As one of several words: quoted if something in it would end or change a word."""
    text = before + _text(path)
    if _UNQUOTED.fullmatch(text):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _program(path: Path) -> str:
    if "$" in str(path):
        raise Iop4dError(f"systemd cannot start {path}: a path of a program holds no dollar sign")
    return _word(path)


def _address(host: str, port: int) -> str:
    """Of a socket: systemd knows addresses alone, no names."""
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        try:
            address = ipaddress.ip_address(socket.getaddrinfo(host, port)[0][4][0])
        except (OSError, ValueError) as error:
            raise Iop4dError(f"[web] host is '{host}', for which no address is found: {error}"
                             ) from None
    return f"[{address}]:{port}" if address.version == 6 else f"{address}:{port}"


# Who runs it, and what that needs.


def group_of(user: str, group: str) -> str:
    """The group that is named, or that of the account; both must exist, or Iop4dError is raised."""
    try:
        gid = pwd.getpwnam(user).pw_gid
    except KeyError:
        raise Iop4dError(f"no account is named '{user}' on this machine; make it first, such as "
                         f"with: useradd --system {user}") from None
    try:
        name = grp.getgrnam(group).gr_name if group else grp.getgrgid(gid).gr_name
    except KeyError:
        if group:
            raise Iop4dError(f"no group is named '{group}' on this machine") from None
        name = str(gid)
    return name


def paths_written(site: Site) -> list[Path]:
    """The folders that the daemon writes to."""
    return [site.root, *(a.path for a in site.archive if a.is_remote or a.make_read_only)]


def paths_read(site: Site) -> list[Path]:
    """What the daemon only reads: what the site file names, and the program."""
    return sorted({Path(__file__), *_named(site)} - {*paths_written(site), site.backups})


def _workers(site: Site) -> int:
    return site.daemon.workers or os.cpu_count() or 1


def _used(site: Site, user: str) -> Iterator[Path]:
    """Every path that the services read or write: of the site file, and of the program."""
    yield from (site.root, Path(__file__), Path(sys.executable), Path(sys.prefix),
                Path(sys.base_prefix))
    yield from _named(site)
    if any(isinstance(archive, SftpArchive) and _takes_of_account(archive)
           for archive in site.archive):
        with suppress(KeyError):
            yield Path(pwd.getpwnam(user).pw_dir, ".ssh")


def _takes_of_account(archive: SftpArchive) -> bool:
    """Whether the known hosts or the keys are those of the account."""
    return not (archive.known_hosts or archive.host_key) or not (
        archive.key_file or secret_of(archive).is_named)


def _named(section: object) -> Iterator[Path]:
    if isinstance(section, Path):
        yield section
    elif isinstance(section, list | tuple):
        for part in section:
            yield from _named(part)
    elif is_dataclass(section):
        for field in fields(section):
            yield from _named(getattr(section, field.name))


def _passed(path: Path) -> set[Path]:
    """A path, what its links lead to, and what they pass on the way."""
    seen: set[Path] = set()
    ahead = [path.absolute(), path.resolve()]
    while ahead:
        if (path := ahead.pop()) in seen:
            continue
        seen.add(path)
        for part in (path, *path.parents):
            if part.is_symlink():
                target = part.parent / part.readlink() / path.relative_to(part)
                ahead.append(Path(os.path.normpath(target)))
    return seen


def _is_in(paths: Iterable[Path], folders: tuple[Path, ...]) -> bool:
    inside = {*folders, *(folder.resolve() for folder in folders)}
    return any(path.is_relative_to(folder) for path in paths for folder in inside)


def _outside(paths: Iterable[Path], root: Path) -> list[Path]:
    return sorted({path for path in paths if not path.is_relative_to(root)})


def _credentials(site: Site) -> list[str]:
    """Those of archives and channels alike."""
    return sorted({secret.credential for secret in secrets_of(site) if secret.credential})


def _credential(name: str, own: bool) -> str:
    if not _CREDENTIAL.fullmatch(name):
        raise Iop4dError(f"a credential of systemd cannot be named '{name}': letters, digits and "
                         "._@+- are possible")
    folder = f"%h/{_OWN_CREDENTIALS}" if own else _CREDENTIALS
    return f"LoadCredential={name}:{folder}/{name}"


def credential_files(site: Site, *, own: bool) -> dict[str, Path]:
    """Where the service manager finds each credential of a site, by its name."""
    folder = Path.home() / _OWN_CREDENTIALS if own else Path(_CREDENTIALS)
    return {name: folder / name for name in _credentials(site)}


def _of_a_user(text: str) -> str:
    """Without what only the system's manager may do."""
    hardening = {line.partition("=")[0] for line in _hardening_lines()}
    kept = []
    for line in text.splitlines():
        key = line.partition("=")[0]
        if key in hardening and key not in _OF_A_USER:
            continue
        if line.startswith(_NOT_OF_A_USER):
            continue
        kept.append(line.replace("network-online.target ", "") if key == "After" else line)
    return "\n".join(line for line in kept if not line.startswith("Wants=network")) + "\n"


def _hardening_lines() -> list[str]:
    return (resources.files("iop4d.systemd") / "hardening.in").read_text(
        encoding="utf-8").splitlines()
