"""What is drawn is what is in the table: values, random errors, limits as arrows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest

from iop4d.library import SelectionError, Site
from iop4d.library.plots import draw_curve
from iop4d.store.tables.results import RESULTS


@pytest.fixture(autouse=True)
def _no_window() -> Iterator[None]:
    mpl.use("Agg")
    yield
    plt.close("all")


def _values(ax: Any) -> set[float]:
    return {round(float(y), 6) for line in ax.lines for y in line.get_ydata()}


def test_a_light_curve_has_every_value_with_its_error_and_grows_downwards(site: Site) -> None:
    ax = site.results(source="BL Lac").plot()
    table = site.results(source="BL Lac").table()
    assert {round(float(mag), 6) for mag in table["mag"].value} <= _values(ax)
    assert ax.yaxis_inverted()
    assert ax.get_xlabel() == "MJD (UTC)"
    mine, = plt.subplots()[1:]
    assert site.results(source="BL Lac").plot("flux", ax=mine) is mine
    assert not mine.yaxis_inverted()
    assert len(site.results.plot_all()) == 1, "nothing is polarised"
    with pytest.raises(SelectionError, match="none of mag, flux, p, chi"):
        site.results.plot("magg")
    assert site.results(since="2030-01-01").plot().lines[:] == []


class _Rows:
    """Results that are written down here."""

    def __init__(self, **columns: list[float]) -> None:
        self._columns = columns

    def table(self, *names: str) -> dict[str, Any]:
        count = len(self._columns["jd_mid"])
        said: dict[str, Any] = {name: [name] * count for name in (
            "source", "band", "mode", "instrument")} | {"good": [True] * count}
        return {name: np.array((said | self._columns).get(name, [np.nan] * count))
                for name in names}


def test_limits_are_arrows_to_the_side_where_the_value_is() -> None:
    assert {"good", "p_limit", "mag_limit"} <= set(RESULTS.by_name)
    rows: Any = _Rows(jd_mid=[2460000.5, 2460001.5], p_debiased=[0.2, 0.01], p_err=[0.01, 0.01],
                      p_limit=[np.nan, 0.03], mag=[14.0, np.nan], mag_err=[0.1, np.nan],
                      mag_limit=[np.nan, 18.0])
    p, mag = draw_curve(rows, "p", None), draw_curve(rows, "mag", None)
    assert 20.0 in _values(p), "per cent"
    assert 1.0 not in _values(p), "a limit stands for it"
    assert 3.0 in _values(p)
    arrows = [line.get_marker() for line in p.lines]
    assert mpl.lines.CARETDOWNBASE in arrows or mpl.lines.CARETDOWN in arrows
    up = [line.get_marker() for line in mag.lines]
    assert {mpl.lines.CARETUPBASE, mpl.lines.CARETUP, mpl.lines.CARETDOWNBASE} & set(up)
    assert 18.0 in _values(mag)


def test_an_image_is_drawn_from_below_to_above_its_sky(site: Site) -> None:
    image = site.frames(name="light0.fits").first().image()
    ax = image.plot(sigmas=(-3, 10))
    low, high = ax.images[0].get_clim()
    middle = float(np.nanmedian(image.data))
    assert low < middle < high
    assert (middle - low) / (high - middle) == pytest.approx(0.3, abs=0.02)
    assert ax.images[0].origin == "lower"
