"""Exposure times of the page: what is advised gives the error that was asked for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from flask.testing import FlaskClient

from iop4d.config import Site
from iop4d.config.want import Want
from iop4d.model.source import Source, SourceKind
from iop4d.store.conditions import Conditions, newest_conditions
from iop4d.store.database import Database
from iop4d.web.views.sources.exposure import Line, advise, exptime_text
from tests.web import observatory

BL_LAC = Source(name="2200+420", other_names=("BL Lac",), ra_deg=330.68, dec_deg=42.28,
                kind=SourceKind.TARGET)


def conditions(count: int = 20, **changed: Any) -> list[Conditions]:
    """Those of CAFOS in R, with skies from 1 to 20 ADU a pixel and second."""
    return [replace(Conditions(
        telescope="CAHA-T220", instrument="CAFOS", band="R", mode="photometry", zero_point=23.4,
        airmass=1.2, fwhm_arcsec=1.6, sky_adu_s=1.0 + number, pixel_arcsec=0.53, binning=1,
        gain_e_adu=2.0, read_noise_e=5.0), **changed) for number in range(count)]


def line(site: Site, measured: list[Conditions], *, sky: float = 0.5, **asked: float) -> Line:
    (found,) = advise(measured, site, BL_LAC, {"R": 15.0}, asked, sky=sky)
    return found


@pytest.fixture
def site(tmp_path: Any) -> Site:
    return observatory.site(tmp_path)


def test_the_advised_exposure_has_the_error_that_was_asked_for(site: Site) -> None:
    found = line(site, conditions(), mag_err=0.01)
    assert found.for_mag.frames == 1
    assert 0.2 < found.for_mag.exptime_s < 20.0
    assert found.error_of_a_minute < 0.01
    faint = line(site, conditions(), mag=20.0, mag_err=0.05)
    bright = line(site, conditions(), mag=20.0, mag_err=0.05, sky=0.9)
    assert bright.for_mag.exptime_s > 1.3 * faint.for_mag.exptime_s


def test_more_air_and_worse_seeing_take_longer(site: Site) -> None:
    usual = line(site, conditions(), mag=18.0)
    low = line(site, conditions(), mag=18.0, airmass=2.2)
    blurred = line(site, conditions(), mag=18.0, seeing=3.2)
    assert low.zero_point == pytest.approx(usual.zero_point - 0.10)
    assert usual.for_mag.exptime_s < low.for_mag.exptime_s < blurred.for_mag.exptime_s


def test_a_bright_source_is_exposed_against_the_twinkling_of_its_telescope(site: Site) -> None:
    """Of 2.2 m at airmass 2 a second's scintillation is 4.9 mmag: 2 mmag take 6.2 seconds."""
    found = line(site, conditions(), mag=8.0, mag_err=0.002, airmass=2.0)
    assert found.for_mag.exptime_s * found.for_mag.frames == pytest.approx(6.2, rel=0.05)
    high = line(site, conditions(), mag=8.0, mag_err=0.002, airmass=1.0)
    assert found.for_mag.exptime_s * found.for_mag.frames > 4 * (
        high.for_mag.exptime_s * high.for_mag.frames)


def test_what_the_site_file_wants_is_asked_for_by_itself(site: Site) -> None:
    wanting = replace(site, want=(Want(sources=("BL Lac",), mag_err=0.003),))
    assert line(wanting, conditions()).for_mag.exptime_s > 5 * line(
        site, conditions()).for_mag.exptime_s


def test_polarimetry_has_its_own_zero_points(site: Site) -> None:
    rotated = conditions(mode="polarimetry", zero_point=22.6)
    found = line(site, [*conditions(), *rotated], p_err=0.3)
    assert found.zero_point == 23.4
    assert found.for_p is not None
    assert found.positions == 4
    assert found.for_p.exptime_s > line(site, [*conditions(), *rotated],
                                        p_err=0.6).for_p.exptime_s  # type: ignore[union-attr]


def test_a_source_that_saturates_gets_several_exposures(site: Site) -> None:
    found = line(site, conditions(), mag=8.0, mag_err=0.00135)
    assert found.for_mag.frames > 1
    assert found.for_mag.exptime_s <= found.saturates_s


def test_too_few_results_or_no_magnitude_say_nothing(site: Site) -> None:
    assert advise(conditions(2), site, BL_LAC, {"R": 15.0}, {}, sky=0.5) == []
    assert advise(conditions(), site, BL_LAC, {}, {}, sky=0.5) == []
    assert advise(conditions(instrument="other"), site, BL_LAC, {"R": 15.0}, {}, sky=0.5) == []


@pytest.mark.parametrize(("seconds", "text"), [
    (0.42, "0.4 s"), (42.4, "42 s"), (720.0, "12 min"), (float("inf"), "never")])
def test_times_read_well(seconds: float, text: str) -> None:
    assert exptime_text(seconds) == text


def test_the_page_has_the_cameras_that_were_used_and_tonight(client: FlaskClient,
                                                            filled: Site) -> None:
    with Database(filled.database, read_only=True).read() as db:
        (one, *_) = newest_conditions(db)
        assert one.pixel_arcsec == pytest.approx(0.53)
        assert one.sky_adu_s == pytest.approx(214.3 / 120.0)
    text = client.get("/sources/BL%20Lac/exposure").text
    assert "CAFOS" in text
    assert "Altitude against UTC" in text
    assert "± 0.0" in text
    wrong = client.get("/sources/BL%20Lac/exposure?mag=x&seeing=99").text
    assert wrong.count('aria-invalid="true"') == 2
    assert "not reachable" in client.get("/sources/BL%20Lac/exposure?mag=24&snr=999").text
