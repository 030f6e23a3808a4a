"""Values that wrapped and masters of other frames are noticed, by pixels of which all is known."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from iop4d.fits.read import RawImage
from iop4d.model.errors import FrameError
from iop4d.model.frame import Detector, FrameFacts, FrameKind
from iop4d.model.messages import MasterRef
from iop4d.reduction.masters import MasterSet, calibrate_pixels
from iop4d.reduction.pixel_doubts import dark_note, flat_doubt, mark_wrapped, sky_doubt

RNG = np.random.default_rng(3)
SKY = np.rint(RNG.normal(500.0, 10.0, (128, 160)))


def star(peak: float, fwhm: float, middle: float = 70) -> np.ndarray:
    y, x = np.indices(SKY.shape)
    return SKY + np.rint(peak * np.exp(-2.773 * ((x - middle) ** 2 + (y - 60) ** 2) / fwhm**2))


def spots(*places: tuple[int, int]) -> np.ndarray:
    image = SKY.copy()
    for place in places:
        image[place] = 60000.0
    return image


def marked(stored: np.ndarray, zero: float = 0.0) -> tuple[np.ndarray, str]:
    raw = RawImage(stored=stored, zero=zero)
    frame, said = mark_wrapped(raw, calibrate_pixels(raw, MasterSet(), exptime_s=1.0,
                                                     saturation_adu=65535.0))
    return np.argwhere(np.isnan(frame.image)), said


def test_unsigned_values_that_were_taken_as_signed_are_marked() -> None:
    true = star(50000.0, 5.0)
    places, said = marked(true.astype(np.uint16).astype(np.int16))
    assert places.tolist() == np.argwhere(true > 32767).tolist()
    assert said.startswith(f"{len(places)} pixels have values that wrapped")


def test_the_hole_in_a_star_beyond_the_range_is_marked() -> None:
    true = star(75000.0, 8.0)
    places, _ = marked((true.astype(np.int64) % 65536).astype(np.uint16))
    over = {tuple(place) for place in np.argwhere(true > 65535).tolist()}
    assert len(over) > 4
    assert over <= {tuple(place) for place in places.tolist()}


@pytest.mark.parametrize("stored", [
    star(60000.0, 1.5).astype(np.uint16),  # its neighbours are half as bright
    np.minimum(star(90000.0, 8.0), 65535).astype(np.uint16),  # saturated
    (SKY - 500.0).astype(np.int32),  # a sky that was subtracted
    (SKY - 500.5).astype(np.float32),
    np.where(star(0, 1) > 525, 0, SKY).astype(np.uint16),  # dead pixels
    spots((60, 70), (60, 78)).astype(np.uint16),  # hot pixels
    spots((60, 70), (61, 78)).astype(np.uint16),
    np.minimum(star(90000.0, 3.0) + star(90000.0, 3.0, 82), 65535).astype(np.uint16),
    np.where(np.isin(np.arange(160), (70, 80)), 65535, SKY).astype(np.uint16),  # trails of charge
])
def test_what_a_detector_or_a_program_gives_is_left_as_it_is(stored: np.ndarray) -> None:
    places, said = marked(stored)
    assert (len(places), said) == (0, "")


def test_hot_pixels_of_unsigned_values_kept_as_signed_ones_are_left_as_they_are() -> None:
    stored = (spots((60, 70), (60, 78), (0, 70), (0, 78)) - 32768.0).astype(np.int16)
    places, said = marked(stored, 32768.0)
    assert (len(places), said) == (0, "")


def test_holes_are_found_in_a_sky_near_the_end_of_the_range_as_fast_as_elsewhere() -> None:
    """Half of its pixels are beyond the limit; one by one they took two seconds a megapixel."""
    sky = np.random.default_rng(5).normal(40000.0, 200.0, (1024, 1024))
    y, x = np.indices((60, 60)) - 30
    sky[100:160, 100:160] += 30000.0 * np.exp(-2.773 * (x**2 + y**2) / 8.0**2)
    stored = (np.rint(sky).astype(np.int64) % 65536).astype(np.uint16)
    began = time.process_time()
    places, _ = marked(stored)
    assert time.process_time() - began < 0.5
    over = {tuple(place) for place in np.argwhere(sky > 65536).tolist()}
    assert len(over) > 4
    assert over == {tuple(place) for place in places.tolist()}


@pytest.mark.parametrize(("level", "sigma", "is_doubted"), [
    (0.0, 5.0, False), (-9.0, 1.0, False), (-11.0, 1.0, True), (-14.0, 5.0, False),
    (-16.0, 5.0, True), (-20483.0, 5.0, True)])
def test_a_sky_far_below_zero_tells_a_foreign_bias_or_dark(level: float, sigma: float,
                                                           is_doubted: bool) -> None:
    master = np.zeros((2, 2), np.float32)
    assert bool(sky_doubt(level, sigma, MasterSet(bias=master))) is is_doubted
    assert sky_doubt(level, sigma, MasterSet()) == ""


def test_a_flat_that_adds_structure_does_not_belong_to_the_frame() -> None:
    y, x = np.indices((256, 256))
    vignetting = (1.0 - 0.3 * ((x - 128) ** 2 + (y - 128) ** 2) / 128**2).astype(np.float32)
    sky = np.random.default_rng(4).normal(500.0, 10.0, (256, 256)).astype(np.float32)
    right = MasterSet(flat=vignetting)
    assert flat_doubt(sky * vignetting / vignetting, right) == ""
    assert "the flat makes the sky uneven" in flat_doubt(sky / vignetting, right)  # flat already
    assert flat_doubt(sky - 500.0, right) == ""  # there is no sky that could tell


@pytest.mark.parametrize(("celsius", "exptime_s", "said", "matters"), [
    (-20.0, 60.0, False, False), (-16.0, 60.0, False, False), (None, 60.0, False, False),
    (-8.0, 60.0, True, True),  # four times the current: hot pixels of 120 ADU are off by 360
    (-8.0, 0.1, True, False),  # by 0.6, which is nothing to a sky of 5
    (-32.0, 60.0, True, True), (-26.0, 2.0, True, False)])
def test_a_dark_of_another_temperature_is_noted_and_is_a_doubt_where_hot_pixels_matter(
        celsius: float | None, exptime_s: float, said: bool, matters: bool) -> None:
    dark = np.zeros((100, 100), np.float32)
    dark[::7, ::7] = 2.0
    facts = FrameFacts(
        telescope="T", instrument="I", kind=FrameKind.SCIENCE, night="2024-01-01",
        jd_start=2460311.0, exptime_s=exptime_s, shape=(100, 100),
        detector=Detector(celsius=celsius))
    refs = [MasterRef(id=1, kind=FrameKind.DARK, path=Path("d"), celsius=-20.0)]
    found = dark_note(refs, MasterSet(dark=dark), facts, 5.0)
    assert (bool(found.text), found.matters) == (said, matters)
    if said:
        assert found.text.startswith(f"its detector was at {celsius:.0f} C, that of the master "
                                     "dark at -20 C")
    assert dark_note([], MasterSet(), facts, 5.0).text == ""


def test_a_dark_that_holds_the_bias_is_not_scaled() -> None:
    """It is subtracted as it is from a frame of its own exposure time, and from no other."""
    raw = RawImage(stored=np.full((32, 32), 1000, np.uint16))
    dark = MasterSet(dark=np.full((32, 32), 400.0 / 60.0, np.float32), dark_s=60.0)
    found = calibrate_pixels(raw, dark, exptime_s=60.0, saturation_adu=65535.0)
    assert found.image == pytest.approx(600.0)
    with pytest.raises(FrameError, match="without a bias that cannot be scaled"):
        calibrate_pixels(raw, dark, exptime_s=120.0, saturation_adu=65535.0)


@pytest.mark.parametrize(("saturation_adu", "is_saturated"), [(65535.0, True), (60000.0, False)])
def test_a_pixel_at_the_end_of_12_bits_is_no_clip_of_a_camera_whose_saturation_is_known(
        saturation_adu: float, is_saturated: bool) -> None:
    image = SKY.copy()
    image[60, 70] = 4095.0
    found = calibrate_pixels(RawImage(stored=image.astype(np.uint16)), MasterSet(), exptime_s=1.0,
                             saturation_adu=saturation_adu)
    assert (found.saturated is not None) is is_saturated
