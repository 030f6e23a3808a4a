"""What the real servers serve: a night with frames, where other accounts may read it."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.real_servers import PASSWORD

NIGHT = "20261126"
MTIME = 1_795_723_200.0


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that any account may read."""
    folder = Path(tempfile.mkdtemp(prefix="iop4d-served-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, onerror=_by_force)


def _by_force(remove: object, path: str, _error: object) -> None:
    Path(path).parent.chmod(0o755)
    Path(path).unlink(missing_ok=True)


@pytest.fixture
def served(place: Path) -> Path:
    """What is served: two frames of a night."""
    night = place / "served" / NIGHT
    night.mkdir(parents=True)
    for name, content in (("a.fit", os.urandom(300_000)), ("b c.fit", os.urandom(2880))):
        (night / name).write_bytes(content)
        os.utime(night / name, (MTIME, MTIME))
    return place / "served"


@pytest.fixture
def secret(place: Path) -> Path:
    """The file with the password."""
    path = place / "secret"
    path.write_text(f"{PASSWORD}\n", encoding="utf-8")
    path.chmod(0o600)
    return path
