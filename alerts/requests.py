"""Requests of the page about alerts: acts on alerts and mutes, and new rules."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from iop4d.alerts import actions
from iop4d.model.errors import Iop4dError
from iop4d.store.database import Transaction

log = logging.getLogger(__name__)

_ADD_RULE = "add-rule"


class AlertRequests:
    """Handles them. ``reload``: have the site file read again; None if that is not possible."""

    def __init__(self, root: Path, rules: Collection[str], clock: Callable[[], float],
                 reload: Callable[[], None] | None) -> None:
        self._root = root
        self._rules = rules
        self._clock = clock
        self._reload = reload
        self._added = False

    def prepare(self, content: Mapping[str, Any]) -> Mapping[str, Any]:
        """Check who requests what."""
        for key in ("act", "by"):
            if not isinstance(content.get(key), str):
                raise Iop4dError(f"the request does not say '{key}'")
        return content

    def act(self, tx: Transaction, prepared: Mapping[str, Any]) -> dict[str, Any]:
        """Do it, and say in a sentence what was done."""
        if prepared["act"] != _ADD_RULE:
            return {"said": actions.act(tx, prepared, now=self._clock(), rules=self._rules)}
        actions.add_rule(self._root, prepared["keys"])
        self._added = True
        log.info("%s added the rule '%s' on the page", prepared["by"], prepared["keys"]["name"])
        when = "now" if self._reload is not None else "when the daemon starts next"
        return {"said": f"The rule is in the site file; it applies {when}."}

    async def after(self) -> None:
        """A new rule applies once the site file is read again."""
        if self._added and self._reload is not None:
            self._reload()
        self._added = False
