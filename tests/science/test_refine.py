"""The refined projection: a few hundredths of a pixel, whatever the start and the seeing."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from iop4d.science import refine as module
from iop4d.science.refine import recentred, refine
from iop4d.science.solve import slices
from iop4d.science.tan import Wcs

SHAPE = (1000, 1000)
TRUE = Wcs(ra0=330.7, dec0=42.3, x0=499.5, y0=499.5, cd=((-2.15e-4, 3e-6), (3e-6, 2.15e-4)))
CORNERS = (np.array([0.0, 999.0, 0.0, 999.0, 500.0]), np.array([0.0, 0.0, 999.0, 999.0, 500.0]))


def stretched(scale: float) -> Wcs:
    """A start that a small quad near the middle gave: right there, wrong in the corners."""
    cd = tuple(tuple(scale * value for value in row) for row in TRUE.cd)
    return dataclasses.replace(TRUE, cd=cd, x0=TRUE.x0 + 0.4)


def case(n: int, *, truth: Wcs = TRUE, noise: float = 0.03, strangers: int = 0, seed: int = 1):
    rng = np.random.default_rng(seed)
    x, y = rng.uniform(5, 995, (2, n))
    ra, dec = truth.to_sky(x, y)
    extra = rng.uniform(5, 995, (2, strangers))
    seen = np.concatenate([np.array([x, y]) + rng.normal(0.0, noise, (2, n)), extra], axis=1)
    return {"x": seen[0], "y": seen[1], "noise": np.full(n + strangers, noise), "ra": ra,
            "dec": dec, "shape": SHAPE}


def worst(found: Wcs, truth: Wcs = TRUE) -> float:
    x, y = found.to_pixel(*truth.to_sky(*CORNERS))
    return float(np.hypot(x - CORNERS[0], y - CORNERS[1]).max())


@pytest.mark.parametrize(("n", "limit"), [(6, 0.15), (12, 0.1), (40, 0.05), (300, 0.03)])
@pytest.mark.parametrize("fwhm", [2.0, 10.0])
def test_a_linear_fit_finds_the_truth(n: int, limit: float, fwhm: float) -> None:
    found = refine(stretched(1.005), **case(n, strangers=n), fwhm=fwhm)
    assert worst(found.wcs) < limit
    assert found.n_matched >= 0.9 * n
    assert not found.wcs.sip_a
    assert found.rms_px == pytest.approx(0.03, rel=0.4)


def test_a_bright_star_that_is_another_one_moves_nothing() -> None:
    given = case(17)
    given["x"][0] += 2.9
    given["noise"][1:] = 0.1
    assert worst(refine(stretched(1.0), **given, fwhm=10.0).wcs) < 0.2


def test_a_distortion_is_found_where_there_is_one() -> None:
    truth = dataclasses.replace(TRUE, sip_a={(3, 0): 2e-8, (1, 2): 2e-8},
                                sip_b={(2, 1): 2e-8, (0, 3): 2e-8})
    found = refine(TRUE, **case(60, truth=truth), fwhm=2.5)
    assert found.wcs.sip_a
    x, y = found.wcs.to_pixel(*truth.to_sky(*(0.8 * (c - 499.5) + 499.5 for c in CORNERS)))
    assert np.hypot(x - (0.8 * (CORNERS[0] - 499.5) + 499.5),
                    y - (0.8 * (CORNERS[1] - 499.5) + 499.5)).max() < 0.1


@pytest.mark.parametrize("seed", range(20))
def test_noise_is_no_distortion(seed: int) -> None:
    assert not refine(TRUE, **case(40, seed=seed), fwhm=3.0).wcs.sip_a


@pytest.mark.parametrize("distortion", [0.0, 2e-8])
def test_a_third_fit_of_the_same_pairs_is_left_out(monkeypatch: pytest.MonkeyPatch,
                                                   distortion: float) -> None:
    truth = dataclasses.replace(TRUE, sip_a={(3, 0): distortion, (1, 2): distortion},
                                sip_b={(2, 1): distortion, (0, 3): distortion})
    given = case(60, truth=truth, strangers=60)
    fits, fit = [], module._fit
    monkeypatch.setattr(module, "_fit", lambda *words: fits.append(fit(*words)) or fits[-1])
    found = refine(stretched(1.0005), **given, fwhm=2.5)
    fewer = len(fits)
    assert fewer <= (7 if distortion else 5)
    monkeypatch.setattr(module._Pairs, "are_those_of", lambda *_: False)
    every = refine(stretched(1.0005), **given, fwhm=2.5)
    assert len(fits) == fewer + 8
    assert bool(found.wcs.sip_a) == (distortion > 0)
    assert worst(found.wcs, every.wcs) < 1e-8
    assert found.rms_px == pytest.approx(every.rms_px, rel=1e-9)
    assert found.detection.tolist() == every.detection.tolist()


def test_too_few_stars_leave_the_start() -> None:
    found = refine(TRUE, **case(3), fwhm=3.0)
    assert found.n_matched == 0
    assert worst(found.wcs) < 1e-6


def test_no_stars_at_all() -> None:
    assert refine(TRUE, **case(0), fwhm=3.0).wcs == TRUE


def test_recentring_changes_no_place() -> None:
    off = dataclasses.replace(TRUE, x0=120.0, y0=800.0)
    moved = recentred(off, SHAPE)
    assert (moved.x0, moved.y0) == (499.5, 499.5)
    assert worst(moved, off) < 0.02


def test_every_star_is_in_one_slice() -> None:
    for n in (4, 12, 13, 60, 75, 100):
        parts = slices(n)
        assert [first for first, _ in parts[1:]] == [last for _, last in parts[:-1]]
        assert (parts[0][0], parts[-1][1]) == (0, n)
        assert all(last - first <= 12 for first, last in parts)
