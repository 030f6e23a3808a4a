"""The simulated frames of each instrument look as its real ones do."""

from __future__ import annotations

import io
import re
from functools import cached_property
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from numpy.typing import NDArray

from iop4d.instruments.discovery import find_instruments, instrument_for
from iop4d.model.frame import FrameFacts
from iop4d.simulator.camera import Image
from iop4d.simulator.frames import as_fits
from iop4d.simulator.night import Night, NightPlan, SimulatedFrame
from iop4d.simulator.setups import SETUPS, archive_of, setup_of

INSTRUMENTS = find_instruments()


def plan_of(instrument: str, **more: object) -> NightPlan:
    given = {"mode": "polarimetry", "n_bias": 1, "n_dark": 1, "n_flat": 1, "fields": ("3C345",),
             "night": setup_of(instrument).sample_night, "instrument": instrument, **more}
    return NightPlan(**given)  # type: ignore[arg-type]


class DarkNight(Night):
    """A night whose pixels are all zero: where the headers and the truth say what is asked."""

    @cached_property
    def _flat(self) -> Image:
        return np.ones(self._ccd.shape, dtype=self._ccd.dtype)

    @cached_property
    def _bias(self) -> Image:
        return self._flat

    def _expose(self, light: Image, *_: object) -> NDArray[np.uint16]:
        return np.zeros(light.shape, dtype=np.uint16)


def taken(instrument: str, *, kind: type[Night] = Night, **more: object) -> list[SimulatedFrame]:
    return list(kind(plan_of(instrument, **more)).frames())


def lights(instrument: str, **more: Any) -> list[SimulatedFrame]:
    return taken(instrument, n_bias=0, n_dark=0, n_flat=0, **more)


def unexposed(instrument: str, **more: Any) -> list[SimulatedFrame]:
    """Lights without pixels."""
    return lights(instrument, kind=DarkNight, **more)


def facts_of(frame: SimulatedFrame) -> FrameFacts:
    header = dict(fits.open(io.BytesIO(as_fits(frame)))[0].header)
    return instrument_for(header, INSTRUMENTS).read(header, frame.name)


@pytest.mark.parametrize("name", [setup.name for setup in SETUPS])
@pytest.mark.parametrize("mode", ["polarimetry", "photometry"])
def test_the_frames_are_read_as_what_they_are(name: str, mode: str) -> None:
    plan = plan_of(name, mode=mode, frames=1, positions=2)
    for frame in DarkNight(plan).frames():
        facts = facts_of(frame)
        assert facts.instrument == name
        assert facts.telescope == archive_of(name)[0]
        kind = frame.kind.lower()
        assert facts.kind == ("science" if kind == "light" else kind)
        assert facts.night == plan.night
        assert facts.shape == frame.data.shape
        if frame.truth is None:
            continue
        assert facts.jd_mid == pytest.approx(frame.truth.jd_mid, abs=2e-8)
        assert (facts.mode, facts.polariser_deg) == (frame.truth.mode, frame.truth.polariser_deg)
        assert facts.beams == (1 if frame.truth.pair_offset is None else 2)
        assert facts.origin == frame.truth.origin
        assert facts.object == "3C345"
        assert facts.pointing_deg == pytest.approx(
            (frame.truth.wcs["CRVAL1"], frame.truth.wcs["CRVAL2"]), abs=0.02)


def test_a_polariser_stands_in_the_filter() -> None:
    frames = unexposed("AndorT90")
    assert [frame.header["FILTER"] for frame in frames] == ["R_45", "R0", "R45", "R90"]
    assert [frame.name for frame in frames] == [
        "3C345-0001R_45.fit", "3C345-0001R0.fit", "3C345-0001R45.fit", "3C345-0001R90.fit"]
    assert {frame.header["TELESCOP"] for frame in frames} == {"T90-OSN"}


@pytest.mark.parametrize(("name", "night", "said"), [
    ("AndorT150", "2022-03-14", "Andor"), ("AndorT150", "2023-03-14", "AndorT150"),
    ("RoperT90", "2021-10-22", "RoperT90")])
def test_the_osn_s_cameras_have_the_names_of_their_time(name: str, night: str, said: str) -> None:
    frame = unexposed(name, night=night, positions=1)[0]
    assert frame.header["INSTRUME"] == said
    assert facts_of(frame).instrument == name


def test_cafos_tells_what_is_in_the_beam() -> None:
    *masters, first, second = taken("CAFOS", positions=2)
    assert re.fullmatch(r"caf-20250913-\d\d:\d\d:\d\d-sci-agui\.fits", first.name)
    assert first.header["OBJECT"] == "3C345 0.0 deg"
    assert [frame.header["INSPOROT"] for frame in (first, second)] == [0.0, 22.48]
    expected = {"TELESCOP": "CA-2.2", "INSTRUME": "CAFOS 2.2", "INSTRMOD": "Polarizer",
                "INSPOFPI": "Wollaston", "IMAGETYP": "science", "INSFLNAM": "CousinsR",
                "DATASEC": "[513,513,1312,1312]", "CCDSENS": 1.43}
    assert {card: first.header[card] for card in expected} == expected
    assert first.header["DATE"] == first.header["DATE-OBS"]
    assert b"INSFLNAM= 'free      '" in as_fits(masters[0])
    assert [frame.header["INSPOFPI"] for frame in masters] == ["FREE", "FREE"]


def test_masters_of_cafos_are_of_the_window_or_of_more() -> None:
    for window, expected in ((True, "[513,513,1312,1312]"), (False, "[401,401,1424,1424]")):
        masters = taken("CAFOS", kind=DarkNight, groups=0, window_masters=window)
        assert {frame.header["DATASEC"] for frame in masters} == {expected}


def test_dipol_notes_the_plate_s_position() -> None:
    whole, first, second = unexposed("DIPOL", positions=2)
    assert whole.name == "3C345_IAR-0001R.fit"
    assert [frame.header["NOTES"] for frame in (whole, first, second)] == ["", "0 deg", "22.5 deg"]
    expected = {"INSTRUME": "ASI Camera (1)", "IMAGETYP": "Light Frame", "FILTER": "Red",
                "OBJECT": "3C345_R_IAR", "XBINNING": 2, "FLIPSTAT": ""}
    assert {card: first.header[card] for card in expected} == expected
    assert first.header["TELRA"] == pytest.approx(first.truth.wcs["CRVAL1"] / 15, abs=0.01)


def test_dipol_s_headers_were_shorter_in_former_years() -> None:
    old = unexposed("DIPOL", positions=1, night="2023-03-14")[1]
    assert old.header["TELESCOP"] == ""
    assert "TELRA" not in old.header
    assert facts_of(old).instrument == "DIPOL"


def test_dipol_names_objects_in_letters_and_digits() -> None:
    frame = unexposed("DIPOL", positions=1, fields=("S50716+714",), fts=True)[1]
    assert frame.name == "S50716714_R_IAR-0002.fts"
    assert facts_of(frame).object == "S50716714"


def test_a_plan_that_cannot_be_is_refused() -> None:
    for wrong, why in (({"instrument": "Prototype 7"}, "no simulated instrument"),
                       ({"mode": "spectroscopy"}, "mode is"),
                       ({"instrument": "DIPOL", "bands": ("I",)}, "no band 'I'"),
                       ({"instrument": "RoperT90", "night": "2022-01-01"}, "was in use"),
                       ({"missing_angles": (30.0,)}, "no position 30")):
        with pytest.raises(ValueError, match=why):
            Night(NightPlan(**wrong))  # type: ignore[arg-type]
