"""Turns new results into edges: rows of alerts and of messages, in the results' transaction."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import make_msgid
from typing import Any

from iop4d.alerts import conditions
from iop4d.alerts.rules import Episode, Point, RuleLogic, episodes
from iop4d.config import Rule, Site
from iop4d.model.flags import NEVER_ALERTS
from iop4d.store import catalogue
from iop4d.store.events import emit
from iop4d.store.schema import Alert, Outbox, Result, Source

log = logging.getLogger(__name__)

_LOOK_BACK = 3.0  # days before a new point from which points are looked at again
_PLOTTED = (30.0, 300)  # days and number of points of the plot in a message


@dataclass(frozen=True, kw_only=True)
class _Compiled:
    rule: Rule
    logic: RuleLogic


class AlertEngine:
    """Evaluates the site's rules. A wrong condition is refused when it is built."""

    def __init__(self, site: Site, clock: Callable[[], float]) -> None:
        self._site = site
        self._clock = clock
        self._rules = [_compile(rule) for rule in site.rule]
        self._channels = {channel.name: channel for channel in site.channel}

    def on_results(self, result_ids: list[int]) -> None:
        """Look at new or changed results; call inside the transaction that wrote them."""
        rows = list(Result.select().where(Result.id.in_(result_ids)))
        for source, band in sorted({(row.source, row.band) for row in rows}):
            since = min(row.jd_mid for row in rows if (row.source, row.band) == (source, band))
            for compiled in self._rules:
                if compiled.rule.band == band and _watches(compiled.rule, source):
                    self._guarded(compiled, source, band, since)

    def _guarded(self, compiled: _Compiled, source: str, band: str, since: float) -> None:
        """A rule that cannot be evaluated must not cost the result that was measured."""
        try:
            with Alert._meta.database.atomic():
                self._evaluate(compiled, source, band, since)
        # Whatever is wrong with one rule, the result stays and people are told.
        except Exception as error:
            log.exception("rule %s cannot be evaluated", compiled.rule.name)
            emit("alert-error", self._clock(), rule=compiled.rule.name, source=source,
                 reason=f"{type(error).__name__}: {error}")

    def _evaluate(self, compiled: _Compiled, source: str, band: str, since: float) -> None:
        rule, logic = compiled.rule, compiled.logic
        mine = ((Alert.rule == rule.name) & (Alert.source == source) & (Alert.band == band))
        known = list(Alert.select().where(mine).order_by(Alert.fired_jd))
        # Alerts that fired before the time looked at are settled; those after it are matched
        # with what the points say now, so that a late point cannot fire an episode twice.
        start = since - max(_LOOK_BACK, 2 * logic.cooldown_days)
        before = [alert for alert in known if alert.fired_jd < start]
        last = before[-1] if before else None
        open_ = last is not None and (last.resolved_jd is None or last.resolved_jd >= start)
        found = episodes(
            logic, _points(source, band, start), is_firing=open_,
            fired=(Point(id=0, jd=last.fired_jd, value=0.0),) if last and open_ else (),
            last_fired_jd=last.fired_jd if last else None)
        rows = ([last] if open_ and last else []) + [a for a in known if a.fired_jd >= start]
        for episode in found:
            self._settle(compiled, source, band, episode, rows)

    def _settle(self, compiled: _Compiled, source: str, band: str, episode: Episode,
                rows: list[Alert]) -> None:
        """Match an episode with the alert that it is, or make it one."""
        days = max(compiled.logic.cooldown_days, 1e-3)
        alert = min((row for row in rows if abs(row.fired_jd - episode.fired_jd) < days),
                    key=lambda row: abs(row.fired_jd - episode.fired_jd), default=None)
        if alert is None:
            alert = self._fire(compiled.rule, source, band, episode)
        else:
            rows.remove(alert)
        if episode.cleared_jd is not None and alert.state == "firing":
            Alert.update(state="resolved", resolved_jd=episode.cleared_jd,
                         resolved_at=self._clock()).where(Alert.id == alert.id).execute()
            emit("alert", self._clock(), id=alert.id, state="resolved", rule=alert.rule,
                 source=source, band=band)
        elif episode.cleared_jd is None and alert.state == "resolved":
            Alert.update(state="firing", resolved_jd=None, resolved_at=None).where(
                Alert.id == alert.id).execute()

    def _fire(self, rule: Rule, source: str, band: str, episode: Episode) -> Alert:
        count = Alert.select().where((Alert.rule == rule.name) & (Alert.source == source)
                                     & (Alert.band == band)).count()
        now = self._clock()
        alert = Alert.create(
            rule=rule.name, source=source, band=band, episode=count + 1, state="firing",
            condition=rule.condition, fired_jd=episode.fired_jd,
            points=[point.id for point in episode.fired], fired_at=now)
        emit("alert", now, id=alert.id, state="firing", rule=rule.name, source=source, band=band)
        content = self._content(rule, alert)
        for name in rule.channels:
            for recipient in self._channels[name].to:
                self._post(alert, name, recipient, content)
        return alert

    def _post(self, alert: Alert, channel: str, recipient: str, content: dict[str, Any]) -> None:
        words = [alert.rule, alert.source, alert.band, str(alert.episode), "fired", channel,
                 recipient]
        key = hashlib.sha256("\n".join(words).encode()).hexdigest()
        Outbox.insert(
            dedup_key=key, alert=alert.id, channel=channel, recipient=recipient,
            message_id=make_msgid(idstring=key[:16], domain="iop4d"), content=content,
            state="queued", created_at=self._clock()).on_conflict_ignore().execute()

    def _content(self, rule: Rule, alert: Alert) -> dict[str, Any]:
        """The message's numbers, kept so that a repeat says the same."""
        confirming = Result.select().where(Result.id.in_(alert.points)).order_by(Result.jd_mid)
        names = Source.get_or_none(Source.name == alert.source)
        days, count = _PLOTTED
        shown = list(_good(alert.source, alert.band)
                     .where(Result.jd_mid >= alert.fired_jd - days)
                     .where(Result.jd_mid <= alert.fired_jd)
                     .order_by(Result.jd_mid.desc()).limit(count))
        return {
            "site": self._site.site.name, "url": self._site.site.url, "rule": rule.name,
            "condition": rule.condition, "clear": rule.clear, "source": alert.source,
            "other_names": names.other_names if names else [], "band": alert.band,
            "alert": alert.id, "episode": alert.episode,
            "points": [{
                "jd": row.jd_mid, "mag": row.mag, "mag_err": row.mag_err,
                "telescope": row.telescope, "instrument": row.instrument,
                "zero_point": row.zero_point, "n_calibrators": row.n_calibrators,
                "frames": row.frames} for row in confirming],
            "light_curve": [[row.jd_mid, row.mag, row.mag_err] for row in reversed(shown)],
        }


def _compile(rule: Rule) -> _Compiled:
    return _Compiled(rule=rule, logic=RuleLogic(
        condition=conditions.parse(rule.condition),
        clear=conditions.parse(rule.clear) if rule.clear else None,
        confirm=rule.confirm, cooldown_days=rule.cooldown / 24.0))


def _watches(rule: Rule, source: str) -> bool:
    if rule.source == "*":
        return True
    wanted = catalogue.canonical(rule.source)
    row = Source.get_or_none(Source.name == source)
    names = [source, *(row.other_names if row else ())]
    return wanted in map(catalogue.canonical, names)


def _good(source: str, band: str) -> Any:
    """The results that may alert."""
    return Result.select().where(
        (Result.source == source) & (Result.band == band) & Result.mag.is_null(False)
        & (Result.flags.bin_and(int(NEVER_ALERTS)) == 0) & (Result.human_flags == []))


def _points(source: str, band: str, since_jd: float) -> list[Point]:
    rows = _good(source, band).where(Result.jd_mid >= since_jd).order_by(Result.jd_mid, Result.id)
    return [Point(id=row.id, jd=row.jd_mid, value=row.mag) for row in rows]
