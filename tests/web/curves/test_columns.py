"""The arrays of a light curve: the numbers of the results, as each quantity has them."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from iop4d.model import uncertainty
from iop4d.model.flags import Flag
from iop4d.store import curves
from iop4d.store.schema import Result
from iop4d.web.curves.columns import (
    BY_HAND,
    FLAGGED,
    PROVISIONAL,
    TOGETHER,
    Series,
    continued,
    series_of,
    unwrapped,
)
from tests.web.curves.measured import SOURCE, database_of, polarised


def series(path: Path, *points: dict[str, Any], quantity: str = "mag") -> list[Series]:
    with database_of(path, *points).read() as db:
        return series_of(db, SOURCE, quantity, 0.0, 1e7)


def test_bands_telescopes_and_cameras_are_apart_in_order_of_wavelength(tmp_path: Path) -> None:
    found = series(tmp_path, {"band": "R"}, {"band": "B"}, {"band": "R", "instrument": "DIPOL"})
    assert [(one.band, one.instrument, one.size) for one in found] == [
        ("B", "CAFOS", 1), ("R", "CAFOS", 1), ("R", "DIPOL", 1)]


def test_withdrawn_points_and_those_of_other_times_are_not_there(tmp_path: Path) -> None:
    with database_of(tmp_path, {}, {"withdrawn": True}, {"jd_mid": 2461400.0}).read() as db:
        (one,) = series_of(db, SOURCE, "mag", 2461367.0, 2461368.0)
    assert one.columns["id"].tolist() == [1]


def test_a_point_says_what_is_wrong_with_it(tmp_path: Path) -> None:
    (one,) = series(tmp_path, {}, {"flags": int(Flag.CLOUDS)}, {"provisional": True},
                    {"human_flags": [{"name": "bad"}]}, {"mode": "stack"})
    assert one.columns["state"].tolist() == [0, FLAGGED, PROVISIONAL, BY_HAND, TOGETHER]
    assert one.columns["sound_y"].tolist() == [True, True, True, False, False]


def test_each_quantity_has_its_own_value_and_error(tmp_path: Path) -> None:
    point = {"mag": 14.0, "mag_err": 0.01, "mag_err_common": 0.02, "extinction_mag": 0.88,
             "flux_mjy": 7.5, "flux_mjy_err": 0.07, "mag_nucleus": 14.5, "mag_nucleus_err": 0.016,
             "host_mjy": 2.8, "host_mjy_err": 0.1}
    values = {}
    for quantity in ("mag", "dereddened", "flux", "nucleus"):
        (tmp_path / quantity).mkdir()
        (one,) = series(tmp_path / quantity, point, quantity=quantity)
        values[quantity] = tuple(float(one.columns[name][0]) for name in ("y", "y_err", "y_common"))
    assert values["mag"] == (14.0, 0.01, 0.02)
    assert values["dereddened"] == pytest.approx((13.12, 0.01, 0.02))
    assert values["flux"] == pytest.approx((7.5, 0.07, 7.5 * 0.02 / 1.0857362))
    row = Result(**point)
    assert values["nucleus"] == pytest.approx((14.5, 0.016, math.hypot(
        uncertainty.nucleus_common(row), uncertainty.nucleus_host(row))))


def test_the_errors_of_a_polarisation_are_those_of_the_result(tmp_path: Path) -> None:
    point = polarised(70.0)
    (one,) = series(tmp_path, {}, point)
    row, columns = Result(**point), one.columns
    assert columns["p"].tolist() == pytest.approx([math.nan, 9.9], nan_ok=True)
    assert columns["p_common"][1] == pytest.approx(100 * uncertainty.p_common(row))
    assert columns["chi_common"][1] == pytest.approx(uncertainty.chi_common(row))


def test_p_is_without_bias_and_a_limit_has_no_other_number(tmp_path: Path) -> None:
    (one,) = series(tmp_path, polarised(70.0, p=0.01, p_limit=0.016, p_err=0.005),
                    {"mag": None, "mag_err": None, "mag_limit": 19.3})
    assert np.isnan(one.columns["p"]).all()
    assert np.isnan(one.columns["chi"]).all()
    assert one.columns["p_limit"][0] == pytest.approx(1.6)
    assert one.columns["y_limit"].tolist() == pytest.approx([math.nan, 19.3], nan_ok=True)


def test_a_rotation_goes_on_across_180_degrees_and_back(tmp_path: Path) -> None:
    angles = [160.0, 175.0, 10.0, 25.0, 5.0, 170.0]
    with database_of(tmp_path, *(polarised(chi) for chi in angles)).read() as db:
        (one,) = series_of(db, SOURCE, "mag", 0.0, 1e7)
        chain = continued(curves.sure_angles(db, SOURCE))
    assert unwrapped(one, chain).columns["chi"].tolist() == pytest.approx(
        [160.0, 175.0, 190.0, 205.0, 185.0, 170.0])


def test_noise_turns_no_angle(tmp_path: Path) -> None:
    """An angle of a weak p, and a flagged one, do not carry on; they stand beside the others."""
    points = [polarised(170.0), polarised(80.0, p=0.005),
              polarised(90.0, human_flags=[{"name": "x"}]), polarised(175.0)]
    with database_of(tmp_path, *points).read() as db:
        chain = continued(curves.sure_angles(db, SOURCE))
        (one,) = series_of(db, SOURCE, "mag", 0.0, 1e7)
    assert chain[1].tolist() == [170.0, 175.0]
    assert unwrapped(one, chain).columns["chi"][3] == 175.0
    assert abs(unwrapped(one, chain).columns["chi"][1] - 170.0) <= 90.0
