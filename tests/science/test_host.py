"""The host galaxy: fluxes by hand, the shipped table, and errors that hold."""

from __future__ import annotations

import math

import numpy as np
import pytest

from iop4d.reduction.host import find_table, tables
from iop4d.science.flux import flux_mjy
from iop4d.science.host import ASSUMED_ERR, Table, corrected, look_up

PLANE = Table(object="X", radius=np.array([1.0, 2.0, 4.0]), fwhm=np.array([2.0, 3.0]),
              flux=np.array([[1.0, 2.0, 4.0], [0.5, 1.5, 3.5]]), err=np.full((2, 3), 0.1))


def test_between_the_points_a_plane_is_a_plane() -> None:
    # On the grid the flux is the radius minus half the FWHM above 2.
    for radius, fwhm in ((1.0, 2.0), (4.0, 3.0), (1.5, 2.5), (3.7, 2.2)):
        found = look_up(PLANE, radius, fwhm)
        assert found.flux_mjy == pytest.approx(radius - 0.5 * (fwhm - 2.0))
        assert found.flux_err_mjy == pytest.approx(0.1)
        assert not found.extrapolated


@pytest.mark.parametrize(("radius", "fwhm", "nearest"), [
    (0.5, 2.0, 1.0), (9.0, 2.0, 4.0), (2.0, 1.0, 2.0), (2.0, 9.0, 1.5)])
def test_outside_the_table_the_nearest_value_is_told(radius: float, fwhm: float,
                                                     nearest: float) -> None:
    found = look_up(PLANE, radius, fwhm)
    assert found.extrapolated
    assert found.flux_mjy == pytest.approx(nearest)


def test_what_is_not_known_is_not_a_number() -> None:
    assert math.isnan(look_up(PLANE, math.nan, 2.0).flux_mjy)
    assert math.isnan(look_up(PLANE, 2.0, math.nan).flux_mjy)
    assert find_table(("3C 273", "1226+023")) is None


def test_the_shipped_table_is_whole_and_rises() -> None:
    assert len(tables()) == 23
    assert sum(table.flux.size for table in tables()) == 3004
    assert [line for table in tables() for line in table.falling()] == []
    assert all((table.flux > 0).all() for table in tables())


def test_a_row_that_falls_is_named() -> None:
    wrong = Table(object="X", radius=PLANE.radius, fwhm=PLANE.fwhm, err=PLANE.err,
                  flux=np.array([[1.0, 2.0, 4.0], [0.5, 1.5, 1.4]]))
    assert wrong.falling() == ["X, FWHM 3, radius 4: 1.4 after 1.5 mJy"]


def test_a_published_value_by_any_name() -> None:
    for names in (("BL Lacertae",), ("2200+420",), ("nobody", "bl_lac"), ("BLLac",)):
        table = find_table(names)
        assert table is not None
        found = look_up(table, 7.5, 3.0)
        assert (found.object, found.flux_mjy, found.flux_err_mjy) == ("BL Lacertae", 1.38, 0.03)
    for name in ("MRK 421", "1101+384", "mkn421", "3C 84", "1ES1959", "1101\u2212232"):
        assert find_table((name,)) is not None, name


def test_every_point_of_the_tables_is_given_back() -> None:
    for table in tables():
        widths = table.fwhm if table.fwhm.size else np.array([2.0])
        for row, fwhm in enumerate(widths):
            for column, radius in enumerate(table.radius):
                found = look_up(table, float(radius), float(fwhm))
                assert found.flux_mjy == pytest.approx(float(table.flux[row, column]))
                assert not found.extrapolated


def test_an_object_without_seeing_or_errors_says_so() -> None:
    table = find_table(("1ES 1101-232",))
    assert table is not None
    for fwhm in (1.0, 4.0, math.nan):
        found = look_up(table, 5.0, fwhm)
        assert (found.flux_mjy, found.extrapolated) == (0.4, False)
        assert found.flux_err_mjy == pytest.approx(ASSUMED_ERR * 0.4)


def test_a_host_of_half_the_light_doubles_the_polarisation() -> None:
    total = flux_mjy(14.0, "R")
    found = corrected(14.0, 0.0, 0.05, 0.002, total / 2.0)
    assert found.mag == pytest.approx(14.0 + 2.5 * math.log10(2.0))
    assert found.mag_err == 0.0
    assert found.p == pytest.approx(0.10)
    assert found.p_err == pytest.approx(0.004)


def test_without_a_host_nothing_changes() -> None:
    found = corrected(13.3, 0.02, 0.08, 0.01, 0.0)
    assert (found.mag, found.mag_err) == (pytest.approx(13.3), pytest.approx(0.02))
    assert (found.p, found.p_err) == (pytest.approx(0.08), pytest.approx(0.01))


def test_errors_are_those_of_many_trials() -> None:
    rng = np.random.default_rng(11)
    mags = rng.normal(14.0, 0.01, 4000)
    ps = rng.normal(0.05, 0.002, 4000)
    host = 0.7 * flux_mjy(14.0, "R")
    trials = [corrected(m, 0.01, p, 0.002, host) for m, p in zip(mags, ps, strict=True)]
    found = corrected(14.0, 0.01, 0.05, 0.002, host)
    for name in ("mag", "p"):
        values = np.array([getattr(trial, name) for trial in trials])
        err = getattr(found, f"{name}_err")
        assert values.mean() == pytest.approx(getattr(found, name), abs=0.1 * err)
        assert values.std() == pytest.approx(err, rel=0.05)


def test_a_host_brighter_than_the_source_leaves_nothing() -> None:
    found = corrected(18.0, 0.05, 0.05, 0.01, 2.0)
    assert all(math.isnan(value) for value in (found.mag, found.mag_err, found.p, found.p_err))


def test_a_magnitude_alone_can_be_corrected() -> None:
    found = corrected(14.0, 0.01, math.nan, math.nan, 1.0)
    assert math.isfinite(found.mag_err)
    assert math.isnan(found.p)


def test_a_host_without_an_error_has_one_of_a_tenth() -> None:
    unsure = Table(object="X", radius=PLANE.radius, fwhm=PLANE.fwhm, flux=PLANE.flux,
                   err=np.full((2, 3), np.nan))
    found = look_up(unsure, 2.0, 2.0)
    assert found.flux_err_mjy == pytest.approx(0.1 * 2.0)


def test_the_error_of_the_flux_enters_that_of_the_polarisation() -> None:
    """Half of the light is the host's: the source is known half as well, and p as F' is."""
    found = corrected(14.0, 0.01, 0.05, 0.0, flux_mjy(14.0, "R") / 2.0)
    assert found.p == pytest.approx(0.1)
    assert found.mag_err == pytest.approx(0.02)
    assert found.p_err == pytest.approx(0.1 * 0.01 / 1.0857, rel=1e-3)
