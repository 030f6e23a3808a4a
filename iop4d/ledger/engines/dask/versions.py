"""What must be the same on the daemon's machine and on a worker's, for equal results."""

from __future__ import annotations

import hashlib
import platform
from dataclasses import fields, is_dataclass
from importlib.metadata import PackageNotFoundError, version

from iop4d import __version__
from iop4d.model import frame, messages, result, source

_PACKAGES = ("numpy", "scipy", "astropy", "sep", "astrometry")


def versions() -> dict[str, str]:
    """The versions of this process."""
    return {"iop4d": __version__, "python": ".".join(platform.python_version_tuple()[:2]),
            **{name: _version(name) for name in _PACKAGES}, "messages": _messages()}


def differences(daemon: dict[str, str], worker: dict[str, str]) -> str:
    """How the versions of a worker differ from the daemon's, in words; empty if they do not."""
    names = [name for name in daemon if daemon[name] != worker.get(name)]
    if not names:
        return ""
    return (f"it has {', '.join(f'{name} {worker.get(name)}' for name in names)}; the daemon has "
            f"{', '.join(f'{name} {daemon[name]}' for name in names)}")


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "none"


def _messages() -> str:
    """A digest of the fields of everything that messages are made of."""
    known = {value for module in (messages, frame, result, source)
             for value in vars(module).values()
             if isinstance(value, type) and is_dataclass(value)}
    shape = sorted((kind.__qualname__, [(field.name, str(field.type)) for field in fields(kind)])
                   for kind in known)
    return hashlib.sha256(repr(shape).encode()).hexdigest()[:10]
