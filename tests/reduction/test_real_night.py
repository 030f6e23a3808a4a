"""A real night of a transit, through a camera section."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from iop4d.config.load import parse_site
from iop4d.model.messages import (
    CalibrateRequest,
    Done,
    MeasuredFrame,
)
from iop4d.model.source import Catalogue, Source, SourceKind
from iop4d.reduction.context import WorkerContext
from iop4d.reduction.workbench import Workbench
from tests.reduction.small import (
    facts_of,
    reduce,
)


@pytest.mark.realdata
def test_real_frames_give_the_light_curve_of_a_transit(hatp32: Path, tmp_path: Path) -> None:
    """Every seventh frame of HAT-P-32's transit: 2.3 % deep, about JD 2458107.71."""
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
    frames = []
    for number, path in enumerate(sorted((hatp32 / "raw").glob("*.fits.gz"))[::7]):
        outcome = reduce(real, path, ())
        assert isinstance(outcome, Done), (path.name, outcome)
        found = outcome.value
        assert found.wcs_rms_px < 0.2
        frames.append(MeasuredFrame(
            id=number, facts=facts_of(real, path), measurements=found.measurements,
            fwhm_arcsec=found.fwhm_arcsec, airmass=found.airmass, bjd_tdb=found.bjd_tdb))
    outcome = real.perform(CalibrateRequest(target="HAT-P-32", frames=tuple(frames)))
    assert isinstance(outcome, Done)
    times, mags = np.array([(r.bjd_tdb, r.mag) for _, r in outcome.value.results]).T
    away = np.abs(times - 2458107.715)
    assert np.std(mags[away > 0.075]) < 0.012
    assert np.median(mags[away < 0.04]) - np.median(mags[away > 0.075]) == pytest.approx(
        0.026, abs=0.008)
