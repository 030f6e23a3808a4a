"""Sources, nights, frames, groups, masters, results and alerts as objects, of a site and a server.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from astropy import units as u

from iop4d.library import Client, NotFoundError, NotHereError, Observatory, SelectionError, Site
from tests.reduction.small import SHAPE, TARGET, TRUE


@pytest.fixture(params=["site", "client"])
def here(request: pytest.FixtureRequest) -> Observatory:
    found: Observatory = request.getfixturevalue(request.param)
    return found


def test_a_source_has_its_place_its_calibrators_and_its_results(here: Observatory) -> None:
    source = here.source("bl_lac")
    assert source.name == "Target"
    ra, dec = TRUE.to_sky(TARGET.x, TARGET.y)
    assert source.position.ra.deg == pytest.approx(float(ra))
    assert source.position.dec.deg == pytest.approx(float(dec))
    assert {one.name for one in source.calibrators} == {"A", "B", "C", "Bright", "Outside"}
    assert here.source("A").magnitudes["R"] == (13.5 * u.mag, 0.01 * u.mag)
    assert len(source.results) == source.results.count() == 3
    assert len(source.results(good=True)) == 2
    assert len(source.frames) == 3
    assert list(source.alerts) == list(source.groups) == []
    assert math.isnan(source.redshift)
    assert "Target (BL Lac), target" in repr(source)
    with pytest.raises(NotFoundError, match="did you mean BL Lac"):
        here.source("BL Lak")


def test_a_result_leads_to_all_that_it_rests_on(here: Observatory) -> None:
    result = here.result(2)
    assert result.mag.unit == u.mag
    assert result.flags == ("trailed",)
    assert result.good is False
    assert result["mag"] == result.mag.value
    assert math.isnan(result.p)
    assert result["p"] is None
    assert result.time.isot == "2024-01-15T22:00:37.000"
    assert result.time_barycentric.scale == "tdb"
    assert [frame.name for frame in result.frames] == result["frames"] == ["light1.fits"]
    assert {master.kind for master in result.masters} == {"bias", "flat"}
    assert {use["source"] for use in result.calibrators} >= {"A", "B", "C"}
    assert result.group is None
    assert result.its_source.name == "Target"
    assert result.frames.first().results.first() == result
    assert list(result.history["revision"])[-1] == result.revision
    assert result.history["mag"][-1] == result.mag
    assert result.history["replaced_at"][-1] != result.history["replaced_at"][-1], "the present one"
    assert "Target R" in repr(result)
    assert result.explain()["result"]["id"] == 2
    with pytest.raises(AttributeError, match="a result has no 'magg'"):
        result.magg  # noqa: B018
    with pytest.raises(KeyError, match="no column 'magg'"):
        result["magg"]


def test_a_frame_leads_to_its_masters_measurements_and_history(here: Observatory) -> None:
    frame = here.frames(name="light0.fits").first()
    assert frame.start.isot == "2024-01-15T22:00:20.000"
    assert (frame.mid - frame.start).sec == pytest.approx(5.0)
    assert frame.pointing.ra.deg == pytest.approx(120.01)
    assert frame.fwhm_arcsec.unit == u.arcsec
    x, y = frame.wcs.world_to_pixel_values(TRUE.ra0, TRUE.dec0)
    assert (x, y) == (pytest.approx(TRUE.x0, abs=0.1), pytest.approx(TRUE.y0, abs=0.1))
    measured = {row.source: row for row in frame.measurements}
    assert measured["Target"].x.value == pytest.approx(TARGET.x, abs=0.1)
    assert measured["Target"].flux.unit == u.adu
    assert len(frame.history) >= 1
    assert {master["id"] for master in frame.masters} == {
        master["id"] for master in here.masters}
    assert frame.group is None
    assert {"light0.fits", "science"} <= set(repr(frame).replace(",", "").split())


def test_nights_and_masters(here: Observatory) -> None:
    night = here.night("2024-01-15")
    assert night == here.nights.first()
    assert night["frames"] == len(night.frames) == 9
    assert night["results"] == len(night.results) == 3
    assert night.sources[0]["source"] == "Target"
    assert night.summary is None
    assert len(night.masters) == len(here.masters(kind=["bias", "flat"])) == 2
    bias = here.masters(kind="bias").first()
    assert bias.frames == ["bias0.fits", "bias1.fits", "bias2.fits"]
    assert bias.level.unit == u.adu
    assert bias.changed_at.scale == "utc"
    for what in ("frame", "master", "result", "group", "alert"):
        with pytest.raises(NotFoundError, match="99"):
            getattr(here, what)(99)
        with pytest.raises(TypeError, match="expects its number"):
            getattr(here, what)("BL Lac")
    with pytest.raises(NotFoundError, match="no night 1999"):
        here.night("1999-01-01")


def test_many_numbers_are_asked_for_in_parts(here: Observatory) -> None:
    assert [row["id"] for row in here.frames_of(list(range(1, 250)))] == list(range(9, 0, -1))
    assert here.frames_of([]).count() == 0
    assert here.frames_of([]).first() is None


def test_images_have_their_wcs_mask_and_errors(here: Observatory) -> None:
    frame = here.frames(name="light0.fits").first()
    image = frame.image("reduced")
    assert image.shape == SHAPE
    assert image.unit == u.adu
    assert image.mask[50, 100], "the flat is bad there"
    ra, dec = TRUE.to_sky(TARGET.x, TARGET.y)
    assert image.wcs.world_to_pixel_values(ra, dec) == (
        pytest.approx(TARGET.x, abs=0.1), pytest.approx(TARGET.y, abs=0.1))
    assert image.meta["RAWFILE"] == "light0.fits"
    raw = frame.image("raw")
    assert raw.shape == SHAPE
    assert np.median(raw.data) > np.nanmedian(image.data), "the bias is in it"
    with pytest.raises(SelectionError, match="'pretty' is none of raw, reduced"):
        frame.image("pretty")
    with pytest.raises(NotFoundError, match=r"no reduced image.* it is done"):
        here.frames(name="bias0.fits").first().image()


def test_what_needs_the_files_is_of_the_site_alone(site: Site, client: Client) -> None:
    frame = site.frames(name="light0.fits").first()
    sky = np.median(frame.image().uncertainty.array)
    assert sky == pytest.approx(frame.info["sky_sigma"], rel=0.1)
    masks = frame.image("masks")
    assert masks.data[50, 100] == 1
    assert masks.meta["BIT2"] == "saturated"
    flat = site.masters(kind="flat").first().image()
    assert flat.unit == u.dimensionless_unscaled
    assert np.nanmedian(flat.data) == pytest.approx(1.0, abs=0.01)
    there = client.frame(frame["id"])
    for ask in (lambda: there.image("masks"), there.reduce, client.result(1).reduce,
                client.masters.first().image):
        with pytest.raises(NotHereError, match="the site"):
            ask()
