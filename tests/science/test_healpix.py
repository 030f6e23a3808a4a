"""Tiles of the sky in astrometry.net's numbering: its own program's word, and circles."""

from __future__ import annotations

import re
import shutil
import subprocess

import numpy as np
import pytest

from iop4d.science.healpix import all_tiles, tile_of, tiles_within

#: Centres of the tiles 0 to 47 at nside 2, as astrometry.net's get-healpix prints them: rows of
#: each base pixel from its southern corner.
NORTH = [(45, 19.471221), (22.5, 41.810315), (67.5, 41.810315), (45, 66.443536)]
BELT = [(0, -19.471221), (337.5, 0), (22.5, 0), (0, 19.471221)]
SOUTH = [(45, -66.443536), (22.5, -41.810315), (67.5, -41.810315), (45, -19.471221)]
CENTRES = [((ra + 90.0 * turn) % 360.0, dec) for part in (NORTH, BELT, SOUTH)
           for turn in range(4) for ra, dec in part]


def test_the_centres_of_the_48_tiles() -> None:
    ra, dec = np.array(CENTRES).T
    assert tile_of(ra, dec, 2).tolist() == list(all_tiles(2)) == list(range(48))


@pytest.mark.parametrize(("ra", "dec", "base", "tile"), [
    (330.68, 42.28, 3, 14), (10.0, 89.0, 0, 3), (359.99, -0.01, 4, 16), (187.28, 2.05, 6, 26),
    (83.0, -89.0, 8, 32), (0.0, 0.0, 4, 19), (179.9999, 66.0, 1, 6),
    (253.47, 39.76, 2, 10)])
def test_places_by_astrometry_nets_word(ra: float, dec: float, base: int, tile: int) -> None:
    assert int(tile_of(ra, dec, 1)) == base
    assert int(tile_of(ra, dec, 2)) == tile
    assert int(tile_of(ra + 360.0, dec, 2)) == tile


@pytest.mark.skipif(shutil.which("get-healpix") is None, reason="astrometry.net is not installed")
def test_random_places_against_the_program_itself() -> None:
    rng = np.random.default_rng(8)
    ra, dec = rng.uniform(0, 360, 40), np.degrees(np.arcsin(rng.uniform(-1, 1, 40)))
    for nside in (1, 2, 16):
        for a, d, tile in zip(ra, dec, tile_of(ra, dec, nside), strict=True):
            ran = subprocess.run(["get-healpix", "-N", str(nside), "--", f"{a:.9f}", f"{d:.9f}"],
                                 capture_output=True, text=True, check=True)
            found = re.search(r"Healpix=(\d+)", ran.stdout)
            assert found is not None
            assert int(found.group(1)) == tile


def test_tiles_have_equal_areas() -> None:
    rng = np.random.default_rng(9)
    ra, dec = rng.uniform(0, 360, 96000), np.degrees(np.arcsin(rng.uniform(-1, 1, 96000)))
    counts = np.bincount(tile_of(ra, dec, 2), minlength=48)
    assert counts.size == 48
    assert np.abs(counts - 2000).max() < 5 * np.sqrt(2000)


def test_a_circle_inside_a_tile_touches_that_one_alone() -> None:
    for tile, (ra, dec) in enumerate(CENTRES):
        assert tiles_within(ra, dec, 3.0, 2) == (tile,)


def test_a_circle_on_a_border_touches_both_sides() -> None:
    assert tiles_within(0.0, 50.0, 0.3, 1) == (0, 3)
    assert tiles_within(0.2, 50.0, 0.3, 1) == (0, 3)
    assert tiles_within(0.6, 50.0, 0.3, 1) == (0,)
    assert tiles_within(123.0, 90.0, 1.0, 1) == (0, 1, 2, 3)
    assert len(tiles_within(45.0, 41.810315, 0.5, 2)) == 4
