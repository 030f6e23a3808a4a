"""Open connections, so that those of one address do not take the places of all others.

A request has a deadline by which it must be complete, however slowly it comes. Where the server is
full, connections without a complete request are closed, of the address that has the most of
them; so another's browser is always let in. A browser opens a closed connection again by itself.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from ipaddress import ip_address, ip_network
from typing import Any

from waitress.channel import HTTPChannel
from waitress.server import BaseWSGIServer

from iop4d.web.limits import network_of

_HEAD_SECONDS = 10.0  # within which the head of a request must be complete
_BODY_SECONDS = 60.0  # and a form: 64 kB of a slow phone
_LOOK_SECONDS = 1.0
_AT_ONCE = 100  # connections that are taken before requests are looked at
#: Places beyond those, for who comes while the others are answered.
SPARE = 16
_CLOSED_AT_ONCE = 16  # so that many that keep coming cost little


class Connections:
    """The connections in the map of a server; used by the thread that serves them.

    ``room``: how many connections there may be. ``trusted``: address or network of the proxy, whose
    connections are many people's and go last; or empty.
    """

    def __init__(self, sockets: dict[int, Any], *, room: int, trusted: str = "",
                 clock: Callable[[], float] = time.monotonic) -> None:
        self._sockets = sockets
        self._clock = clock
        self._most = room
        self._trusted = ip_network(trusted, strict=False) if trusted else None
        self._looked = clock()
        #: The requests that are not complete, and when they were first seen.
        self._began: dict[Any, float] = {}

    def look(self) -> None:
        """Take who waits, closing others where there is no room, and close what is late."""
        for one in list(self._sockets.values()):
            if isinstance(one, BaseWSGIServer):
                self._accept(one)
        now = self._clock()
        if now - self._looked >= _LOOK_SECONDS:
            self._looked = now
            self._close_late(now)

    def _accept(self, server: BaseWSGIServer) -> None:
        for _ in range(_AT_ONCE):
            if len(self._sockets) > self._most:
                self._make_room()
            before = len(self._sockets)
            if not server.readable():
                return
            server.handle_accept()
            if len(self._sockets) <= before:
                return

    def _make_room(self) -> None:
        by_address: dict[str, list[HTTPChannel]] = defaultdict(list)
        for one in self._channels():
            if not one.requests:
                by_address[_address(one)].append(one)
        if by_address:
            _, many = max(by_address.items(),
                           key=lambda item: (not self._is_trusted(item[0]), len(item[1])))
            many.sort(key=lambda one: (one.request is None, one.last_activity))
            for one in many[:min(_CLOSED_AT_ONCE, (len(many) + 1) // 2)]:
                one.handle_close()

    def _close_late(self, now: float) -> None:
        began: dict[Any, float] = {}
        for one in self._channels():
            request = one.request
            if request is None:
                continue
            began[request] = self._began.get(request, now)
            allowed = _BODY_SECONDS if request.headers_finished else _HEAD_SECONDS
            if now - began[request] >= allowed and not one.requests:
                one.handle_close()
        self._began = began

    def _channels(self) -> list[HTTPChannel]:
        return [one for one in self._sockets.values() if isinstance(one, HTTPChannel)]

    def _is_trusted(self, address: str) -> bool:
        with suppress(ValueError):
            return self._trusted is not None and ip_address(address) in self._trusted
        return False


def _address(channel: HTTPChannel) -> str:
    """Whose connection it is: of IPv6, the network that one caller has."""
    return network_of(str(channel.addr[0]))
