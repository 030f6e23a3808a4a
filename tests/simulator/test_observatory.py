"""The simulated observatory: what it says is true is what its frames hold."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from iop4d.fits.read import read_header
from iop4d.instruments.discovery import find_instruments, instrument_for
from iop4d.model.errors import FrameError
from iop4d.model.frame import FrameKind
from iop4d.simulator.camera import ANDOR_T90, Psf, bias_level, expose, flat_field, star_light
from iop4d.simulator.frames import as_fits
from iop4d.simulator.night import Flare, Night, NightPlan, SimulatedFrame, project, write_night
from iop4d.simulator.sky import FIELDS, field_of, load_sky
from iop4d.store.catalogue_csv import parse
from tests.support.bad_files import bad_files

PLAN = NightPlan(seed=2, fields=("3C345",), frames=2, n_bias=1, n_flat=1)


@pytest.fixture(scope="module")
def frames() -> list[SimulatedFrame]:
    return list(Night(PLAN).frames())


@pytest.mark.parametrize("fwhm", [1.8, 3.0, 5.2])
def test_a_star_has_the_flux_that_it_is_given(fwhm: float) -> None:
    shape = (201, 201)
    image = star_light(np.array([100.3, 100.3]), np.array([99.6, 99.6]), np.array([1e6, 1.0]),
                       Psf(fwhm_px=fwhm), shape)
    assert image.sum() == pytest.approx(1e6, rel=1e-3)
    assert np.unravel_index(image.argmax(), shape) == (100, 100)


def test_the_noise_is_that_of_photons_and_reading() -> None:
    rng = np.random.default_rng(0)
    adu = expose(ANDOR_T90, np.full(ANDOR_T90.shape, 100.0), rng).astype(float)
    noise = adu - bias_level(ANDOR_T90)
    expected = np.sqrt(100.0 / 4.5 + (8.0 / 4.5) ** 2 + 1 / 12)
    middle = np.median(np.abs(noise - np.median(noise))) * 1.4826
    assert middle == pytest.approx(expected, rel=0.02)
    assert np.median(noise) == pytest.approx(100.0, abs=0.5)


def test_a_full_pixel_is_clipped() -> None:
    adu = expose(ANDOR_T90, np.full(ANDOR_T90.shape, 9e4), np.random.default_rng(0))
    assert adu.min() == adu.max() == 65535


def test_the_flat_field_has_mean_one() -> None:
    assert flat_field(ANDOR_T90).mean() == pytest.approx(1.0)


def test_the_same_seed_gives_the_same_bytes(frames: list[SimulatedFrame]) -> None:
    again = list(Night(PLAN).frames())
    assert [as_fits(frame) for frame in frames] == [as_fits(frame) for frame in again]


def test_the_headers_are_read_as_those_of_the_camera(frames: list[SimulatedFrame]) -> None:
    kinds = []
    for frame in frames:
        header = dict(fits.open(io.BytesIO(as_fits(frame)))[0].header)
        facts = instrument_for(header, find_instruments()).read(header, frame.name)
        kinds.append(facts.kind)
        assert facts.night == PLAN.night
        if frame.truth is not None:
            assert facts.jd_mid == pytest.approx(frame.truth.jd_mid, abs=1e-7)
            assert facts.pointing_deg == pytest.approx(
                (frame.truth.wcs["CRVAL1"], frame.truth.wcs["CRVAL2"]), abs=0.02)
    assert kinds == [FrameKind.BIAS, FrameKind.FLAT, FrameKind.SCIENCE, FrameKind.SCIENCE]


def test_the_truth_s_wcs_is_that_of_its_stars(frames: list[SimulatedFrame]) -> None:
    truth = frames[-1].truth
    assert truth is not None
    wcs = WCS(fits.Header({"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", **truth.wcs}))
    stars = load_sky().stars(field_of("3C345"))
    expected = wcs.all_world2pix(stars.ra, stars.dec, 0)
    assert np.allclose(project(truth.wcs, stars.ra, stars.dec), expected, atol=1e-6)
    at = truth.stars.name.index("1641+399")
    assert (truth.stars.x[at], truth.stars.y[at]) == pytest.approx(
        (expected[0][0], expected[1][0]), abs=1e-3)
    y, x = round(truth.stars.y[at]), round(truth.stars.x[at])
    data = frames[-1].data.astype(float)
    assert data[y - 2:y + 3, x - 2:x + 3].max() > np.median(data) + 100


def test_a_flare_is_in_the_truth() -> None:
    flare = Flare(start=0.0, rise=0.02, mag=1.0)
    quiet, bright = (
        [f.truth.target_mag for f in Night(NightPlan(
            fields=("3C345",), frames=3, n_bias=0, n_flat=0, flare=which)).frames() if f.truth]
        for which in (None, flare))
    assert bright[-1] == pytest.approx(quiet[-1] - flare.brightening((2 * 68 + 30) / 3600))
    assert flare.brightening(0.02) == pytest.approx(1.0)
    assert flare.brightening(-1.0) == 0.0


def test_the_catalogue_is_one_that_can_be_imported() -> None:
    exact = parse(load_sky().catalogue_csv(None))
    drawn = parse(load_sky().catalogue_csv(7))
    assert len(exact) == len(drawn)
    for field in FIELDS:
        assert len([s for s in exact if field.source in s.calibrates]) >= 3
    errors = [(a.magnitudes["R"][0] - b.magnitudes["R"][0]) / b.magnitudes["R"][1]
              for a, b in zip(exact, drawn, strict=True) if "R" in a.magnitudes]
    assert np.std(errors) == pytest.approx(1.0, abs=0.3)


def test_a_night_is_written_with_its_truth(tmp_path: Path) -> None:
    count = write_night(Night(PLAN), tmp_path / "raw", truth_path=tmp_path / "truth.jsonl")
    assert count == len(list((tmp_path / "raw" / PLAN.night).iterdir())) == 4
    lines = (tmp_path / "truth.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["name"] for line in lines] == ["3C345-0001R.fit", "3C345-0002R.fit"]


def test_bad_files_are_bad_in_the_way_that_they_say(frames: list[SimulatedFrame],
                                                     tmp_path: Path) -> None:
    bad = bad_files(as_fits(frames[-1]), tmp_path)
    assert len(bad) >= 12
    sound = {"no-kind.fit", "no-filter.fit", "no-time.fit", "other-camera.fit", "static.fit"}
    for name in bad:
        if name in sound:
            read_header(tmp_path / name)
        else:
            with pytest.raises(FrameError):
                read_header(tmp_path / name)
