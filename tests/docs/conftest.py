"""One night and one finished site for all pages; each page works in a copy."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs import prepared


@pytest.fixture(scope="session")
def night(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Frames of AndorT90."""
    folder = tmp_path_factory.mktemp("documented") / "frames"
    prepared.take_night(folder)
    return folder


@pytest.fixture(scope="session")
def finished(night: Path) -> Path:
    """A site that reduced them."""
    folder = night.parent / "site"
    prepared.finish(folder, night)
    return folder
