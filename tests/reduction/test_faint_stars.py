"""Stars too faint to be detected lie about a target at all positions of a group: they make its
magnitude uncertain, and hardly its polarisation."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from iop4d.model.flags import Flag
from iop4d.model.messages import MeasuredFrame
from iop4d.model.result import Measurement
from iop4d.model.units import MAG_PER_RELATIVE_FLUX
from iop4d.reduction import apertures
from iop4d.reduction.measure import both_beams
from tests.reduction.polarimetry_groups import NAMES, group, measurement, result

PART = 0.01  # error by faint stars, of the light of the source


def confused(frames: list[MeasuredFrame], part: float = PART) -> list[MeasuredFrame]:
    """The group with a target among faint stars, beside whose noise that of photons is small."""
    def of(m: Measurement) -> Measurement:
        if m.source != "T":
            return m
        faint = part * m.flux
        return apertures.with_flux(replace(m, confusion_err=faint, flags=int(Flag.CROWDED)),
                                   m.flux, math.hypot(m.flux_err, faint))

    return [replace(frame, measurements=tuple(map(of, frame.measurements))) for frame in frames]


@pytest.mark.parametrize("name", NAMES)
def test_the_light_of_faint_stars_is_in_all_positions_alike(name: str) -> None:
    clear, found = result(group(name), name), result(confused(group(name)), name)
    # A tenth of its variance may differ; of the degree it makes a hundredth uncertain.
    own = math.hypot(1e-3, 0.3 * PART) / 1e-3
    assert found.p_err < math.hypot(own * clear.p_err, 1.1 * PART * found.p)
    assert found.p_err > math.hypot(clear.p_err, PART * found.p)


@pytest.mark.parametrize("name", NAMES)
def test_the_light_of_faint_stars_does_not_average_out_of_a_magnitude(name: str) -> None:
    part = PART if name in ("CAFOS", "DIPOL") else 4.0 * PART
    clear, found = result(group(name), name), result(confused(group(name), part), name)
    faint = MAG_PER_RELATIVE_FLUX * part
    assert found.mag_err == pytest.approx(math.hypot(clear.mag_err, faint), rel=0.1)
    assert found.flags & Flag.CROWDED


def test_a_group_is_crowded_where_faint_stars_make_most_of_its_error() -> None:
    """An old fault: every group of DIPOL's was, as are its frames."""
    frames = [replace(frame, measurements=tuple(m for m in frame.measurements if m.source == "T"))
              for frame in confused(group("DIPOL", p=0.01))]
    found = result(frames, "DIPOL")
    assert found.flags & Flag.NO_CALIBRATORS
    assert not found.flags & Flag.CROWDED


def test_two_images_add_up_with_their_faint_stars() -> None:
    images = [replace(measurement("T", flux, beam), confusion_err=err)
              for flux, beam, err in ((100.0, "O", 3.0), (200.0, "E", 4.0))]
    both = both_beams(*images, scintillation=0.001)
    assert both.confusion_err == pytest.approx(5.0)
    assert both.flux_err == pytest.approx(math.hypot(5.0, 0.1, 0.2, 0.3), rel=1e-3)
    calm = both_beams(*images, scintillation=0.0)
    assert both.flux_err == pytest.approx(math.hypot(calm.flux_err, 0.3))  # both images share it
