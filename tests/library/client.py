"""A client of a site's web server, without a network."""

from __future__ import annotations

from collections.abc import Callable

import httpx2

from iop4d.library import Client

Answer = Callable[[httpx2.Request], httpx2.Response]


def client_of(answer: Answer) -> Client:
    """A client whose requests get such answers, and that never waits."""
    client = Client("http://there", transport=httpx2.MockTransport(answer))
    client.reader._sleep = lambda _: None
    return client
