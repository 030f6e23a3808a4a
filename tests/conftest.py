"""What tests share: a site in a temporary folder, a clock that is told, the real frames."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from iop4d.config import Site
from iop4d.config.load import parse_site
from iop4d.store.database import Database

REALDATA = Path(__file__).resolve().parents[2] / "shared" / "realdata"


class FakeClock:
    """A clock that stands still until it is told to go on."""

    def __init__(self, now: float = 1_700_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A site with one folder as its archive, and no waiting for more calibration frames."""
    return parse_site(
        '[[archive]]\nname = "raw"\npath = "raw"\n[masters]\ndebounce = 0.0\n', root=tmp_path)


@pytest.fixture
def database(site: Site) -> Iterator[Database]:
    opened = Database(site.database)
    yield opened
    opened.close()


@pytest.fixture
def hatp32() -> Path:
    folder = REALDATA / "hatp32"
    if not folder.is_dir():
        pytest.skip("the real frames are not here")
    return folder
