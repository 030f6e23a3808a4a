"""A change of the rules is in the site file and in the audit, or in neither, wherever it is cut."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from iop4d.alerts import rule_edits, rule_intents
from iop4d.alerts.rule_edits import ADD, CHANGE, REMOVE
from iop4d.config.edit import find_rule
from iop4d.config.load import SITE_FILE
from iop4d.model.errors import ConfigError
from iop4d.store.database import Database
from iop4d.store.schema import Audit
from tests.support.rows import rows as all_rows

OLD = {"name": "bright", "condition": "mag < 13.0"}
NEW = {"name": "bright", "condition": "mag < 12.0"}
DO: dict[str, dict[str, Any]] = {
    ADD: {"act": ADD, "keys": {"name": "flare", "condition": "mag < 11.0"}},
    CHANGE: {"act": CHANGE, "rule": "bright", "was": OLD, "keys": NEW, "why": "too many"},
    REMOVE: {"act": REMOVE, "rule": "bright", "was": OLD}}
RENAME = {"act": CHANGE, "rule": "bright", "was": OLD, "keys": {**OLD, "name": "very-bright"}}


class Crash(BaseException):
    """The power failed."""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / SITE_FILE).write_text(
        '# Ours.\n[[rule]]\nname = "bright"\ncondition = "mag < 13.0"\n', encoding="utf-8")
    return tmp_path


@pytest.fixture
def db(root: Path) -> Database:
    return Database(root / "iop4d.db")


def edit(db: Database, root: Path, what: dict[str, Any], *, now: float = 1.0,
         cut: bool = False) -> None:
    with db.write() as tx:
        rule_edits.edit(tx, root, what, by="Ana", now=now)
        if cut:
            raise Crash


def settled(db: Database, root: Path) -> int:
    with db.write() as tx:
        return rule_intents.settle(tx, root)


def acts(db: Database) -> list[tuple[str, str, Any]]:
    return [(row.act, row.subject, row.now) for row in all_rows(db, Audit)]


@pytest.mark.parametrize("what", [*DO.values(), RENAME], ids=[*DO, "rename"])
def test_a_row_that_a_crash_took_is_written_at_the_next_start(
        db: Database, root: Path, what: dict[str, Any]) -> None:
    with pytest.raises(Crash):
        edit(db, root, what, cut=True)
    assert acts(db) == []
    for _ in range(2):
        settled(db, root)
        (row,) = all_rows(db, Audit)
        assert (row.at, row.by, row.act) == (1.0, "Ana", what["act"])
        assert row.was == what.get("was")
        assert row.now == what.get("keys")
        assert row.why == what.get("why", "")
    assert not (root / rule_intents.INTENTS_FILE).exists()


@pytest.mark.parametrize("what", DO.values(), ids=DO)
def test_the_request_that_a_crash_cut_off_is_answered_and_is_not_done_twice(
        db: Database, root: Path, what: dict[str, Any]) -> None:
    with pytest.raises(Crash):
        edit(db, root, what, cut=True)
    settled(db, root)
    written = (root / SITE_FILE).read_text(encoding="utf-8")
    edit(db, root, what, now=2.0)
    assert (root / SITE_FILE).read_text(encoding="utf-8") == written
    assert len(acts(db)) == 1


@pytest.mark.parametrize("what", DO.values(), ids=DO)
def test_a_change_that_never_reached_the_file_leaves_no_row(
        db: Database, root: Path, what: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    real: Callable[..., None] = rule_intents.write_atomic

    def dies(path: Path, *args: Any, **more: Any) -> None:
        if path.name == SITE_FILE:
            raise Crash
        real(path, *args, **more)

    with monkeypatch.context() as patch:
        patch.setattr(rule_intents, "write_atomic", dies)
        with pytest.raises(Crash):
            edit(db, root, what)
    assert find_rule(root, "bright") == OLD
    assert settled(db, root) == 0
    assert acts(db) == []
    edit(db, root, what)
    assert len(acts(db)) == 1


def test_one_crash_after_the_other_loses_no_row(db: Database, root: Path) -> None:
    with pytest.raises(Crash):
        edit(db, root, DO[CHANGE], cut=True)
    with pytest.raises(Crash):
        edit(db, root, {"act": REMOVE, "rule": "bright", "was": NEW}, now=2.0, cut=True)
    assert acts(db) == []
    assert settled(db, root) == 2
    assert acts(db) == [(CHANGE, "rule bright", NEW), (REMOVE, "rule bright", None)]


def test_a_change_that_was_committed_has_one_row_for_ever(db: Database, root: Path) -> None:
    edit(db, root, DO[CHANGE])
    edit(db, root, DO[ADD], now=2.0)
    assert settled(db, root) == 0
    assert [act for act, *_ in acts(db)] == [CHANGE, ADD]


def test_the_same_change_wanted_again_later_is_done_again(db: Database, root: Path) -> None:
    edit(db, root, DO[CHANGE])
    edit(db, root, {"act": CHANGE, "rule": "bright", "was": NEW, "keys": OLD}, now=2.0)
    edit(db, root, DO[CHANGE], now=3.0)
    assert find_rule(root, "bright") == NEW
    assert len(acts(db)) == 3
    with pytest.raises(ConfigError, match="was changed meanwhile"):
        edit(db, root, {**DO[CHANGE], "why": "another"}, now=4.0)


@pytest.mark.parametrize("act", DO)
def test_a_site_file_that_is_no_utf_8_is_said(db: Database, root: Path, act: str) -> None:
    (root / SITE_FILE).write_bytes('# Grüße\n[[rule]]\nname = "bright"\n'.encode("latin-1"))
    with pytest.raises(ConfigError, match="line 1, cannot be read: it is not UTF-8 text"):
        edit(db, root, DO[act])


def test_the_mark_that_windows_writes_at_the_begin_of_a_file_hinders_nothing(
        db: Database, root: Path) -> None:
    text = (root / SITE_FILE).read_text(encoding="utf-8")
    (root / SITE_FILE).write_text(text, encoding="utf-8-sig")
    edit(db, root, DO[CHANGE])
    assert find_rule(root, "bright") == NEW


@pytest.mark.parametrize("text", ["{", '{"a": 1}', "[7]", '[{"row": {}}]'])
def test_a_file_of_intents_that_is_none_is_named(db: Database, root: Path, text: str) -> None:
    (root / rule_intents.INTENTS_FILE).write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"toml\.intents: no list of changes .* remove the file"):
        settled(db, root)
