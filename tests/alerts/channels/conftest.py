"""A server that receives what a channel posts."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.alerts.channels.receiver import Receiver


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as running:
        yield running
