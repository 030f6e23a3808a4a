"""Simulated polarimetry: fluxes by hand, from the light and from the frames."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from iop4d.instruments.discovery import find_instruments
from iop4d.model.polarimeter import InstrumentalPolarisation
from iop4d.simulator.camera import Image, Window
from iop4d.simulator.frames import as_fits
from iop4d.simulator.night import Night, NightPlan, SimulatedFrame, Truth
from iop4d.simulator.polarised import in_two_images, on_sky, seen, through_polariser
from iop4d.simulator.setups import SETUPS, setup_of

from .test_headers import lights, taken, unexposed

NONE = InstrumentalPolarisation(q0=0.0, q0_err=0.0, u0=0.0, u0_err=0.0, angle_deg=0.0,
                                angle_err_deg=0.0)
#: A bright target of a calm sky: photons matter little.
BRIGHT = {"fields": ("3C273",), "polarisation": {"3C273": (0.20, 30.0)}, "cosmic_rays": 0,
          "exptime_s": 20.0, "seeing_arcsec": 1.6}


def corrected(q: float, u: float, constants: InstrumentalPolarisation) -> tuple[float, float]:
    """By the formulae of the reduction, written out."""
    two = math.radians(2 * constants.angle_deg)
    q, u = q - constants.q0, u - constants.u0
    return q * math.cos(two) - u * math.sin(two), q * math.sin(two) + u * math.cos(two)


def light_of(frame: SimulatedFrame, x: float, y: float) -> float:
    """Sum of a circle about a star, less the sky about it, in ADU."""
    assert frame.truth is not None
    radius = 2.5 * frame.truth.fwhm_arcsec / setup_of(frame.truth.instrument).ccd.pixel_arcsec
    left, top = (max(math.floor(at - 2 * radius), 0) for at in (x, y))
    data = frame.data[top:math.ceil(y + 2 * radius) + 1,
                      left:math.ceil(x + 2 * radius) + 1].astype(float)
    yy, xx = np.indices(data.shape)
    apart = np.hypot(xx + left - x, yy + top - y)
    about = data[(apart > 1.2 * radius) & (apart < 2 * radius)]
    sky = about[np.abs(about - np.median(about)) < 5 * np.std(about)].mean()
    return float((data - sky)[apart < radius].sum())


class PartsNight(Night):
    """A night whose whole frames of DIPOL, which take longest, have no pixels."""

    def _expose(self, light: Image, window: Window, *more: Any) -> NDArray[np.uint16]:
        if window == self._whole:
            return np.zeros(light.shape, dtype=np.uint16)
        return super()._expose(light, window, *more)


def target_of(truth: Truth) -> int:
    return truth.stars.name.index(truth.source)


def both_of(frame: SimulatedFrame) -> tuple[float, float]:
    """Ordinary and extraordinary light of the target."""
    assert frame.truth is not None
    stars, i = frame.truth.stars, target_of(frame.truth)
    return (light_of(frame, stars.ordinary_x[i], stars.ordinary_y[i]),
            light_of(frame, stars.x[i], stars.y[i]))


@pytest.mark.parametrize("constants", [c for s in SETUPS for c in s.optics.constants])
def test_the_correction_of_what_is_seen_is_the_sky(constants: InstrumentalPolarisation) -> None:
    q, u = on_sky(0.14, 163.0)
    back = corrected(*seen(np.array(q), np.array(u), constants), constants)
    assert back == pytest.approx((q, u), abs=1e-12)


@pytest.mark.parametrize("setup", SETUPS, ids=lambda setup: setup.name)
def test_the_true_constants_are_those_that_the_instruments_ship(setup) -> None:  # type: ignore[no-untyped-def]
    instrument = next(i for i in find_instruments() if i.name == setup.name)
    assert instrument.polarimeter is not None
    assert instrument.polarimeter.angles_deg == setup.optics.angles_deg
    for jd in (2459000.0, 2460215.9, 2460216.1, 2461000.0):
        mine, theirs = setup.optics.constants_at(jd), instrument.polarimeter.constants_at(jd)
        assert (mine.q0, mine.u0, mine.angle_deg) == pytest.approx(
            (theirs.q0, theirs.u0, theirs.angle_deg))


def test_a_fully_polarised_star_is_dark_behind_a_crossed_polariser() -> None:
    q, u = (np.array(v) for v in on_sky(1.0, 45.0))
    assert [float(through_polariser(q, u, angle)) for angle in (-45, 0, 45, 90)] == pytest.approx(
        [0, 1, 2, 1])


def test_the_plate_moves_the_light_from_image_to_image() -> None:
    q, u = (np.array(v) for v in on_sky(1.0, 0.0))
    for plate, ordinary in ((0.0, 1.0), (22.5, 0.5), (45.0, 0.0), (67.5, 0.5), (90.0, 1.0)):
        found = in_two_images(q, u, plate, ratio=0.0)
        assert found == pytest.approx((ordinary, 1 - ordinary), abs=1e-12)
    assert in_two_images(q, u, 0.0, ratio=0.01)[0] == pytest.approx(1.01)


def test_polariser_frames_hold_the_target_s_polarisation() -> None:
    frames = lights("AndorT90", **BRIGHT)
    f = {frame.truth.polariser_deg: light_of(
        frame, frame.truth.stars.x[target_of(frame.truth)],
        frame.truth.stars.y[target_of(frame.truth)]) for frame in frames if frame.truth}
    q, u = (f[0] - f[90]) / (f[0] + f[90]), (f[45] - f[-45]) / (f[45] + f[-45])
    expected = on_sky(0.20, 30.0)
    assert corrected(q, u, setup_of("AndorT90").optics.constants[0]) == pytest.approx(
        expected, abs=0.01)
    truth = frames[0].truth
    assert truth is not None
    assert (truth.q, truth.u, truth.p, truth.chi_deg) == pytest.approx((*expected, 0.20, 30.0))


@pytest.mark.parametrize(("name", "positions"), [("CAFOS", 4), ("DIPOL", 8)])
def test_both_images_hold_the_target_s_polarisation(name: str, positions: int) -> None:
    frames = [f for f in lights(name, kind=PartsNight, positions=positions,
                                      transparency=0.2, **BRIGHT)
              if f.truth and f.truth.mode == "polarimetry"]
    q = u = 0.0
    for frame in frames:
        assert frame.truth is not None
        assert frame.truth.polariser_deg is not None
        ordinary, extraordinary = both_of(frame)
        four = math.radians(4 * frame.truth.polariser_deg)
        difference = (ordinary - extraordinary) / (ordinary + extraordinary)
        q += 2 / positions * difference * math.cos(four)
        u += 2 / positions * difference * math.sin(four)
    assert frames[0].truth is not None
    constants = setup_of(name).optics.constants_at(frames[0].truth.jd_mid)
    assert corrected(q, u, constants) == pytest.approx(on_sky(0.20, 30.0), abs=0.008)


def test_the_two_images_are_together_as_bright_as_the_star() -> None:
    for frame in lights("DIPOL", positions=1, beam_ratio=0.0, **BRIGHT):
        truth = frame.truth
        assert truth is not None
        faded = truth.target_mag + 0.10 * truth.airmass
        expected = 20.0 * 10 ** (0.4 * (setup_of("DIPOL").ccd.zero_point["R"] - faded))
        assert sum(both_of(frame)) == pytest.approx(expected, rel=0.15)  # vignetting, aperture


def test_the_transparency_is_that_of_all_stars_and_both_images() -> None:
    calm, restless = (
        lights("CAFOS", transparency=rms, constants=NONE, positions=3, **BRIGHT)
        for rms in (0.0, 0.3))
    assert [frame.truth.transparency for frame in calm if frame.truth] == [1.0] * 3
    seen_by = [frame.truth.transparency for frame in restless if frame.truth]
    assert np.std(seen_by) > 0.05
    for frame in restless:
        assert frame.truth is not None
        other = next(f for f in calm if f.truth
                     and f.truth.polariser_deg == frame.truth.polariser_deg)
        ratios = np.array(both_of(frame)) / np.array(both_of(other))
        assert ratios == pytest.approx(frame.truth.transparency, rel=0.03)


def test_missing_positions_leave_their_time_free() -> None:
    every = unexposed("CAFOS", groups=2)
    some = unexposed("CAFOS", groups=2, missing_angles=(22.5,))
    angles = [frame.truth.polariser_deg for frame in some if frame.truth]
    assert angles == [0.0, 45.0, 67.5] * 2
    assert [frame.at_s for frame in some] == [
        frame.at_s for frame in every if frame.truth and frame.truth.polariser_deg != 22.5]
    assert [frame.truth.group for frame in some if frame.truth] == [1, 1, 1, 2, 2, 2]
    lost = unexposed("AndorT150", groups=10, missing_rate=0.3, fields=("4C38.41",))
    assert 20 <= len(lost) <= 36


def test_a_subframe_lies_where_its_header_says() -> None:
    frames = unexposed("DIPOL", positions=1, seed=4, **BRIGHT)
    whole, part = (frame.truth for frame in frames)
    assert whole is not None
    assert part is not None
    assert frames[1].data.shape == (896, 1120)
    origin = frames[1].header["XORGSUBF"], frames[1].header["YORGSUBF"]
    assert part.origin == origin
    here, there = (
        (t.stars.x[target_of(t)] + t.origin[0], t.stars.y[target_of(t)] + t.origin[1])
        for t in (part, whole))
    assert here == pytest.approx(there, abs=2 * setup_of("DIPOL").jitter_px)
    middle = (part.stars.x[target_of(part)] + part.stars.ordinary_x[target_of(part)]) / 2
    assert middle == pytest.approx(1120 / 2, abs=20)
    assert part.pair_offset == whole.pair_offset


def test_the_target_s_images_stand_where_the_truth_says() -> None:
    for name in ("CAFOS", "DIPOL"):
        for frame in lights(name, positions=1, **BRIGHT):
            assert frame.truth is not None
            stars, i = frame.truth.stars, target_of(frame.truth)
            for x, y in ((stars.x[i], stars.y[i]), (stars.ordinary_x[i], stars.ordinary_y[i])):
                patch = frame.data[round(y) - 25:round(y) + 26, round(x) - 25:round(x) + 26]
                light = patch - np.median(patch.astype(float))
                yy, xx = np.indices(patch.shape) - 25
                weight = (light - 0.15 * np.sort(light.ravel())[-5]).clip(0)
                assert (weight * xx).sum() / weight.sum() == pytest.approx(x - round(x), abs=0.3)
                assert (weight * yy).sum() / weight.sum() == pytest.approx(y - round(y), abs=0.3)


def test_east_is_left_where_north_is_up() -> None:
    for setup in SETUPS:
        truth = unexposed(setup.name, positions=1)[-1].truth
        assert truth is not None
        wcs = truth.wcs
        assert wcs["CD1_1"] * wcs["CD2_2"] - wcs["CD1_2"] * wcs["CD2_1"] < 0
        angle = math.degrees(math.atan2(wcs["CD1_2"], wcs["CD2_2"]))
        expected, spread = setup.angle_deg
        assert (angle - expected + 180) % 360 - 180 == pytest.approx(0, abs=2 * spread + 0.2)


def test_a_flipped_file_has_its_rows_reversed() -> None:
    plain, flipped = (lights("DIPOL", kind=PartsNight, positions=1, flipped=which)[1]
                      for which in (False, True))
    assert flipped.header["FLIPSTAT"] == "Flip"
    assert np.array_equal(plain.data[::-1], flipped.data)
    assert plain.truth == flipped.truth


def test_darks_show_the_current_that_lights_have() -> None:
    bias, dark = taken("DIPOL", groups=0, n_flat=0, dark_exptime_s=100.0)
    assert dark.header["IMAGETYP"] == "Dark Frame"
    current = (dark.data.astype(float) - bias.data).clip(-50, 50)
    assert np.median(current) == pytest.approx(3.0, abs=1.0)
    assert (dark.data.astype(float) - bias.data > 100).sum() > 1000  # hot pixels


def test_field_stars_are_hardly_polarised_and_the_seed_draws_the_targets() -> None:
    drawn = [unexposed("CAFOS", seed=seed, positions=1)[0].truth for seed in range(6)]
    degrees = [truth.p for truth in drawn if truth and truth.p]
    assert len(set(degrees)) == 6
    assert all(0.02 <= p <= 0.25 for p in degrees)
    assert drawn[0] is not None
    others = [math.hypot(q, u) for i, (q, u) in enumerate(
        zip(drawn[0].stars.q, drawn[0].stars.u, strict=True)) if i != target_of(drawn[0])]
    assert np.mean(others) == pytest.approx(0.002 * math.sqrt(math.pi / 2), rel=0.4)


@pytest.mark.parametrize("name", [setup.name for setup in SETUPS])
def test_the_same_plan_gives_the_same_bytes(name: str) -> None:
    one, two = (lights(name, seed=8, positions=1, transparency=0.05) for _ in range(2))
    assert [as_fits(frame) for frame in one] == [as_fits(frame) for frame in two]
    assert [frame.truth for frame in one] == [frame.truth for frame in two]


def test_a_photometric_night_knows_nothing_of_polarisation() -> None:
    plan = NightPlan(fields=("3C345",), frames=1, n_bias=0, n_flat=0)
    truth = next(iter(Night(plan).frames())).truth
    assert truth is not None
    assert (truth.p, truth.pair_offset, truth.group, truth.stars.q) == (None, None, 0, [])
