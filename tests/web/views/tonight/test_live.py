"""Tonight: what a source does, what a telescope does, and what its data are worth."""

from __future__ import annotations

import json
import re
import time
from dataclasses import replace
from pathlib import Path

import pytest

from iop4d.config import Site, Want
from iop4d.model.source import Source, SourceKind
from iop4d.model.states import Role
from iop4d.model.units import jd_of_unix
from iop4d.science.exposure import NEVER, Advice
from iop4d.store import catalogue, schema, users
from iop4d.store.database import Database
from iop4d.web.app import create_app
from iop4d.web.views.tonight.precision import Precision
from tests.web import observatory
from tests.web.conftest import OURS, add_account, enter, execute, firing

NOW = time.time()
NIGHT = time.strftime("%Y-%m-%d", time.gmtime(NOW - 43200))
BEFORE = time.strftime("%Y-%m-%d", time.gmtime(NOW - 43200 - 3 * 86400))


def text_of(page: str) -> str:
    """The words of a page, without its marks."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A site on which AndorT90 takes BL Lac: two nights, one point by one."""
    made = observatory.site(tmp_path / "site")
    now = time.time()  # the tests may begin long after they were collected
    database = Database(made.database)
    with database.write() as tx:
        for index, (night, at, mag) in enumerate((
                (BEFORE, now - 3 * 86400, 13.50), (BEFORE, now - 3 * 86400 + 300, 13.52),
                (NIGHT, now - 400, 13.22), (NIGHT, now - 100, 13.20))):
            jd = jd_of_unix(at - 60)
            frame = tx.create(
                schema.Frame, archive="t220", path=f"/{index}", telescope="OSN-T090", night=night,
                name=f"BLLac-{index}R.fit", size=1, mtime_ns=1, state="done", kind="science",
                instrument="AndorT90", band="R", object="BLLac", target="2200+420", exptime_s=60.0,
                jd_start=jd, binning=1, ny=1024, nx=1024, completed_at=at, seen_at=at,
                changed_at=at, info={"fwhm_arcsec": 1.5 + 0.1 * index, "fwhm_px": 4.0,
                                     "sky": 60.0, "aperture_px": 4.0})
            tx.create(schema.Measurement, frame=frame.id, source="2200+420", x=1.0, y=1.0,
                      flux=1000.0, flux_err=10.0, snr=100.0, sky=60.0)
            result = tx.create(
                schema.Result, key=f"{index}", source="2200+420", telescope="OSN-T090",
                instrument="AndorT90", night=night, mode="photometry", band="R",
                jd_mid=jd + 0.0003, exptime_s=60.0, mag=mag, mag_err=0.02, zero_point=21.0,
                created_at=at, changed_at=at)
            tx.create(schema.ResultFrame, result=result.id, frame=frame.id)
    database.close()
    return made


def home(site: Site, path: str = "/") -> str:
    return create_app(site).test_client().get(path).text


def test_a_source_shows_its_last_value_and_its_change_against_the_night_before(site: Site) -> None:
    page = home(site)
    words = text_of(page)
    assert "13.200 ± 0.020" in words
    assert "▲ 0.31 mag brighter since " + BEFORE[5:] in words
    # 0.02 of the point, and 0.02 / sqrt(2) of the mean of two.
    assert f"-0.31 ± 0.02 mag against the mean of the night {BEFORE}" in page
    assert "2 points of the night, 13.22 first, 13.20 last; 2 points of earlier nights" in page


def test_a_change_within_the_errors_is_none(site: Site) -> None:
    execute(site, "UPDATE result SET mag = 13.50 WHERE night = ?", NIGHT)
    assert "unchanged since " + BEFORE[5:] in text_of(home(site))


def test_a_flagged_point_is_not_the_last_value(site: Site) -> None:
    execute(site, "UPDATE result SET human_flags = ?, mag = 9.999 WHERE key = '3'",
            json.dumps([{"name": "trailed", "by": "Ana", "note": ""}]))
    words = text_of(home(site, "/fragments/tonight-sources"))
    assert "13.220 ± 0.020" in words
    assert "9.999 ±" not in words


def test_a_telescope_shows_what_it_observes_its_seeing_sky_and_zero_point(site: Site) -> None:
    words = text_of(home(site, "/fragments/telescopes"))
    for part in ("OSN-T090 ▶ observing", "2200+420", "60 s", "seeing 1.8", "zero point R 21.00",
                 "2 done"):
        assert part in words
    # 1 ADU a second in a pixel of 0.45 arcsec at zero point 21.
    assert "sky R 19.3" in words


def polarised(site: Site, **chi_of_night: float) -> None:
    """Give the results of a night a polarisation of 5 % with an angle."""
    for night, chi in {NIGHT: chi_of_night["now"], BEFORE: chi_of_night["before"]}.items():
        execute(site, "UPDATE result SET mode = 'polarimetry', p = 0.05, p_err = 0.002, "
                "p_debiased = 0.05, chi_deg = ?, chi_err_deg = 1.0 WHERE night = ?", chi, night)


def test_a_source_says_how_its_angle_turned_since_the_night_before_the_shorter_way(
        site: Site) -> None:
    polarised(site, before=170.0, now=9.98)
    page = home(site)
    words = text_of(page)
    assert "p 5.00 ± 0.20 % χ 10.0 ± 1.0°" in words
    assert f"unchanged , χ turned by +20° since {BEFORE[5:]}" in words
    # 1 degree of the point, and 1 / sqrt(2) of the mean of two.
    assert f"+20.0 ± 1.2° against the mean of the night {BEFORE}" in page
    polarised(site, before=179.97, now=179.97)
    assert "χ 0.0 ± 1.0°" in text_of(home(site))
    assert "χ unchanged" in text_of(home(site))


def test_the_small_curves_say_what_they_are(site: Site) -> None:
    assert "magnitude R 2 points" in text_of(home(site))
    polarised(site, before=170.0, now=10.0)
    assert "magnitude R p 2 points" in text_of(home(site))


def test_a_limit_of_the_polarisation_has_no_angle_to_turn(site: Site) -> None:
    polarised(site, before=170.0, now=10.0)
    execute(site, "UPDATE result SET p_limit = 0.06 WHERE night = ?", NIGHT)
    words = text_of(home(site))
    assert "p &lt; 6.0 %" in words
    assert "turned" not in words


def test_the_zero_points_are_those_of_the_camera_at_the_telescope_and_of_its_mode(
        site: Site) -> None:
    # Another camera had more points, and polarimetry loses half of the light.
    for instrument, mode in (("RoperT90", "photometry"), ("AndorT90", "polarimetry")):
        with Database(site.database).write() as tx:
            jd = jd_of_unix(time.time() - 3000)
            for index in range(3):
                tx.create(schema.Result, key=f"{instrument}{mode}{index}", source="2200+420",
                          telescope="OSN-T090", instrument=instrument, night=NIGHT, mode=mode,
                          band="R", jd_mid=jd + 0.001 * index, exptime_s=60.0, mag=13.2,
                          mag_err=0.02, zero_point=20.2, created_at=0.0, changed_at=0.0)
    execute(site, "DELETE FROM result WHERE mode = 'polarimetry' AND key LIKE '%2'")
    with Database(site.database).write() as tx:
        for index in range(2):
            tx.create(schema.Result, key=f"more{index}", source="2200+420", telescope="OSN-T090",
                      instrument="AndorT90", night=NIGHT, mode="photometry", band="R",
                      jd_mid=jd_of_unix(time.time() - 2000 - index), exptime_s=60.0, mag=13.2,
                      mag_err=0.02, zero_point=21.0, created_at=0.0, changed_at=0.0)
    page = home(site, "/fragments/telescopes")
    assert "zero point R 21.00" in text_of(page)
    assert "Sky and zero point: AndorT90, photometry" in text_of(page)
    assert "zero point R (AndorT90, photometry) through the night: last 21.00 mag, best 21.00 mag" \
        in page


def test_the_error_of_a_magnitude_is_held_against_what_is_wanted_in_its_own_band(
        site: Site) -> None:
    # A frame of V was just taken, and the newest magnitude is of R.
    execute(site, "UPDATE frame SET band = 'V' WHERE name = 'BLLac-3R.fit'")
    execute(site, "DELETE FROM result WHERE key = '3'")
    wanted = replace(site, want=(Want(band="V", mag_err=0.01), Want(band="R", mag_err=0.03)))
    words = text_of(home(wanted))
    assert "Error of the magnitude R 0.020 , ✓ as good as wanted (0.030)" in words
    # Its light is that of the frame in R.
    execute(site, "UPDATE measurement SET flux = 1e9 WHERE frame_id = 4")
    assert re.search(r"wanted 0\.010: 2\d0 s would reach it", text_of(home(
        replace(site, want=(Want(mag_err=0.01),)))))


def test_without_a_frame_for_long_it_is_idle(site: Site) -> None:
    execute(site, "UPDATE frame SET jd_start = jd_start - 0.2 WHERE night = ?", NIGHT)
    assert "OSN-T090 ○ idle" in text_of(home(site, "/fragments/telescopes"))


def test_the_error_stands_against_what_is_wanted_with_the_exposure_for_it(site: Site) -> None:
    assert "Error of the magnitude R 0.020" in text_of(home(site))
    assert "wanted" not in text_of(home(site))
    wanted = replace(site, want=(Want(mag_err=0.03), Want(sources=("BL Lac", "2200+420"),
                                                          mag_err=0.01)))
    # Photons of the source rule: four times the time, and a bit for the floor.
    found = re.search(r"wanted 0\.010: (\d+) s would reach it \(now 60 s\)", text_of(home(wanted)))
    assert found
    assert 235 <= int(found[1]) <= 260
    assert "✓ as good as wanted (0.030)" in text_of(home(replace(site, want=(Want(
        mag_err=0.03),))))


@pytest.mark.parametrize(("advice", "quantity", "text"), [
    (Advice(exptime_s=241.0, frames=1), "mag", "250 s would reach it (now 60 s)"),
    (Advice(exptime_s=80.0, frames=3), "p", "3 × 80 s at each position would reach it (now 60 s)"),
    (NEVER, "mag", "no exposure reaches it"), (None, "mag", "")])
def test_the_advice_is_a_sentence(advice: Advice | None, quantity: str, text: str) -> None:
    assert Precision(quantity=quantity, error=0.02, wanted=0.01, exptime_s=60.0,
                     advice=advice).text == text


def test_the_timeline_has_a_mark_for_each_frame_and_few_for_many(site: Site) -> None:
    page = home(site, "/fragments/telescopes")
    assert page.count('<a href="/frames/') == 2
    with Database(site.database).write() as tx:
        for index in range(600):
            tx.create(schema.Frame, archive="t220", path=f"/x{index}", telescope="OSN-T090",
                      night=NIGHT, name=f"X-{index}.fit", size=1, mtime_ns=1,
                      state="failed" if index == 300 else "done", kind="science", exptime_s=10.0,
                      jd_start=jd_of_unix(NOW - 36000 + 50 * index), completed_at=NOW,
                      seen_at=NOW, changed_at=NOW)
    page = home(site, "/fragments/telescopes")
    assert page.count("<rect") < 180
    assert re.search(r"fate-failed.*: \d done, 1 failed|fate-failed.*: 1 failed", page)


def test_the_first_load_is_small(site: Site) -> None:
    observatory.fill(site)
    client = create_app(site).test_client()
    page = client.get("/").text
    size = len(page)
    for address in set(re.findall(r'(?:href|src)="(/static/[^"]+)"', page)):
        with client.get(address) as answer:
            size += len(answer.data)
    assert size < 300_000


def test_an_active_alert_is_acknowledged_on_the_first_page(site: Site) -> None:
    observatory.fill(site)
    add_account(site)
    with Database(site.database).write() as tx:
        users.set_role(tx, "Ana", Role.OBSERVER)
    client = create_app(site).test_client()
    assert f'formaction="/alerts/{firing(site)}/acknowledge"' not in client.get("/").text
    enter(client)
    assert f'formaction="/alerts/{firing(site)}/acknowledge"' in client.get("/").text
    client.post(f"/alerts/{firing(site)}/acknowledge", headers=OURS, data={"note": ""})
    with Database(site.database, read_only=True).read() as db:
        states = [alert.state for alert in db.select(schema.Alert)]
    assert sorted(states) == ["acknowledged", "resolved"]


def test_pages_that_ask_at_the_same_time_share_the_facts(
        site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    from iop4d.web.views.tonight import facts

    made = []
    gather = facts.gather
    monkeypatch.setattr(facts, "gather", lambda *a, **k: made.append(1) or gather(*a, **k))
    client = create_app(site).test_client()
    for _ in range(3):
        client.get("/fragments/telescopes")
    assert len(made) == 1
    execute(site, "UPDATE result SET mag = 13.7 WHERE key = '3'")
    assert "13.700" in client.get("/fragments/tonight-sources").text
    assert len(made) == 2


def test_a_site_without_any_source_says_how_it_gets_some(empty: Site) -> None:
    assert "The catalogue is empty" in text_of(home(empty))
    assert "The catalogue is empty" not in text_of(home(with_a_target(empty)))


def with_a_target(site: Site) -> Site:
    """The site with a target, and still without a frame."""
    with Database(site.database).write() as tx:
        catalogue.save(tx, [Source(name="BL Lac", ra_deg=330.68, dec_deg=42.28,
                                   kind=SourceKind.TARGET)])
    return site
