"""What the pictures of alerts and of back-tests hold: points, thresholds, and what fired."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from iop4d.alerts.backtest import BackTest
from iop4d.alerts.conditions import Condition, Form, parse_condition
from iop4d.alerts.rules import CompiledRule, RulePoint
from iop4d.config import Rule
from iop4d.model.errors import ConfigError
from iop4d.store import points
from iop4d.store.database import Connection
from iop4d.store.schema import Alert
from iop4d.web.rule_curve import Curve, CurveLine, CurvePanel, CurvePoint

_BEFORE, _AFTER = 14.0, 7.0  # days about an episode, at least and at most
_LONGEST = 90.0  # days of the past that a picture shows
_POINTS = 400  # of a panel of an episode
_CURVES = 6  # of a back-test
_TITLES = {"mag": "magnitude", "p": "p [%]", "chi": "\N{GREEK SMALL LETTER CHI} [°]",
           "flux_mjy": "flux density [mJy]"}
_PERCENT = 100.0


def of_episode(db: Connection, alert: Alert, rule: Rule | None, now_jd: float, *,
               limit: int = _POINTS) -> Curve | None:
    """The light curve about an episode, with the points that fired it; None for the system's.

    ``rule``: as the site file has it now, for how far it looks back.
    """
    try:
        condition = parse_condition(alert.condition)
    except ConfigError:
        return None  # of a version that had other conditions
    if condition.form is Form.SYSTEM or not alert.band:
        return None
    days = min(max(_BEFORE, rule.window_days if rule else 0.0), _LONGEST)
    ended = alert.resolved_jd if alert.resolved_jd is not None else now_jd
    begin = alert.fired_jd - days
    end = max(min(ended + 1.0, alert.fired_jd + _LONGEST, now_jd), alert.fired_jd + 0.05)
    fired = set(alert.points)
    panels = [_panel_of(db, alert.source, band, quantity, (begin, end), fired, limit)
              for quantity in _quantities(condition) for band in condition.bands or (alert.band,)]
    panels = [panel for panel in panels if panel.points]
    begin = _tight(panels, begin)
    if panels and not condition.terms and condition.bands is None:
        panels[0] = _with_levels(panels[0], condition, alert)
    return Curve(title=f"{alert.source} {alert.band}: {alert.condition}", panels=tuple(panels),
                 spans=((alert.fired_jd, min(ended, end)),), begin=begin, end=end)


def _tight(panels: Sequence[CurvePanel], begin: float) -> float:
    """A JD at which a picture begins: a day before the first point, if there are none before."""
    first = min((panel.points[0].jd for panel in panels if panel.points), default=begin)
    return max(begin, first - 1.0)


def _quantities(condition: Condition) -> list[str]:
    """What is drawn for a condition: a flux as a magnitude."""
    return list(dict.fromkeys(
        leaf.quantity if leaf.quantity in ("p", "chi") else "mag" for leaf in condition.leaves))


def _panel_of(db: Connection, source: str, band: str, quantity: str, jd: tuple[float, float],
              fired: set[int], limit: int) -> CurvePanel:
    scale = _PERCENT if quantity == "p" else 1.0
    rows = points.drawn(db, source, band, quantity, *jd, limit=limit)
    return CurvePanel(
        title=f"{_TITLES[quantity]}, {band}", turned=quantity == "mag", band=band,
        points=tuple(CurvePoint(
            jd=at, value=scale * value, error=math.nan if error is None else scale * error, id=id_,
            fired=id_ in fired) for id_, at, value, error in rows))


def _with_levels(panel: CurvePanel, condition: Condition, alert: Alert) -> CurvePanel:
    """A panel with the threshold, and with the level of the past that a change is relative to."""
    drawn = "mag" if panel.turned else condition.quantity
    if condition.quantity != drawn or condition.unit in ("sigma", "%"):
        return panel
    scale = _PERCENT if drawn == "p" else 1.0
    lines: list[CurveLine] = []
    if condition.form is Form.VALUE:
        lines = [CurveLine(value=scale * condition.threshold, kind="threshold",
                           text=f"threshold: {condition}")]
    elif condition.form is Form.CHANGE and drawn != "chi" and alert.value is not None and (
            last := next((p for p in reversed(panel.points) if p.fired), None)):
        past = last.value - scale * alert.value
        lines = [CurveLine(value=past, kind="past", text=f"median of the past: {past:.3f}",
                           end=last.jd),
                 CurveLine(value=past + scale * condition.threshold, kind="threshold",
                           text=f"threshold: {condition}")]
    return CurvePanel(title=panel.title, points=panel.points, lines=tuple(lines),
                      turned=panel.turned, band=panel.band)


def of_backtest(db: Connection, compiled: CompiledRule, found: BackTest,
                kept: Mapping[tuple[str, str], Sequence[RulePoint]], begin: float,
                now_jd: float) -> list[Curve]:
    """The light curves on which a rule would have fired, at most so many; without any, the first
    that it was evaluated on."""
    fired = dict.fromkeys((one.source, one.band) for one in found.fired)
    chosen = list(fired) or [key for key, judged in kept.items() if judged][:1]
    return [_judged(db, compiled, found, key, kept[key], begin, now_jd)
            for key in chosen[:_CURVES]]


def _judged(db: Connection, compiled: CompiledRule, found: BackTest, key: tuple[str, str],
            judged: Sequence[RulePoint], begin: float, now_jd: float) -> Curve:
    condition, (source, band) = compiled.condition, key
    episodes = [one for one in found.fired if (one.source, one.band) == key]
    marked = {id_ for one in episodes for id_ in one.points}
    scale = _PERCENT if condition.quantity == "p" and condition.unit not in ("sigma", "%") else 1.0
    own = CurvePanel(
        title=_title(condition, band), turned=condition.quantity == "mag" and (
            condition.form in (Form.VALUE, Form.CHANGE, Form.RATE)),
        band=band, lines=tuple(_thresholds(compiled, scale)),
        points=tuple(CurvePoint(jd=point.jd, value=scale * point.value, error=scale * point.error,
                                id=point.id, fired=point.id in marked)
                     for point in judged if math.isfinite(point.value)))
    panels = [own]
    if condition.form not in (Form.VALUE, Form.COLOUR):
        panels = [*(_panel_of(db, source, one, quantity, (begin, now_jd), marked, 4 * _POINTS)
                    for quantity in _quantities(condition)
                    for one in condition.bands or (band,)), own]
    return Curve(title=f"{source} {band}: {condition}", panels=tuple(panels),
                 begin=_tight(panels, begin), end=now_jd,
                 spans=tuple((one.fired_jd, now_jd if one.ended_jd is None else one.ended_jd)
                             for one in episodes))


def _title(condition: Condition, band: str) -> str:
    if condition.form is Form.VALUE:
        return f"{_TITLES[condition.quantity]}, {band}"
    if not condition.has_number:
        return "1: the condition is met, 0: it is not"
    unit = condition.unit or ("%" if condition.quantity == "p" else "")
    unit += "/d" if condition.form is Form.RATE else ""
    return f"{condition.form.value} {condition.quantity}" + (f" [{unit}]" if unit else "")


def _thresholds(compiled: CompiledRule, scale: float) -> list[CurveLine]:
    if not compiled.condition.has_number:
        return []
    both = (("threshold", compiled.condition), ("clear", compiled.clear))
    words = {"threshold": "fires when", "clear": "resolves when"}
    return [CurveLine(value=scale * one.threshold, kind=kind, text=f"{words[kind]} {one}")
            for kind, one in both if one is not None]
