"""Numbers that travel to a browser arrive as they were."""

from __future__ import annotations

import math

import numpy as np
import pytest

from iop4d.web.curves.packing import Packer, array_of, unpacked


@pytest.mark.parametrize(("values", "step"), [
    ([14.1234, math.nan, 13.9871, -2.5], 1e-4), ([2461367.123456, 2461367.2], 1e-6),
    ([0.0, 1e9, -1e9], 1e-4), ([math.nan], 1e-3), ([], 1e-3), ([math.inf, 1.0], 1e-3)])
def test_numbers_arrive_within_half_a_step(values: list[float], step: float) -> None:
    packer = Packer()
    given = np.array(values)
    header, octets = unpacked(packer.packed({"a": packer.numbers(given, step)}))
    found = array_of(header["a"], octets, len(values))
    wanted = np.where(np.isfinite(given), given, np.nan)
    reach = max(step, np.nanmax(np.abs(wanted), initial=0.0) / 2**30)
    np.testing.assert_allclose(found, wanted, atol=reach)


def test_arrays_begin_where_a_browser_can_look_at_them() -> None:
    packer = Packer()
    places = [packer.whole(np.arange(n)) for n in (1, 2, 3)]
    data = packer.packed({"places": places})
    header, octets = unpacked(data)
    assert all(place[0] % 8 == 0 for place in header["places"])
    assert (len(data) - len(octets)) % 8 == 0
    assert array_of(header["places"][2], octets).tolist() == [0, 1, 2]
