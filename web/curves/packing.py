"""Arrays as they travel to a browser: a line of JSON that says where each stands, then the numbers.

Four octets hold the length of the JSON (little-endian), which blanks fill up to a multiple of
eight; the arrays follow, each at a multiple of eight octets from the end of the JSON. Measured
numbers travel as whole ones in steps that are finer than anybody reads, which compress to half the
size of floating-point ones.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from iop4d.web.curves.columns import Array

MIMETYPE = "application/vnd.iop4d.curves"
_ALIGNED = 8
_MOST = 2**31 - 1
_NOTHING = -(2**31)  # stands for NaN


class Packer:
    """Collects arrays; each becomes ``[place, count, step, offset]`` in the JSON."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0

    def numbers(self, values: Array, step: float) -> list[Any]:
        """Add numbers in steps, or in coarser ones where they would not fit. NaN is nothing."""
        known = values[np.isfinite(values)]
        if not len(known):
            return []
        offset = float(known[0]) if abs(float(known[0])) > 1e6 * step else 0.0
        step = max(step, float(np.abs(known - offset).max()) / _MOST)
        whole = np.full(values.shape, _NOTHING, dtype="<i4")
        finite = np.isfinite(values)
        whole[finite] = np.rint((values[finite] - offset) / step)
        return [*self._add(whole), step, offset]

    def whole(self, values: Array) -> list[Any]:
        """Add whole numbers that 32 bits hold."""
        return [*self._add(np.ascontiguousarray(values, dtype="<i4")), 1, 0]

    def _add(self, values: Array) -> list[int]:
        data, place = values.tobytes(), self._size
        data += bytes(-len(data) % _ALIGNED)
        self._parts.append(data)
        self._size += len(data)
        return [place, len(values)]

    def packed(self, header: dict[str, Any]) -> bytes:
        """All of it."""
        text = json.dumps(header, separators=(",", ":"), allow_nan=False).encode()
        text += b" " * (-(len(text) + 4) % _ALIGNED)
        return len(text).to_bytes(4, "little") + text + b"".join(self._parts)


def unpacked(data: bytes) -> tuple[dict[str, Any], bytes]:
    """The JSON, and the octets of the arrays."""
    end = 4 + int.from_bytes(data[:4], "little")
    return json.loads(data[4:end]), data[end:]


def array_of(where: list[Any], octets: bytes, count: int = 0) -> Array:
    """An array of what was unpacked; ``count`` times NaN for one in which nothing is known."""
    if not where:
        return np.full(count, np.nan)
    place, count, step, offset = where
    whole = np.frombuffer(octets, dtype="<i4", count=count, offset=place)
    return np.where(whole == _NOTHING, np.nan, whole * float(step) + offset)
