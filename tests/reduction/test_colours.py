"""Colour terms in the calibration: stars of known colours seen by a band of its own."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from iop4d.instruments.dipol import INSTRUMENT as DIPOL
from iop4d.instruments.telescopes import T090
from iop4d.model.colours import ColourTerm, PhotometricSystem, colour_of
from iop4d.model.flags import Flag
from iop4d.model.result import ResultValue
from iop4d.model.source import Catalogue, Source
from iop4d.reduction.calibrate import calibrate
from tests.reduction.calibrators import TARGET, frame, seen, star

TERM = 0.08
KNOWN = PhotometricSystem(terms=(ColourTerm(band="R", colour="B-V", term=TERM, term_err=0.01),))


def coloured(name: str, mag: float, colour: float, err: float = 0.01) -> Source:
    return replace(star(name, mag, err), magnitudes={
        "R": (mag, err), "V": (mag, 0.005), "B": (mag + colour, 0.005)})


def result(colours: list[float], own: float, *, known: bool = True,
           system: PhotometricSystem = KNOWN, noise: list[float] | None = None) -> ResultValue:
    """The target of R = 13.5 and a colour among such stars, by a camera with the term."""
    noise = noise or [0.0] * len(colours)
    stars = [coloured(f"S{i}", 13.0 + 0.1 * i + off, c)
             for i, (c, off) in enumerate(zip(colours, noise, strict=True))]
    target = replace(TARGET, colours={"B-V": (own, 0.02)}) if known else TARGET
    measured = [seen("T", 13.5 - 20.0 - TERM * own),
                *(seen(s.name, 13.0 + 0.1 * i - 20.0 - TERM * c)
                  for i, (s, c) in enumerate(zip(stars, colours, strict=True)))]
    return calibrate(target, [frame(*measured)], telescope=T090, system=system,
                     catalogue=Catalogue(version=1, sources=(target, *stars)))[0]


WIDE = [0.3, 0.5, 0.8, 1.1, 1.5]


@pytest.mark.parametrize("own", [0.2, 0.8, 1.6])
def test_with_term_and_colour_known_the_magnitude_is_right_for_every_colour(own: float) -> None:
    found = result(WIDE, own)
    assert found.mag == pytest.approx(13.5, abs=1e-6)
    assert (found.colour, found.colour_term, found.colour_term_err) == (own, TERM, 0.01)
    assert all(abs(use.residual) < 1e-6 for use in found.calibrators)
    # The term's error acts over the colours between source and stars, the colour's by the term.
    more = math.hypot(0.01 * (own - 0.8), TERM * 0.02)
    alone = result(WIDE, 0.8).mag_err_common**2 - (TERM * 0.02) ** 2
    assert found.mag_err_common == pytest.approx(math.sqrt(alone + more**2), rel=1e-6)


def test_of_an_unknown_colour_the_spread_of_colours_is_a_common_error() -> None:
    found = result(WIDE, 1.15, known=False)
    assert found.mag == pytest.approx(13.5 - TERM * 0.35, abs=1e-6)  # as for the median star, 0.8
    assert math.isnan(found.colour)
    assert found.colour_term == TERM
    assert found.mag_err_common > TERM * 0.35
    assert found.mag_err == pytest.approx(result(WIDE, 0.8).mag_err)


def test_a_star_of_unknown_colour_counts_less_but_without_bias() -> None:
    bare = replace(coloured("S4", 13.4, 0.0), magnitudes={"R": (13.4, 0.01)})
    stars = [coloured(f"S{i}", 13.0 + 0.1 * i, c) for i, c in enumerate(WIDE[:4])]
    target = replace(TARGET, colours={"B-V": (0.5, 0.02)})
    measured = [seen("T", -6.5 - TERM * 0.5), seen("S4", -6.6 - TERM * 0.5),
                *(seen(s.name, -7.0 + 0.1 * i - TERM * c)
                  for i, (s, c) in enumerate(zip(stars, WIDE[:4], strict=True)))]
    found = calibrate(target, [frame(*measured)], telescope=T090, system=KNOWN,
                      catalogue=Catalogue(version=1, sources=(target, *stars, bare)))[0]
    weights = {use.source: use.weight for use in found.calibrators}
    assert found.mag == pytest.approx(13.5, abs=1e-3)
    assert weights["S4"] < 0.3 * weights["S0"]


def test_a_calibrator_of_an_uncertain_colour_counts_less() -> None:
    """0.08 mag a magnitude of an error of 0.5 is 0.04, against 0.01 of the catalogue."""
    unsure = replace(coloured("S4", 13.4, 1.5), colours={"B-V": (1.5, 0.5)})
    stars = [coloured(f"S{i}", 13.0 + 0.1 * i, c) for i, c in enumerate(WIDE[:4])]
    measured = [seen("T", -6.5), *(seen(s.name, -7.0 + 0.1 * i - TERM * c) for i, (s, c) in
                                   enumerate(zip((*stars, unsure), WIDE, strict=True)))]
    target = replace(TARGET, colours={"B-V": (0.5, 0.02)})
    found = calibrate(target, [frame(*measured)], telescope=T090, system=KNOWN,
                      catalogue=Catalogue(version=1, sources=(target, *stars, unsure)))[0]
    weights = {use.source: use.weight for use in found.calibrators}
    # 0.01^2 / (0.01^2 + 0.04^2), and less by what the others' colours and fluxes add to both.
    assert weights["S4"] == pytest.approx(weights["S0"] / 17.0, rel=0.2)


def test_dates_decide_which_term_holds() -> None:
    old = ColourTerm(band="R", colour="B-V", term=0.5, term_err=0.0, until_jd=2459831.0)
    other = ColourTerm(band="V", colour="B-V", term=0.5, term_err=0.0)
    system = PhotometricSystem(terms=(*KNOWN.terms, old, other))
    assert result(WIDE, 0.2, system=system).mag == pytest.approx(13.5, abs=1e-6)
    assert system.term_at("R", 2459830.0) == old
    assert system.term_at("I", 2459830.0) is None


def test_stars_scatter_as_their_stated_errors_say_whether_the_term_is_known_or_not() -> None:
    """A camera of a term of 0.08 and stars of B-V 0.3 to 1.5, each in turn the target.

    Real stars scattered by 0.027 mag at stated errors of 0.012. The catalogue is wrong by 0.01.
    """
    rng = np.random.default_rng(3)
    pulls: dict[str, list[float]] = {"unknown": [], "term": [], "both": []}
    for _ in range(50):
        colours = rng.uniform(0.3, 1.5, 9).tolist()
        own, noise = float(rng.uniform(0.3, 1.5)), rng.normal(0.0, 0.01, 9).tolist()
        for name, known, system in (("unknown", False, PhotometricSystem()),
                                    ("term", False, KNOWN), ("both", True, KNOWN)):
            found = result(colours, own, known=known, system=system, noise=noise)
            pulls[name].append((found.mag - 13.5) / math.hypot(found.mag_err,
                                                              found.mag_err_common))
    rms = {name: float(np.sqrt(np.mean(np.square(some)))) for name, some in pulls.items()}
    assert rms["term"] == pytest.approx(1.0, abs=0.25)
    assert rms["both"] < 1.2
    assert rms["unknown"] == pytest.approx(1.0, abs=0.3)


def test_scatter_of_the_stars_by_their_colours_enters_the_zero_point_s_error() -> None:
    none = PhotometricSystem()
    found = result(WIDE, 0.8, known=False, system=none)
    even = result([0.8] * 5, 0.8, system=none)
    # 0.08 times the stars' spread of 0.43, over the root of five, is 0.015 mag.
    assert even.mag_err_common < 0.006
    assert found.mag_err_common > 0.015
    assert math.isnan(found.colour_term)  # none is applied


@pytest.mark.parametrize("colours", [[0.8] * 5, [0.8, 0.2], [0.8]])
def test_of_an_unknown_colour_and_stars_that_show_no_slope_the_error_has_the_spread_of_colours(
        colours: list[float]) -> None:
    """Terms of 0.05 mag per mag, and colours that differ by 0.2 (V-R), are 0.01 mag."""
    near, unknown = (result(colours, float(np.median(colours)), known=known,
                            system=PhotometricSystem()) for known in (True, False))
    assert unknown.mag_err_common == pytest.approx(math.hypot(near.mag_err_common, 0.01), rel=0.05)
    assert unknown.mag_err == near.mag_err


def test_stars_without_colours_leave_the_term_s_effect_in_the_common_error() -> None:
    stars = [star(f"S{i}", 13.0 + 0.1 * i, 0.001) for i in range(6)]
    measured = [seen("T", -6.5), *(seen(s.name, -7.0 + 0.1 * i) for i, s in enumerate(stars))]
    for target in (TARGET, replace(TARGET, colours={"B-V": (0.2, 0.02)})):
        found = calibrate(target, [frame(*measured)], telescope=T090, system=PhotometricSystem(),
                          catalogue=Catalogue(version=1, sources=(target, *stars)))[0]
        assert found.mag_err_common > 0.0095


def test_noise_of_stars_of_alike_colours_is_no_term_of_a_source_of_a_far_one() -> None:
    """Among colours of 0.6 to 0.75 an error of 0.01 mag makes slopes of some 0.08 mag per mag."""
    rng, colours = np.random.default_rng(11), [0.6, 0.63, 0.66, 0.69, 0.72, 0.75]
    without = -TERM * np.array(colours)
    common = [result(colours, -0.6, system=PhotometricSystem(),
                     noise=(without + rng.normal(0.0, 0.01, 6)).tolist()).mag_err_common
              for _ in range(30)]
    assert np.median(common) < 1.25 * 0.05  # as without any star
    assert max(common) < 0.1


@pytest.mark.parametrize("colours", [[0.8] * 5, [0.8, 0.2], [0.8]])
def test_of_stars_that_show_no_slope_any_plausible_term_enters_the_error(
        colours: list[float]) -> None:
    near, far = (result(colours, float(np.median(colours)) + away, system=PhotometricSystem())
                 for away in (0.0, 1.2))
    assert far.mag_err_common == pytest.approx(math.hypot(near.mag_err_common, 0.05 * 1.2))


@pytest.mark.parametrize("own", [-0.3, 2.0])
def test_a_term_that_the_stars_show_enters_the_error_of_a_source_of_a_far_colour(
        own: float) -> None:
    """Five stars of errors of 0.01 mag show a slope of 0.08 to 0.011 mag per mag."""
    found = result(WIDE, own, system=PhotometricSystem())
    part = 0.05**2 / (0.05**2 + 0.011**2)
    assert found.mag_err_common == pytest.approx(part * TERM * abs(own - 0.8), rel=0.05)


def test_an_instrument_s_own_band_is_told_until_its_term_is_known() -> None:
    own = PhotometricSystem(own_bands={"R": 0.05})
    found = result([0.8] * 5, 0.8, system=own)
    assert found.flags & Flag.OWN_BAND
    assert found.mag_err_common > 0.05
    assert found.zero_point_err > 0.05
    assert found.mag_err < 0.01
    known = result([0.8] * 5, 0.8, system=replace(own, terms=KNOWN.terms))
    assert not known.flags & Flag.OWN_BAND
    assert known.mag_err_common < 0.01


def test_dipol_s_bands_are_its_own() -> None:
    assert set(DIPOL.system.own_bands) == {"R", "V", "B"}


def test_a_colour_is_the_one_given_or_that_of_the_magnitudes() -> None:
    one = replace(TARGET, magnitudes={"B": (15.0, 0.03), "V": (14.2, 0.04)})
    assert colour_of(one, "B-V") == (pytest.approx(0.8), pytest.approx(0.05))
    given = replace(one, colours={"B-V": (0.6, math.nan)})
    assert colour_of(given, "B-V") == (0.6, 0.03)
    assert math.isnan(colour_of(one, "V-R")[0])
