"""A camera that stands turned on the sky, with its polariser or without it."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from iop4d.model.errors import StageError
from iop4d.model.flags import Flag
from iop4d.reduction.interstellar import group_of_field
from iop4d.reduction.polarise import polarise
from tests.reduction.polarimetry_groups import (
    CATALOGUE,
    CHI,
    SETTINGS,
    group,
    instrument,
    result,
)


@pytest.mark.parametrize("name", ["AndorT90", "CAFOS", "DIPOL"])
def test_the_angle_follows_a_camera_that_is_turned_with_its_polariser(name: str) -> None:
    """By 37 degrees: what the instrument sees of chi is that less than before."""
    tool = instrument(name)
    assert tool.sky_angle_deg is not None
    up = tool.sky_angle_deg[0]
    straight, over, turned = (result([replace(frame, sky_angle_deg=up + angle)
                                      for frame in group(name)], name)
                              for angle in (1.0, 180.0, 37.0))
    assert straight.chi_deg == pytest.approx(CHI, abs=0.05)
    assert over.chi_deg == pytest.approx(CHI, abs=0.05)
    assert turned.chi_deg == pytest.approx(CHI + 37.0, abs=0.05)
    assert turned.flags & Flag.FIELD_ROTATED  # until the site's file says where it stands
    assert not (straight.flags | over.flags) & Flag.FIELD_ROTATED


def test_a_camera_that_turned_without_its_polariser_or_within_a_group_is_told() -> None:
    tool = instrument("AndorT90")
    assert tool.polarimeter is not None
    fixed = replace(tool, polarimeter=replace(tool.polarimeter, turns_with_camera=False))
    frames = [replace(frame, sky_angle_deg=37.0) for frame in group("AndorT90")]
    found = polarise(frames, catalogue=CATALOGUE, instrument=fixed, settings=SETTINGS).results[0]
    assert found.flags & Flag.FIELD_ROTATED
    assert found.chi_deg == pytest.approx(CHI, abs=0.05)
    within = [replace(frame, sky_angle_deg=10.0 * n) for n, frame in enumerate(group("AndorT90"))]
    assert result(within, "AndorT90").flags & Flag.FIELD_ROTATED


@pytest.mark.parametrize(("with_camera", "turn"), [(True, 37.0), (False, 0.0)])
def test_the_dust_of_a_field_turns_with_the_polariser_alone(with_camera: bool, turn: float) -> None:
    """An old fault: its angle followed the camera where the polariser did not."""
    tool = instrument("AndorT90")
    assert tool.polarimeter is not None
    assert tool.sky_angle_deg is not None
    tool = replace(tool, polarimeter=replace(tool.polarimeter, turns_with_camera=with_camera))
    frames = [replace(frame, sky_angle_deg=tool.sky_angle_deg[0] + 37.0)
              for frame in group("AndorT90", isp=(0.02, 0.0))]
    found = group_of_field(frames, tool)
    assert found is not None
    assert math.degrees(math.atan2(found.u, found.q)) / 2.0 == pytest.approx(turn, abs=0.2)
    assert found.angle_err_deg == tool.polarimeter.constants[0].angle_err_deg


def test_groups_of_no_date_that_is_known_have_no_dust_of_their_field() -> None:
    tool = instrument("AndorT90")
    assert tool.polarimeter is not None
    with pytest.raises(StageError, match="no instrumental polarisation of AndorT90 is known"):
        group_of_field(group("AndorT90"), replace(
            tool, polarimeter=replace(tool.polarimeter, constants=())))
