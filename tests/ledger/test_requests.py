"""Every request is answered: one that is unknown or broken too, and it holds up no other."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from iop4d.alerts.rule_edits import edit
from iop4d.config import Site
from iop4d.config.load import parse_site
from iop4d.daemon import Daemon
from iop4d.store import requests
from iop4d.store.database import Database, Transaction
from iop4d.store.schema import Audit, Frame, Master
from tests.support.rows import rows as all_rows

Put = tuple[str, Any]


def answers(site: Site, *wanted: Put, before: Callable[[Transaction], None] = lambda _: None,
            ) -> list[dict[str, Any]]:
    """The answers of a daemon that watches nothing, in the order of the requests."""
    async def go() -> list[dict[str, Any]]:
        stop, found = asyncio.Event(), []

        async def ready(daemon: Daemon) -> None:
            await daemon.database.write(before)
            ids = [await daemon.database.write(requests.put, kind, content, 0.0)
                   for kind, content in wanted]
            for id_ in ids:
                while (said := await daemon.database.read(requests.answer_of, id_)) is None:  # noqa: ASYNC110
                    await asyncio.sleep(0.02)  # a row wakes nobody
                found.append(said)
            stop.set()

        async with asyncio.timeout(30):
            await Daemon(site, watch=False).run(stop, ready=ready)
        return found

    return asyncio.run(go())


@pytest.fixture
def small(tmp_path: Path) -> Site:
    return parse_site("[daemon]\nworkers = 1\n", root=tmp_path)


def test_an_unknown_request_is_answered_and_holds_up_no_other(small: Site) -> None:
    unknown, good = answers(small, ("renamed-in-a-newer-version", {"x": 1}),
                            ("reduce", {"paths": []}))
    assert "renamed-in-a-newer-version" in unknown["error"]
    assert good == {"frames": []}


BROKEN: tuple[Put, ...] = (
    ("reduce", {}), ("reduce", {"paths": "/raw/a.fit"}), ("reduce", {"paths": [3]}),
    ("reduce", []), ("reprocess", {"frames": ["one"]}), ("reprocess", {"frames": None}),
    ("masters", {"reject": [1]}), ("masters", {"aside": [], "back": []}),
    ("desk", {}), ("desk", {"act": "mute", "by": "Ana"}), ("desk", {"act": "dance", "by": "Ana"}),
    ("desk", {"act": "acknowledge", "by": "Ana", "alert": {}}),
    ("desk", {"act": "add-rule", "by": "Ana", "keys": 7}))


def test_broken_requests_are_answered_with_an_error(small: Site) -> None:
    *broken, good = answers(small, *BROKEN, ("reprocess", {"frames": []}))
    for wanted, said in zip(BROKEN, broken, strict=True):
        assert said.get("error"), wanted
    assert good == {"frames": []}


def test_what_a_refused_request_did_before_it_failed_is_undone(
        small: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    from iop4d.ledger.ledger import Ledger

    def half(_: Ledger, tx: Transaction, __: object) -> list[int]:
        tx.create(Master, key="half", kind="bias", telescope="", instrument="", layout="",
                  night="", changed_at=0.0)
        raise RuntimeError("a fault")

    monkeypatch.setattr(Ledger, "redo", half)
    (said,) = answers(small, ("reprocess", {"frames": [1]}))
    assert said == {"error": "the request is broken: RuntimeError: a fault"}
    with Database(small.database, read_only=True).read() as db:
        assert db.select(Master).count() == 0


def test_files_that_are_not_there_are_no_fault(small: Site, tmp_path: Path) -> None:
    assert answers(small, ("reduce", {"paths": [str(tmp_path / "none.fit")]})) == [{"frames": []}]


RULE = {"name": "flare", "source": "BL Lac", "condition": "mag < 13.0", "channels": ["mail"]}
OTHER = {"name": "other", "condition": "mag < 11.0"}
SITE = '[daemon]\nworkers = 1\n[[channel]]\nname = "mail"\nto = ["a@example.org"]\n'


def test_a_rule_that_waited_for_a_daemon_does_not_end_reduce(tmp_path: Path) -> None:
    """It is answered by whatever daemon runs next, also one that cannot reload its site file."""
    site = tmp_path / "site"
    site.mkdir()
    (site / "iop4d.toml").write_text(SITE, encoding="utf-8")
    with Database(site / "iop4d.db").write() as tx:
        rule = requests.put(tx, "desk", {"act": "add-rule", "by": "Ana", "keys": RULE}, 0.0)
    with contextlib.suppress(InterruptedError), Database(site / "iop4d.db").write() as tx:
        edit(tx, site, {"act": "add-rule", "keys": OTHER}, by="Ben", now=1.0)
        raise InterruptedError  # a crash; the next start has the row written
    (tmp_path / "bad.fits").write_bytes(bytes(5760))
    ran = subprocess.run(
        [sys.executable, "-m", "iop4d", "--site", str(site), "reduce", str(tmp_path / "bad.fits")],
        capture_output=True, text=True, check=False, timeout=60, env={**os.environ})
    assert ran.returncode == 1, ran.stderr  # the bad frame, not a signal
    assert "bad.fits" in ran.stderr
    assert 'name = "flare"' in (site / "iop4d.toml").read_text(encoding="utf-8")
    with Database(site / "iop4d.db", read_only=True).read() as db:
        assert requests.answer_of(db, rule) == {
            "said": "The rule is in the site file; it applies when the daemon starts next."}
        assert [row.by for row in db.select(Audit).order_by(Audit.id)] == ["Ben", "Ana"]


def test_a_rule_has_a_service_reload_its_site_file(tmp_path: Path) -> None:
    from iop4d.alerts.rule_edits import RuleRequests

    (tmp_path / "iop4d.toml").write_text(SITE, encoding="utf-8")
    reloads: list[int] = []
    handler = RuleRequests(tmp_path, lambda: 0.0, lambda: reloads.append(1))
    with Database(tmp_path / "iop4d.db").write() as tx:
        answer = handler.act(tx, handler.prepare({"act": "add-rule", "by": "Ana", "keys": RULE}))
    assert answer == {"said": "The rule is in the site file; it applies now."}
    assert reloads == []
    asyncio.run(handler.after())
    assert reloads == [1]


def test_what_people_do_to_frames_and_masters_is_in_the_audit(small: Site) -> None:
    def before(tx: Transaction) -> None:
        tx.create(Master, key="flat/1", kind="flat", telescope="T", instrument="unknown",
                  layout="1x 9x9", night="2025-11-22", state="ready", path="/nowhere",
                  changed_at=0.0)
        tx.create(Frame, archive="a", path="/nowhere/1.fit", name="1.fit", size=1, mtime_ns=1,
                  state="done", completed_at=0.0, seen_at=0.0, changed_at=0.0)

    said = answers(
        small, ("masters", {"reject": [1], "restore": [], "reason": "uneven", "by": "Ana"}),
        ("masters", {"reject": [], "restore": [1], "reason": "looked at", "by": "Ben"}),
        ("ignore", {"frames": [1, 9], "reason": "a trail", "by": "Ana"}),
        ("reprocess", {"frames": [1], "act": "retry", "by": "Ben"}),
        ("reprocess", {"frames": [1], "by": "Ben"}), before=before)
    assert said == [{"masters": [1]}, {"masters": [1]}, {"frames": [1]}, {"frames": [1]},
                    {"frames": [1]}]
    rows = [(row.by, row.act, row.subject, row.was, row.now, row.why)
            for row in all_rows(Database(small.database), Audit)]
    assert rows == [
        ("Ana", "reject", "master 1", "ready", "rejected", "uneven"),
        ("Ben", "accept", "master 1", "rejected", "ready", "looked at"),
        ("Ana", "ignore", "frame 1", "done", "rejected", "a trail"),
        ("Ben", "retry", "frame 1", "ignored by hand: a trail", None, "")]
