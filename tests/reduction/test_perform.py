"""A worker's work, from raw files to results: small frames whose truth is known by hand."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from PIL import Image

from iop4d.config.load import parse_site
from iop4d.model.flags import Flag
from iop4d.model.frame import FrameFacts, FrameKind
from iop4d.model.source import Catalogue, Source, SourceKind
from iop4d.model.work import (
    CalibrateRequest,
    Classified,
    ClassifyRequest,
    Done,
    Failed,
    MasterBuilt,
    MasterRef,
    MasterRequest,
    MeasuredFrame,
    PlotRequest,
    Plotted,
    Reduced,
    ReduceRequest,
    Rejected,
)
from iop4d.reduction.context import WorkerContext
from iop4d.reduction.fitsfile import read_image
from iop4d.reduction.perform import Workbench
from iop4d.science.tan import Wcs
from tests.science.skies import moffat_stars

SHAPE = (256, 320)
TRUE = Wcs(ra0=120.0, dec0=30.0, x0=159.5, y0=127.5, cd=((-2.8e-4, 0.0), (0.0, 2.8e-4)))
ZERO_POINT = 22.0  # magnitude of a star of 1 ADU/s
BIAS, SKY, GAIN, EXPTIME = 300.0, 80.0, 2.0, 30.0
SITE = """
[astrometry]
index = []
[[camera]]
name = "Small"
telescope = "Test"
identify = { INSTRUME = "Small" }
scale = 1.008
gain = 2.0
saturation = 60000
kind = "IMAGETYP"
latitude = 37.06
longitude = -3.38
height = 2896
"""


@dataclass(frozen=True)
class Star:
    name: str
    x: float
    y: float
    mag: float
    kind: SourceKind = SourceKind.CALIBRATOR


TARGET = Star("Target", 150.3, 120.6, 14.0, SourceKind.TARGET)
CALIBRATORS = [Star("A", 60.2, 60.7, 13.5), Star("B", 250.4, 70.1, 13.0),
               Star("C", 80.8, 200.2, 14.2), Star("Bright", 240.1, 190.3, 8.5)]
OTHERS = [Star("", 25.0 + 45.0 * i, 25.0 + 14.0 * (i % 3), 14.5) for i in range(7)]
STARS = [TARGET, *CALIBRATORS, *OTHERS]


def expose(rng: np.random.Generator, light: np.ndarray | float) -> np.ndarray:
    electrons = rng.poisson(np.broadcast_to(light, SHAPE) * GAIN) + rng.normal(0.0, 8.0, SHAPE)
    return np.clip(np.rint(BIAS + electrons / GAIN), 0, 65535).astype(np.uint16)


def flat_field() -> np.ndarray:
    rows, columns = np.indices(SHAPE)
    flat = 1.0 - 0.1 * (((columns - 160) / 160) ** 2 + ((rows - 128) / 128) ** 2)
    flat[50, 100] = 0.01
    return flat


#: A flat is 1 at its median, which makes all ADU those of the median pixel.
SEEN_SKY = SKY * float(np.median(flat_field()))


def write(path: Path, data: np.ndarray, kind: str, *, second: int, exptime: float) -> Path:
    hdu = fits.PrimaryHDU(data)
    hdu.header.update({
        "INSTRUME": "Small", "IMAGETYP": kind, "EXPTIME": exptime, "FILTER": "R",
        "DATE-OBS": f"2024-01-15T22:00:{second:02d}", "RA": 120.01, "DEC": 29.99,
        "OBJECT": "Target"})
    hdu.writeto(path)
    return path


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Path]]:
    """Five biases, five flats, two lights."""
    folder = tmp_path_factory.mktemp("raw")
    rng = np.random.default_rng(7)
    flux = np.array([EXPTIME * 10 ** (-0.4 * (star.mag - ZERO_POINT)) for star in STARS])
    light = moffat_stars(SHAPE, np.array([s.x for s in STARS]), np.array([s.y for s in STARS]),
                         flux, np.full(len(STARS), 3.2))
    flat = flat_field()
    return {
        "bias": [write(folder / f"bias{i}.fits", expose(rng, 0.0), "bias", second=i, exptime=0.0)
                 for i in range(5)],
        "flat": [write(folder / f"flat{i}.fits", expose(rng, 25000.0 * (1 + i / 20) * flat), "flat",
                       second=10 + i, exptime=2.0) for i in range(5)],
        "light": [write(folder / f"light{i}.fits", expose(rng, (light + SKY) * flat), "light",
                        second=20 + i, exptime=EXPTIME) for i in range(2)],
    }


class FakeSolver:
    """Knows where the field is, a little off, as a quad's solution is."""

    def __init__(self, *, finds: bool = True) -> None:
        self.finds = finds
        self.asked = 0

    def solve(self, *_: object) -> FakeSolver:
        self.asked += 1
        return self

    def has_match(self) -> bool:
        return self.finds

    def best_match(self) -> FakeSolver:
        return self

    @property
    def wcs_fields(self) -> dict[str, tuple[object, str]]:
        return {card: (value, "") for card, value in replace(TRUE, x0=160.1).cards().items()}

    @property
    def stars(self) -> list[object]:
        places = (TRUE.to_sky(s.x, s.y) for s in STARS)
        return [type("Star", (), {"ra_deg": float(ra), "dec_deg": float(dec)})
                for ra, dec in places]

    logodds = 50.0


def catalogue() -> Catalogue:
    sources = []
    for star in [TARGET, *CALIBRATORS, Star("Outside", 900.0, 10.0, 14.0)]:
        ra, dec = TRUE.to_sky(star.x, star.y)
        sources.append(Source(
            name=star.name, ra_deg=float(ra), dec_deg=float(dec), kind=star.kind,
            magnitudes={} if star is TARGET else {"R": (star.mag, 0.01)},
            calibrates=() if star is TARGET else ("Target",)))
    return Catalogue(version=1, sources=tuple(sources))


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    found = Workbench(WorkerContext(site=parse_site(SITE, root=tmp_path), catalogue=catalogue()))
    found._solver = FakeSolver()
    return found


def facts_of(bench: Workbench, path: Path) -> FrameFacts:
    outcome = bench.perform(ClassifyRequest(path=path))
    assert isinstance(outcome, Done)
    assert isinstance(outcome.value, Classified)
    return outcome.value.facts


def build(bench: Workbench, kind: FrameKind, inputs: list[Path], folder: Path,
          masters: tuple[MasterRef, ...] = ()) -> tuple[MasterRef, MasterBuilt]:
    outcome = bench.perform(MasterRequest(
        kind=kind, facts=facts_of(bench, inputs[0]), inputs=tuple(inputs), masters=masters,
        output=folder / f"{kind}.fits"))
    assert isinstance(outcome, Done), outcome
    assert isinstance(outcome.value, MasterBuilt)
    return MasterRef(id=1, kind=kind, path=folder / f"{kind}.fits"), outcome.value


@pytest.fixture
def masters(bench: Workbench, night: dict[str, list[Path]],
            tmp_path: Path) -> tuple[MasterRef, ...]:
    bias, _ = build(bench, FrameKind.BIAS, night["bias"], tmp_path)
    flat, _ = build(bench, FrameKind.FLAT, night["flat"], tmp_path, (bias,))
    return bias, flat


def reduce(bench: Workbench, path: Path, masters: tuple[MasterRef, ...],
           **paths: Path | None) -> object:
    return bench.perform(ReduceRequest(path=path, facts=facts_of(bench, path), masters=masters,
                                       **{"reduced_path": None, "preview_path": None, **paths}))


def test_a_frame_is_classified(bench: Workbench, night: dict[str, list[Path]]) -> None:
    facts = facts_of(bench, night["light"][0])
    assert (facts.instrument, facts.kind, facts.band) == ("Small", FrameKind.LIGHT, "R")
    assert (facts.shape, facts.exptime_s, facts.night) == (SHAPE, EXPTIME, "2024-01-15")


def test_what_is_no_frame_is_rejected(bench: Workbench, tmp_path: Path) -> None:
    path = tmp_path / "page.fits"
    path.write_text("<html>404</html>", encoding="utf-8")
    assert bench.perform(ClassifyRequest(path=path)) == Rejected(
        reason="is text, not FITS: begins with '<html>404</html>'")
    fits.PrimaryHDU(np.zeros((9, 9), dtype=np.int16)).writeto(tmp_path / "alien.fits")
    outcome = bench.perform(ClassifyRequest(path=tmp_path / "alien.fits"))
    assert isinstance(outcome, Rejected)
    assert "no known instrument" in outcome.reason


def test_a_file_that_is_gone_fails_with_its_stage(bench: Workbench, tmp_path: Path) -> None:
    outcome = bench.perform(ClassifyRequest(path=tmp_path / "gone.fits"))
    assert isinstance(outcome, Failed)
    assert outcome.stage == "read"
    assert "No such file" in outcome.reason


def test_a_surprise_is_an_outcome_too(bench: Workbench) -> None:
    outcome = bench.perform("nonsense")  # type: ignore[arg-type]
    assert isinstance(outcome, Failed)
    assert outcome.reason.startswith("unexpected TypeError")
    assert "Traceback" in outcome.trace


def test_a_master_bias(bench: Workbench, night: dict[str, list[Path]], tmp_path: Path) -> None:
    ref, built = build(bench, FrameKind.BIAS, night["bias"], tmp_path)
    assert built.level == pytest.approx(BIAS, abs=0.3)
    assert built.scatter == pytest.approx(4.0 / math.sqrt(5), rel=0.1)
    assert built.used == tuple(path.name for path in night["bias"])
    image, header = read_image(ref.path)
    assert image.shape == SHAPE
    assert (header["NCOMBINE"], header["INSTRUME"], header["NIGHT"]) == (5, "Small", "2024-01-15")
    assert sorted(tmp_path.iterdir()) == [ref.path]


def test_a_master_flat_is_one_in_the_middle_and_knows_bad_pixels(
        masters: tuple[MasterRef, ...]) -> None:
    flat, header = read_image(masters[1].path)
    assert header["MBIAS"] == "bias.fits"
    truth = flat_field() / np.median(flat_field())
    good = np.isfinite(flat)
    assert np.argwhere(~good).tolist() == [[50, 100]]
    assert np.std((flat / truth)[good]) < 0.005


def test_a_dark_is_counted_by_the_second(bench: Workbench, masters: tuple[MasterRef, ...],
                                         tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    inputs = [write(tmp_path / f"dark{i}.fits", expose(rng, 0.5 * t), "dark", second=i, exptime=t)
              for i, t in enumerate((60.0, 60.0, 120.0, 120.0))]
    _, built = build(bench, FrameKind.DARK, inputs, tmp_path, masters[:1])
    assert built.level == pytest.approx(0.5, abs=0.03)


def test_frames_that_do_not_fit_are_left_out_of_a_master(
        bench: Workbench, night: dict[str, list[Path]], masters: tuple[MasterRef, ...],
        tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    full = write(tmp_path / "full.fits", np.full(SHAPE, 65535, np.uint16), "flat", second=1,
                 exptime=1.0)
    faint = write(tmp_path / "faint.fits", expose(rng, 200.0), "flat", second=2, exptime=1.0)
    broken = tmp_path / "broken.fits"
    broken.write_bytes(night["flat"][0].read_bytes()[:5000])
    _, built = build(bench, FrameKind.FLAT,
                     [*night["flat"], full, faint, broken, night["bias"][0], tmp_path / "gone"],
                     tmp_path, masters[:1])
    assert built.n_frames == 5
    reasons = dict(line.split(": ", 1) for line in built.left_out)
    assert reasons["full.fits"] == "saturated: median 65535 ADU"
    assert reasons["faint.fits"].startswith("too faint")
    assert "truncated" in reasons["broken.fits"]
    assert "kind is bias" in reasons["bias0.fits"]
    assert "No such file" in reasons["gone"]


def test_too_few_frames_make_no_master(bench: Workbench, night: dict[str, list[Path]],
                                       tmp_path: Path) -> None:
    outcome = bench.perform(MasterRequest(
        kind=FrameKind.BIAS, facts=facts_of(bench, night["bias"][0]), masters=(),
        inputs=tuple(night["bias"][:2]), output=tmp_path / "bias.fits"))
    assert isinstance(outcome, Rejected)
    assert "2 usable bias frames, at least 3" in outcome.reason
    assert not (tmp_path / "bias.fits").exists()


def test_a_frame_is_reduced_to_its_target_s_magnitude(
        bench: Workbench, night: dict[str, list[Path]], masters: tuple[MasterRef, ...],
        tmp_path: Path) -> None:
    outcome = reduce(bench, night["light"][0], masters, reduced_path=tmp_path / "red" / "r.fits",
                     preview_path=tmp_path / "r.png")
    assert isinstance(outcome, Done), outcome
    assert outcome.core_s > 0
    found = outcome.value
    assert isinstance(found, Reduced)
    assert found.fwhm_px == pytest.approx(3.27, rel=0.03)
    assert found.sky == pytest.approx(SEEN_SKY, rel=0.02)
    assert found.n_matched >= 10
    assert found.wcs_rms_px < 0.1
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


def test_the_same_frame_gives_the_same_answer(bench: Workbench, night: dict[str, list[Path]],
                                              masters: tuple[MasterRef, ...]) -> None:
    first, second = (reduce(bench, night["light"][0], masters) for _ in range(2))
    assert isinstance(first, Done)
    assert isinstance(second, Done)
    assert first.value.results == second.value.results
    assert first.value.measurements == second.value.measurements


def test_a_provisional_master_is_told(bench: Workbench, night: dict[str, list[Path]],
                                      masters: tuple[MasterRef, ...]) -> None:
    outcome = reduce(bench, night["light"][0],
                     (replace(masters[0], provisional=True), masters[1]))
    assert isinstance(outcome, Done)
    assert outcome.value.warnings == ("the master bias is of another night",)


def test_without_calibrators_there_is_a_result_without_magnitude(
        bench: Workbench, night: dict[str, list[Path]], masters: tuple[MasterRef, ...]) -> None:
    only = tuple(s for s in bench.context.catalogue.sources if s.name == "Target")
    bench.context = replace(bench.context, catalogue=Catalogue(version=2, sources=only))
    outcome = reduce(bench, night["light"][0], masters)
    assert isinstance(outcome, Done)
    result = outcome.value.results[0]
    assert math.isnan(result.mag)
    assert result.flags == Flag.NO_CALIBRATORS


def test_stored_measurements_are_calibrated_again_to_the_same(
        bench: Workbench, night: dict[str, list[Path]], masters: tuple[MasterRef, ...]) -> None:
    outcome = reduce(bench, night["light"][1], masters)
    assert isinstance(outcome, Done)
    found = outcome.value
    again = bench.perform(CalibrateRequest(target="Target", frames=(MeasuredFrame(
        id=5, facts=facts_of(bench, night["light"][1]), measurements=found.measurements,
        fwhm_arcsec=found.fwhm_arcsec, airmass=found.airmass, bjd_tdb=found.bjd_tdb,
        flags=found.frame_flags),)))
    assert isinstance(again, Done)
    assert again.value.results == ((5, found.results[0]),)


def test_a_field_that_is_not_found_fails_after_several_attempts(
        bench: Workbench, night: dict[str, list[Path]], masters: tuple[MasterRef, ...]) -> None:
    bench._solver = FakeSolver(finds=False)
    outcome = reduce(bench, night["light"][0], masters)
    assert isinstance(outcome, Failed)
    assert outcome.stage == "solve"
    assert "attempts matched the 12 detected stars" in outcome.reason
    assert "RA 120.0100, Dec +29.9900" in outcome.reason


def test_without_index_files_the_reason_says_what_to_do(
        bench: Workbench, night: dict[str, list[Path]], masters: tuple[MasterRef, ...]) -> None:
    bench._solver = None
    outcome = reduce(bench, night["light"][0], masters)
    assert isinstance(outcome, Failed)
    assert outcome.stage == "solve"
    assert "[astrometry] index" in outcome.reason


@pytest.mark.parametrize(("level", "stage"), [(None, "background"), (30.0, "detect")])
def test_an_empty_frame_fails_where_it_should(bench: Workbench, tmp_path: Path,
                                              level: float | None, stage: str) -> None:
    data = np.full(SHAPE, 300, np.uint16) if level is None \
        else expose(np.random.default_rng(1), level)
    path = write(tmp_path / "empty.fits", data, "light", second=1, exptime=10.0)
    outcome = reduce(bench, path, ())
    assert isinstance(outcome, Failed)
    assert outcome.stage == stage


def test_a_master_of_another_shape_fails(bench: Workbench, night: dict[str, list[Path]],
                                         tmp_path: Path) -> None:
    fits.PrimaryHDU(np.zeros((10, 10), np.float32)).writeto(tmp_path / "small.fits")
    outcome = reduce(bench, night["light"][0],
                     (MasterRef(id=1, kind=FrameKind.BIAS, path=tmp_path / "small.fits"),))
    assert isinstance(outcome, Failed)
    assert outcome.stage == "masters"
    assert "10 x 10 pixels, the frame 320 x 256" in outcome.reason


@pytest.mark.parametrize("span", [0.2, 40.0])
def test_a_light_curve_is_drawn(bench: Workbench, span: float) -> None:
    points = tuple((2460000.5 + span * i / 20, 13.0 + 0.1 * math.sin(i), 0.02) for i in range(20))
    outcome = bench.perform(PlotRequest(title="BL Lac", band="R", points=points,
                                        highlight_jd=points[-1][0], threshold=13.0))
    assert isinstance(outcome, Done)
    assert isinstance(outcome.value, Plotted)
    assert outcome.value.png.startswith(b"\x89PNG")


def test_a_light_curve_without_points_is_drawn_too(bench: Workbench) -> None:
    outcome = bench.perform(PlotRequest(title="Nothing", band="R", points=()))
    assert isinstance(outcome, Done)


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
scale = 5.16
masters = []
saturation = 4000
time = "UT-OBS"
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
