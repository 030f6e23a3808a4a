"""The modulation of a group as numbers: what is drawn of it."""

from __future__ import annotations

import math

import numpy as np
import pytest

from iop4d.reduction.modulation import modulation_of
from tests.reduction.polarimetry_groups import NAMES, SETTINGS, TARGET, group, instrument
from tests.reduction.polarimetry_groups import seen as polarisation_seen


@pytest.mark.parametrize("name", NAMES)
def test_the_reported_curve_goes_through_what_was_measured(name: str) -> None:
    method = "fit-k" if name in ("CAFOS", "DIPOL") else "ensemble"
    frames = group(name)
    seen = modulation_of(frames, TARGET, instrument=instrument(name), settings=SETTINGS,
                         reported=method)
    curve = next(curve for curve in seen.curves if curve.method == method)
    np.testing.assert_allclose(seen.value, curve.at, atol=3e-3)
    assert [float(a) for a in seen.angles_deg] == [f.facts.polariser_deg for f in frames]
    # As the instrument sees it, with its own polarisation.
    amplitude = math.hypot(*polarisation_seen(name, frames[0].facts.jd_start))
    assert np.abs(curve.points[:, 1]).max() == pytest.approx(amplitude, abs=0.005)
