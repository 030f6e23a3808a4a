"""Drafts are kept whole, once, and never written over."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from iop4d.alerts.atel import drafts
from iop4d.alerts.atel.facts import Facts
from iop4d.alerts.atel.figure import Pictures
from iop4d.alerts.atel.gather import gather
from iop4d.config import Site
from iop4d.config.load import parse_site
from iop4d.store.database import Database
from tests.alerts.test_atel_gather import (
    asked,
    fill_catalogue,
    flare,
)

PICTURES = Pictures(png=b"\x89PNG", pdf=b"%PDF")
EPISODE = {"rule": "flare", "source": "2200+420", "band": "R", "episode": 1}
SITE = """
[site]
url = "https://iop4d.example.org"
[atel]
authors = ["A. Author (IAA-CSIC)"]
contact = "A. Author"
[atel.related]
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
    with database.write():
        fill_catalogue()
    yield database
    database.close()


@pytest.fixture
def facts(store: Database) -> Facts:
    with store.write():
        return flare(3)


def keep(site: Site, facts: Facts, **more: Any) -> drafts.Kept:
    values: dict[str, Any] = {"made_at": 1.0} | more
    return drafts.keep(drafts.folder_of(site), facts, drafts.compose(site, facts), PICTURES,
                       **values)


def test_a_draft_is_a_folder_with_text_figure_and_trace(site: Site, facts: Facts) -> None:
    kept = keep(site, facts)
    assert kept.name == "ATel_BLLac_20261122T2130"
    assert sorted(path.name for path in kept.folder.iterdir()) == [
        "draft.json", "draft.txt", "figure.pdf", "figure.png"]
    content = json.loads((kept.folder / "draft.json").read_text())
    assert (kept.folder / "draft.txt").read_text() == content["text"]
    assert content["numbers"][0]["start"] > 0
    assert [path.name for path in drafts.folder_of(site).iterdir()] == [kept.name]


def test_the_site_file_says_who_signs_and_what_it_belongs_to(site: Site, facts: Facts) -> None:
    draft = drafts.compose(site, facts, related=["16000", "14773"])
    assert draft.authors == "A. Author (IAA-CSIC)"
    assert draft.related == ("14773", "15056", "16000")
    assert "0.9 m telescope (OSN-T090) at the Observatorio de Sierra Nevada, Spain" in draft.body
    assert "magnitudes of the literature" in draft.body


def test_of_a_camera_without_a_known_place_only_the_name_is_told(tmp_path: Path,
                                                                 facts: Facts) -> None:
    own = parse_site('[[camera]]\nname = "C"\ntelescope = "OSN-T090"\nidentify = {A = "b"}\n'
                     "scale = 1.0\n", root=tmp_path)
    draft = drafts.compose(own, facts)
    assert "with the telescope OSN-T090." in draft.body
    assert "0.9 m" not in draft.body


def test_the_same_draft_is_kept_once(site: Site, facts: Facts) -> None:
    first, second = keep(site, facts), keep(site, facts, made_at=2.0)
    assert first.fresh
    assert not second.fresh
    assert (second.name, second.content["made_at"]) == (first.name, 1.0)


def test_another_draft_of_the_same_moment_has_another_name(site: Site, facts: Facts) -> None:
    keep(site, facts)
    assert keep(site, replace(facts, baseline=None)).name == "ATel_BLLac_20261122T2130_2"


def test_what_a_person_wrote_is_never_written_over(site: Site, facts: Facts) -> None:
    kept = keep(site, facts)
    (kept.folder / "draft.txt").write_text("Mine.")
    keep(site, facts)
    drafts.make_for_alert(site, facts, EPISODE, now=3.0, pictures=PICTURES)
    assert (kept.folder / "draft.txt").read_text() == "Mine."


def test_a_draft_that_cannot_be_written_leaves_nothing(site: Site, facts: Facts,
                                                       monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, *_: object, **__: object) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(drafts, "write_atomic", full)
    with pytest.raises(OSError, match="No space"):
        keep(site, facts)
    assert list(drafts.folder_of(site).iterdir()) == []


def test_an_episode_has_one_draft_whatever_is_measured_anew(site: Site, facts: Facts) -> None:
    first = drafts.make_for_alert(site, facts, EPISODE, now=1.0, pictures=None)
    moved = replace(facts, level=replace(facts.level, mag=12.5, jd=facts.level.jd - 0.1))
    again = drafts.make_for_alert(site, moved, EPISODE, now=2.0, pictures=PICTURES)
    other = drafts.make_for_alert(site, moved, EPISODE | {"episode": 2}, now=3.0, pictures=None)
    assert again.name == first.name
    assert again.content["text"] == first.content["text"]
    assert [kept.name for kept in drafts.listed(drafts.folder_of(site))] == [
        other.name, first.name]


def test_a_hostile_name_makes_a_harmless_folder(site: Site, facts: Facts) -> None:
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
    with store.write():
        facts = flare(2)
        again = gather(asked())
    by_hand = keep(site, facts)
    by_alert = drafts.make_for_alert(site, again, EPISODE, now=2.0, pictures=None)
    assert by_hand.content["text"] == by_alert.content["text"]
    assert by_hand.name != by_alert.name
