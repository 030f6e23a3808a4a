"""A sound site with a mail server that answers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.alerts.bench import Mailbox
from tests.operations.sound_site import Lab
from tests.support.certificates import certificate


@pytest.fixture
def mailbox(tmp_path: Path) -> Iterator[Mailbox]:
    with Mailbox(tls=certificate(tmp_path)) as server:
        yield server


@pytest.fixture
def lab(tmp_path: Path, mailbox: Mailbox) -> Iterator[Lab]:
    made = Lab(tmp_path / "site", mailbox.port, tmp_path / "cert.pem")
    yield made
    made.lock.close()
    made.database.close()
