"""The means of nights in arrays are those that the summaries have."""

from __future__ import annotations

import math
import random
from pathlib import Path

import numpy as np
import pytest

from iop4d.alerts.summary.statistics import of_magnitudes, of_polarisation
from iop4d.store.schema import Result
from iop4d.web.curves import nightly
from iop4d.web.curves.columns import series_of
from iop4d.web.curves.nightly import nightly_means
from tests.web.curves.measured import SOURCE, database_of, polarised


def test_means_are_those_of_the_summary_of_the_night(tmp_path: Path) -> None:
    pick = random.Random(3)
    points = [polarised(pick.uniform(20.0, 60.0), p=pick.choice((0.004, 0.09)),
                        night=f"2026-11-2{number % 3}", mag=14.0 + pick.gauss(0, 0.05),
                        mag_err=pick.uniform(0.005, 0.03), mag_err_common=0.02,
                        human_flags=[{"name": "bad"}] if number % 7 == 6 else [])
              for number in range(40)]
    with database_of(tmp_path, *points).read() as db:
        (series,) = series_of(db, SOURCE, "mag", 0.0, 1e7)
        rows = list(db.select(Result).order_by(Result.jd_mid))
    means = nightly_means(series).columns
    assert len(means["jd"]) == 3
    for at, night in enumerate(("2026-11-20", "2026-11-21", "2026-11-22")):
        mine = [row for row in rows if row.night == night]
        mags, pol = of_magnitudes(mine), of_polarisation(mine)
        assert mags is not None
        assert pol is not None
        assert means["n"][at] == mags.n < len(mine)
        for name, value in (("y", mags.mag), ("y_err", mags.err), ("y_common", mags.common),
                            ("q", 100 * pol.q), ("u", 100 * pol.u), ("p_err", 100 * pol.p_err),
                            ("q_err", 100 * pol.q_err), ("chi_err", pol.chi_err),
                            ("chi_common", pol.chi_common)):
            assert means[name][at] == pytest.approx(value, rel=1e-9), name
        assert means["p_limit"][at] == pytest.approx(100 * pol.limit, nan_ok=True)
        if np.isnan(pol.limit):
            assert means["p"][at] == pytest.approx(100 * pol.p)
            assert means["chi"][at] == pytest.approx(pol.chi_deg)


def test_a_flag_by_hand_changes_the_mean_of_its_night(tmp_path: Path) -> None:
    for name, marks in (("before", []), ("after", [{"name": "bad"}])):
        (tmp_path / name).mkdir()
        with database_of(tmp_path / name, {"mag": 14.0}, {"mag": 14.2}, {
                "mag": 16.0, "human_flags": marks}).read() as db:
            (series,) = series_of(db, SOURCE, "mag", 0.0, 1e7)
        mean = float(nightly_means(series).columns["y"][0])
        assert mean == pytest.approx(14.733333 if name == "before" else 14.1)


def test_a_night_without_a_sound_point_has_no_mean(tmp_path: Path) -> None:
    with database_of(tmp_path, {"human_flags": [{"name": "bad"}]}).read() as db:
        (series,) = series_of(db, SOURCE, "mag", 0.0, 1e7)
    assert nightly_means(series).size == 0


def test_many_polarisations_at_once_are_those_of_each(tmp_path: Path) -> None:
    pick = np.random.default_rng(1)
    q, u = pick.normal(0.0, 0.02, (2, 300))
    qq, uu = pick.uniform(1e-5, 2e-4, (2, 300))
    qu = pick.uniform(-1.2, 1.2, 300) * np.sqrt(qq * uu)  # some are none of errors
    q0, u0 = pick.uniform(0.0, 0.01, (2, 300))
    q[:2], u[0] = (0.0, math.nan), 0.0
    columns = q, u, qq, uu, qu, q0, u0
    got = np.array(nightly._clean_of_all(*columns))
    each = np.array([nightly._clean(*map(float, one)) for one in zip(*columns, strict=True)]).T
    each[:, np.isnan(q)] = np.nan
    np.testing.assert_allclose(got, each, rtol=1e-9, atol=1e-12)
    assert 20 < np.isfinite(got[2]).sum() < 280
