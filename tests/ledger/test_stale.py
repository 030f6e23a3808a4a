"""What has changed since a frame was reduced is found."""

from __future__ import annotations

from dataclasses import replace

from iop4d.config import Site
from iop4d.ledger.stale import stale
from iop4d.store.database import Database
from iop4d.store.provenance import explain, keep_settings, settings_key
from iop4d.store.schema import Frame, Result
from tests.conftest import FakeClock
from tests.ledger.group_bench import FIRST, Bench, polarimeter
from tests.support.rows import first, update


def test_frames_of_other_settings_or_software_are_stale(site: Site, database: Database,
                                                        clock: FakeClock) -> None:
    bench = Bench(site, database, clock)
    bench.drop(*FIRST)
    bench.work()
    tools = {"Pol": polarimeter()}
    with database.read() as db:
        frames = list(db.select(Frame))
        assert stale(db, frames, site=site, instruments=tools) == []
        other = replace(site, photometry=replace(site.photometry, aperture=2.5))
        assert settings_key(other) != settings_key(site)
        found = stale(db, frames, site=other, instruments=tools)
        assert [s.why for s in found] == ["the settings have changed"] * 4
    update(database, Frame, Frame.id == frames[0].id,
           info={**frames[0].info, "software": "0.0.1"})
    with database.read() as db:
        (found_one,) = stale(db, db.select(Frame), site=site, instruments=tools)
        assert found_one.why == "reduced by iop4d 0.0.1"


def test_when_masters_are_built_makes_no_frame_stale(site: Site) -> None:
    """'iop4d reduce' builds them at once, a daemon waits: the numbers are the same."""
    at_once = replace(site, masters=replace(site.masters, build_delay=0.2))
    later = replace(site, masters=replace(site.masters, build_delay=3.0))
    assert settings_key(at_once) == settings_key(later)
    assert settings_key(replace(site, masters=replace(site.masters, clip_sigma=3.0))) \
        != settings_key(later)


def test_a_result_explains_itself(site: Site, database: Database, clock: FakeClock) -> None:
    bench = Bench(site, database, clock)
    with database.write() as tx:
        keep_settings(tx, site)
    bench.drop(*FIRST)
    bench.work()
    with database.read() as db:
        chain = explain(db, first(database, Result).id, index_minutes=30.0)
    assert chain["result"]["p"] == 0.04
    assert [frame["name"] for frame in chain["frames"]] == list(FIRST)
    assert chain["group"]["state"] == "complete"
    assert chain["group"]["angles"] == [0.0, 22.5, 45.0, 67.5]
    (settings,) = chain["settings"].values()
    assert settings["photometry"]["aperture"] == site.photometry.aperture
