"""The made site, opened by the library and read from its server."""

from __future__ import annotations

from collections.abc import Iterator

import httpx2
import pytest

import iop4d
from iop4d.config import Site as SiteFile
from iop4d.library import Client, Site
from iop4d.reduction.workbench import Workbench
from iop4d.web.app import create_app
from tests.library import made
from tests.reduction.small import FakeSolver


@pytest.fixture(scope="session")
def made_site(tmp_path_factory: pytest.TempPathFactory) -> SiteFile:
    return made.site_at(tmp_path_factory.mktemp("library") / "site")


@pytest.fixture(scope="session")
def site(made_site: SiteFile) -> Iterator[Site]:
    opened = iop4d.open(made_site.root)
    yield opened
    opened.close()


@pytest.fixture(autouse=True)
def _solves(monkeypatch: pytest.MonkeyPatch) -> None:
    """The small camera's field is in no index file."""
    monkeypatch.setattr(Workbench, "_index", lambda _: FakeSolver())


@pytest.fixture(scope="session")
def client(made_site: SiteFile) -> Iterator[Client]:
    opened = Client("http://localhost", made.token(made_site),
                    transport=httpx2.WSGITransport(app=create_app(made_site)))
    yield opened
    opened.close()
