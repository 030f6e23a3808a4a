"""What commands by message do and answer: the state of things, a source's last points, acts."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeVar

from iop4d.alerts import desk
from iop4d.alerts.content import tag
from iop4d.alerts.outbox import RunDb
from iop4d.alerts.rules import ACTIVE
from iop4d.alerts.words import plus_minus, utc_of_jd, utc_of_unix
from iop4d.store import catalogue, mutes
from iop4d.store.database import Database, ambient
from iop4d.store.delivery import undelivered
from iop4d.store.schema import Alert, Result
from iop4d.store.status import heartbeat, night_line

T = TypeVar("T")
_LAST = 5  # points that are told of a source


class Answers:
    """The desk behind the commands of a bot; see ``botcommands.Desk``."""

    def __init__(self, *, database: Database, run_db: RunDb, clock: Callable[[], float]) -> None:
        self._database = database
        self._run_db = run_db
        self._clock = clock

    async def status(self) -> str:
        """What is going on."""
        return await self._run_db(self._read, partial(_status, self._clock()))

    async def last(self, source: str) -> str:
        """The latest results of a source, by any of its names."""
        return await self._run_db(self._read, lambda: _last(source))

    async def ack(self, tag: str, by: str) -> str:
        """Somebody looks after an alert."""
        def act() -> str:
            alert = desk.find(tag)
            desk.acknowledge(alert, by=by, now=self._clock())
            return f"{_of(alert)} is acknowledged by {by}."
        return await self._run_db(self._write, act)

    async def mute(self, hours: float, source: str, by: str) -> str:
        """No alerts of a source for so many hours; ``*`` for all."""
        def act() -> str:
            made = desk.mute(rule="", source=source, seconds=3600.0 * hours, by=by,
                             now=self._clock())
            return f"{made.source or 'Every source'} is muted until {utc_of_unix(made.until)} UTC."
        return await self._run_db(self._write, act)

    async def unmute(self, source: str, by: str) -> str:
        """Alerts of a source again."""
        def act() -> str:
            ended = desk.unmute(rule="", source=source, now=self._clock())
            return f"{ended} is told again, as {by} asked."
        return await self._run_db(self._write, act)

    def _read(self, function: Callable[[], T]) -> T:
        with self._database.connected():
            return function()

    def _write(self, function: Callable[[], T]) -> T:
        with self._database.write():
            return function()


def _of(alert: Alert) -> str:
    return f"{tag(alert)} {alert.rule}: {alert.source} {alert.band}".rstrip()


def _status(now: float) -> str:
    beat = heartbeat(ambient())
    lines = [night_line(ambient())]
    lines += [f"archive {a['name']} is {a['state']}: {a['reason']}"
              for a in beat.get("archives", ()) if a["state"] != "ok"]
    lines += [f"{mutes.name_of(mute)} is muted until {utc_of_unix(mute.until)} UTC"
              for mute in mutes.current(now)]
    if paused := beat.get("paused"):
        lines.append(f"nothing new is begun: {paused}")
    lines += [f"channel {one['channel']} fails: {one['reason']}" for one in undelivered(now)]
    going = list(Alert.select().where(Alert.state.in_(ACTIVE)).order_by(Alert.fired_at.desc()))
    lines += [f"{alert.state}: {_of(alert)}" for alert in going[:10]]
    lines.append(f"{len(going)} alerts go on" if going else "no alert goes on")
    return "\n".join(lines)


def _last(source: str) -> str:
    name = desk.source_of(source)
    rows = list(Result.select().where(Result.source == name).order_by(
        Result.jd_mid.desc(), Result.id.desc()).limit(_LAST))
    if not rows:
        known = catalogue.find(source)
        return f"{source}: no result so far." if known else f"No source is called '{source}'."
    return "\n".join([name, *(_point(row) for row in rows)])


def _point(row: Result) -> str:
    text = f"{utc_of_jd(row.jd_mid)} {row.band} {plus_minus(row.mag, row.mag_err)}"
    if row.p_debiased is not None:
        error = None if row.p_err is None else 100 * row.p_err
        text += (f", p {plus_minus(100 * row.p_debiased, error, 1)} %, "
                 f"chi {plus_minus(row.chi_deg, row.chi_err_deg, 0)} deg")
    return text
