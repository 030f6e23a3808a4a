"""The units of a site for systemd: templates, filled in."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from importlib import resources
from pathlib import Path

from iop4d.config import Site
from iop4d.config.secret import secrets_of
from iop4d.model.errors import Iop4dError

NAMES = ("iop4d.service", "iop4d-web.service", "iop4d-web.socket")
_PLACE = re.compile(r"@([A-Z0-9]+)@")
_HOMES = (Path("/home"), Path("/root"), Path("/run/user"))
#: What a service manager that is a user's own can do: without rights to set up mounts.
_OF_A_USER = ("NoNewPrivileges", "LockPersonality", "MemoryDenyWriteExecute", "RestrictNamespaces",
              "RestrictRealtime", "RestrictSUIDSGID", "UMask", "SystemCallArchitectures",
              "SystemCallFilter", "SystemCallErrorNumber")
_NOT_OF_A_USER = ("PrivateNetwork", "IPAddressDeny", "ReadWritePaths", "User=", "Group=")
_CREDENTIALS = "/etc/iop4d/credentials"


def units(site: Site, *, user: str = "", memory: str = "4G") -> dict[str, str]:
    """Name to text of each unit of a site. ``user``: runs it as a system's service; empty: the
    units are for the user's own service manager."""
    own = not user
    written = [site.root, *(a.path for a in site.archive if a.is_remote or a.make_read_only)]
    values = {
        "SITE": _path(site.root), "IOP4D": f"{_path(Path(sys.executable))} -m iop4d",
        "DOCS": _path(Path(__file__).parent), "MEMORY": memory,
        "USER": "" if own else f"User={user}\nGroup={user}",
        "CREDENTIALS": "\n".join(_credential(name, own) for name in _credentials(site)),
        "WRITABLE": " ".join(_path(path) for path in _outside(written, site.root)),
        "READONLY": "", "HOME": _home([site.root, Path(sys.executable), *written]),
        "PROC": "pid", "TARGET": "default.target" if own else "multi-user.target",
        "LISTEN": f"{site.web.host}:{site.web.port}",
    }
    values["HARDENING"] = _filled("hardening", values)
    made = {name: _filled(name, values) for name in NAMES}
    return {name: _of_a_user(text) for name, text in made.items()} if own else made


def _filled(name: str, values: dict[str, str]) -> str:
    text = (resources.files("iop4d.systemd") / f"{name}.in").read_text(encoding="utf-8")
    filled = _PLACE.sub(lambda found: values[found.group(1)], text)
    lines = "\n".join(line.rstrip() for line in filled.splitlines())
    return re.sub(r"\n{3,}", "\n\n", lines) + "\n"


def _path(path: Path) -> str:
    """As systemd reads it: per cent signs are its own, and blanks part words."""
    text = str(path).replace("%", "%%")
    if '"' in text or "\n" in text:
        raise Iop4dError(f"systemd cannot be given the path {path}: it holds a quote or line end")
    return f'"{text}"' if " " in text else text


def _outside(paths: Iterable[Path], root: Path) -> list[Path]:
    return sorted({path for path in paths if not path.is_relative_to(root)})


def _home(paths: Iterable[Path]) -> str:
    inside = any(path.is_relative_to(home) for path in paths for home in _HOMES)
    return "read-only" if inside else "yes"


def _credentials(site: Site) -> list[str]:
    return sorted({secret.credential for secret in secrets_of(site) if secret.credential})


def _credential(name: str, own: bool) -> str:
    folder = "%h/.config/iop4d/credentials" if own else _CREDENTIALS
    return f"LoadCredential={name}:{folder}/{name}"


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
