"""Two Wollaston prisms, one after the other: q and u, and the ratio of their beams."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from iop4d.instruments.base import Instrument
from iop4d.model.flags import Flag
from iop4d.model.frame import FrameFacts, FrameKind
from iop4d.model.messages import MeasuredFrame
from iop4d.model.polarimeter import Analyser, Beams, InstrumentalPolarisation, Polarimeter
from iop4d.model.result import NAN, Measurement
from iop4d.reduction.polarise import polarise
from tests.reduction.polarimetry_groups import (
    CATALOGUE,
    CHI,
    MAG,
    SETTINGS,
    STARS,
    P,
    instrument,
    measurement,
)

PRISMS = {"P1": Beams(offset_px=(24.6, 30.6), tolerance_px=(3.0, 3.0), ratio=0.02, ratio_err=0.001),
          "P3": Beams(offset_px=(-0.9, 38.5), tolerance_px=(3.0, 3.0), ratio=-0.01,
                      ratio_err=0.001)}
ANGLES = {"P1": 0.0, "P3": 45.0}


def two_prisms(analysers: dict[str, Beams]) -> Instrument:
    return replace(
        instrument("CAFOS"), analysers=analysers, polarimeter=Polarimeter(
            analyser=Analyser.FIXED, angles_deg=(0.0, 45.0), fewest=2,
            constants=(InstrumentalPolarisation(q0=0.0, q0_err=1e-4, u0=0.0, u0_err=1e-4,
                                                angle_deg=10.0, angle_err_deg=0.5),)))


def behind_prisms(isp: float = 0.0) -> list[MeasuredFrame]:
    """One frame behind each prism, the beams of unequal transmission, stars behind a little dust.
    """
    two = math.radians(2 * (CHI - 10.0))
    frames = []
    for n, (name, beams) in enumerate(PRISMS.items()):
        facts = FrameFacts(
            telescope="CAHA-T220", instrument="CAFOS", kind=FrameKind.SCIENCE, night="2024-03-31",
            jd_start=2460400.5 + n / 1440, exptime_s=30.0, shape=(100, 100), band="R",
            mode="polarimetry", polariser_deg=ANGLES[name], beams=2, beam_element=name)
        rows: list[Measurement] = []
        for source, mag, (q, u) in (("T", MAG, (P * math.cos(two), P * math.sin(two))), *(
                (s.name, s.magnitudes["R"][0], (isp, isp)) for s in STARS)):
            m = (q, u)[n]
            light = (1.0, 0.9)[n] * 10 ** (0.4 * (22.0 - mag)) / 2
            ordinary = light * (1 + beams.ratio) * (1 + m)
            extraordinary = light * (1 - beams.ratio) * (1 - m)
            rows += [measurement(source, ordinary + extraordinary),
                     measurement(source, ordinary, "O"), measurement(source, extraordinary, "E")]
        frames.append(MeasuredFrame(
            id=n, facts=facts, measurements=tuple(rows), fwhm_arcsec=2.0, airmass=1.1,
            bjd_tdb=2460400.5, aperture_arcsec=2.5))
    return frames


@pytest.mark.parametrize("known", [True, False])
def test_two_prisms_one_after_the_other_give_q_and_u(known: bool) -> None:
    """The beams' ratio is the instrument's, or shown by the other stars."""
    analysers = PRISMS if known else {
        name: replace(beams, ratio=0.0, ratio_err=NAN) for name, beams in PRISMS.items()}
    polarised = polarise(behind_prisms(), catalogue=CATALOGUE, instrument=two_prisms(analysers),
                         settings=SETTINGS)
    found = next(r for r in polarised.results if r.source == "T")
    assert found.method == "analysers"
    assert (found.p, found.chi_deg) == pytest.approx((P, CHI), abs=5e-4)
    assert found.mag == pytest.approx(MAG, abs=3e-3)
    assert 0.0006 < found.q_err < 0.0015  # of photons alone
    # The instrument's 0.1 %; or what the stars' dust (1.2 %) and their own leave open.
    assert found.q0_err == pytest.approx(0.001 if known else math.hypot(0.012, 0.003 / 2), rel=0.05)
    assert not found.flags & Flag.POOR_FIT


def test_one_prism_alone_is_refused_with_the_reason() -> None:
    polarised = polarise(behind_prisms()[:1], catalogue=CATALOGUE, settings=SETTINGS,
                         instrument=two_prisms(PRISMS))
    assert [math.isnan(value.p) for value in polarised.results] == [True]
    assert polarised.refused == (("T", "measured at 1 positions, at least 2 are needed"),)


def test_each_frame_s_pairs_are_those_of_its_prism() -> None:
    tool = two_prisms(PRISMS)
    for name, frame in zip(PRISMS, behind_prisms(), strict=True):
        assert tool.beams_of(frame.facts) == PRISMS[name]
    plain = replace(behind_prisms()[0].facts, beam_element="")
    assert tool.beams_of(plain) == tool.beams
