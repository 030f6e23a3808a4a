"""Cursors that no answer gave: refused with a reason by every database, never a fault."""

from __future__ import annotations

import base64
import itertools
import json

import pytest
from flask.testing import FlaskClient

from iop4d.store.tables import LISTINGS

_VALUES = ("\ud800", "a\0b", "x", "2026-01-01", 5, 2.5, -1, True, None, [1], {"a": 1}, 2**63, 1e308)


def cursor(*content: object) -> str:
    packed = json.dumps(content).encode()
    return base64.urlsafe_b64encode(packed).decode().rstrip("=")


@pytest.mark.parametrize("table", sorted(LISTINGS))
def test_a_forged_cursor_of_any_order_makes_no_fault(table: str, client: FlaskClient) -> None:
    listing, codes = LISTINGS[table], set()
    # One column of each kind, and what orders the table as it stands.
    orders = {column.kind: column.name for column in listing.columns if not column.derived}
    for order in {listing.order, *orders.values(), f"-{listing.key}"}:
        for value, (key, number) in itertools.product(
                _VALUES, ((1, 0), ("x", None), ("\ud800", 3), (2.5, -1), (None, 2**70))):
            answer = client.get(f"/api/v1/{table}", buffered=True, query_string={
                "sort": order, "cursor": cursor(order, value, key, number, 0), "limit": 2})
            codes.add(answer.status_code)
            assert answer.status_code in (200, 400), (order, value, key, number, answer.text)
            if answer.status_code == 400:
                assert answer.json == {"field": "cursor", "error":
                                       "cursor: expected what an answer before gave"}
    assert codes == {200, 400}
