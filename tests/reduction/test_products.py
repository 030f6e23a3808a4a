"""The reduced frames and masters of every instrument, as other programs read them."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from iop4d.fits.read import read_image
from iop4d.model.messages import ClassifyRequest, MasterRef, Reduced, Rejected
from iop4d.reduction.product_cards import OF_MASTER, OF_REDUCED, OF_WCS
from iop4d.science.tan import from_cards
from iop4d.simulator.night import Night
from iop4d.simulator.plan import PHOTOMETRY, POLARIMETRY, NightPlan
from iop4d.simulator.setups import SETUPS, setup_of
from tests.support.fitsverify import complaints, needs_fitsverify
from tests.support.lab import Lab, reduced_of

_OF_THE_FILE = {"SIMPLE", "BITPIX", "NAXIS", "NAXIS1", "NAXIS2", "LONGSTRN", "DATASUM", "CHECKSUM"}


@dataclass(frozen=True, kw_only=True)
class Made:
    """What became of a frame."""

    lab: Lab
    raw: Path
    product: Path
    reduced: Reduced
    masters: tuple[MasterRef, ...]


@pytest.fixture(scope="module", params=[setup.name for setup in SETUPS])
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A reduced frame of an instrument with its masters."""
    setup = setup_of(request.param)
    number = 0 if request.param == "DIPOL" else 5  # its masters take two minutes
    mode = POLARIMETRY if request.param in ("CAFOS", "DIPOL") else PHOTOMETRY
    night = Night(NightPlan(instrument=request.param, night=setup.sample_night, frames=1, mode=mode,
                            positions=1 if mode == POLARIMETRY else None,
                            n_bias=number, n_flat=number))
    lab = Lab(tmp_path_factory.mktemp(request.param), night.sky.catalogue_csv(1))
    frames = [frame for frame in night.frames() if number or frame.kind == "LIGHT"]
    for frame in frames:
        lab.put(frame)
    masters = lab.masters(frames)
    raw = next(lab.folder / frame.name for frame in frames if frame.kind == "LIGHT")
    facts, _ = lab.classify(raw)
    outcome = lab.reduce(raw, facts, masters, keep=True)
    reduced = reduced_of(outcome)
    assert reduced is not None, outcome
    return Made(lab=lab, raw=raw, product=raw.with_suffix(".reduced.fits"), reduced=reduced,
                masters=masters)


@needs_fitsverify
def test_fitsverify_has_nothing_to_say(made: Made) -> None:
    for path in (made.product, *(master.path for master in made.masters)):
        assert complaints(path) == [], path


def test_astropy_verifies_them_with_their_sums(made: Made) -> None:
    for path in (made.product, *(master.path for master in made.masters)):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with fits.open(path, checksum=True) as hdus:
                hdus.verify("exception")
                assert hdus[0].data.dtype == np.dtype(">f4")
                assert np.array_equal(hdus[0].data, read_image(path)[0], equal_nan=True)


def test_every_card_of_the_raw_frame_is_there(made: Made) -> None:
    raw, header = fits.getheader(made.raw), fits.getheader(made.product)
    told = "\n".join(header["HISTORY"])
    kept = 0
    for card in raw.cards:
        if card.keyword in ("SIMPLE", "BITPIX", "NAXIS", "NAXIS1", "NAXIS2", "EXTEND", "BSCALE",
                            "BZERO", "COMMENT", "HISTORY", ""):
            continue
        same = header.get(card.keyword) == card.value \
            and header.comments[card.keyword] == card.comment
        assert same or f"raw: {str(card)[:67].rstrip()}" in told, card
        kept += same
    assert kept > 3


def test_every_card_of_ours_has_a_comment(made: Made) -> None:
    raw, header = fits.getheader(made.raw), fits.getheader(made.product)
    ours = [name for name in header if name not in ("HISTORY", "COMMENT", "")
            and (name not in raw or name in OF_REDUCED)]
    assert len(ours) > 20
    assert not [name for name in ours if not header.comments[name]]
    for master in made.masters:
        cards = fits.getheader(master.path)
        assert not [name for name in (*OF_MASTER, *_OF_THE_FILE)
                    if name in cards and not cards.comments[name]]


def test_comments_have_the_units_and_fit_their_cards(made: Made) -> None:
    header = fits.getheader(made.product)
    for name, said in OF_REDUCED.items():
        if name in header and len(str(header[name])) < 18:
            assert header.comments[name] == said
    assert header.comments["CRVAL1"].startswith("[deg]")
    assert header.comments["CD1_1"].startswith("[deg/pixel]")


def test_the_wcs_is_that_of_the_reduction(made: Made) -> None:
    ny, nx = read_image(made.product)[0].shape
    x, y = (grid.ravel() for grid in np.meshgrid(
        np.linspace(0, nx - 1, 5), np.linspace(0, ny - 1, 5)))
    header = fits.getheader(made.product)
    pairs = [(" ", made.reduced.wcs)]
    if made.reduced.wcs_ordinary:
        pairs += [("A", made.reduced.wcs), ("B", made.reduced.wcs_ordinary)]
    for key, cards in pairs:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            ra, dec = WCS(header, key=key).all_pix2world(x, y, 0)
        ours = from_cards(cards).to_sky(x, y)
        apart = np.hypot((ra - ours[0]) * np.cos(np.radians(dec)), dec - ours[1]) * 3600.0
        assert apart.max() < 1e-6, (key, apart.max())


def test_a_product_in_an_archive_is_no_raw_frame(made: Made) -> None:
    for path in (made.product, *(master.path for master in made.masters)):
        outcome = made.lab.bench.perform(ClassifyRequest(path=path))
        assert isinstance(outcome, Rejected), outcome
        assert "iop4d" in outcome.reason


def test_every_comment_has_a_card() -> None:
    assert all(said for table in (OF_REDUCED, OF_MASTER, OF_WCS) for said in table.values())
