"""What a screen cannot show is left out, and nothing that anybody would miss."""

from __future__ import annotations

import numpy as np
import pytest

from iop4d.web.curves.colours import ColourSeries
from iop4d.web.curves.columns import BY_HAND, Series
from iop4d.web.curves.thinning import thinned, thinned_colours


def series(count: int, **more: np.ndarray) -> Series:
    jd = 2461000.0 + np.sort(np.random.default_rng(1).uniform(0.0, 500.0, count))
    nothing = np.full(count, np.nan)
    return Series(source="a", band="R", telescope="t", instrument="i", columns={
        "jd": jd, "id": np.arange(count), "y": 14.0 + np.sin(jd / 30.0), "p": nothing,
        "y_limit": nothing, "state": np.zeros(count, dtype=np.uint8)} | more)


def test_few_points_stay_as_they_are() -> None:
    one = series(500)
    assert thinned([one], 600)[0] is one


def test_extremes_and_what_people_flagged_stay() -> None:
    count = 100_000
    mags, state = series(count).columns["y"].copy(), np.zeros(count, dtype=np.uint8)
    mags[70_001], mags[70_003], state[12_345] = 9.0, 19.0, BY_HAND
    (few,) = thinned([series(count, y=mags, state=state)], 4000)
    assert few.size < 4500
    assert {70_001, 70_003, 12_345} <= set(few.columns["id"].tolist())
    assert (np.diff(few.columns["jd"]) >= 0).all()
    # The envelope is that of all points, wherever one looks.
    for begin in range(0, 500, 50):
        every, left = (one.columns["y"][(one.columns["jd"] - 2461000.0 >= begin)
                                        & (one.columns["jd"] - 2461000.0 < begin + 50)]
                       for one in (series(count, y=mags), few))
        assert left.min() == pytest.approx(every.min(), abs=0.02)
        assert left.max() == pytest.approx(every.max(), abs=0.02)


def test_the_few_polarised_points_of_many_keep_their_extremes() -> None:
    p = np.full(50_000, np.nan)
    p[::1000] = np.linspace(3.0, 9.0, 50)
    (few,) = thinned([series(50_000, p=p)], 2000)
    known = few.columns["p"][np.isfinite(few.columns["p"])]
    assert (known.min(), known.max()) == (3.0, 9.0)


def test_an_empty_series_beside_a_long_one() -> None:
    empty = series(3).only(np.zeros(3, dtype=bool))
    assert thinned([empty, series(9000)], 1000)[0].size == 0


def test_means_of_nights_have_no_state_and_are_thinned_alike() -> None:
    one = series(40_000)
    columns = {name: values for name, values in one.columns.items()
               if name not in ("state", "y_limit")}
    (few,) = thinned([Series(source="a", band="R", telescope="t", instrument="i",
                             columns=columns)], 3000)
    assert 1000 < few.size < 3500


def test_colours_keep_their_bluest_and_reddest() -> None:
    jd = np.linspace(2461000.0, 2461500.0, 30_000)
    value = np.full(30_000, 0.6)
    value[[1234, 25_000]] = 0.2, 1.1
    made = ColourSeries(source="a", telescope="t", bands=("B", "R"), jd=jd, value=value,
                        err=value / 10)
    assert thinned_colours([made], 40_000) == [made]
    (few,) = thinned_colours([made], 3000)
    assert 1000 < len(few.jd) < 3500
    assert (few.value.min(), few.value.max()) == (0.2, 1.1)
    assert (np.diff(few.jd) > 0).all()
    assert few.err == pytest.approx(few.value / 10)
