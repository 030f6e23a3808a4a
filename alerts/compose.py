"""What a message says: its content as plain values, and the text and HTML made from them.

The content is kept in the outbox, so that a retry days later sends the same message, whatever was
measured since then.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from jinja2 import TemplateError

from iop4d.alerts import subject_line
from iop4d.alerts.channels.base import Notice
from iop4d.alerts.conditions import SYSTEM, Condition, Form
from iop4d.alerts.episodes import tag
from iop4d.alerts.rendering import clean, headline, render
from iop4d.alerts.rules import CompiledRule, RulePoint
from iop4d.alerts.subjects import display_name
from iop4d.config import SiteInfo
from iop4d.model import flags
from iop4d.model.errors import Iop4dError
from iop4d.model.messages import PlotRequest
from iop4d.model.states import MessageKind
from iop4d.model.uncertainty import chi_total, mag_total, nucleus_total, p_total
from iop4d.model.units import decimal, plus_minus, plus_minus_chi, utc_of_jd, utc_of_unix
from iop4d.store import points as store_points
from iop4d.store import results
from iop4d.store import triggers as store_triggers
from iop4d.store.database import Connection
from iop4d.store.schema import Alert, Result

_PLOT_DAYS = 30.0  # of light curve before the alert
_PLOT_AFTER = 1.0  # days: an alert found late also shows what came next
_PLOT_POINTS = 200
_HOST = " without the host"
_TRIGGERS = 5  # that a message names

Content = dict[str, Any]

#: Kinds of message about what was measured.
OF_POINTS = (MessageKind.PENDING, MessageKind.ALERT, MessageKind.REMINDER, MessageKind.RESOLVED,
             MessageKind.WITHDRAWN)
#: Kinds of message whose text is in their content.
WRITTEN = (MessageKind.SUMMARY, MessageKind.TEST)

#: What HTML calls a kind of message.
_LABELS = {
    MessageKind.PENDING: "? unconfirmed",
    MessageKind.ALERT: "▲ firing", MessageKind.REMINDER: "▲ still firing",
    MessageKind.RESOLVED: "✓ resolved", MessageKind.WITHDRAWN: "✗ withdrawn"}


class MessageError(Iop4dError):
    """A message cannot be written; the reason says why."""


# The content, from the rows of an alert.


def of_alert(db: Connection, site: SiteInfo, compiled: CompiledRule, alert: Alert,
             kind: MessageKind, points: Sequence[RulePoint] = (), *,
             over_jd: float | None = None) -> Content:
    """The content of a message about an alert, one of ``OF_POINTS``.

    ``points``: those that it shows; the ones that fired the alert, if not given. ``over_jd``: when
    it ended, of one that was over when it was found.
    """
    is_remeasured = bool(points)
    points = points or _fired(db, alert)
    ids = [point.id for point in points]
    rows = {row.id: row for row in results.among(db, ids)}
    frames = results.frame_ids(db, ids)
    points = [point for point in points if point.id in rows]
    band = clean(alert.band, 20)
    last = rows[points[-1].id]
    url = site.url.rstrip("/")
    value = _judged(compiled, band, last, points[-1])
    content = _common(site, compiled, alert)
    name = display_name(db, compiled.rule, str(alert.source))
    source = clean(name, 80)
    short, magnitude = subject_line.of_point(
        compiled, band, _magnitude(compiled, last), _quantity(compiled, last, points[-1]))
    if kind is MessageKind.WITHDRAWN:
        short = value = subject_line.of_withdrawal(
            compiled, band, alert, [rows[point.id] for point in points],
            points[-1].value if is_remeasured else None)
        magnitude = f"{band} = {_magnitude(compiled, last)}" if is_remeasured else ""
    said = subject_line.head(kind, f"{subject_line.short_name(name)} {short}",
                             is_over=over_jd is not None)
    more = "; ".join(filter(None, (magnitude, str(compiled.condition))))
    return content | {
        "kind": kind, "source": source, "band": band, "head": said,
        "subject": subject_line.subject(said, more, site=site.name, tag=content["tag"]),
        "catalogue_name": clean(alert.source, 80), "clear": str(compiled.clear or ""),
        "judged": value, "measured": _quantity(compiled, last, points[-1]),
        "threshold": compiled.condition.threshold if _is_plain(compiled, last) and (
            compiled.condition.has_number) else None,
        "confirm": compiled.rule.confirm, "cooldown_h": compiled.rule.cooldown_hours,
        "note": clean(alert.note, 300), "triggers": _triggers(db, alert),
        "over_utc": "" if over_jd is None else utc_of_jd(over_jd),
        "points": [_point(rows[point.id], url, frames.get(point.id), compiled, point)
                   for point in points],
        "light_curve": _light_curve(db, alert, max(alert.fired_jd + _PLOT_AFTER, last.jd_mid)),
        "links": _links(url, compiled, alert) if url else {},
    }


def of_system(site: SiteInfo, compiled: CompiledRule, alert: Alert, kind: MessageKind,
              value: float, reason: str, *, without: str = "") -> Content:
    """The content of a message about an alert of the system.

    ``reason``: of the value; ``without``: why it ended, if it did without the frame that was
    missing.
    """
    what, unit, of = SYSTEM[compiled.condition.quantity]
    url = site.url.rstrip("/")
    measured = f"{decimal(value, 0 if unit == '' else 1)} {unit}".strip()
    about = clean(f"{alert.source}: {what}" if of != "site" else what[0].upper() + what[1:])
    content = _common(site, compiled, alert)
    said = subject_line.head(kind, subject_line.of_system(
        compiled.condition.quantity, alert.source, measured, about, kind,
        without=without))
    return content | {
        "kind": MessageKind.SYSTEM, "state": kind, "about": about, "measured": measured,
        "head": said, "subject": subject_line.subject(
            said, str(compiled.condition), site=site.name, tag=content["tag"]),
        "note": clean(reason, 300),
        "links": {"alerts": f"{url}/alerts/{alert.id}"} if url else {},
    }


def _common(site: SiteInfo, compiled: CompiledRule, alert: Alert) -> Content:
    return {"alert": alert.id, "tag": tag(alert), "episode": alert.episode,
            "severity": compiled.rule.severity, "site": clean(site.name),
            "rule": clean(alert.rule), "condition": str(compiled.condition)}


def _triggers(db: Connection, alert: Alert) -> list[str]:
    """The triggers of the source that lasted when an alert fired, each in a line."""
    return [clean(", ".join(filter(None, (
        row.text or "without a text",
        "" if row.significance is None else f"{decimal(row.significance, 1)} sigma",
        f"notice of {utc_of_unix(row.issued_at, '%Y-%m-%d %H:%M')} UTC",
        f"priority until {utc_of_unix(row.until, '%Y-%m-%d %H:%M')} UTC"))), 300)
        for row in store_triggers.at_jd(db, alert.source, alert.fired_jd)[:_TRIGGERS]]


def _fired(db: Connection, alert: Alert) -> list[RulePoint]:
    """The points that fired an alert; only of the last is known what was judged."""
    times = store_points.jds(db, alert.points)
    value = math.nan if alert.value is None else alert.value
    return [RulePoint(id=id_, jd=times[id_], value=value if id_ == alert.points[-1] else math.nan)
            for id_ in alert.points if id_ in times]


def _links(url: str, compiled: CompiledRule, alert: Alert) -> dict[str, str]:
    drafts = {"drafts": f"{url}/drafts"} if compiled.rule.severity == "atel" else {}
    return {"source": f"{url}/sources/{quote(alert.source)}",
            "alerts": f"{url}/alerts/{alert.id}", **drafts}


def _point(row: Result, url: str, frame: int | None, compiled: CompiledRule,
           point: RulePoint) -> Content:
    known = not _is_plain(compiled, row) and not math.isnan(point.value)
    return {
        "band": clean(row.band, 20),
        "judged": _beside_magnitude(compiled, row, point) if known else "",
        "id": row.id, "jd": row.jd_mid, "utc": utc_of_jd(row.jd_mid),
        "mag": row.mag, "mag_err": mag_total(row), "p": row.p_debiased, "p_err": p_total(row),
        "p_limit": row.p_limit, "chi": row.chi_deg, "chi_err": chi_total(row),
        "exptime_s": row.exptime_s,
        "zero_point": row.zero_point, "zero_point_err": row.zero_point_err,
        "n_calibrators": row.n_calibrators, "fwhm_arcsec": row.fwhm_arcsec,
        "airmass": row.airmass, "telescope": clean(row.telescope, 60),
        "instrument": clean(row.instrument, 60), "flags": _flags(row),
        "provisional": bool(row.provisional),
        "frames": [clean(name, 120) for name in row.frames[:10]],
        "frame_url": f"{url}/frames/{frame}" if url and frame is not None else "",
    }


def _flags(row: Result) -> list[str]:
    """The flags of a result, those that people set first."""
    by_hand = dict.fromkeys(clean(mark["name"], 60) for mark in row.human_flags)
    return [*by_hand, *flags.names(row.flags)]


def _beside_magnitude(compiled: CompiledRule, row: Result, point: RulePoint) -> str:
    """What a rule judged of a point, beside its magnitude."""
    if _is_nucleus(compiled, row) and compiled.condition.quantity == "mag":
        nucleus = f"{plus_minus(row.mag_nucleus, nucleus_total(row))} mag without the host"
        return ", ".join(filter(None, (nucleus, _quantity(compiled, row, point))))
    return _quantity(compiled, row, point)


def _light_curve(db: Connection, alert: Alert, until: float) -> list[list[float | None]]:
    """The latest good points about an alert, to JD ``until``: [jd, magnitude, error]."""
    points = store_points.light_curve(
        db, alert.source, alert.band.partition("-")[0], alert.fired_jd - _PLOT_DAYS, until,
        limit=_PLOT_POINTS)
    return [[jd, round(mag, 4), None if err is None else round(err, 4)]
            for jd, mag, err in points]


# What a rule judged of a point: ``R = 12.87 ± 0.02``, ``p = 16.0 ± 0.4 %``.


def _is_plain(compiled: CompiledRule, row: Result) -> bool:
    """Whether a rule judges the magnitude as it stands in the results."""
    condition = compiled.condition
    if not condition.has_number:
        return True
    return (condition.form, condition.quantity) == (Form.VALUE, "mag") and not _is_nucleus(
        compiled, row)


def _is_nucleus(compiled: CompiledRule, row: Result) -> bool:
    """Whether a rule judges a result without the light of its host galaxy."""
    asked = compiled.rule.host_galaxy
    return compiled.condition.bands is None and compiled.condition.has_number and (
        asked == "corrected" or (asked == "auto" and row.host_mjy is not None))


def _judged(compiled: CompiledRule, band: str, row: Result, point: RulePoint) -> str:
    """A point as its rule sees it: band and magnitude, and what it judged if that is not it."""
    value = _quantity(compiled, row, point)
    if compiled.condition.bands:
        return value
    if compiled.condition.quantity in ("p", "chi"):
        return f"{band}, {value}"
    text = f"{band} = {_magnitude(compiled, row)}"
    return f"{text}, {value}" if value else text


def _quantity(compiled: CompiledRule, row: Result, point: RulePoint) -> str:
    """The number that was judged, with its error where it is a value; empty for a magnitude."""
    condition = compiled.condition
    if not condition.has_number or (
            condition.form is Form.VALUE and condition.quantity == "mag"):
        return ""
    if condition.form in (Form.VALUE, Form.COLOUR):
        return _value(condition, point) + _host(compiled, row)
    digits = 2 if condition.quantity in ("mag", "p") or condition.unit == "sigma" else 1
    scale = 100.0 if condition.quantity == "p" and condition.unit != "sigma" else 1.0
    unit = "%" if scale > 1 else condition.unit
    per_day = "/d" if condition.form is Form.RATE else ""
    number = decimal(scale * point.value, digits)
    return f"{condition.form.value} {condition.quantity} = {number} {unit}{per_day}".rstrip()


def _value(condition: Condition, point: RulePoint) -> str:
    if condition.quantity == "p":
        return f"p = {plus_minus(100.0 * point.value, 100.0 * point.error, 1)} %"
    if condition.quantity == "chi":
        return f"chi = {plus_minus_chi(point.value, point.error)} deg"
    unit = "mJy" if condition.quantity == "flux_mjy" else "mag"
    digits = max(2, 1 - math.floor(math.log10(point.error))) if point.error > 0 else 2
    return f"{condition.quantity} = {plus_minus(point.value, point.error, min(digits, 4))} {unit}"


def _magnitude(compiled: CompiledRule, row: Result) -> str:
    if _is_nucleus(compiled, row):
        return headline(row.mag_nucleus, nucleus_total(row)) + _HOST
    return headline(row.mag, mag_total(row))


def _host(compiled: CompiledRule, row: Result) -> str:
    without = _is_nucleus(compiled, row) and compiled.condition.quantity == "p"
    return _HOST if without else ""


# What is sent, from the content.


def notice_of(content: dict[str, Any], *, message_id: str, at: float, first_id: str = "",
              pictures: Mapping[str, bytes] | None = None) -> Notice:
    """The notice that says ``content``; ``at`` is its date in Unix seconds, ``first_id`` the id
    of the first message of the same alert.

    Raises MessageError when the content is not what this version writes.
    """
    shown = dict(pictures or {})
    try:
        kind = MessageKind(content.get("kind", MessageKind.ALERT))
        content = {"kind": kind, **content, "subject": clean(content["subject"])}
        if kind in WRITTEN:
            text, html = str(content["text"]), str(content.get("html", ""))
        else:
            name = "alert" if kind in OF_POINTS else kind.value
            text = render(f"{name}.txt", content)
            html = render(f"{name}.html", content, labels=_LABELS, cid=next(iter(shown), ""))
        return Notice(
            id=message_id, kind=kind.value, subject=content["subject"], text=text, html=html,
            pictures=shown, at=at, first_id=first_id,
            severity=str(content.get("severity", "notice")), tag=str(content.get("tag", "")),
            link=_link(content), facts={
                key: value for key, value in content.items() if key not in ("html", "text")})
    except (TemplateError, KeyError, TypeError, ValueError, IndexError) as error:
        raise MessageError(f"the message cannot be written: {error!r}") from error


def _link(content: dict[str, Any]) -> str:
    links = content.get("links") or {}
    return str(content.get("link") or links.get("alerts") or links.get("source") or "")


def cid_of(picture: str) -> str:
    """The id by which a mail's HTML names one of its pictures, a file below the site's folder."""
    return picture.replace("/", ".") + "@iop4d"


def plot_of(content: dict[str, Any]) -> PlotRequest | None:
    """The light curve that goes with a message; None when there is nothing to plot."""
    if not content.get("light_curve"):
        return None
    try:
        points = tuple((float(jd), float(mag), float("nan") if err is None else float(err))
                       for jd, mag, err in content["light_curve"])
        if not points:
            return None
        return PlotRequest(
            title=f"{content['source']} {content['band']}", band=content["band"], points=points,
            highlight_jd=content["points"][-1]["jd"], threshold=content["threshold"])
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise MessageError(f"the message cannot be written: {error!r}") from error
