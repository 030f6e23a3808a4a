"""Frames of unlike seeing in one aperture, from their curves of growth."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import pytest

from iop4d.model.flags import Flag
from iop4d.model.frame import FrameFacts, FrameKind
from iop4d.model.messages import MeasuredFrame
from iop4d.model.result import NAN, FieldStar, GrowthPoint, Measurement
from iop4d.reduction.apertures import (
    annulus_for,
    in_one_aperture,
    radii_for,
    with_flux,
)

FACTS = FrameFacts(telescope="T", instrument="I", kind=FrameKind.SCIENCE, night="2024-01-01",
                   jd_start=2460311.4, exptime_s=60.0, shape=(100, 100))


def measured(aperture: float, radii: tuple[float, ...], **other: object) -> MeasuredFrame:
    points = tuple(GrowthPoint(radius_arcsec=r, flux=100.0 * r, flux_err=r, photon_err=0.5 * r)
                   for r in radii)
    m = Measurement(source="A star", x=50.0, y=50.0, flux=100.0 * aperture, flux_err=aperture,
                    mag_inst=0.0, mag_inst_err=0.01, snr=100.0, sky=10.0, flags=0, growth=points)
    star = FieldStar(ra_deg=10.0, dec_deg=20.0, flux=7.0, flux_err=1.0,
                     growth=tuple((r, 50.0 * r, r) for r in radii))
    return MeasuredFrame(id=1, facts=FACTS, measurements=(replace(m, **other),), fwhm_arcsec=2.0,
                         airmass=1.0, bjd_tdb=0.0, aperture_arcsec=aperture, field_stars=(star,))


def test_a_ladder_begins_below_the_frames_own_aperture_and_serves_three_times_its_seeing() -> None:
    radii = radii_for(2.55, (), pixel_arcsec=0.4)
    assert radii[0] <= 2.55 < radii[1]
    assert radii[-1] >= 3.0 * radii[0]
    assert {round(b / a, 6) for a, b in itertools.pairwise(radii)} == {1.25}


def test_two_frames_have_the_same_rungs_where_they_overlap() -> None:
    one, other = (set(radii_for(a, (), pixel_arcsec=0.4)) for a in (2.2, 3.9))
    assert len(one & other) >= 3


def test_what_sources_ask_for_is_measured_besides() -> None:
    radii = radii_for(2.55, (8.0, NAN, 8.0), pixel_arcsec=0.4)
    assert 8.0 in radii
    assert list(radii) == sorted(set(radii))


def test_a_circle_is_no_smaller_than_two_pixels() -> None:
    assert min(radii_for(6.0, (1.0,), pixel_arcsec=3.0)) >= 6.0 / 1.25


def test_the_annulus_is_one_for_all_frames_but_lies_outside_the_largest_circle() -> None:
    assert annulus_for(radii_for(1.9, (), pixel_arcsec=0.4)) == annulus_for(
        radii_for(5.2, (8.0,), pixel_arcsec=0.4))
    assert annulus_for((5.0, 30.0))[0] > 30.0


def test_frames_are_put_into_the_smallest_circle_that_all_have_and_that_is_wide_enough() -> None:
    frames = (measured(2.2, (2.0, 2.5, 3.1)), measured(2.4, (2.0, 2.5, 3.1, 3.9)))
    found = in_one_aperture(frames)
    assert [f.aperture_arcsec for f in found] == [2.5, 2.5]
    assert found[0].measurements[0].flux == 250.0
    assert found[0].measurements[0].photon_err == 1.25
    assert found[0].measurements[0].mag_inst == pytest.approx(-2.5 * math.log10(250.0))
    assert found[1].field_stars[0].flux == 125.0


def test_an_aperture_that_is_wanted_goes_before_that_of_the_seeing() -> None:
    frames = (measured(2.2, (2.5, 3.1, 8.0)), measured(2.4, (2.5, 3.1, 8.0)))
    assert [f.aperture_arcsec for f in in_one_aperture(frames, 8.0)] == [8.0, 8.0]
    assert [f.aperture_arcsec for f in in_one_aperture(frames, 3.0)] == [3.1, 3.1]
    # Asked for a circle that no frame holds, since the catalogue has changed: the widest.
    assert [f.aperture_arcsec for f in in_one_aperture(frames, 9.0)] == [8.0, 8.0]


def test_frames_in_one_aperture_stay_as_they_are() -> None:
    once = in_one_aperture((measured(2.2, (2.5, 3.1)), measured(2.4, (2.5, 3.1))))
    changed = tuple(replace(f, measurements=tuple(replace(
        m, flux=1.0) for m in f.measurements)) for f in once)
    assert in_one_aperture(changed) == changed
    assert in_one_aperture(changed, 2.5) == changed


def flagged(frames: tuple[MeasuredFrame, ...]) -> list[bool]:
    return [bool(f.flags & Flag.OTHER_APERTURE) for f in frames]


def test_a_frame_without_curves_of_growth_keeps_its_aperture_and_says_so() -> None:
    """The others are in one circle anyway."""
    found = in_one_aperture((measured(2.2, ()), measured(2.4, (2.5, 3.1)),
                             measured(2.0, (2.0, 2.5))))
    assert [f.aperture_arcsec for f in found] == [2.2, 2.5, 2.5]
    assert flagged(found) == [True, False, False]
    assert found[0].measurements[0].flux == pytest.approx(220.0)
    assert flagged(in_one_aperture((measured(2.45, ()), measured(2.0, (2.5,))))) == [False, False]
    assert flagged(in_one_aperture((measured(2.2, ()), measured(2.4, ())))) == [True, False]


def test_a_frame_of_too_good_a_seeing_for_a_common_circle_says_so() -> None:
    found = in_one_aperture((measured(1.0, (1.0, 1.25)), measured(2.4, (2.5, 3.1)),
                             measured(2.4, (2.5, 3.1))))
    assert [f.aperture_arcsec for f in found] == [1.0, 2.5, 2.5]
    assert flagged(found) == [True, False, False]


def test_a_frame_in_another_circle_than_the_source_asks_for_says_so() -> None:
    frames = (measured(2.2, (2.5, 8.0)), measured(2.4, (2.5,)))
    assert [f.aperture_arcsec for f in in_one_aperture(frames, 8.0)] == [8.0, 2.4]
    assert flagged(in_one_aperture(frames, 8.0)) == [False, True]
    assert flagged(in_one_aperture(frames, 6.0)) == [True, True]
    assert flagged(in_one_aperture((measured(2.2, ()),), 8.0)) == [True]


def test_an_aperture_that_is_not_known_is_not_the_widest() -> None:
    frames = (measured(NAN, (2.0, 2.5, 3.1)), measured(2.4, (2.0, 2.5, 3.1)))
    assert [f.aperture_arcsec for f in in_one_aperture(frames)] == [2.5, 2.5]


def test_a_source_whose_circle_leaves_the_frame_has_no_flux_there() -> None:
    frame = measured(2.2, (2.5, 3.1))
    near_edge = replace(frame.measurements[0], source="Edge", growth=())
    frame = replace(frame, measurements=(*frame.measurements, near_edge))
    found = in_one_aperture((frame,), 3.1)[0].measurements[1]
    assert math.isnan(found.flux)
    assert found.flags & Flag.EDGE


def test_flags_of_a_circle_join_those_of_the_measurement() -> None:
    frame = measured(2.2, (2.5,), flags=int(Flag.OFF_CENTRE))
    m = frame.measurements[0]
    m = replace(m, growth=(m.growth[0]._replace(flags=int(Flag.BLENDED)),))
    found = in_one_aperture((replace(frame, measurements=(m,)),), 2.5)[0].measurements[0]
    assert found.flags == Flag.OFF_CENTRE | Flag.BLENDED


@pytest.mark.parametrize(("flux", "flags"), [
    (-4.0, Flag.LOW_SNR | Flag.NOT_DETECTED), (2.9, Flag.LOW_SNR | Flag.NOT_DETECTED),
    (3.1, Flag.LOW_SNR), (5.1, Flag(0))])
def test_detected_is_three_sigma_of_the_forced_flux(flux: float, flags: Flag) -> None:
    found = with_flux(measured(2.2, ()).measurements[0], flux, 1.0)
    assert found.flags == flags
    assert found.flux == flux
    assert math.isnan(found.mag_inst) == bool(flags & Flag.NOT_DETECTED)


