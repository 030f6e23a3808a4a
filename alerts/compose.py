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

from iop4d.alerts.channels.base import Notice
from iop4d.alerts.episodes import tag
from iop4d.alerts.rendering import clean, render
from iop4d.alerts.rule_value import is_plain, judged, quantity_of
from iop4d.alerts.rules import CompiledRule, RulePoint
from iop4d.alerts.subjects import display_name
from iop4d.config import SiteInfo
from iop4d.model import flags
from iop4d.model.errors import Iop4dError
from iop4d.model.messages import PlotRequest
from iop4d.model.units import plus_minus, utc_of_jd
from iop4d.store.database import Connection
from iop4d.store.points import good_points
from iop4d.store.schema import Alert, Result, ResultFrame

_PLOT_DAYS = 30.0  # of light curve before the alert
_PLOT_AFTER = 1.0  # days: an alert found late also shows what came next
_PLOT_POINTS = 200

Content = dict[str, Any]


def of_alert(db: Connection, site: SiteInfo, watch: CompiledRule, alert: Alert, kind: str,
             points: Sequence[RulePoint] = ()) -> Content:
    """The content of a message about an alert.

    ``kind``: alert when it fired, again when it goes on, ended, or withdrawn. ``points``: those
    that say so; the ones that fired it, if not given.
    """
    points = points or _fired(db, alert)
    rows = {row.id: row for row in db.select(Result).where(
        Result.id.in_([p.id for p in points]))}
    frames = dict(db.select(ResultFrame, ResultFrame.result, ResultFrame.frame)
                  .where(ResultFrame.result.in_(list(rows))).tuples())
    points = [point for point in points if point.id in rows]
    source, band = clean(display_name(db, watch.rule, str(alert.source)), 80), clean(alert.band, 20)
    last = rows[points[-1].id]
    url = site.url.rstrip("/")
    told, mark = judged(watch, band, last, points[-1]), tag(alert)
    return {
        "kind": kind, "severity": watch.rule.severity, "tag": mark, "alert": alert.id,
        "subject": clean(f"[{site.name}] {source} {told}: "
                         f"{_STATE[kind]}{watch.condition} [{mark}]"),
        "site": clean(site.name), "rule": clean(alert.rule), "source": source, "band": band,
        "catalogue_name": clean(alert.source, 80), "episode": alert.episode,
        "condition": str(watch.condition), "clear": str(watch.clear or ""), "judged": told,
        "measured": quantity_of(watch, points[-1]),
        "threshold": watch.condition.threshold if is_plain(watch) else None,
        "confirm": watch.rule.confirm, "cooldown_h": watch.rule.cooldown_hours,
        "note": clean(alert.note, 300),
        "points": [_point(rows[point.id], url, frames.get(point.id), watch, point)
                   for point in points],
        "light_curve": _light_curve(db, alert, max(alert.fired_jd + _PLOT_AFTER, last.jd_mid)),
        "links": _links(url, watch, alert) if url else {},
    }


def _fired(db: Connection, alert: Alert) -> list[RulePoint]:
    """The points that fired an alert; only of the last is known what was judged."""
    times = dict(db.select(Result, Result.id, Result.jd_mid).where(
        Result.id.in_(alert.points)).tuples())
    value = math.nan if alert.value is None else alert.value
    return [RulePoint(id=id_, jd=times[id_], value=value if id_ == alert.points[-1] else math.nan)
            for id_ in alert.points if id_ in times]


def _links(url: str, watch: CompiledRule, alert: Alert) -> dict[str, str]:
    drafts = {"drafts": f"{url}/drafts"} if watch.rule.severity == "atel" else {}
    return {"source": f"{url}/sources/{quote(alert.source)}",
            "alerts": f"{url}/alerts#alert-{alert.id}", **drafts}


KINDS = ("alert", "again", "ended", "withdrawn")
_STATE = {"alert": "", "again": "still ", "ended": "ended, ", "withdrawn": "withdrawn, "}


def _point(row: Result, url: str, frame: int | None, watch: CompiledRule,
           point: RulePoint) -> Content:
    known = not is_plain(watch) and not math.isnan(point.value)
    return {
        "band": clean(row.band, 20), "judged": _judged(watch, row, point) if known else "",
        "id": row.id, "jd": row.jd_mid, "utc": utc_of_jd(row.jd_mid),
        "mag": row.mag, "mag_err": row.mag_err, "p": row.p_debiased, "p_err": row.p_err,
        "chi": row.chi_deg, "chi_err": row.chi_err_deg, "exptime_s": row.exptime_s,
        "zero_point": row.zero_point, "zero_point_err": row.zero_point_err,
        "n_calibrators": row.n_calibrators, "fwhm_arcsec": row.fwhm_arcsec,
        "airmass": row.airmass, "telescope": clean(row.telescope, 60),
        "instrument": clean(row.instrument, 60), "flags": list(flags.names(row.flags)),
        "provisional": bool(row.provisional),
        "frames": [clean(name, 120) for name in row.frames[:10]],
        "frame_url": f"{url}/frames/{frame}" if url and frame is not None else "",
    }


def _judged(watch: CompiledRule, row: Result, point: RulePoint) -> str:
    """What a rule judged of a point, beside its magnitude."""
    if watch.rule.host_galaxy == "corrected" and watch.condition.quantity == "mag":
        nucleus = f"{plus_minus(row.mag_nucleus, row.mag_nucleus_err)} mag without the host"
        return ", ".join(filter(None, (nucleus, quantity_of(watch, point))))
    return quantity_of(watch, point)


def _light_curve(db: Connection, alert: Alert, until: float) -> list[list[float | None]]:
    """The latest good points about an alert, to JD ``until``: [jd, magnitude, error]."""
    rows = (db.select(Result, Result.jd_mid, Result.mag, Result.mag_err)
            .where(good_points(alert.source, alert.band.partition("-")[0])
                   & (Result.jd_mid >= alert.fired_jd - _PLOT_DAYS)
                   & (Result.jd_mid <= until))
            .order_by(Result.jd_mid.desc(), Result.id.desc()).limit(_PLOT_POINTS).tuples())
    return [[jd, round(mag, 4), None if err is None else round(err, 4)]
            for jd, mag, err in reversed(list(rows))]


#: Kinds of message whose text is in their content.
WRITTEN = ("summary", "test")
#: What the templates call a kind of message, in a sentence and as a label.
_HELPERS = {
    "says": {"alert": "fires", "again": "still holds", "ended": "has ended",
             "withdrawn": "is taken back"},
    "marks": {"alert": "▲ firing", "again": "▲ still firing", "ended": "✓ ended",
              "withdrawn": "✗ withdrawn"}}


class MessageError(Iop4dError):
    """A message cannot be written; the reason says why."""


def notice_of(content: dict[str, Any], *, message_id: str, at: float,
              pictures: Mapping[str, bytes] | None = None) -> Notice:
    """The notice that says ``content``; ``at`` is its date in Unix seconds.

    Raises MessageError when the content is not what this version writes.
    """
    kind = str(content.get("kind", "alert"))
    shown = dict(pictures or {})
    try:
        content = {"kind": kind, **content, "subject": clean(content["subject"])}
        if kind in WRITTEN:
            text, html = str(content["text"]), str(content.get("html", ""))
        else:
            name = "digest" if kind == "digest" else "system" if kind == "system" else "alert"
            text = render(f"{name}.txt", content, **_HELPERS)
            html = render(f"{name}.html", content, **_HELPERS, cid=next(iter(shown), ""))
        return Notice(
            id=message_id, kind=kind, subject=content["subject"], text=text, html=html,
            pictures=shown, at=at, severity=str(content.get("severity", "notice")),
            tag=str(content.get("tag", "")), link=_link(content), facts={
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
