"""A catalogue with a source of which telegrams are drafted."""

from __future__ import annotations

import pytest

from iop4d.store.database import Transaction
from tests.alerts.atel.telegrams import fill_catalogue


@pytest.fixture
def tx(tx: Transaction) -> Transaction:
    """A transaction on a database with the catalogue of ``telegrams``."""
    fill_catalogue(tx)
    return tx
