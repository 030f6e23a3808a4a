"""Rules that people add, change and remove: checked as a reload would, and written into the site
file by one function for the command and for the page. Each change is an audit row."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from iop4d.alerts import rule_intents
from iop4d.alerts.check import RuleNames, check_rule
from iop4d.alerts.rules import CompiledRule
from iop4d.config import Site
from iop4d.config.edit import (
    find_rule,
    rule_as_written,
    with_changed_rule,
    with_rule,
    without_defaults,
    without_rule,
)
from iop4d.config.load import SITE_FILE
from iop4d.fits.atomic import write_atomic
from iop4d.model.errors import ConfigError, Iop4dError
from iop4d.store import audit
from iop4d.store.database import Transaction

log = logging.getLogger(__name__)

ADD, CHANGE, REMOVE = "add-rule", "change-rule", "remove-rule"
_DONE = {ADD: "is in the site file", CHANGE: "is changed in the site file",
         REMOVE: "is removed from the site file"}


def new_rule(root: Path, keys: Mapping[str, Any]) -> tuple[str, Site, CompiledRule]:
    """The site file with a rule more, as text and as a site, and the rule; writes nothing.

    Raises ConfigError if it is wrong, as a reload of the file would.
    """
    text, site = with_rule(root, keys)
    return text, site, check_rule(site.rule[-1], RuleNames.of(site))


def changed_rule(root: Path, name: str, keys: Mapping[str, Any]) -> tuple[str, Site, CompiledRule]:
    """The site file with another rule in the place of one, and that rule; writes nothing.

    ``keys``: all that it is to have. Raises ConfigError if it is wrong.
    """
    text, site = with_changed_rule(root, name, keys)
    rule = next(rule for rule in site.rule if rule.name == keys.get("name", name))
    return text, site, check_rule(rule, RuleNames.of(site))


def edited(root: Path, what: Mapping[str, Any]) -> str:
    """The text of the site file after a change (see ``edit``); raises ConfigError if it would be
    wrong, writes nothing."""
    act, keys = what["act"], what.get("keys") or {}
    if act == ADD:
        return new_rule(root, keys)[0]
    if act == CHANGE:
        return changed_rule(root, what["rule"], keys)[0]
    return without_rule(root, what["rule"])[0]


def write_edited(root: Path, what: Mapping[str, Any]) -> None:
    """Change the site file of a site that has no database yet, so that no audit has it."""
    write_atomic(root / SITE_FILE, (edited(root, what).encode("utf-8"),), durable=True)


def edit(tx: Transaction, root: Path, what: Mapping[str, Any], *, by: str, now: float) -> str:
    """Add, change or remove a rule as ``what`` says, and keep that in the audit; the rule's name.

    ``what``: ``act``, one of the three; ``rule``, the name of one that is there; ``was``, its keys
    as whoever requests this saw them; ``keys``, all that a rule is to have; ``why``. Raises
    ConfigError, also for a rule that is another one since. To be called first in a transaction.
    What a crash left half done is completed, and is not done a second time.
    """
    act, keys = what["act"], what.get("keys")
    name = str(keys["name"]) if act == ADD and keys else str(what["rule"])
    wanted = None if act == REMOVE else keys
    row = {"at": now, "by": by, "act": act, "subject": f"rule {name}", "now": wanted,
           "was": what.get("was"), "why": str(what.get("why", ""))}
    after = str(keys.get("name", name)) if act == CHANGE and keys else name
    rule_intents.settle(tx, root)
    if (act == ADD or "was" in what) and _is_done(root, after, wanted) \
            and rule_intents.is_kept(tx, row):
        return name
    was = None if act == ADD else rule_as_written(root, name)
    if "was" in what and what["was"] != was:
        raise ConfigError(f"the rule '{name}' was changed meanwhile; look at it, and do it again")
    row["was"] = was
    rule_intents.write(root, edited(root, what), row, old=name, new=after)
    audit.record(tx, **row)
    return name


def _is_done(root: Path, name: str, keys: Mapping[str, Any] | None) -> bool:
    found = find_rule(root, name)
    if keys is None or found is None:
        return keys is found
    return without_defaults(keys) == without_defaults(found)


class RuleRequests:
    """Requests of the page about rules, which the daemon writes into the site file.

    ``reload``: have the site file read again; None if that is not possible.
    """

    def __init__(self, root: Path, clock: Callable[[], float],
                 reload: Callable[[], None] | None) -> None:
        self._root = root
        self._clock = clock
        self._reload = reload
        self._edited = False

    def prepare(self, content: Mapping[str, Any]) -> Mapping[str, Any]:
        """Check who requests what."""
        for key in ("act", "by"):
            if not isinstance(content.get(key), str):
                raise Iop4dError(f"the request does not say '{key}'")
        act = content["act"]
        if act not in _DONE:
            raise Iop4dError(f"the request's act '{act}' is unknown")
        for key, kind, acts in (("keys", dict, (ADD, CHANGE)), ("rule", str, (CHANGE, REMOVE))):
            if act in acts and not isinstance(content.get(key), kind):
                raise Iop4dError(f"the request does not say '{key}'")
        return content

    def act(self, tx: Transaction, prepared: Mapping[str, Any]) -> dict[str, Any]:
        """Do it, and say in a sentence what was done."""
        name = edit(tx, self._root, prepared, by=prepared["by"], now=self._clock())
        self._edited = True
        log.info("%s: the rule '%s' %s", prepared["by"], name, _DONE[prepared["act"]])
        when = "now" if self._reload is not None else "when the daemon starts next"
        return {"said": f"The rule {_DONE[prepared['act']]}; it applies {when}."}

    async def after(self) -> None:
        """A rule applies once the site file is read again."""
        if self._edited and self._reload is not None:
            self._reload()
        self._edited = False
