"""What a telegram says of polarisation."""

from __future__ import annotations

import re

import pytest

from iop4d.alerts.atel.gather import gather
from iop4d.alerts.atel.text import write
from iop4d.store.database import Transaction
from tests.alerts.atel.telegrams import (
    HEAD,
    asked,
    measure,
    polarised,
    told,
    untraced,
    without_stars,
)


def test_polarisation_measurements_are_counted_in_the_band_that_is_reported(
        tx: Transaction) -> None:
    measure(tx, 0, 9.0, 12.5, **polarised(0.12))
    measure(tx, 0, 9.1, 12.9, band="B", **polarised(0.11))
    assert "the nearest in time of" not in write(gather(tx, asked(tx)), HEAD).body
    measure(tx, 0, 9.2, 12.5, **polarised(0.12))
    body = " ".join(write(gather(tx, asked(tx)), HEAD).body.split())
    assert "the nearest in time of 2 measurements of the night in this band" in body


def test_a_polarisation_that_is_not_significant_is_an_upper_limit(tx: Transaction) -> None:
    measure(tx, 0, 9.0, 12.5, **polarised(0.005, 0.004))
    draft = write(gather(tx, asked(tx)), HEAD)
    assert "it was below 1.3 % in R (95 % confidence)" in draft.body
    assert "position angle" not in draft.body


def test_whether_p_is_free_of_the_host_is_said(tx: Transaction) -> None:
    measure(tx, 0, 9.0, 13.0, host_mjy=1.5, mag_nucleus=13.1, mag_nucleus_err=0.03,
            p_nucleus=0.15, p_nucleus_err=0.005, **polarised(0.12))
    draft = write(gather(tx, asked(tx)), HEAD)
    assert "corrected neither for Galactic extinction nor for the light of the host galaxy; the " \
        "degree of polarisation is not corrected for the light of the host galaxy either." \
        in draft.body
    value = 100 * (0.12 - 0.004**2 / 0.24) * 0.15 / 0.12
    assert told(draft, "degree of polarisation without the host, debiased") == (
        f"{value:.1f} +/- 0.5", (1,))


def test_without_polarisation_nothing_is_said_of_it(tx: Transaction) -> None:
    measure(tx, 0, 9.0, 13.0)
    assert "polari" not in write(gather(tx, asked(tx)), HEAD).body


def test_polarisation_alone_makes_a_telegram(tx: Transaction) -> None:
    without_stars(tx, 4, 9.0, 0.05)
    without_stars(tx, 0, 9.0, 0.10)
    without_stars(tx, 0, 10.0, 0.12, chi_deg=34.0)
    without_stars(tx, 0, 9.8, 0.11, band="V")
    draft = write(gather(tx, asked(tx)), HEAD)
    assert draft.title == "Optical polarimetry of BL Lac"
    assert draft.body.startswith(
        "We report optical polarimetry of BL Lac (2200+420, z = 0.069) obtained with the 0.9 m "
        "telescope (T090) at the Observatorio de Sierra Nevada, Spain. The degree of polarisation "
        "in R on 2026 November 22 at 22:00 UT (JD 2461367.4167; 4 exposures, 480 s in all) was "
        "12.0 +/- 0.4 % (debiased) at a position angle of 34 +/- 1 deg, east of north. It is the "
        "last of 2 measurements of the night in this band; their degree of polarisation "
        "ranged between 10.0 +/- 0.4 and 12.0 +/- 0.4 %. Our preceding polarisation measurement, "
        "on 2026 November 18, gave 5.0 +/- 0.4 % at 34 +/- 1 deg. On the same night we also "
        "measured p = 11.0 +/- 0.4 % at 34 +/- 1 deg in V (21:48 UT).")
    assert "The degree of polarisation is not corrected for the light of the host" in draft.body
    assert "magnitude" not in draft.body
    assert not re.search(r"\d", untraced(draft))
    assert any("There is no new good magnitude" in note for note in draft.notes)


@pytest.mark.parametrize(("low", "high", "err", "ranged"), [
    (0.10, 0.12, 0.004, True), (0.12, 0.121, 0.004, False), (0.005, 0.006, 0.004, False)])
def test_degrees_of_polarisation_range_only_where_they_differ_and_are_significant(
        tx: Transaction, low: float, high: float, err: float, ranged: bool) -> None:
    for hours, p in ((9.0, low), (10.0, high)):
        measure(tx, 0, hours, None, mag_err=None, **polarised(p, err))
    body = write(gather(tx, asked(tx)), HEAD).body
    assert ("ranged between" in body) is ranged
    assert ("It is the last of 2 measurements of the night in this band"
            + (";" if ranged else ".")) in body


def test_a_limit_alone_makes_a_telegram_too(tx: Transaction) -> None:
    without_stars(tx, 0, 9.0, 0.005)
    body = write(gather(tx, asked(tx)), HEAD).body
    assert "(JD 2461367.3750; 4 exposures, 480 s in all): it was below 1.3 % in R" in body


def test_a_polarisation_alone_has_the_place_too(tx: Transaction) -> None:
    without_stars(tx, 0, 9.0, 0.10)
    assert "(J2000)" in write(gather(tx, asked(tx)), HEAD).body
