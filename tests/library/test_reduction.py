"""Reductions by hand: step by step, with other settings, beside what is stored; nothing written."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from astropy import units as u

from iop4d.library import NotFoundError, SelectionError, Site
from iop4d.model.errors import Iop4dError
from iop4d.science.fwhm import FWHM_PER_SIGMA
from tests.reduction.small import SEEN_SKY, SHAPE, STARS, TARGET, TRUE


def test_each_step_can_be_looked_at_and_the_same_settings_give_the_same_numbers(
        site: Site) -> None:
    before = _digest(site)
    frame = site.frames(name="light0.fits").first()
    by_hand = frame.reduce()
    assert by_hand.calibrate().data == pytest.approx(frame.image("reduced").data, nan_ok=True)
    assert np.nanmedian(by_hand.calibrate().data) == pytest.approx(SEEN_SKY, rel=0.05)
    stars = by_hand.detect()
    assert stars.meta["sky"].to_value(u.adu) == pytest.approx(SEEN_SKY, rel=0.05)
    assert stars["flux"].unit == u.adu
    assert len(stars) >= len(STARS) - 2
    assert abs(np.nanmedian(by_hand.background().data)) < 1.0
    assert by_hand.calibrate().data.shape == SHAPE, "with its sky, after the others, too"
    assert np.nanmedian(by_hand.calibrate().data) == pytest.approx(SEEN_SKY, rel=0.05)
    ra, dec = TRUE.to_sky(TARGET.x, TARGET.y)
    assert by_hand.solve().world_to_pixel_values(ra, dec)[0] == pytest.approx(TARGET.x, abs=0.1)
    fit = by_hand.astrometry()
    assert fit.meta["n_matched"] >= 6
    assert (np.hypot(fit["dx"], fit["dy"]) < 1.0 * u.pix).all()
    measured = by_hand.photometry()
    assert set(measured["source"]) >= {"Target", "A", "B", "C"}
    same = by_hand.compare()
    assert same["difference"].value == pytest.approx(0.0, abs=1e-6)
    mags = by_hand.results()
    assert mags["mag"][0].value == pytest.approx(TARGET.mag, abs=0.03)
    assert by_hand.settings == {}
    assert _digest(site) == before, "nothing is written"


def test_another_aperture_gives_other_numbers_beside_the_stored_ones(site: Site) -> None:
    frame = site.frames(name="light0.fits").first()
    wide = frame.reduce(aperture=4.0, annulus_inner=4, annulus_outer=7)
    used, fwhm = wide.photometry().meta, wide.detect().meta["fwhm"]
    sigma = fwhm.value / FWHM_PER_SIGMA
    assert used["aperture"].value == pytest.approx(4 * sigma, rel=1e-4)
    assert used["annulus_outer"].value == pytest.approx(7 * sigma, rel=1e-4)
    table = wide.compare()
    target = table[table["source"] == "Target"][0]
    assert target["stored"] != target["tried"]
    assert target["sigmas"] == pytest.approx(
        ((target["tried"] - target["stored"]) / target["stored_err"]).value)
    fixed = frame.reduce(aperture_arcsec=0.1 * u.arcmin)
    assert fixed.results()["aperture_arcsec"][0].value == pytest.approx(6.0, abs=0.01)


def test_a_result_with_other_settings_beside_the_one_on_record(site: Site) -> None:
    trial = site.result(1).reduce(aperture=4.0, without=["A"])
    table = trial.compare()
    (mag,) = table[table["quantity"] == "Magnitude"]
    assert mag["kept"] == pytest.approx(site.result(1)["mag"])
    assert mag["difference"] == pytest.approx(mag["tried"] - mag["stored"])
    assert trial.tried["n_calibrators"] == trial.stored["n_calibrators"] - 1
    assert {"source": "A"}.items() <= trial.calibrators()[0].items()
    assert "without A" in repr(trial)


def test_settings_that_make_no_sense_are_refused_in_words(site: Site) -> None:
    frame, result = site.frames(name="light0.fits").first(), site.result(1)
    for reduce in (frame.reduce, result.reduce):
        with pytest.raises(TypeError, match="'apperture' is no setting of a reduction"):
            reduce(apperture=2)
        with pytest.raises(SelectionError, match=r"expected 0\.5 to 30, found '99'"):
            reduce(aperture=99)
    with pytest.raises(SelectionError, match="is not below"):
        frame.reduce(annulus_inner=50, annulus_outer=5)
    with pytest.raises(Iop4dError, match="choose at least one"):
        result.reduce()
    with pytest.raises(Iop4dError, match="no calibrator of this result"):
        result.reduce(without=["Z"])
    with pytest.raises(LookupError, match="was not measured"):
        site.frames(name="bias0.fits").first().reduce()


def _digest(site: Site) -> str:
    """Of the database and of every file."""
    found = hashlib.sha256()
    for path in sorted(site.folder.rglob("*")):
        if path.is_file() and not path.name.endswith(("-shm", "-wal")):
            found.update(str(path).encode() + path.read_bytes())
    return found.hexdigest()


def test_settings_that_a_frame_or_a_result_does_not_have_are_refused(site: Site) -> None:
    """They had no effect, ended in an error of astropy, or were spelt letter by letter."""
    frame, result = site.frames(name="light0.fits").first(), site.result(1)
    with pytest.raises(TypeError, match=r"'method' is a setting of polarimetry.*result\.reduce"):
        frame.reduce(method="plain")
    with pytest.raises(SelectionError, match="aperture_arcsec: is one angle, found"):
        frame.reduce(aperture_arcsec=5 * u.m)
    with pytest.raises(SelectionError, match="aperture: is a plain number, found"):
        frame.reduce(aperture=5 * u.arcsec)
    with pytest.raises(NotFoundError, match="was not measured: it is done, bias"):
        site.frames(kind="bias").first().reduce()
    with pytest.raises(SelectionError, match="result 1: No star: no calibrator of this result"):
        result.reduce(without="No star")
    with pytest.raises(SelectionError, match="choose at least one other setting"):
        result.reduce()
    assert result.reduce(without="A").without == ("A",)
