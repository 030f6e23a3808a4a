"""``instruments draft`` on frames of many observatories and programs: each fact is read right."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from iop4d.config.load import parse_site
from iop4d.instruments.base import Instrument
from iop4d.instruments.camera import instrument_of
from iop4d.instruments.draft import draft
from iop4d.model.frame import FrameFacts
from iop4d.model.units import isot_of_jd
from iop4d.reduction.drafting import look_at
from tests.instruments.drafted import (
    american_observatories,
    asian_observatories,
    ccd_programs,
    cmos_programs,
    european_observatories,
    polarimeters,
    small_telescopes,
    southern_observatories,
    surveys,
)
from tests.instruments.drafted.case import NOTHING, Case

CASES = (european_observatories.CASES | american_observatories.CASES
         | southern_observatories.CASES | ccd_programs.CASES | cmos_programs.CASES
         | polarimeters.CASES | small_telescopes.CASES | surveys.CASES
         | asian_observatories.CASES)


def read(facts: FrameFacts, instrument: Instrument) -> dict[str, Any]:
    """The facts of a frame, as the cases write them."""
    detector, telescope = facts.detector, instrument.telescope
    return {
        "kind": facts.kind.value, "band": facts.band, "object": facts.object,
        "exptime": facts.exptime_s, "start": isot_of_jd(facts.jd_start)[:21],
        "binning": facts.binning, "shape": facts.shape, "origin": facts.origin,
        "pointing": facts.pointing_deg and tuple(round(v, 3) for v in facts.pointing_deg),
        "gain": float(f"{gain:.5g}") if (gain := detector.gain_e_adu or (
            instrument.gain_e_adu)) != 1.0 or detector.gain_e_adu else None,
        "noise": detector.read_noise_e, "trim": detector.trim, "overscan": detector.overscan,
        "saturation": detector.saturation_adu, "flipped": facts.flipped,
        "calibrated": tuple(kind.value for kind in detector.calibrated),
        "mosaic": detector.mosaic,
        "scale": float(f"{instrument.for_frame(facts).pixel_arcsec(facts.binning):.4f}"),
        "place": (telescope.latitude_deg, telescope.longitude_deg, telescope.height_m)
        if telescope.is_placed else None,
        "masters": tuple(kind.value for kind in instrument.masters)}


def expected(case: Case, own: Mapping[str, Any], binning: int) -> dict[str, Any]:
    """By hand."""
    nothing = {"scale": 1.0 * binning, "place": None, "masters": ("bias", "flat"),
               "shape": case.size[::-1]}
    return NOTHING | nothing | dict(case.facts) | dict(own)


@pytest.mark.parametrize("name", CASES)
def test_the_frames_of_a_camera_are_read_right_with_the_section_drafted_from_them(
        name: str, tmp_path: Path) -> None:
    case = CASES[name]
    seen = [look_at(path) for path in case.write(tmp_path)]
    text = draft(seen)
    (camera,) = parse_site(text, root=tmp_path).camera
    instrument = instrument_of(camera)
    for one, frame in zip(seen, case.frames, strict=True):
        assert instrument.recognises(one.header)
        facts = instrument.facts_of(one.header, one.path)
        want = expected(case, frame.facts, facts.binning)
        assert {key: value for key, value in read(facts, instrument).items()
                if want[key] != value} == {}, f"{frame.name}\n{want}\n{text}"
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    assert len(lines) <= 12, text
    assert all("#" in line for line in lines[1:] if not line.startswith("telescope")), text
    for said in case.says:
        assert said in text
    for said in case.silent:
        assert said not in text
