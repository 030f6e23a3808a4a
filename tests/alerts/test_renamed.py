"""Alerts of a source that gets another name or loses a tag, and of rules that change what they
watch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from iop4d.alerts import actions, digest
from iop4d.alerts.atel import drafts
from iop4d.alerts.episodes import tag
from iop4d.model.source import Source, SourceKind
from iop4d.store import alerts, catalogue, catalogue_changes, outbox
from iop4d.store.schema import Alert, Outbox
from tests.alerts.bench import AtAnyTime as Engine
from tests.alerts.bench import Night, Start, channel, rule, site_of
from tests.support.rows import last, rows

NEW = "BL Lacertae"
TAGGED = rule(source="tag:lobby")


def renamed(night: Night, *, keep: bool = True) -> None:
    with night.database.write() as tx:
        catalogue_changes.rename(tx, catalogue.find(tx, "BL Lac"), NEW, by="ana", at=1.0,
                                 keep=keep)


def tagged(night: Night, *tags: str) -> None:
    with night.database.write() as tx:
        catalogue.save(tx, [Source(name="BL Lac", other_names=("2200+420",), ra_deg=330.68,
                                   dec_deg=42.28, kind=SourceKind.TARGET, tags=tags)])


@pytest.mark.parametrize("keep", [True, False])
def test_an_open_episode_continues_under_the_new_name(start: Start, keep: bool) -> None:
    night = start(rule(source="*", cooldown=0.0) + "notify_resolved = true\n", channel())
    night.see_all([12.9, 12.9])
    before = tag(last(night.database, Alert))
    renamed(night, keep=keep)
    night.tend()
    assert night.state() == "firing"
    with night.database.write() as tx:
        found = actions.find(tx, before)  # as the mail says it
        assert (found.source, tag(found)) == (NEW, before)
        actions.snooze(tx, found, 60.0, by="ana", now=night.clock())
    night.see_all([13.5, 13.5], start=10, source=NEW)
    assert [(one.state, one.source) for one in rows(night.database, Alert)] == [
        ("resolved", NEW)]
    assert night.kinds() == ["alert", "resolved"]


def test_the_mails_of_an_episode_stay_one_thread(start: Start) -> None:
    night = start(rule(cooldown=0.0) + "notify_resolved = true\n", channel())
    night.see_all([12.9, 12.9])
    first = last(night.database, Outbox).message_id
    with night.database.write() as tx:
        sent = digest.claim_next(tx, "team", night.site.alerts, night.clock())
        assert sent is not None
        outbox.mark_sent(tx, sent, night.clock())
    renamed(night)
    night.see_all([13.5, 13.5], start=10, source=NEW)
    with night.database.write() as tx:
        message = digest.claim_next(tx, "team", night.site.alerts, night.clock())
        assert message is not None
        assert message.first_id == first


def test_the_next_episode_has_a_tag_of_its_own(start: Start) -> None:
    night = start(rule(cooldown=0.0), channel())
    night.see_all([12.9, 12.9, 13.5, 13.5])
    renamed(night)
    night.see_all([12.9, 12.9], start=10, source=NEW)
    one, two = rows(night.database, Alert, Alert.state.in_(("firing", "resolved")))
    assert (one.source, one.called, two.source, two.called) == (NEW, "BL Lac", NEW, "")
    assert (one.episode, two.episode) == (1, 2)
    assert tag(one) != tag(two)


def test_a_draft_knows_its_episode_after_the_source_was_renamed(start: Start) -> None:
    night = start(rule(cooldown=0.0), channel())
    night.see_all([12.9, 12.9])
    episode = {"rule": "bright", "source": "BL Lac", "band": "R", "episode": 1}
    content: dict[str, Any] = {"alert": episode, "numbers": [], "made_at": 1e12}
    renamed(night)
    with night.database.read() as db:
        found = alerts.of_episode(db, **episode)
        assert found is not None
        assert found.source == NEW
    for row in rows(night.database, Alert)[0].points:
        night.flag(row)
    night.tend()
    with night.database.read() as db:
        kept = drafts.StoredDraft(folder=Path("x"), content=content, fresh=False)
        assert any("withdrawn" in why for why in drafts.outdated_because(db, kept))


def test_an_episode_of_a_source_that_lost_its_tag_is_resolved(start: Start) -> None:
    night = start(TAGGED, '[[tag]]\nname = "lobby"\nsources = ["3C 345"]\n', channel())
    tagged(night, "lobby")
    night.see_all([12.9, 12.9])
    assert night.state() == "firing"
    night.tend()
    assert night.state() == "firing", "nothing changed"
    tagged(night)
    night.tend()
    alert = last(night.database, Alert)
    assert (alert.state, alert.note) == (
        "resolved", "the rule 'bright' does not watch BL Lac R any more")
    tagged(night, "lobby")  # a new one begins with the next points that meet it
    night.clock.now += 86400
    night.see_all([12.8, 12.8], start=1440)
    assert [one.state for one in rows(night.database, Alert)] == ["resolved", "firing"]


@pytest.mark.parametrize("changed", [
    rule(source="3C 345"), rule().replace('band = "R"', 'band = "V"'), rule(source="*")])
def test_an_episode_ends_when_its_rule_watches_something_else(
        start: Start, changed: str, tmp_path: Path) -> None:
    night = start(rule(), channel())
    night.see_all([12.9, 12.9, 12.9])
    night.engine = Engine(site_of(tmp_path, changed, channel()), night.clock)
    night.tend()
    assert night.state() == ("firing" if 'source = "*"' in changed else "resolved")


def test_a_point_that_waits_is_given_up_where_nothing_watches_it(start: Start,
                                                                 tmp_path: Path) -> None:
    night = start(rule(), channel())
    night.see(0, 12.9)
    assert night.state() == "pending"
    night.engine = Engine(site_of(tmp_path, rule(source="3C 345"), channel()), night.clock)
    night.tend()
    assert night.state() == "inactive"


def test_a_database_from_before_names_were_kept_gives_the_same_tags(start: Start) -> None:
    night = start(rule(), channel())
    night.see_all([12.9, 12.9])
    assert last(night.database, Alert).called == ""
    assert tag(last(night.database, Alert)) == "#a20ad5"
