"""Frames become groups by their times and angles alone."""

from __future__ import annotations

import itertools

import pytest

from iop4d.science.grouping import Exposure, partition


def at(minutes: float, angle: float) -> Exposure:
    return Exposure(jd_start=2460000.5 + minutes / 1440, exptime_s=60.0, angle_deg=angle)


def groups(*exposures: Exposure) -> list[list[int]]:
    return partition(exposures, whole=4, turn_deg=90.0, longest_min=40.0, gap_min=10.0)


def test_four_angles_are_a_group_and_the_fifth_frame_begins_another() -> None:
    assert groups(at(0, 0), at(2, 22.5), at(4, 45), at(6, 67.5), at(8, 0)) == [[0, 1, 2, 3], [4]]


def test_an_angle_that_comes_again_begins_another_group() -> None:
    assert groups(at(0, 0), at(2, 22.5), at(4, 0), at(6, 22.5)) == [[0, 1], [2, 3]]


def test_a_polariser_half_a_turn_on_is_at_the_same_angle() -> None:
    """-45 and 135 degrees, by whichever name a camera writes it."""
    frames = [at(0, -45), at(2, 0), at(4, 135), at(6, 45)]
    assert partition(frames, whole=4, turn_deg=180.0, longest_min=40.0, gap_min=10.0) == [
        [0, 1], [2, 3]]


def test_groups_are_cut_in_time() -> None:
    assert groups(at(0, 0), at(2, 22.5), at(14, 45)) == [[0, 1], [2]]  # a pause of 11 minutes
    assert groups(at(0, 0), at(10, 22.5), at(20, 45)) == [[0, 1, 2]]
    long = partition([at(0, 0), at(10, 22.5), at(20, 45)], whole=4, turn_deg=90.0,
                     longest_min=15.0, gap_min=10.0)
    assert long == [[0, 1], [2]]


def test_the_order_in_which_frames_become_known_does_not_matter() -> None:
    frames = [at(0, 0), at(2, 22.5), at(4, 45), at(6, 67.5), at(8, 0)]
    expected = {frozenset(frames[:4]), frozenset(frames[4:])}
    for order in itertools.permutations(frames):
        found = partition(order, whole=4, turn_deg=90.0, longest_min=40.0, gap_min=10.0)
        assert {frozenset(order[i] for i in group) for group in found} == expected


def test_an_exposure_ends_after_its_time() -> None:
    assert (at(0, 0).jd_end - at(0, 0).jd_start) * 86400 == pytest.approx(60.0, abs=1e-3)
    assert groups() == []
