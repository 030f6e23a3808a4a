"""Alerts of rules that ask for it get a draft by themselves, once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from iop4d.alerts.atel import drafter, drafts
from iop4d.alerts.atel.drafter import Drafter, draw_apart
from iop4d.alerts.atel.figure import FigureRequest, Pictures
from iop4d.config import Site
from iop4d.config.load import parse_site
from iop4d.store.database import Database
from iop4d.store.schema import Alert, Event
from tests.alerts.bench import run_db
from tests.alerts.test_atel_gather import alert, fill_catalogue, measure, without_stars
from tests.conftest import FakeClock

PICTURES = Pictures(png=b"\x89PNG", pdf=b"%PDF")
RULES = """
[[rule]]
name = "flare"
condition = "mag < 13.0"
[[rule]]
name = "quiet"
condition = "mag < 13.0"
"""


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return parse_site(RULES, root=tmp_path)


@pytest.fixture
def store(site: Site) -> Iterator[Database]:
    database = Database(site.database)
    with database.write():
        fill_catalogue()
    yield database
    database.close()


class Pen:
    """Draws nothing, and knows how often it was asked."""

    def __init__(self, *, fails: int = 0) -> None:
        self.asked: list[FigureRequest] = []
        self.fails = fails

    async def __call__(self, request: FigureRequest) -> Pictures | None:
        self.asked.append(request)
        if len(self.asked) <= self.fails:
            raise RuntimeError("no pen")
        return PICTURES


def drafting(site: Site, store: Database, clock: FakeClock, pen: Pen) -> Drafter:
    return Drafter(run_db=run_db, database=store, site=site, rules={"flare"}, clock=clock,
                   draw=pen)


def fire(store: Database, clock: FakeClock, **more: Any) -> None:
    with store.write():
        ids = [measure(0, 9.0 + k / 10, 12.9) for k in range(3)]
        alert(ids, **({"fired_at": clock(), "told_at": clock()} | more))


def names(site: Site) -> list[str]:
    return [kept.name for kept in drafts.listed(drafts.folder_of(site))]


def test_an_alert_of_such_a_rule_gets_a_draft_once(site: Site, store: Database,
                                                   clock: FakeClock) -> None:
    fire(store, clock)
    pen = Pen()
    mine = drafting(site, store, clock, pen)
    asyncio.run(mine.look())
    asyncio.run(mine.look())
    asyncio.run(drafting(site, store, clock, pen).look())  # after a restart
    assert names(site) == ["ATel_BLLacertae_20261122T2106"]
    assert len(pen.asked) == 1
    assert [event.content["name"] for event in Event.select().where(Event.kind == "draft")] == \
        names(site)


@pytest.mark.parametrize("more", [{"rule": "quiet"}, {"fired_at": 0.0}])
def test_other_rules_and_old_alerts_get_none(site: Site, store: Database, clock: FakeClock,
                                             more: dict[str, Any]) -> None:
    fire(store, clock, **more)
    asyncio.run(drafting(site, store, clock, Pen()).look())
    assert names(site) == []


def test_an_alert_with_nothing_to_report_is_told_and_left(
        site: Site, store: Database, clock: FakeClock,
        caplog: pytest.LogCaptureFixture) -> None:
    fire(store, clock, source="2200+420", band="R", fired_jd=2451000.5)
    mine = drafting(site, store, clock, Pen())
    asyncio.run(mine.look())
    asyncio.run(mine.look())
    assert names(site) == []
    assert sum("nothing to report" in record.message for record in caplog.records) == 1


def test_an_alert_with_nothing_to_report_says_so_and_what_to_do(
        site: Site, store: Database, clock: FakeClock) -> None:
    fire(store, clock, fired_jd=2451000.5)
    asyncio.run(drafting(site, store, clock, Pen()).look())
    note = Alert.get().note
    assert note.startswith("no ATel draft: nothing to report: no good result of BL Lacertae from")
    assert note.endswith("draft it by hand: iop4d atel 'BL Lacertae' --since 1998-07-06")


def test_what_is_noted_at_an_alert_already_stays(site: Site, store: Database,
                                                 clock: FakeClock) -> None:
    fire(store, clock, fired_jd=2451000.5, note="muted")
    asyncio.run(drafting(site, store, clock, Pen()).look())
    assert Alert.get().note == "muted"


@pytest.mark.parametrize(("names_it", "called"), [
    ('source = "*"', "BL Lacertae"), ('source = "tag:bl"', "BL Lacertae"),
    ('sources = ["tag:bl", "3C 279"]', "BL Lacertae"), ('source = "BL Lac"', "BL Lac")])
def test_a_draft_calls_its_source_by_its_name_whatever_the_rule_names(
        tmp_path: Path, clock: FakeClock, names_it: str, called: str) -> None:
    mine = parse_site(f"""
[[tag]]
name = "bl"
sources = ["2200+420", "3C 279"]
[[rule]]
name = "flare"
condition = "mag < 13.0"
{names_it}
""", root=tmp_path)
    store = Database(mine.database)
    with store.write():
        fill_catalogue()
    fire(store, clock)
    asyncio.run(drafting(mine, store, clock, Pen()).look())
    store.close()
    [kept] = drafts.listed(drafts.folder_of(mine))
    assert kept.content["called"] == called
    assert kept.content["text"].splitlines()[0].endswith(f" of {called}")
    assert kept.name.startswith(f"ATel_{called.replace(' ', '')}_")


def test_an_alert_on_polarisation_alone_gets_a_draft(site: Site, store: Database,
                                                     clock: FakeClock) -> None:
    with store.write():
        alert([without_stars(0, 9.0)], fired_at=clock(), told_at=clock())
    asyncio.run(drafting(site, store, clock, Pen()).look())
    [kept] = drafts.listed(drafts.folder_of(site))
    assert kept.content["title"] == "Optical polarimetry of BL Lacertae"
    assert (kept.content["mag"], kept.content["mag_err"], kept.content["band"]) == (None, None, "R")


def test_a_failure_is_tried_again_and_given_up_in_the_end(
        site: Site, store: Database, clock: FakeClock) -> None:
    fire(store, clock)
    pen = Pen(fails=1)
    mine = drafting(site, store, clock, pen)
    with pytest.raises(RuntimeError):
        asyncio.run(mine.look())
    asyncio.run(mine.look())
    assert len(names(site)) == 1
    never = Pen(fails=99)
    fire(store, clock, episode=2)
    last = drafting(site, store, clock, never)
    for _ in range(3):
        with pytest.raises(RuntimeError):
            asyncio.run(last.look())
    asyncio.run(last.look())
    assert len(never.asked) == 3


def test_one_alert_that_fails_keeps_no_other_back(site: Site, store: Database,
                                                  clock: FakeClock) -> None:
    fire(store, clock)
    fire(store, clock, episode=2)
    mine = drafting(site, store, clock, Pen(fails=1))
    with pytest.raises(RuntimeError):
        asyncio.run(mine.look())
    asyncio.run(mine.look())
    assert len(names(site)) == 2


def test_a_figure_is_drawn_in_another_process() -> None:
    made = asyncio.run(draw_apart(FigureRequest(title="BL Lac", band="R", marks=())))
    assert made is not None
    assert made.png.startswith(b"\x89PNG")


def test_a_figure_that_fails_is_none(monkeypatch: pytest.MonkeyPatch,
                                     caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(drafter, "pack", lambda _: b"nonsense")
    assert asyncio.run(draw_apart(FigureRequest(title="-", band="R", marks=()))) is None
    assert "was not drawn" in caplog.text


def test_a_draft_without_its_figure_is_kept_all_the_same(site: Site, store: Database,
                                                         clock: FakeClock) -> None:
    async def nothing(_: FigureRequest) -> None:
        await asyncio.sleep(0)

    fire(store, clock)
    asyncio.run(Drafter(run_db=run_db, database=store, site=site, rules={"flare"}, clock=clock,
                        draw=nothing).look())
    kept = drafts.listed(drafts.folder_of(site))[0]
    assert kept.content["figure"] is False
    assert not (kept.folder / "figure.png").exists()
