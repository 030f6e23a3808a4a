"""How often a password may be tried: by address and by name, locking nobody out.

Wrong passwords are counted, nothing else. An address rests after a few of one name, or more of any
names. A name that is tried from ever more addresses rests at those that tried it already: the
first try of each is looked at, so whoever comes from elsewhere with the right password enters. A
browser and an address where the account signed in before are counted apart from all others.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address

_KEPT = 10_000  # counts that are kept; what was counted longest ago is forgotten first
_SHORT, _LONG = 60.0, 600.0  # seconds for which is counted
_OF_NAME = 5  # wrong passwords of a name from an address, in the short time
_OF_ADDRESS = 20  # of all names from an address, in the short time
_OF_KNOWN = 10  # of a name from a browser, or an address, where it signed in before
_OF_MANY = 50  # of a name from all addresses where it never signed in, in the long time


@dataclass(frozen=True, kw_only=True)
class Caller:
    """Who tries a password of whom.

    ``browser``: names a browser in which the account signed in before, or empty. ``is_known``:
    whether the account signed in from this address before.
    """

    name: str
    address: str
    browser: str = ""
    is_known: bool = False

    def own(self) -> bytes:
        """What stands for this caller and name alone."""
        if self.browser:
            return _digest("browser", self.browser, self.name)
        return _digest("known" if self.is_known else "", network_of(self.address), self.name)


class WrongPasswords:
    """Counts of wrong passwords; it forgets what is over, and is never large."""

    def __init__(self, *, most: int = _KEPT, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._clock = clock
        #: The first and the latest moment, and how many; what was counted last stands last.
        self._counts: dict[bytes, tuple[float, float, int]] = {}
        self._changing = threading.Lock()

    def __len__(self) -> int:
        return len(self._counts)

    def add(self, caller: Caller) -> None:
        """Count a wrong password."""
        with self._changing:
            self._add(caller.own(), _SHORT)
            if not (caller.browser or caller.is_known):
                self._add(_of_address(caller), _SHORT)
                self._add(_of_name(caller), _LONG)
                self._add(_tried(caller), _LONG)
            for key in list(self._counts):
                if len(self._counts) <= self._most and \
                        self._clock() - self._counts[key][1] < _LONG:
                    break
                del self._counts[key]

    def rest(self, caller: Caller) -> float:
        """Seconds that a caller has to wait before the next try; 0 if it need not."""
        with self._changing:
            if caller.browser or caller.is_known:
                return self._rest(caller.own(), _SHORT, _OF_KNOWN)
            rests = [self._rest(caller.own(), _SHORT, _OF_NAME),
                     self._rest(_of_address(caller), _SHORT, _OF_ADDRESS)]
            if self._rest(_tried(caller), _LONG, 1):
                rests.append(self._rest(_of_name(caller), _LONG, _OF_MANY))
            return max(rests)

    def _add(self, key: bytes, seconds: float) -> None:
        now = self._clock()
        first, _, number = self._counts.pop(key, (now, now, 0))
        self._counts[key] = (now, now, 1) if now - first >= seconds else (first, now, number + 1)

    def _rest(self, key: bytes, seconds: float, most: int) -> float:
        first, _, number = self._counts.get(key, (0.0, 0.0, 0))
        return max(0.0, first + seconds - self._clock()) if number >= most else 0.0


def network_of(address: str) -> str:
    """What one caller has: an address, or of IPv6 the network that is given out whole."""
    with suppress(ValueError):
        found = ip_address(address.partition("%")[0])
        if isinstance(found, IPv6Address):
            if found.ipv4_mapped:
                return str(found.ipv4_mapped)
            return str(IPv6Address(int(found) >> 64 << 64))
        return str(found)
    return address


def _of_address(caller: Caller) -> bytes:
    return _digest("address", network_of(caller.address))


def _of_name(caller: Caller) -> bytes:
    return _digest("name", caller.name)


def _tried(caller: Caller) -> bytes:
    return _digest("tried", network_of(caller.address), caller.name)


def _digest(*parts: str) -> bytes:
    """A key of a fixed size, whatever was typed."""
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).digest()
