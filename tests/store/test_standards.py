"""Standards of a night against the literature."""

from __future__ import annotations

import math

import pytest

from iop4d.model.flags import Flag
from iop4d.model.result import ResultValue
from iop4d.model.states import GroupState
from iop4d.store import catalogue, groups, standards
from iop4d.store.catalogue_csv import builtin, parse
from iop4d.store.database import Database
from iop4d.store.results import Origin, save_results
from iop4d.store.schema import Group
from iop4d.store.status import status


def test_a_standard_s_p_and_angle_are_held_against_the_literature_in_all_errors(
        database: Database) -> None:
    nan = math.nan
    with database.write() as tx:
        catalogue.save(tx, parse(builtin("standards")))
        star = catalogue.find(tx, "HD 25443")
        value = ResultValue(
            source=star.name, band="R", mode="polarimetry", jd_mid=2460400.5, bjd_tdb=2460400.5,
            exptime_s=10.0, mag=nan, mag_err=nan, zero_point=nan, zero_point_err=nan,
            n_calibrators=0, fwhm_arcsec=2.0, airmass=1.1, flags=0, p=star.p + 0.002,
            p_err=0.0008, p_debiased=star.p + 0.002, chi_deg=(star.chi_deg + 4.0) % 180.0,
            chi_err_deg=0.5, chi_err_common=1.0, q=0.0, q_err=0.0008, u=0.0, u_err=0.0008,
            q0_err=0.0006, u0_err=0.0006)
        save_results(tx, Origin(key="g", telescope="OSN-T090", instrument="DIPOL",
                                night="2024-03-31", frames=()), (value,), now=0.0)
        (found,) = standards.of_night(tx, "2024-03-31")
        assert standards.of_night(tx, "2024-04-01") == ()
    assert (found.source, found.instrument) == ("HD 25443", "DIPOL")
    assert found.p_off == pytest.approx(0.002)
    assert found.p_err == pytest.approx(math.hypot(0.0008, 0.0006, star.p_err), rel=1e-6)
    assert found.chi_off == pytest.approx(4.0)
    assert found.chi_err > math.hypot(0.5, 1.0, star.chi_err_deg) - 1e-9
    assert found.sigmas == pytest.approx(max(0.002 / found.p_err, 4.0 / found.chi_err))


@pytest.mark.parametrize("flags", [Flag.SATURATED, Flag.TIME_DOUBTFUL, Flag.POOR_FIT])
def test_a_standard_with_a_flag_that_bars_it_is_not_the_newest(database: Database,
                                                               flags: Flag) -> None:
    nan = math.nan
    with database.write() as tx:
        catalogue.save(tx, parse(builtin("standards")))
        star = catalogue.find(tx, "HD 25443")
        for jd, bits in ((2460400.5, Flag(0)), (2460401.5, flags)):
            value = ResultValue(
                source=star.name, band="R", mode="polarimetry", jd_mid=jd, bjd_tdb=jd,
                exptime_s=10.0, mag=nan, mag_err=nan, zero_point=nan, zero_point_err=nan,
                n_calibrators=0, fwhm_arcsec=2.0, airmass=1.1, flags=int(bits), p=star.p,
                p_err=0.0008, p_debiased=star.p, q=0.0, q_err=0.0008, u=0.0, u_err=0.0008)
            save_results(tx, Origin(key=f"g{jd}", telescope="OSN-T090", instrument="DIPOL",
                                    night="2024-03-31", frames=()), (value,), now=0.0)
        (found,) = standards.newest(tx, 2460000.0)
        assert found.jd_mid == 2460400.5
        assert len(standards.of_night(tx, "2024-03-31")) == 2


def test_a_group_without_polarisation_is_in_the_state_of_the_site(database: Database) -> None:
    with database.write() as tx:
        tx.create(Group, source="BL Lac", telescope="OSN-T090", instrument="AndorT90",
                  night="2024-03-31", band="R", exptime_s=60.0, state=GroupState.SHORT,
                  reason="BL Lac: measured at 1 positions, at least 2 are needed", changed_at=0.0)
        tx.create(Group, source="BL Lac", telescope="OSN-T090", instrument="AndorT90",
                  night="2024-03-31", band="R", exptime_s=60.0, state=GroupState.DISSOLVED,
                  reason="its frames are of another group", changed_at=0.0)
        (one,) = status(tx, 0.0, locked=False)["groups"]
        assert groups.without_polarisation(tx, night="2024-04-01") == []
    assert one["group"] == "BL Lac R, AndorT90, 2024-03-31"
    assert one["reason"].endswith("at least 2 are needed")
