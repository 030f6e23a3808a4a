"""Colours: of which points, and their value."""

from __future__ import annotations

from pathlib import Path

import pytest

from iop4d.web.curves.colours import colours, pairs_of
from iop4d.web.curves.columns import series_of
from tests.web.curves.measured import SOURCE, database_of


def test_the_widest_colour_comes_first_and_the_bluer_band_stands_first() -> None:
    assert pairs_of(["R", "B", "I", "B"]) == ["B-I", "B-R", "R-I"]
    assert pairs_of(["R"]) == []


def test_a_colour_is_of_the_nearest_sound_points_in_time(tmp_path: Path) -> None:
    jd = 2461367.3
    points = [{"band": "B", "jd_mid": jd, "mag": 15.0, "mag_err": 0.03},
              {"band": "R", "jd_mid": jd + 0.004, "mag": 14.0, "mag_err": 0.04},
              {"band": "R", "jd_mid": jd - 0.001, "mag": 9.0, "human_flags": [{"name": "bad"}]},
              {"band": "R", "jd_mid": jd + 0.01, "mag": 13.0},
              {"band": "B", "jd_mid": jd + 0.5, "mag": 15.5},
              {"band": "B", "jd_mid": jd + 0.005, "telescope": "T090", "mag": 15.5}]
    with database_of(tmp_path, *points).read() as db:
        (found,) = colours(series_of(db, SOURCE, "mag", 0.0, 1e7), "B-R", 30.0)
    assert found.value.tolist() == [1.0]
    assert found.err.tolist() == pytest.approx([0.05])
    assert found.jd.tolist() == pytest.approx([jd + 0.002])
