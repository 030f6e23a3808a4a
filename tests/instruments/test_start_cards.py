"""Cards of one header that tell different times of the start."""

from __future__ import annotations

import pytest

from iop4d.config import Camera
from iop4d.instruments.andort90 import INSTRUMENT
from iop4d.instruments.camera import instrument_of
from iop4d.instruments.start_cards import start_doubts
from iop4d.model.frame import FrameFacts, FrameKind

JD = 2459831.427083  # 2022-09-08T22:15:00
FACTS = FrameFacts(telescope="OSN-T090", instrument="AndorT90", kind=FrameKind.SCIENCE,
                   night="2022-09-08", jd_start=JD, exptime_s=60.0, shape=(1024, 1024), band="R")


@pytest.mark.parametrize(("cards", "doubted"), [
    ({"DATE-OBS": "2022-09-08T22:15:00"}, False),
    ({"DATE-OBS": "2022-09-08T22:15:30.5"}, False),  # of the middle
    ({"DATE-OBS": "2022-09-08T22:17:50"}, False),
    ({"DATE-OBS": "2022-09-08T22:18:10"}, True),
    ({"DATE-OBS": "2022-09-08T10:15:00"}, True),
    ({"DATE-OBS": "2022-09-08"}, False),  # no time of day
    ({"MJD-OBS": 59830.92708}, False),
    ({"MJD-OBS": 59830.0}, False),  # a whole day, as some programs write
    ({"MJD-OBS": 59829.9}, True),
    ({"MJD-OBS": -1.0}, False),
    ({"JD": 2459831.4}, False),
    ({"JD": 2459831.9271}, True),
])
def test_another_card_that_tells_another_time_is_doubted(cards: dict[str, object],
                                                         doubted: bool) -> None:
    said = start_doubts(cards, INSTRUMENT, FACTS)
    assert bool(said) is doubted
    assert all(text.startswith(f"its card {min(cards)} says ") for text in said)


def test_the_card_that_a_camera_takes_its_time_from_is_not_compared_with_it() -> None:
    """It may be of the middle or the end, or in local time."""
    camera = instrument_of(Camera(name="X", telescope="Y", identify={"INSTRUME": "X"},
                                  pixel_scale=1.0, time_card="DATE-OBS"))
    assert start_doubts({"DATE-OBS": "2022-09-08T20:15:00"}, camera, FACTS) == ()
    assert start_doubts({"JD": JD + 0.5}, camera, FACTS) != ()


@pytest.mark.parametrize("keys", [{"time_card": "JD"}, {"time_card": "UT-OBS"},
                                  {"time_card": "DATE-LOC", "time_zone": "Europe/Madrid"}])
def test_where_a_camera_takes_its_time_elsewhere_the_usual_cards_are_not_compared(
        keys: dict[str, str]) -> None:
    """DATE-OBS may be in local time: every frame had a doubtful time."""
    camera = instrument_of(Camera(name="X", telescope="Y", identify={"INSTRUME": "X"},
                                  pixel_scale=1.0, **keys))
    local = {"DATE-OBS": "2022-09-09T00:15:00", "JD": JD, "MJD-OBS": JD - 2400000.5 + 2.0 / 24.0}
    assert start_doubts(local, camera, FACTS) == ()
