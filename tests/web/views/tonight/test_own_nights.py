"""Each telescope has its own night, from noon to noon of its place, wherever on Earth that is."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from iop4d.config import Site
from iop4d.instruments.telescopes import Telescope, night_of
from iop4d.model.units import jd_of_unix
from iop4d.store import schema, tonight
from iop4d.store.database import Database
from iop4d.web.views.tonight.facts import NightFacts, gather
from tests.web import observatory

EAST = Telescope(name="Siding Spring", latitude_deg=-31.3, longitude_deg=149.1)
WEST = Telescope(name="Mauna Kea", latitude_deg=19.8, longitude_deg=-155.5)
NOW = datetime(2026, 11, 27, 9, 0, tzinfo=UTC).timestamp()


class Places:
    """The instruments of a site that stand in the far east and the far west."""

    def of(self, site: Site) -> dict[str, Any]:
        return {one.name: SimpleNamespace(telescope=one) for one in (EAST, WEST)}


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return observatory.site(tmp_path / "site")


def observed(site: Site, *places: Telescope, at: float = NOW - 120) -> None:
    database = Database(site.database)
    with database.write() as tx:
        for place in places:
            tx.create(schema.Frame, archive="a", path=f"/{place.name}", telescope=place.name,
                      night=night_of(jd_of_unix(at), place), name=f"{place.name}.fit", size=1,
                      mtime_ns=1, state="done", kind="science", exptime_s=60.0,
                      jd_start=jd_of_unix(at), completed_at=at, seen_at=at, changed_at=at)
    database.close()


def home(site: Site, now: float = NOW) -> NightFacts:
    with Database(site.database, read_only=True).read() as db:
        return gather(db, site, tonight.last_night(db), root="", now=now,
                      instruments=Places(), is_home=True)  # type: ignore[arg-type]


@pytest.mark.parametrize(("place", "night"), [(EAST, "2026-11-27"), (WEST, "2026-11-26")])
def test_while_a_telescope_observes_it_is_tonight_wherever_it_stands(
        site: Site, place: Telescope, night: str) -> None:
    observed(site, place)
    facts = home(site)
    assert (facts.night, facts.is_tonight) == (night, True)
    assert not home(site, NOW + 86400).is_tonight


def test_two_telescopes_far_apart_show_each_its_own_night(site: Site) -> None:
    observed(site, EAST, WEST)
    facts = home(site)
    assert {one.name: (one.night, one.is_observing) for one in facts.telescopes if one.newest} == {
        EAST.name: ("2026-11-27", True), WEST.name: ("2026-11-26", True)}
    assert facts.n_frames == 2
    assert facts.night == "2026-11-27"


def test_the_page_of_a_night_has_that_night_alone(site: Site) -> None:
    observed(site, EAST, WEST)
    with Database(site.database, read_only=True).read() as db:
        facts = gather(db, site, "2026-11-27", root="", now=NOW,
                       instruments=Places())  # type: ignore[arg-type]
    assert [one.name for one in facts.telescopes if one.newest] == [EAST.name]
    assert [one.is_present for one in facts.telescopes if one.newest] == [True]


def test_in_the_morning_of_the_one_the_evening_of_the_other_goes_first(site: Site) -> None:
    observed(site, WEST)
    observed(site, EAST, at=NOW - 86400)
    facts = home(site)
    assert facts.night == "2026-11-26"
    assert {one.name for one in facts.telescopes if one.newest} == {EAST.name, WEST.name}
    assert [one.name for one in facts.telescopes
            if one.is_present and one.newest] == [WEST.name]
