"""A real night of a transit, through a camera section."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from iop4d.config.load import parse_site
from iop4d.model.flags import Flag
from iop4d.model.frame import FrameKind
from iop4d.model.messages import (
    CalibrateRequest,
    Done,
    MeasuredFrame,
)
from iop4d.model.source import Catalogue, Source, SourceKind
from iop4d.model.units import robust_sigma
from iop4d.reduction.context import WorkerContext
from iop4d.reduction.workbench import Workbench
from tests.reduction.small import (
    build,
    facts_of,
    reduce,
)


@pytest.mark.realdata
@pytest.mark.timeout(600)  # 142 frames, most of them twice
def test_real_frames_give_the_light_curve_of_a_transit(hatp32: Path, tmp_path: Path) -> None:
    """HAT-P-32's transit, 2.3 % deep, about JD 2458107.71; the camera has no darks and flats.

    Its hot pixels are known by frames of the night; without that the robust scatter is 6.7 mmag.
    """
    site = parse_site(f"""
[astrometry]
index = ["{hatp32 / 'index'}"]
[[camera]]
name = "Main"
telescope = "Cecilia"
identify = {{ TELESCOP = "Cecilia" }}
pixel_scale = 5.16
masters = []
saturation = 4000
time_card = "UT-OBS"
bands = {{ Clear = "C" }}
""", root=tmp_path)
    lines = (hatp32 / "catalogue.csv").read_text(encoding="utf-8").splitlines()[1:]
    sources = []
    for line in lines:
        name, _, ra, dec, kind, calibrates, mag, err = line.split(",")
        sources.append(Source(
            name=name, ra_deg=float(ra), dec_deg=float(dec), kind=SourceKind(kind),
            calibrates=(calibrates,) if calibrates else (),
            magnitudes={"C": (float(mag), float(err))} if mag else {}))
    real = Workbench(WorkerContext(site=site, catalogue=Catalogue(
        version=1, sources=tuple(sources))))
    paths = sorted((hatp32 / "raw").glob("*.fits.gz"))
    pattern, _ = build(real, FrameKind.PATTERN, paths[::5], tmp_path)
    frames = []
    for number, path in enumerate(paths):
        outcome = reduce(real, path, (pattern,))
        assert isinstance(outcome, Done), (path.name, outcome)
        found = outcome.value
        assert found.wcs_rms_px < 0.2
        frames.append(MeasuredFrame(
            id=number, facts=facts_of(real, path), measurements=found.measurements,
            fwhm_arcsec=found.fwhm_arcsec, airmass=found.airmass, bjd_tdb=found.bjd_tdb))
    outcome = real.perform(CalibrateRequest(target="HAT-P-32", frames=tuple(frames)))
    assert isinstance(outcome, Done)
    steady = [r for _, r in outcome.value.results if not r.flags & Flag.UNSTEADY]
    assert len(frames) == 142
    assert len(steady) >= 139
    times, mags = np.array([(r.bjd_tdb, r.mag) for r in steady]).T
    away = np.abs(times - 2458107.715)
    assert np.std(mags[away > 0.075]) < 0.0066
    assert robust_sigma(mags[away > 0.075].tolist()) < 0.006
    assert np.median(mags[away < 0.04]) - np.median(mags[away > 0.075]) == pytest.approx(
        0.026, abs=0.004)
