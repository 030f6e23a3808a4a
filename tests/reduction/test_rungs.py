"""The ladder to the field: index, another frame, catalogue, quads, pair; else every reason."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from iop4d.config.site import Astrometry
from iop4d.instruments.discovery import find_instruments
from iop4d.model.errors import StageError
from iop4d.model.flags import NEVER_ALERTS, Flag
from iop4d.model.frame import AstrometryFrom, FrameFacts, FrameKind
from iop4d.model.messages import UNSOLVED, StarList
from iop4d.model.source import Catalogue, Source, SourceKind
from iop4d.reduction.beams import match_beams
from iop4d.reduction.context import Stages
from iop4d.reduction.field import RUNGS, find_field, quality
from iop4d.reduction.masters import CalibratedImage
from iop4d.reduction.rungs import Search
from iop4d.reduction.stars import Stars
from iop4d.science.detect import Detections, Sky
from iop4d.science.psf import plain_psf
from iop4d.science.tan import Wcs

Floats = NDArray[np.float64]

SCALE = 0.774
TURNED = math.radians(3.0)
STEP = SCALE / 3600.0
TRUTH = Wcs(ra0=330.68, dec0=42.28, x0=500.0, y0=520.0, cd=(
    (-STEP * math.cos(TURNED), STEP * math.sin(TURNED)),
    (STEP * math.sin(TURNED), STEP * math.cos(TURNED))))
FACTS = FrameFacts(telescope="T", instrument="I", kind=FrameKind.SCIENCE, night="2022-09-08",
                   jd_start=2459831.4, exptime_s=60.0, shape=(1024, 1024), band="R", object="T")


def detections(x: Floats, y: Floats) -> Detections:
    n, no = x.size, np.zeros(x.size, dtype=bool)
    return Detections(x=x, y=y, flux=np.linspace(2.0, 1.0, n) * 1e4, peak=np.full(n, 1e3),
                      radius=np.full(n, 1.5), elongation=np.ones(n), saturated=no, edge=no)


def drawn(seed: int, n: int) -> tuple[Floats, Floats]:
    """Pixels of stars of a field, brightest first."""
    x, y = np.random.default_rng(seed).uniform(30.0, 990.0, (2, n))
    return x, y


def reference(x: Floats, y: Floats, shift: float) -> StarList:
    """A frame of the same field that points elsewhere by a shift, both ways."""
    wcs = Wcs(ra0=TRUTH.ra0, dec0=TRUTH.dec0, x0=TRUTH.x0 + shift, y0=TRUTH.y0 + shift,
              cd=TRUTH.cd)
    return StarList(frame=1, x=tuple(x + shift), y=tuple(y + shift), flux=tuple(np.ones(x.size)),
                    wcs=wcs.cards())


def catalogue(x: Floats, y: Floats) -> Catalogue:
    """The first star is the target, the others its calibrators."""
    ra, dec = TRUTH.to_sky(x, y)
    target = Source(name="T", ra_deg=float(ra[0]), dec_deg=float(dec[0]), kind=SourceKind.TARGET)
    return Catalogue(version=1, sources=(target, *(
        Source(name=f"C{i}", ra_deg=float(ra[i]), dec_deg=float(dec[i]),
               kind=SourceKind.CALIBRATOR, calibrates=("T",), magnitudes={"R": (12.0 + i, 0.01)})
        for i in range(1, x.size))))


NOTHING = Catalogue(version=1, sources=())
NO_PIXELS = np.zeros((64, 64), np.float32)  # the detections are given


class Solver:
    """Matches the star lists of which ``accepts`` says so."""

    def __init__(self, accepts: Callable[[Floats], bool] = lambda _: False) -> None:
        self.accepts = accepts
        self.asked = 0
        self.found = False

    def solve(self, stars: list[list[float]], *_: object) -> Solver:
        self.asked += 1
        self.found = self.accepts(np.array(stars))
        return self

    def has_match(self) -> bool:
        return self.found

    def best_match(self) -> Solver:
        return self

    wcs_fields = {card: (value, "") for card, value in TRUTH.cards().items()}  # noqa: RUF012
    stars = ()
    logodds = 50.0


def search(found: Detections, known: Catalogue = NOTHING, other: StarList | None = None, *,
           facts: FrameFacts = FACTS, solver: Solver | None = None, most: int = 60,
           image: NDArray[np.float32] = NO_PIXELS) -> Search:
    """A search for the field of a frame with these detections on it."""
    stars = Stars(sky=Sky(level=0.0, sigma=5.0), detections=found,
                  sharp=np.zeros(len(found), dtype=bool), psf=plain_psf(4.0, facts.shape),
                  measured_width=True)
    dipol = next(i for i in find_instruments() if i.name == "DIPOL")
    instrument = replace(dipol, scale_arcsec=SCALE / facts.binning)
    beams = match_beams(found, facts, dipol) if facts.beams > 1 else None
    return Search(
        frame=CalibratedImage(image=image, saturated=None, bad=None), stars=stars, beams=beams,
        facts=facts, instrument=instrument, catalogue=known, reference=other,
        solver=solver or Solver(), settings=Astrometry(max_stars=most))


def find(found: Detections, known: Catalogue = NOTHING,
         other: StarList | None = None) -> tuple[str, float] | None:
    """From what a frame's solution is, and how far off its middle then is, in pixels."""
    try:
        field = find_field(search(found, known, other), Stages())
    except StageError:
        return None
    ra, dec = field.wcs.to_sky([512.0], [512.0])
    x, y = TRUTH.to_pixel(ra, dec)
    return field.astrometry_from, float(np.hypot(x - 512.0, y - 512.0)[0])


@pytest.mark.parametrize("seed", range(5))
def test_few_stars_are_placed_on_another_frame_of_the_drawn(seed: int) -> None:
    x, y = drawn(seed, 60)
    rays = drawn(seed + 100, 3)
    mine = detections(np.append(x[:7], rays[0]), np.append(y[:7], rays[1]))
    how, off = find(mine, other=reference(x, y, 40.0)) or ("", math.nan)
    assert how == "frame"
    assert off < 0.1


@pytest.mark.parametrize("seed", range(20))
def test_stars_of_another_field_are_placed_on_nothing(seed: int) -> None:
    mine = detections(*drawn(seed, 12))
    assert find(mine, other=reference(*drawn(seed + 500, 60), 40.0)) is None
    assert find(mine, catalogue(*drawn(seed + 900, 7))) is None


def test_four_stars_are_too_few_for_another_frame() -> None:
    x, y = drawn(1, 60)
    assert find(detections(x[:4], y[:4]), other=reference(x, y, 40.0)) is None


@pytest.mark.parametrize("seed", range(5))
def test_stars_of_the_catalogue_place_a_frame(seed: int) -> None:
    x, y = drawn(seed, 12)
    how, off = find(detections(x, y), catalogue(x[:6], y[:6])) or ("", math.nan)
    assert how == "catalogue"
    assert off < 0.2


def test_a_calibrator_that_should_be_seen_and_is_not_belies_the_place() -> None:
    x, y = drawn(3, 12)
    known = catalogue(np.append(x[:4], [200.0, 700.0, 800.0]),
                      np.append(y[:4], [800.0, 300.0, 120.0]))
    assert find(detections(x, y), known) is None


def test_another_frame_is_preferred_to_the_catalogue() -> None:
    x, y = drawn(4, 30)
    how, _ = find(detections(x, y), catalogue(x[:6], y[:6]), reference(x, y, 12.0)) or ("", 0.0)
    assert how == "frame"


def test_the_rungs_stand_in_the_order_in_which_they_are_tried() -> None:
    assert [rung.name for rung in RUNGS] == ["index", "frame", "catalogue", "quads", "pair"]
    assert {rung.name for rung in RUNGS} == set(AstrometryFrom)


def test_the_error_names_every_rung_that_failed_and_why() -> None:
    with pytest.raises(StageError, match=r"none of \d attempts .* with the sky") as caught:
        find_field(search(detections(*drawn(1, 12))), Stages())
    assert caught.value.stage == "solve"
    assert [part.split(":")[0] for part in str(caught.value).split("; ")] == [
        "index", "frame", "catalogue"]
    assert "frame: there is no solved frame of this field" in str(caught.value)
    assert "catalogue: no source of the catalogue is 'T'" in str(caught.value)


def test_a_field_whose_brightest_stars_stand_together_is_solved_by_those_evenly_spread() -> None:
    """A cluster in a corner: the index knows quads of its size only over the whole frame."""
    rng = np.random.default_rng(5)
    x = np.concatenate([rng.uniform(30, 200, 60), rng.uniform(30, 990, 30)])
    y = np.concatenate([rng.uniform(30, 200, 60), rng.uniform(30, 990, 30)])

    def is_spread(stars: Floats) -> bool:
        return bool(stars.std(axis=0).min() > 200.0)

    solver = Solver(is_spread)
    field = find_field(search(detections(x, y), solver=solver, most=40,
                             image=np.zeros(FACTS.shape, np.float32)), Stages())
    assert field.astrometry_from == "index"
    assert solver.asked <= 5  # slices of two lists


NAME = "S5 0716+714"
SUBFRAME = replace(FACTS, object="S5-0716+714", beams=2, subframe=True, binning=2,
                   shape=(896, 1120), mode="polarimetry", polariser_deg=0.0)


@pytest.mark.parametrize("said", ["S5 0716+714", "S5-0716+714", "s5_0716+714", "S50716+714"])
def test_the_pair_in_the_middle_of_a_subframe_is_the_source_that_the_header_names(
        said: str) -> None:
    """However the observer writes it; the header has no pointing."""
    known = Catalogue(version=1, sources=(
        Source(name="Other", ra_deg=10.0, dec_deg=0.0, kind=SourceKind.TARGET),
        Source(name=NAME, ra_deg=110.47, dec_deg=71.34, kind=SourceKind.TARGET)))
    pair = detections(np.array([455.0, 664.0]), np.array([460.0, 447.0]))
    field = find_field(search(pair, known, facts=replace(SUBFRAME, object=said)), Stages())
    assert field.astrometry_from == "pair"
    x, y = field.wcs.to_pixel([110.47], [71.34])
    assert (float(x[0]), float(y[0])) == pytest.approx((664.0, 447.0), abs=1e-6)
    assert field.offset == (-209.0, 13.0)


def test_a_subframe_of_few_pairs_without_a_known_source_is_refused() -> None:
    pair = detections(np.array([455.0, 664.0]), np.array([460.0, 447.0]))
    with pytest.raises(StageError, match="no source of the catalogue is 'S5-0716"):
        find_field(search(pair, facts=SUBFRAME), Stages())


def test_a_subframe_of_several_pairs_waits_for_a_solved_frame_of_the_whole_field() -> None:
    x = np.array([455.0, 664.0, 300.0, 509.0, 600.0, 809.0])
    y = np.array([460.0, 447.0, 200.0, 187.0, 700.0, 687.0])
    flux = np.array([9.0, 9.0, 6.0, 6.0, 2.0, 2.0]) * 1e4
    found = replace(detections(x, y), flux=flux)
    with pytest.raises(StageError, match="waits for a solved frame") as caught:
        find_field(search(found, facts=SUBFRAME), Stages())
    assert caught.value.stage == "reference"


def test_a_star_without_its_second_image_is_no_pair() -> None:
    with pytest.raises(StageError, match="no star with both its images among 1") as caught:
        find_field(search(detections(np.array([400.0]), np.array([400.0])), facts=SUBFRAME),
                   Stages())
    assert caught.value.stage == "pairs"


def test_a_pair_off_the_middle_is_placed_on_the_whole_frame_of_the_night() -> None:
    """The middle of the pair lies 31 arcsec from the frame's; by itself it could not be told."""
    dipol = next(i for i in find_instruments() if i.name == "DIPOL")
    known = Catalogue(version=1, sources=(
        Source(name=NAME, ra_deg=110.47, dec_deg=71.34, kind=SourceKind.TARGET),))
    x, y = np.array([455.0, 664.0]) + 231.0, np.array([460.0, 447.0])
    found = replace(detections(x, y), flux=np.array([9000.0, 9400.0]))
    facts = replace(SUBFRAME, origin=(1400, 1000))
    step = 0.134 / 3600.0
    wcs = Wcs(ra0=110.47, dec0=71.34, x0=664.0 + 231.0 + 1400.0 + 20.0, y0=447.0 + 1000.0 - 7.0,
              cd=((-step, 0.0), (0.0, step)))
    whole = StarList(frame=1, x=(*(x + 1420.0), 300.0, 91.0), y=(*(y + 993.0), 400.0, 413.0),
                     flux=(4500.0, 4700.0, 9e4, 9e4), wcs=wcs.cards())
    alone = replace(search(found, known, facts=facts), instrument=dipol)
    with pytest.raises(StageError, match="31 arcsec") as caught:
        find_field(alone, Stages())
    assert caught.value.stage == "reference"  # it waits for a whole frame
    field = find_field(replace(alone, reference=whole), Stages())
    assert field.astrometry_from == "pair"
    px, py = field.wcs.to_pixel([110.47], [71.34])
    assert (float(px[0]), float(py[0])) == pytest.approx((664.0 + 231.0, 447.0), abs=0.1)
    assert not quality(field.refined, fwhm=10.0)  # the target is where the whole frame has it


def test_an_accidental_pair_beside_the_target_s_does_not_keep_it_from_its_place() -> None:
    dipol = next(i for i in find_instruments() if i.name == "DIPOL")
    known = Catalogue(version=1, sources=(
        Source(name=NAME, ra_deg=110.47, dec_deg=71.34, kind=SourceKind.TARGET),))
    x, y = np.array([455.0, 664.0, 300.0, 509.0]), np.array([460.0, 447.0, 200.0, 187.0])
    found = replace(detections(x, y), flux=np.array([9000.0, 9400.0, 500.0, 520.0]))
    step = 0.134 / 3600.0
    wcs = Wcs(ra0=110.47, dec0=71.34, x0=664.0 + 1402.0, y0=447.0 + 1003.0,
              cd=((-step, 0.0), (0.0, step)))
    whole = StarList(frame=1, x=tuple(x[:2] + 1402.0), y=tuple(y[:2] + 1003.0),
                     flux=(4500.0, 4700.0), wcs=wcs.cards())
    made = search(found, known, facts=replace(SUBFRAME, origin=(1400, 1000)))
    field = find_field(replace(made, instrument=dipol, reference=whole), Stages())
    assert field.refined.n_matched == 2
    assert not quality(field.refined, fwhm=10.0)
    px, py = field.wcs.to_pixel([110.47], [71.34])
    assert (float(px[0]), float(py[0])) == pytest.approx((664.0, 447.0), abs=0.1)


def test_a_pair_that_nothing_confirms_is_a_poor_solution() -> None:
    """In the middle of a frame of its own, or of another star than the target."""
    dipol = next(i for i in find_instruments() if i.name == "DIPOL")
    known = Catalogue(version=1, sources=(
        Source(name=NAME, ra_deg=110.47, dec_deg=71.34, kind=SourceKind.TARGET),))
    x, y = np.array([455.0, 664.0]), np.array([460.0, 447.0])
    found = replace(detections(x, y), flux=np.array([9000.0, 9400.0]))
    alone = replace(search(found, known, facts=replace(SUBFRAME, origin=(1400, 1000))),
                    instrument=dipol)
    unsure = Flag.POOR_WCS | Flag.PLACE_UNCONFIRMED
    assert quality(find_field(alone, Stages()).refined, fwhm=10.0) == unsure
    assert NEVER_ALERTS & unsure
    step = 0.134 / 3600.0
    wcs = Wcs(ra0=110.47, dec0=71.34, x0=1400.0 + 500.0, y0=1000.0 + 200.0,
              cd=((-step, 0.0), (0.0, step)))
    whole = StarList(frame=1, x=tuple(x + 1400.0), y=tuple(y + 1000.0), flux=(4500.0, 4700.0),
                     wcs=wcs.cards())
    field = find_field(replace(alone, reference=whole), Stages())
    px, _ = field.wcs.to_pixel([110.47], [71.34])
    assert float(px[0]) == pytest.approx(500.0, abs=0.1)
    assert quality(field.refined, fwhm=10.0) == unsure
    elsewhere = replace(whole, x=tuple(x + 1400.0 + 900.0), y=tuple(y + 1000.0))
    field = find_field(replace(alone, reference=elsewhere), Stages())  # it fits nowhere there
    px, _ = field.wcs.to_pixel([110.47], [71.34])
    assert float(px[0]) == pytest.approx(664.0, abs=0.1)
    assert quality(field.refined, fwhm=10.0) == unsure


def test_a_calibrator_at_its_place_confirms_a_pair_in_the_middle() -> None:
    """Its place by the camera's angle, which is known to two degrees."""
    dipol = next(i for i in find_instruments() if i.name == "DIPOL")
    x, y = np.array([455.0, 664.0, 255.0, 464.0]), np.array([460.0, 447.0, 710.0, 697.0])
    found = replace(detections(x, y), flux=np.array([9000.0, 9400.0, 5000.0, 5200.0]))
    target = Source(name=NAME, ra_deg=110.47, dec_deg=71.34, kind=SourceKind.TARGET)
    made = replace(search(found, facts=SUBFRAME), instrument=dipol)
    step = dipol.pixel_arcsec(SUBFRAME.binning) / 3600.0
    angle = math.radians(dipol.sky_angle_deg[0] + 1.0)  # type: ignore[index]
    wcs = Wcs(ra0=110.47, dec0=71.34, x0=664.0, y0=447.0, cd=(
        (-step * math.cos(angle), step * math.sin(angle)),
        (step * math.sin(angle), step * math.cos(angle))))
    for at_x, at_y, confirmed in ((464.0, 697.0, True), (464.0, 820.0, False)):
        ra, dec = wcs.to_sky(np.array([at_x]), np.array([at_y]))
        star = Source(name="C1", ra_deg=float(ra[0]), dec_deg=float(dec[0]),
                      kind=SourceKind.CALIBRATOR, calibrates=(NAME,),
                      magnitudes={"R": (13.0, 0.01)})
        brighter = replace(star, name="C2", ra_deg=110.47, magnitudes={"R": (11.0, 0.01)},
                          dec_deg=70.0)  # so that a missing C1 is no reason to refuse
        field = find_field(replace(made, catalogue=Catalogue(
            version=1, sources=(target, star, brighter))), Stages())
        flags = quality(field.refined, fwhm=10.0)
        assert bool(flags & Flag.PLACE_UNCONFIRMED) is not confirmed


def test_a_rich_field_s_own_offset_is_found_where_the_known_one_gives_accidents() -> None:
    """An old fault: three accidents among 242 detections, and "3 stars detected"."""
    cafos = next(i for i in find_instruments() if i.name == "CAFOS")
    rng = np.random.default_rng(5)
    x, y = rng.uniform(60.0, 960.0, (2, 121))
    x, y = np.concatenate([x, x - 0.9]), np.concatenate([y, y + 38.5])
    flux = np.tile(10 ** rng.uniform(3.0, 5.0, 121), 2)
    beams = match_beams(replace(detections(x, y), flux=flux), replace(
        FACTS, beams=2, mode="polarimetry"), cafos)
    assert len(beams.pairs) > 110
    assert beams.pairs.offset == pytest.approx((-0.9, 38.5), abs=0.1)


class ScaleSolver(Solver):
    """Knows the field, at its true scale alone."""

    def solve(self, stars: list[list[float]], size: object = None, *_: object) -> Solver:
        low, high = size.lower_arcsec_per_pixel, size.upper_arcsec_per_pixel  # type: ignore[attr-defined]
        self.accepts = lambda _: low <= SCALE <= high
        return super().solve(stars)


@pytest.mark.parametrize(("times", "said"), [
    (0.5, "the brightest stars match at 0.774 arcsec per pixel, where the instrument says 0.387: "
          "its scale or the binning is wrong"),
    (3.0, "the brightest stars match at 0.774 arcsec per pixel, where the instrument says 2.322"),
    (0.15, "the brightest stars match at 0.774 arcsec per pixel, where the instrument says 0.116"),
    (9.0, "")])
def test_a_wrong_scale_is_told_by_the_one_that_matches(times: float, said: str) -> None:
    made = search(detections(*drawn(3, 30)), solver=ScaleSolver())
    made = replace(made, instrument=replace(made.instrument, scale_arcsec=times * SCALE))
    with pytest.raises(StageError) as refused:
        find_field(made, Stages())
    assert said in str(refused.value)
    assert ("brightest stars match" in str(refused.value)) == bool(said)
    assert refused.value.stage == UNSOLVED


def test_the_scale_of_a_binned_frame_is_told_as_the_site_file_wants_it() -> None:
    made = search(detections(*drawn(3, 30)), solver=ScaleSolver())
    for binning, said in ((1, "binning is wrong"),
                          (2, "binning is wrong; if the binning is 2, pixel_scale = 0.387")):
        binned = replace(made, facts=replace(made.facts, binning=binning),
                         instrument=replace(made.instrument, scale_arcsec=2.0 / binning))
        with pytest.raises(StageError) as refused:
            find_field(binned, Stages())
        assert str(refused.value).endswith(said)


def test_stars_that_match_at_no_scale_say_nothing_of_it() -> None:
    with pytest.raises(StageError) as refused:
        find_field(search(detections(*drawn(3, 30))), Stages())
    assert "brightest stars match" not in str(refused.value)
