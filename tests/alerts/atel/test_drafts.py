"""Drafts are kept whole, once, and never written over."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from iop4d.alerts.atel import drafts
from iop4d.alerts.atel.drafts import Drafter, draw_apart
from iop4d.alerts.atel.facts import PhotometryFacts
from iop4d.alerts.atel.figure import FigureRequest, Pictures
from iop4d.alerts.atel.gather import gather
from iop4d.alerts.atel.text import DraftError
from iop4d.config import Site
from iop4d.config.load import parse_site
from iop4d.store.database import Database
from iop4d.store.schema import Alert, Event
from tests.alerts.atel.telegrams import (
    alert,
    asked,
    fill_catalogue,
    flare,
    measure,
    without_stars,
)
from tests.conftest import FakeClock
from tests.support.inline_database import InlineDatabase

PICTURES = Pictures(png=b"\x89PNG", pdf=b"%PDF")
EPISODE = {"rule": "flare", "source": "2200+420", "band": "R", "episode": 1}
SITE = """
[[rule]]
name = "flare"
condition = "mag < 13.0"
[[rule]]
name = "quiet"
condition = "mag < 13.0"
[site]
url = "https://iop4d.example.org"
[atel]
authors = ["A. Author (IAA-CSIC)"]
contact = "A. Author"
[atel.related_atels]
bllac = "14773, 15056"
[atel.calibration]
"*" = "the literature"
"""


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return parse_site(SITE, root=tmp_path)


@pytest.fixture
def store(site: Site) -> Iterator[Database]:
    database = Database(site.database)
    with database.write() as tx:
        fill_catalogue(tx)
    yield database
    database.close()


@pytest.fixture
def facts(store: Database) -> PhotometryFacts:
    with store.write() as tx:
        return flare(tx, 3)


def keep(site: Site, facts: PhotometryFacts, **more: Any) -> drafts.StoredDraft:
    values: dict[str, Any] = {"made_at": 1.0} | more
    return drafts.save(drafts.folder_of(site), facts, drafts.compose(site, facts), PICTURES,
                       **values)


def test_a_draft_is_a_folder_with_text_figure_and_trace(site: Site, facts: PhotometryFacts) -> None:
    kept = keep(site, facts)
    assert kept.name == "ATel_BLLac_20261122T2130"
    assert sorted(path.name for path in kept.folder.iterdir()) == [
        "draft.json", "draft.txt", "figure.pdf", "figure.png"]
    content = json.loads((kept.folder / "draft.json").read_text())
    assert (kept.folder / "draft.txt").read_text() == content["text"]
    assert content["numbers"][0]["start"] > 0
    assert [path.name for path in drafts.folder_of(site).iterdir()] == [kept.name]


def test_the_site_file_says_who_signs_and_what_it_belongs_to(
        site: Site, facts: PhotometryFacts) -> None:
    draft = drafts.compose(site, facts, related=["16000", "14773"])
    assert draft.authors == "A. Author (IAA-CSIC)"
    assert draft.related == ("14773", "15056", "16000")
    assert "0.9 m telescope (OSN-T090) at the Observatorio de Sierra Nevada, Spain" in draft.body
    assert "magnitudes of the literature" in draft.body


def test_of_a_camera_without_a_known_place_only_the_name_is_told(tmp_path: Path,
                                                                 facts: PhotometryFacts) -> None:
    own = parse_site('[[camera]]\nname = "C"\ntelescope = "OSN-T090"\nidentify = {A = "b"}\n'
                     "pixel_scale = 1.0\n", root=tmp_path)
    draft = drafts.compose(own, facts)
    assert "with the telescope OSN-T090." in draft.body
    assert "0.9 m" not in draft.body


def test_the_same_draft_is_kept_once(site: Site, facts: PhotometryFacts) -> None:
    first, second = keep(site, facts), keep(site, facts, made_at=2.0)
    assert first.fresh
    assert not second.fresh
    assert (second.name, second.content["made_at"]) == (first.name, 1.0)


def test_another_draft_of_the_same_moment_has_another_name(
        site: Site, facts: PhotometryFacts) -> None:
    keep(site, facts)
    assert keep(site, replace(facts, baseline=None)).name == "ATel_BLLac_20261122T2130_2"


def test_what_a_person_wrote_is_never_written_over(site: Site, facts: PhotometryFacts) -> None:
    kept = keep(site, facts)
    (kept.folder / "draft.txt").write_text("Mine.")
    keep(site, facts)
    drafts.make_for_alert(site, facts, EPISODE, now=3.0, pictures=PICTURES)
    assert (kept.folder / "draft.txt").read_text() == "Mine."


def test_a_draft_that_cannot_be_written_leaves_nothing(site: Site, facts: PhotometryFacts,
                                                       monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, *_: object, **__: object) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(drafts, "write_atomic", full)
    with pytest.raises(OSError, match="No space"):
        keep(site, facts)
    assert list(drafts.folder_of(site).iterdir()) == []


def test_an_episode_has_one_draft_whatever_is_measured_later(
        site: Site, facts: PhotometryFacts) -> None:
    first = drafts.make_for_alert(site, facts, EPISODE, now=1.0, pictures=None)
    moved = replace(facts, level=replace(facts.level, mag=12.5, jd=facts.level.jd - 0.1))
    again = drafts.make_for_alert(site, moved, EPISODE, now=2.0, pictures=PICTURES)
    other = drafts.make_for_alert(site, moved, EPISODE | {"episode": 2}, now=3.0, pictures=None)
    assert again.name == first.name
    assert again.content["text"] == first.content["text"]
    assert [kept.name for kept in drafts.listed(drafts.folder_of(site))] == [
        other.name, first.name]


def test_a_hostile_name_makes_a_harmless_folder(site: Site, facts: PhotometryFacts) -> None:
    for name in ("../../etc", "a/b", "日本", "x" * 300):
        kept = keep(site, replace(facts, called=name))
        assert kept.folder.parent == drafts.folder_of(site)
        assert drafts.is_name(kept.name)


@pytest.mark.parametrize("name", [
    "..", "ATel_BLLac_20261122T2130/..", "ATel_../x_20261122T2130", "ATel_BLLac", "",
    ".ATel_BLLac_20261122T2130.1.tmp", "ATel_BLLac_20261122T2130\n"])
def test_no_other_name_is_that_of_a_draft(name: str) -> None:
    assert not drafts.is_name(name)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"text": "x"}', b"\xff\xfe"])
def test_a_folder_that_holds_no_draft_is_not_listed(site: Site, content: bytes) -> None:
    folder = drafts.folder_of(site) / "ATel_BLLac_20261122T2130"
    folder.mkdir(parents=True)
    (folder / "draft.json").write_bytes(content)
    assert drafts.listed(drafts.folder_of(site)) == []


def test_without_a_folder_there_is_no_draft(site: Site) -> None:
    assert drafts.listed(drafts.folder_of(site)) == []


def test_facts_of_a_person_and_of_an_alert_are_drafts_of_their_own(site: Site,
                                                                   store: Database) -> None:
    with store.write() as tx:
        facts = flare(tx, 2)
        again = gather(tx, asked(tx))
    by_hand = keep(site, facts)
    by_alert = drafts.make_for_alert(site, again, EPISODE, now=2.0, pictures=None)
    assert by_hand.content["text"] == by_alert.content["text"]
    assert by_hand.name != by_alert.name


# The drafts of alerts.


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
    return Drafter(database=InlineDatabase(store), site=site, rules={"flare"}, clock=clock,
                   draw=pen)


def fire(store: Database, clock: FakeClock, **more: Any) -> None:
    with store.write() as tx:
        ids = [measure(tx, 0, 9.0 + k / 10, 12.9) for k in range(3)]
        alert(tx, ids, **({"fired_at": clock(), "notified_at": clock()} | more))


def note_of(store: Database) -> str:
    with store.read() as db:
        return str(db.select(Alert).get().note)


def names(site: Site) -> list[str]:
    return [kept.name for kept in drafts.listed(drafts.folder_of(site))]


def test_an_alert_of_such_a_rule_gets_a_draft_once(site: Site, store: Database,
                                                   clock: FakeClock) -> None:
    fire(store, clock)
    pen = Pen()
    mine = drafting(site, store, clock, pen)
    asyncio.run(mine.run_once())
    asyncio.run(mine.run_once())
    asyncio.run(drafting(site, store, clock, pen).run_once())  # after a restart
    assert names(site) == ["ATel_BLLacertae_20261122T2106"]
    assert len(pen.asked) == 1
    with store.read() as db:
        events = list(db.select(Event).where(Event.kind == "draft"))
    assert [event.content["name"] for event in events] == names(site)


@pytest.mark.parametrize("more", [{"rule": "quiet"}, {"fired_at": 0.0}])
def test_other_rules_and_old_alerts_get_none(site: Site, store: Database, clock: FakeClock,
                                             more: dict[str, Any]) -> None:
    fire(store, clock, **more)
    asyncio.run(drafting(site, store, clock, Pen()).run_once())
    assert names(site) == []


@pytest.mark.parametrize("state", ["pending", "inactive"])
def test_what_was_told_as_unconfirmed_gets_its_draft_once_it_is_confirmed(
        site: Site, store: Database, clock: FakeClock, state: str) -> None:
    fire(store, clock, state=state)
    mine = drafting(site, store, clock, Pen())
    asyncio.run(mine.run_once())
    assert names(site) == []
    with store.write() as tx:
        tx.update(Alert, state="firing").execute()
    asyncio.run(mine.run_once())
    assert len(names(site)) == 1


def test_an_alert_with_nothing_to_report_is_reported_once_and_left(
        site: Site, store: Database, clock: FakeClock,
        caplog: pytest.LogCaptureFixture) -> None:
    fire(store, clock, source="2200+420", band="R", fired_jd=2451000.5)
    mine = drafting(site, store, clock, Pen())
    asyncio.run(mine.run_once())
    asyncio.run(mine.run_once())
    assert names(site) == []
    assert sum("nothing to report" in record.message for record in caplog.records) == 1


def test_an_alert_with_nothing_to_report_says_so_and_what_to_do(
        site: Site, store: Database, clock: FakeClock) -> None:
    fire(store, clock, fired_jd=2451000.5)
    asyncio.run(drafting(site, store, clock, Pen()).run_once())
    note = note_of(store)
    assert note.startswith("no ATel draft: nothing to report: no good result of BL Lacertae from")
    assert note.endswith("draft it by hand: iop4d atel 'BL Lacertae' --since 1998-07-06")


def test_what_is_noted_at_an_alert_already_stays(site: Site, store: Database,
                                                 clock: FakeClock) -> None:
    fire(store, clock, fired_jd=2451000.5, note="muted")
    asyncio.run(drafting(site, store, clock, Pen()).run_once())
    assert note_of(store) == "muted"


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
    with store.write() as tx:
        fill_catalogue(tx)
    fire(store, clock)
    asyncio.run(drafting(mine, store, clock, Pen()).run_once())
    store.close()
    [kept] = drafts.listed(drafts.folder_of(mine))
    assert kept.content["called"] == called
    assert kept.content["text"].splitlines()[0].endswith(f" of {called}")
    assert kept.name.startswith(f"ATel_{called.replace(' ', '')}_")


def test_an_alert_on_polarisation_alone_gets_a_draft(site: Site, store: Database,
                                                     clock: FakeClock) -> None:
    with store.write() as tx:
        alert(tx, [without_stars(tx, 0, 9.0)], fired_at=clock(), notified_at=clock())
    asyncio.run(drafting(site, store, clock, Pen()).run_once())
    [kept] = drafts.listed(drafts.folder_of(site))
    assert kept.content["title"] == "Optical polarimetry of BL Lacertae"
    assert (kept.content["mag"], kept.content["mag_err"], kept.content["band"]) == (None, None, "R")


def test_a_failure_is_tried_again_and_given_up_in_the_end(
        site: Site, store: Database, clock: FakeClock) -> None:
    fire(store, clock)
    pen = Pen(fails=1)
    mine = drafting(site, store, clock, pen)
    with pytest.raises(RuntimeError):
        asyncio.run(mine.run_once())
    asyncio.run(mine.run_once())
    assert len(names(site)) == 1
    never = Pen(fails=99)
    fire(store, clock, episode=2)
    last = drafting(site, store, clock, never)
    for _ in range(3):
        with pytest.raises(RuntimeError):
            asyncio.run(last.run_once())
    asyncio.run(last.run_once())
    assert len(never.asked) == 3


def test_one_alert_that_fails_keeps_no_other_back(site: Site, store: Database,
                                                  clock: FakeClock) -> None:
    fire(store, clock)
    fire(store, clock, episode=2)
    mine = drafting(site, store, clock, Pen(fails=1))
    with pytest.raises(RuntimeError):
        asyncio.run(mine.run_once())
    asyncio.run(mine.run_once())
    assert len(names(site)) == 2


def test_a_figure_is_drawn_in_another_process() -> None:
    made = asyncio.run(draw_apart(FigureRequest(title="BL Lac", band="R", points=())))
    assert made is not None
    assert made.png.startswith(b"\x89PNG")


def test_a_figure_that_fails_is_none(monkeypatch: pytest.MonkeyPatch,
                                     caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(drafts, "pack", lambda _: b"nonsense")
    assert asyncio.run(draw_apart(FigureRequest(title="-", band="R", points=()))) is None
    assert "was not drawn" in caplog.text


def test_a_draft_without_its_figure_is_kept_all_the_same(site: Site, store: Database,
                                                         clock: FakeClock) -> None:
    async def nothing(_: FigureRequest) -> None:
        await asyncio.sleep(0)

    fire(store, clock)
    asyncio.run(Drafter(database=InlineDatabase(store), site=site, rules={"flare"}, clock=clock,
                        draw=nothing).run_once())
    kept = drafts.listed(drafts.folder_of(site))[0]
    assert kept.content["figure"] is False
    assert not (kept.folder / "figure.png").exists()


def test_a_draft_with_an_untraced_number_is_not_stored_and_the_alert_says_why(
        site: Site, store: Database, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise DraftError("a draft holds a number that is traced to no result: It was 13.")

    monkeypatch.setattr(drafts.text, "write", refuse)
    fire(store, clock)
    asyncio.run(drafting(site, store, clock, Pen()).run_once())
    assert names(site) == []
    assert note_of(store) == (
        "no ATel draft: a draft holds a number that is traced to no result: It was 13.")
