"""Makes the drafts of alerts whose rules ask for one, in the daemon.

What is to be made follows from the alerts' rows and the folder of drafts, so nothing is lost with
the daemon: a look after a restart makes what is missing. The store is read on the database's
thread, the figure is drawn by a process of its own, files are written on a thread.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from typing import Any

from iop4d.alerts.atel import drafts
from iop4d.alerts.atel.facts import About
from iop4d.alerts.atel.figure import FigureRequest, Pictures, figure_of, pack, pictures_of
from iop4d.alerts.atel.gather import of_alert
from iop4d.alerts.relay import RunDb
from iop4d.alerts.subjects import called
from iop4d.config import Site
from iop4d.model.errors import Iop4dError
from iop4d.model.units import utc_of_jd
from iop4d.store.database import Database, ambient
from iop4d.store.events import emit
from iop4d.store.schema import Alert

log = logging.getLogger(__name__)

_RECENT = 2.0 * 86400.0  # seconds: an older alert without a draft is left to people
_TRIES = 3
_DRAW_WITHIN = 30.0  # seconds

Draw = Callable[[FigureRequest], Awaitable[Pictures | None]]


@dataclass(frozen=True, kw_only=True)
class _Due:
    """An alert that needs a draft, with what the store says of it; ``why_not``: nothing to say."""

    id: int
    alert: dict[str, Any]
    facts: About | None
    why_not: str = ""


class Drafter:
    """Drafts for the alerts of some rules. ``rules``: the names of those of severity atel."""

    def __init__(self, *, run_db: RunDb, database: Database, site: Site, rules: Collection[str],
                 clock: Callable[[], float], draw: Draw | None = None) -> None:
        self._run_db = run_db
        self._database = database
        self._site = site
        self._rules = {rule.name: rule for rule in site.rule if rule.name in rules}
        self._clock = clock
        self._draw = draw or draw_apart
        self._done: set[int] = set()
        self._tries: dict[int, int] = {}

    async def look(self) -> None:
        """Make the drafts that are due, one after the other."""
        if not self._rules:
            return
        for id_ in await self._run_db(self._waiting):
            self._tries[id_] = self._tries.get(id_, 0) + 1
            if self._tries[id_] >= _TRIES:
                self._done.add(id_)  # whatever comes of this last try
            await self._make(id_)
            self._done.add(id_)

    async def _make(self, id_: int) -> None:
        due = await self._run_db(self._read, id_)
        if due.facts is None:
            log.warning("no ATel draft for the alert '%s' of %s: %s", due.alert["rule"],
                        due.alert["source"], due.why_not)
            await self._run_db(self._note, due)
            return
        known = await asyncio.to_thread(drafts.of_alert, drafts.folder_of(self._site), due.alert)
        if known is not None:
            return
        pictures = await self._draw(figure_of(due.facts, due.facts.called))
        kept = await asyncio.to_thread(
            drafts.make_for_alert, self._site, due.facts, due.alert, now=self._clock(),
            pictures=pictures)
        await self._run_db(self._tell, kept.name, due)
        log.info("an ATel about %s is drafted, to be read and sent by a person: %s",
                 due.facts.called, kept.folder)

    # On the database's thread.

    def _waiting(self) -> list[int]:
        """Alerts without a draft, those tried least first."""
        with self._database.connected():
            rows = Alert.select(Alert.id).where(
                Alert.rule.in_(list(self._rules)) & Alert.told_at.is_null(False)
                & (Alert.fired_at >= self._clock() - _RECENT)).order_by(Alert.id).tuples()
            ids = [id_ for id_, in rows if id_ not in self._done]
        return sorted(ids, key=lambda id_: self._tries.get(id_, 0))

    def _read(self, id_: int) -> _Due:
        with self._database.connected():
            row = Alert.get_by_id(id_)
            alert = {name: getattr(row, name) for name in ("rule", "source", "band", "episode")}
            name = called(self._rules[row.rule], row.source)
            try:
                return _Due(id=id_, alert=alert, facts=of_alert(row, called=name))
            except Iop4dError as error:
                by_hand = f"iop4d atel '{name}' --since {utc_of_jd(row.fired_jd)[:10]}"
                return _Due(id=id_, alert=alert, facts=None, why_not=(
                    f"{error}. Look at its points, and draft it by hand: {by_hand}"))

    def _note(self, due: _Due) -> None:
        """Say at the alert that it has no draft, unless something else is said there."""
        with self._database.write():
            Alert.update(note=f"no ATel draft: {due.why_not}").where(
                (Alert.id == due.id) & (Alert.note == "")).execute()

    def _tell(self, name: str, due: _Due) -> None:
        with self._database.write():
            emit(ambient(), "draft", self._clock(), name=name, alert=due.id,
                 source=due.alert["source"])


async def draw_apart(request: FigureRequest) -> Pictures | None:
    """Draw in a process of its own; None, and a line in the log, if that fails."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "iop4d.alerts.atel.figure", stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE)
    try:
        async with asyncio.timeout(_DRAW_WITHIN):
            out, said = await process.communicate(pack(request))
        return pictures_of(out)
    except (TimeoutError, ValueError) as error:
        last = said.decode(errors="replace").strip().splitlines()[-1:] if process.returncode else []
        log.warning("the figure of an ATel draft was not drawn: %s", last or repr(error))
        return None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
