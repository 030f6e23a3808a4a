"""What was made and may be asked for again, held in memory up to a size; made once at a time."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Held(Generic[K, V]):
    """What was made, up to a size in all; what was used longest ago is given up first.

    One of each key is made at a time, and by one thread; others wait for it.
    """

    def __init__(self, most: int, size: Callable[[V], int],
                 close: Callable[[V], None] = lambda _: None) -> None:
        self._most = most
        self._size = size
        self._close = close
        self._kept: OrderedDict[K, V] = OrderedDict()
        self._lock = threading.Lock()
        self._making: dict[K, threading.Lock] = {}

    def find(self, key: K) -> V | None:
        """What is held for a key, or None."""
        with self._lock:
            if key not in self._kept:
                return None
            self._kept.move_to_end(key)
            return self._kept[key]

    def get(self, key: K, make: Callable[[], V]) -> V:
        """What is held for a key, made if need be."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
            making = self._making.setdefault(key, threading.Lock())
        with making:
            with self._lock:
                if key in self._kept:
                    return self._kept[key]
            try:
                made = make()
            finally:
                with self._lock:
                    self._making.pop(key, None)
            with self._lock:
                self._kept[key] = made
                total = sum(map(self._size, self._kept.values()))
                while total > self._most and len(self._kept) > 1:
                    _, old = self._kept.popitem(last=False)
                    total -= self._size(old)
                    self._close(old)
            return made
