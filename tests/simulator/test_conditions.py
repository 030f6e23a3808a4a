"""The conditions of hard nights do to the frames what they say."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io.fits import Header
from astropy.wcs import WCS

from iop4d.simulator.camera import ANDOR_T90, Ccd
from iop4d.simulator.conditions import Conditions, smeared, stars_of, with_dead_columns
from iop4d.simulator.frames import SimulatedFrame, Truth
from iop4d.simulator.night import Night
from iop4d.simulator.plan import NightPlan, checked, schedule
from iop4d.simulator.sky import field_of, load_sky, project

PLAN = NightPlan(n_bias=0, n_flat=0, frames=1, fields=("S50716+714",), cosmic_rays=0)
STARS = load_sky().stars(field_of("S50716+714"))


def taken(**conditions: object) -> SimulatedFrame:
    return next(Night(replace(PLAN, conditions=Conditions(**conditions))).frames())  # type: ignore[arg-type]


@cache
def usual() -> SimulatedFrame:
    return taken()


def truth_of(frame: SimulatedFrame) -> Truth:
    assert frame.truth is not None
    return frame.truth


def added(frame: SimulatedFrame) -> np.ndarray:
    """What a frame has more than the usual one, of the same noise."""
    return frame.data.astype(float) - usual().data


def test_a_hit_adds_its_part_of_the_target_s_light_near_its_centre() -> None:
    """10 % of the target's light in one pixel, and nothing anywhere else."""
    more = added(taken(hit=0.1))
    (y,), (x,) = np.nonzero(np.abs(more) > 5)
    truth = truth_of(usual())
    tx, ty = project(truth.wcs, STARS.ra[:1], STARS.dec[:1])
    assert np.hypot(x - tx[0], y - ty[0]) < 2.3
    flux = truth.exptime_s * 10 ** (0.4 * (21.0 - truth.target_mag - 0.1 * truth.airmass))
    assert more[y, x] == pytest.approx(0.1 * flux, rel=0.02)


def test_a_satellite_adds_its_part_of_the_target_s_light_to_an_aperture() -> None:
    more = added(taken(satellite=0.5))
    truth = truth_of(usual())
    tx, ty = project(truth.wcs, STARS.ra[:1], STARS.dec[:1])
    rows, columns = np.indices(more.shape)
    fwhm = truth.fwhm_arcsec / 0.774
    aperture = np.hypot(columns - tx[0], rows - ty[0]) < 1.3 * fwhm
    flux = truth.exptime_s * 10 ** (0.4 * (21.0 - truth.target_mag - 0.1 * truth.airmass))
    assert more[aperture].sum() == pytest.approx(0.5 * flux, rel=0.15)
    assert more.sum() > 20.0 * more[aperture].sum()  # it crosses the whole frame


def test_of_chosen_frames_the_others_are_not_hit() -> None:
    assert np.array_equal(taken(hit=0.1, hit_frames=(1,)).data, usual().data)


@pytest.mark.parametrize("shape", [{"donut_px": 5.0}, {"trail_px": 7.0}])
def test_out_of_focus_or_trailed_a_star_keeps_its_light(shape: dict[str, float]) -> None:
    light = np.zeros((41, 41))
    light[20, 20] = 100.0
    spread = smeared(light, Conditions(**shape))  # type: ignore[arg-type]
    assert spread.sum() == pytest.approx(100.0)
    assert spread[20, 20] < 20.0
    y, x = np.nonzero(spread > 1e-6)
    assert (x.min() + x.max(), y.min() + y.max()) == (40, 40)
    assert x.max() - x.min() in (8, 10)


def test_a_host_galaxy_has_its_magnitude_and_half_of_it_within_its_radius() -> None:
    more = stars_of(STARS, Conditions(host=(14.0, 5.0)), 1, 14.0)
    host = more.kind == "host"
    light = 10 ** (-0.4 * more.magnitudes["R"][host])
    assert -2.5 * np.log10(light.sum()) == pytest.approx(14.0)
    away = 3600 * np.hypot((more.ra[host] - more.ra[0]) * np.cos(np.radians(more.dec[0])),
                           more.dec[host] - more.dec[0])
    assert np.median(away) == pytest.approx(5.0, rel=0.01)
    # Of the profile of de Vaucouleurs, 0.32 of the light is within half the half-light radius.
    assert light[away < 2.5].sum() / light.sum() == pytest.approx(0.32, abs=0.04)


def test_neighbour_faint_stars_and_few_stars_are_as_many_as_they_should() -> None:
    near = stars_of(STARS, Conditions(neighbour=(15.0, 4.0, 90.0)), 1, 14.0)
    assert (near.ra[-1] - near.ra[0]) * np.cos(np.radians(near.dec[0])) * 3600 == pytest.approx(4.0)
    assert (near.dec[-1], near.magnitudes["R"][-1]) == (near.dec[0], 15.0)
    faint = stars_of(STARS, Conditions(faint_stars=10.0), 1, 14.0)
    mags = faint.magnitudes["R"][STARS.ra.size:]
    assert mags.size == pytest.approx(10 * np.pi * 14**2, rel=0.05)
    assert ((mags > 17.5) & (mags < 21.5)).all()
    few = stars_of(STARS, Conditions(most_stars=3), 1, 14.0)
    assert (few.name == "").sum() == 3
    assert few.name[0] == "0716+714"


def test_a_mirrored_camera_has_such_a_plane() -> None:
    wcs = truth_of(usual()).wcs
    mirrored = truth_of(taken(mirrored=True)).wcs
    assert mirrored["CD1_1"] == -wcs["CD1_1"]


@pytest.mark.parametrize(("turned", "mirrored"), [(0.0, False), (37.0, False), (110.0, True)])
@pytest.mark.parametrize("off", [(4.0, 0.0), (0.0, 4.0), (-3.0, 2.0)])
def test_a_telescope_that_points_east_and_north_has_that_place_in_its_middle(
        off: tuple[float, float], turned: float, mirrored: bool) -> None:
    """The place is found with astropy, not with our own projection."""
    night = Night(replace(PLAN, turned_deg=turned, conditions=Conditions(
        off_arcmin=off, mirrored=mirrored)))
    plan = night.plan
    wcs = night._wcs(next(p for p in schedule(plan, checked(plan)) if p.where is not None),
                     field_of(plan.fields[0]), night._whole, STARS)
    sky = WCS(Header({"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", **wcs}))
    middle = sky.pixel_to_world(night._whole.nx / 2 - 0.5, night._whole.ny / 2 - 0.5)
    east, north = SkyCoord(STARS.ra[0], STARS.dec[0], unit="deg").spherical_offsets_to(middle)
    assert (east.arcmin, north.arcmin) == pytest.approx(off, abs=0.3)  # jitter: 15 px


def test_a_header_is_off_by_arcminutes_on_the_sky() -> None:
    """At 71 degrees of declination 25 arcmin are 77 of right ascension."""
    header = taken(header_off_arcmin=(25.0, 15.0)).header
    said = SkyCoord(header["OBJCTRA"], header["OBJCTDEC"], unit=("hourangle", "deg"))
    east, north = SkyCoord(STARS.ra[0], STARS.dec[0], unit="deg").spherical_offsets_to(said)
    assert (east.arcmin, north.arcmin) == pytest.approx((25.0, 15.0), abs=0.9)


def test_a_colour_term_is_catalogue_minus_instrument_for_each_colour() -> None:
    """Of stars 1 mag apart in B-V, 0.2 mag apart on the frame at a term of 0.2."""
    ccd: Ccd = ANDOR_T90
    frame, other = usual(), taken(colour_terms={"R": 0.2})
    x, y = project(truth_of(frame).wcs, STARS.ra, STARS.dec)
    inside = np.flatnonzero((x > 30) & (x < 990) & (y > 30) & (y < 990)
                            & (STARS.magnitudes["R"] < 15.0) & (STARS.magnitudes["R"] > 12.5))

    def light(one: SimulatedFrame, i: int) -> float:
        box = one.data[round(y[i]) - 12:round(y[i]) + 13, round(x[i]) - 12:round(x[i]) + 13]
        return float(box.sum() - ccd.bias_adu * box.size - truth_of(one).sky_adu * box.size)

    dimmer = [2.5 * np.log10(light(other, i) / light(frame, i)) for i in inside]
    colour = (STARS.magnitudes["B"] - STARS.magnitudes["V"])[inside]
    assert np.polyfit(colour, dimmer, 1) == pytest.approx([0.2, 0.0], abs=0.05)


def test_dead_columns_are_dead_and_clouds_and_seeing_follow_the_frames() -> None:
    flat = with_dead_columns(np.ones((4, 9)), Conditions(dead_columns=(3,)))
    assert (flat[:, 3] < 0.1).all()
    assert (np.delete(flat, 3, axis=1) == 1).all()
    conditions = Conditions(clouds=(0.0, 0.7), seeing=(1.0, 2.0, 0.5))
    assert [conditions.clouds_of(n) for n in range(3)] == [0.0, 0.7, 0.0]
    assert [conditions.seeing_of(n) for n in range(4)] == [1.0, 2.0, 0.5, 1.0]
