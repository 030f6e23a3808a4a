"""From raw frames to results: small frames whose truth is known by hand."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from astropy.io import fits
from PIL import Image

from iop4d.config.load import parse_site
from iop4d.fits.read import read_image
from iop4d.model.flags import NEVER_ALERTS, Flag
from iop4d.model.frame import FrameKind
from iop4d.model.messages import (
    CalibrateRequest,
    Done,
    Failed,
    MasterRef,
    MeasuredFrame,
    Reduced,
    ReduceRequest,
)
from iop4d.model.source import Catalogue, SourceKind
from iop4d.reduction.context import WorkerContext
from iop4d.reduction.frame import seeing_flag
from iop4d.reduction.workbench import Workbench
from iop4d.store.frames import reduced_info
from tests.reduction.small import (
    BIAS,
    EXPTIME,
    SEEN_SKY,
    SHAPE,
    SITE,
    STARS,
    TARGET,
    ZERO_POINT,
    FakeSolver,
    catalogue,
    expose,
    facts_of,
    reduce,
    write,
)


def test_a_frame_is_reduced_to_its_target_s_magnitude(
        bench: Workbench, night: dict[str, list[Path]], masters: tuple[MasterRef, ...],
        tmp_path: Path) -> None:
    outcome = reduce(bench, night["science"][0], masters, reduced_path=tmp_path / "red" / "r.fits",
                     preview_path=tmp_path / "r.png")
    assert isinstance(outcome, Done), outcome
    assert outcome.core_s > 0
    found = outcome.value
    assert isinstance(found, Reduced)
    assert found.fwhm_px == pytest.approx(3.27, rel=0.03)
    assert found.sky == pytest.approx(SEEN_SKY, rel=0.02)
    assert found.n_matched >= 10
    assert found.wcs_rms_px < 0.1
    # The stars that the projection was fitted to, each with what is left of it.
    solution = found.solution
    assert (solution.attempts, solution.log_odds, solution.steps) == (1, 50.0, ())
    assert len(solution.matched) == min(found.n_matched, 32)
    for x, y, dx, dy in solution.matched:
        assert min(math.hypot(star.x - x, star.y - y) for star in STARS) < 0.3
        assert math.hypot(dx, dy) < 0.3
    assert len(json.dumps(reduced_info(found, 0.1)["solution"])) < 1000
    assert {m.source for m in found.measurements} == {"Target", "A", "B", "C", "Bright"}
    flags = {m.source: m.flags for m in found.measurements}
    assert flags.pop("Bright") & Flag.SATURATED
    assert set(flags.values()) == {0}
    assert len(found.results) == 1
    result = found.results[0]
    assert (result.source, result.band, result.n_calibrators) == ("Target", "R", 3)
    assert result.mag == pytest.approx(TARGET.mag, abs=3 * result.mag_err)
    assert 0.003 < result.mag_err < 0.02
    assert 1.0 < result.airmass < 2.0
    assert abs(result.bjd_tdb - result.jd_mid) < 0.007
    assert {"read", "calibrate", "background", "detect", "solve", "refine", "photometry",
            "product", "preview"} <= set(found.stages)
    check_product(tmp_path / "red" / "r.fits")
    with Image.open(tmp_path / "r.png") as picture:
        assert picture.size == (320, 256)


def check_product(path: Path) -> None:
    image, header = read_image(path)
    assert np.isnan(image[50, 100])
    assert np.nanmedian(image) == pytest.approx(SEEN_SKY, rel=0.02)
    assert (header["RAWFILE"], header["MBIAS"], header["MFLAT"]) == (
        "light0.fits", "bias.fits", "flat.fits")
    assert (header["CTYPE1"], header["ZPFOR"], header["ZPSTARS"]) == ("RA---TAN", "Target", 3)
    assert header["DATE-OBS"] == "2024-01-15T22:00:20.000"
    assert header["FWHM"] == pytest.approx(3.27, rel=0.03)


def test_results_of_a_camera_without_a_gain_have_a_flag(
        night: dict[str, list[Path]], masters: tuple[MasterRef, ...], tmp_path: Path) -> None:
    """An old fault: errors of 1 electron per ADU, without a word."""
    bench = Workbench(WorkerContext(site=parse_site(SITE.replace("gain = 2.0\n", ""),
                                                    root=tmp_path), catalogue=catalogue()))
    bench.solver = FakeSolver()
    outcome = reduce(bench, night["science"][0], masters)
    assert isinstance(outcome, Done), outcome
    assert [Flag(r.flags) for r in outcome.value.results] == [Flag.GAIN_ASSUMED]
    assert not Flag.GAIN_ASSUMED & NEVER_ALERTS


def test_the_same_frame_gives_the_same_answer(bench: Workbench, night: dict[str, list[Path]],
                                              masters: tuple[MasterRef, ...]) -> None:
    first, second = (reduce(bench, night["science"][0], masters) for _ in range(2))
    assert isinstance(first, Done)
    assert isinstance(second, Done)
    assert first.value.results == second.value.results
    assert first.value.measurements == second.value.measurements


@pytest.mark.parametrize(("dx", "change"), [(0, 0.06), (1, 0.06), (0, -1.0)])
def test_a_hit_and_a_dead_pixel_on_the_target_are_told(
        bench: Workbench, night: dict[str, list[Path]], masters: tuple[MasterRef, ...],
        tmp_path: Path, dx: int, change: float) -> None:
    """6 % of the target's light in one pixel; a pixel that holds nothing above the bias."""
    def befall(data: np.ndarray) -> None:
        y, x = round(TARGET.y), round(TARGET.x) + dx
        data[y, x] = BIAS if change < 0 else data[y, x] + round(
            change * 10 ** (-0.4 * (TARGET.mag - ZERO_POINT)) * EXPTIME)

    outcome = reduce(bench, changed(night["science"][0], "h.fits", tmp_path, befall), masters)
    assert isinstance(outcome, Done)
    flags = {m.source: m.flags for m in outcome.value.measurements}
    assert flags["Target"] & ~int(Flag.PIXELS_DOUBTFUL) == Flag.BAD_PIXELS
    assert flags["A"] == flags["B"] == flags["C"] == 0


def changed(path: Path, name: str, folder: Path, change: Callable[[np.ndarray], None]) -> Path:
    """A copy of a frame whose pixels something befell."""
    with fits.open(path) as file:
        data, header = file[0].data.copy(), file[0].header
    change(data)
    fits.PrimaryHDU(data, header).writeto(folder / name)
    return folder / name


@pytest.mark.parametrize("level", [5000, 1500])
def test_a_star_clipped_below_the_instrument_s_saturation_is_saturated(
        bench: Workbench, night: dict[str, list[Path]], masters: tuple[MasterRef, ...],
        tmp_path: Path, level: int) -> None:
    def clip(data: np.ndarray) -> None:
        np.minimum(data, level, out=data)

    outcome = reduce(bench, changed(night["science"][0], "c.fits", tmp_path, clip), masters)
    assert isinstance(outcome, Done)
    flags = {m.source: m.flags for m in outcome.value.measurements}
    assert flags["B"] & Flag.SATURATED  # its peak lies at 11,000 ADU; C's at 3600
    assert not flags["C"] & Flag.SATURATED or level == 1500


def test_pixels_that_wrapped_are_doubtful(
        bench: Workbench, night: dict[str, list[Path]], masters: tuple[MasterRef, ...],
        tmp_path: Path) -> None:
    """The target's core as a sum that wraps, instead of being clipped, leaves it."""
    def wrap(data: np.ndarray) -> None:
        core = data[118:124, 148:154]
        data[118:124, 148:154] = np.where(core > 1500, core - 1500, core)

    outcome = reduce(bench, changed(night["science"][0], "w.fits", tmp_path, wrap), masters)
    assert isinstance(outcome, Done)
    flags = {m.source: m.flags for m in outcome.value.measurements}
    assert flags["Target"] & Flag.PIXELS_DOUBTFUL
    assert flags["A"] == flags["C"] == 0


def test_a_provisional_master_is_told(bench: Workbench, night: dict[str, list[Path]],
                                      masters: tuple[MasterRef, ...]) -> None:
    outcome = reduce(bench, night["science"][0],
                     (replace(masters[0], provisional=True), masters[1]))
    assert isinstance(outcome, Done)
    assert outcome.value.warnings == ("the master bias is of another night",)


def test_without_calibrators_there_is_a_result_without_magnitude(
        bench: Workbench, night: dict[str, list[Path]], masters: tuple[MasterRef, ...]) -> None:
    only = tuple(s for s in bench.context.catalogue.sources if s.name == "Target")
    bench.context = replace(bench.context, catalogue=Catalogue(version=2, sources=only))
    outcome = reduce(bench, night["science"][0], masters)
    assert isinstance(outcome, Done)
    result = outcome.value.results[0]
    assert math.isnan(result.mag)
    assert result.flags == Flag.NO_CALIBRATORS


def test_stored_measurements_are_calibrated_again_to_the_same(
        bench: Workbench, night: dict[str, list[Path]], masters: tuple[MasterRef, ...]) -> None:
    outcome = reduce(bench, night["science"][1], masters)
    assert isinstance(outcome, Done)
    found = outcome.value
    again = bench.perform(CalibrateRequest(target="Target", frames=(MeasuredFrame(
        id=5, facts=facts_of(bench, night["science"][1]), measurements=found.measurements,
        fwhm_arcsec=found.fwhm_arcsec, airmass=found.airmass, bjd_tdb=found.bjd_tdb,
        flags=found.frame_flags, psf_beta=found.psf_beta,
        aperture_arcsec=found.aperture_px * found.fwhm_arcsec / found.fwhm_px),)))
    assert isinstance(again, Done)
    assert again.value.results == ((5, found.results[0]),)


def test_a_field_that_the_index_does_not_find_is_found_by_the_catalogue(
        bench: Workbench, night: dict[str, list[Path]], masters: tuple[MasterRef, ...]) -> None:
    by_index = reduce(bench, night["science"][0], masters)
    bench.solver = FakeSolver(finds=False)
    outcome = reduce(bench, night["science"][0], masters)
    assert isinstance(outcome, Done)
    assert isinstance(by_index, Done)
    assert (by_index.value.astrometry_from, outcome.value.astrometry_from) == ("index", "catalogue")
    assert outcome.value.results[0].mag == pytest.approx(by_index.value.results[0].mag, abs=0.01)


class LostMount(FakeSolver):
    """Finds the field nowhere near the header's pointing, and takes long to say so."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.places: list[bool] = []

    def monotonic(self) -> float:
        return self.now

    def solve(self, *words: object) -> FakeSolver:
        near = words[2] is not None
        self.places.append(near)
        self.finds = not near
        self.now += 1.0 if near else 0.1
        return self


def test_time_is_left_to_look_for_the_field_elsewhere_than_the_header_says(
        bench: Workbench, night: dict[str, list[Path]], masters: tuple[MasterRef, ...],
        monkeypatch: pytest.MonkeyPatch) -> None:
    """A mount that is 1.95 degrees off spent all five seconds where the field is not."""
    bench.solver = mount = LostMount()
    clock = SimpleNamespace(monotonic=mount.monotonic)
    monkeypatch.setattr("iop4d.reduction.rungs.time", clock)
    monkeypatch.setattr("iop4d.science.solve.time", clock)
    outcome = reduce(bench, night["science"][0], masters)
    assert isinstance(outcome, Done)
    assert outcome.value.astrometry_from == "index"
    assert mount.places[-1] is False
    assert sum(mount.places) >= 3
    assert mount.now < 6.0


@pytest.mark.parametrize(("fwhm_px", "pixel", "poor"), [
    (4.0, 1.5, True), (4.0, 1.2, False), (1.5, 5.16, False), (2.9, 5.16, False), (3.2, 5.16, True)])
def test_coarse_pixels_are_no_poor_seeing(fwhm_px: float, pixel: float, poor: bool) -> None:
    """142 of 142 frames of 5.16 arcsec a pixel had the flag."""
    assert bool(seeing_flag(fwhm_px, pixel) & Flag.POOR_SEEING) is poor


@pytest.mark.parametrize("said", ["S5 0716+714", "S5-0716+714", "s5_0716+714"])
def test_of_two_targets_the_frame_is_of_the_one_that_its_header_names(
        bench: Workbench, night: dict[str, list[Path]], masters: tuple[MasterRef, ...],
        said: str) -> None:
    """Not of the most central one, however the observer writes the name."""
    sources = tuple(replace(s, name="S5 0716+714", kind=SourceKind.TARGET) if s.name == "A" else s
                    for s in bench.context.catalogue.sources)
    bench.context = replace(bench.context, catalogue=Catalogue(version=2, sources=sources))
    facts = replace(facts_of(bench, night["science"][0]), object=said)
    outcome = bench.perform(ReduceRequest(path=night["science"][0], facts=facts, masters=masters,
                                          reduced_path=None, preview_path=None))
    assert isinstance(outcome, Done)
    assert outcome.value.target == "S5 0716+714"


def test_a_field_that_is_not_found_fails_after_several_attempts(
        bench: Workbench, night: dict[str, list[Path]], masters: tuple[MasterRef, ...]) -> None:
    bench.solver = FakeSolver(finds=False)
    bench.context = replace(bench.context, catalogue=Catalogue(version=2, sources=()))
    outcome = reduce(bench, night["science"][0], masters)
    assert isinstance(outcome, Failed)
    assert outcome.stage == "solve"
    assert "attempts matched the 12 detected stars" in outcome.reason
    assert "RA 120.0100, Dec +29.9900" in outcome.reason


def test_without_index_files_the_reason_says_what_to_do(
        bench: Workbench, night: dict[str, list[Path]], masters: tuple[MasterRef, ...]) -> None:
    bench.solver = None
    outcome = reduce(bench, night["science"][0], masters)
    assert isinstance(outcome, Failed)
    assert outcome.stage == "solve"
    assert "[astrometry] index" in outcome.reason


@pytest.mark.parametrize(("level", "stage"), [(None, "background"), (30.0, "detect")])
def test_an_empty_frame_fails_where_it_should(bench: Workbench, tmp_path: Path,
                                              level: float | None, stage: str) -> None:
    data = np.full(SHAPE, 300, np.uint16) if level is None \
        else expose(np.random.default_rng(1), level)
    path = write(tmp_path / "empty.fits", data, "science", second=1, exptime=10.0)
    outcome = reduce(bench, path, ())
    assert isinstance(outcome, Failed)
    assert outcome.stage == stage


def test_a_master_of_another_shape_fails(bench: Workbench, night: dict[str, list[Path]],
                                         tmp_path: Path) -> None:
    fits.PrimaryHDU(np.zeros((10, 10), np.float32)).writeto(tmp_path / "small.fits")
    outcome = reduce(bench, night["science"][0],
                     (MasterRef(id=1, kind=FrameKind.BIAS, path=tmp_path / "small.fits"),))
    assert isinstance(outcome, Failed)
    assert outcome.stage == "masters"
    assert "of 10 x 10 pixels from pixel (0, 0)" in outcome.reason
    assert "does not cover the frame of 320 x 256" in outcome.reason
