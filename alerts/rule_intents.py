"""What a change of the rules is about to do, kept in a file beside the site file until both the
site file and the audit have it.

A file and a row cannot be written in one step. The intent is written first, then the site file,
then the row; whoever comes after a crash finds the intent, and the row that is missing is written.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from iop4d.config.edit import find_rule, rule_in
from iop4d.config.load import SITE_FILE, site_text
from iop4d.fits.atomic import write_atomic
from iop4d.model.errors import ConfigError
from iop4d.store import audit
from iop4d.store.database import Transaction

INTENTS_FILE = ".iop4d.toml.intents"


def write(root: Path, text: str, row: Mapping[str, Any], *, old: str, new: str) -> None:
    """Write the site file. ``row``: what the audit will hold of it. ``old``, ``new``: the rule's
    name in the site file before and after it."""
    intent = {"row": dict(row), "old": old, "new": new,
              "from": find_rule(root, old), "to": rule_in(text, new)}
    _keep(root, [*_pending(root), intent])
    write_atomic(root / SITE_FILE, (text.encode("utf-8"),), durable=True)


def settle(tx: Transaction, root: Path) -> int:
    """Write the rows of changes that the site file has and the audit has not; how many.

    To be called first in a transaction: what the audit has by then is committed, and its intent is
    forgotten. What never reached the site file was not done; its request is still there, or was
    answered with the error. Raises ConfigError for a site file that cannot be read.
    """
    pending = _pending(root)
    if not pending:
        return 0
    waits = [intent for intent in pending if not is_kept(tx, intent["row"], also_at=True)]
    done = _done(waits, site_text(root)) if waits else []
    if done != pending:
        _keep(root, done)
    for intent in done:
        audit.record(tx, **intent["row"])
    return len(done)


def _done(intents: list[dict[str, Any]], text: str) -> list[dict[str, Any]]:
    """Those of them that reached the site file, also where a later one changed the rule again."""
    before: dict[str, dict[str, Any] | None] = {}
    done: list[dict[str, Any]] = []
    for intent in reversed(intents):
        old, new = intent["old"], intent["new"]
        if (before[new] if new in before else rule_in(text, new)) == intent["to"]:
            done.insert(0, intent)
            before[new] = None
            before[old] = intent["from"]
    return done


def is_kept(tx: Transaction, row: Mapping[str, Any], *, also_at: bool = False) -> bool:
    """Whether the newest row of the audit about a rule is this one; or, without ``also_at``, one
    like it from another moment."""
    names = ("by", "act", "was", "now", "why", *(("at",) if also_at else ()))
    wanted = json.loads(json.dumps({name: row[name] for name in names}))
    kept = audit.of_subject(tx, row["subject"], None if also_at else 1)
    return any({name: getattr(one, name) for name in names} == wanted for one in kept)


def _pending(root: Path) -> list[dict[str, Any]]:
    try:
        found = json.loads((root / INTENTS_FILE).read_text(encoding="utf-8"))
        if not isinstance(found, list) or not all(
                isinstance(one, dict) and {"row", "old", "new", "from", "to"} <= one.keys()
                for one in found):
            raise ValueError("expected a list of them")
    except FileNotFoundError:
        return []
    except ValueError as error:
        raise ConfigError(f"{root / INTENTS_FILE}: no list of changes of the rules: {error}; "
                          "remove the file") from error
    return found


def _keep(root: Path, intents: list[dict[str, Any]]) -> None:
    if not intents:
        (root / INTENTS_FILE).unlink(missing_ok=True)
        return
    write_atomic(root / INTENTS_FILE, (json.dumps(intents).encode(),), durable=True)
