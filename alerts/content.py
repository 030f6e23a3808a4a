"""What a message says, taken down as plain values when the rule fires.

It is kept in the outbox, so that a retry days later sends the same mail, whatever was measured
anew since then.
"""

from __future__ import annotations

import hashlib
from typing import Any
from urllib.parse import quote

from peewee import Value

from iop4d.alerts.conditions import Condition, Form
from iop4d.alerts.rules import Watch
from iop4d.alerts.words import clean, headline, number, plus_minus, utc_of_jd
from iop4d.config import SiteInfo
from iop4d.model import flags
from iop4d.store.alertschema import Alert
from iop4d.store.schema import Result, ResultFrame, Source
from iop4d.store.table import JSONField

_PLOT_DAYS = 30.0  # of light curve before the alert
_PLOT_AFTER = 1.0  # days: an alert found late also shows what came next
_PLOT_POINTS = 200
_NO_MARKS = Value([], converter=JSONField().db_value, unpack=False)  # a list is no list of values

Content = dict[str, Any]


def of_alert(site: SiteInfo, watch: Watch, alert: Alert, kind: str) -> Content:
    """The content of a message about an alert; inside a connection.

    ``kind``: alert when it fired, again when it goes on, ended, or withdrawn.
    """
    rows = {row.id: row for row in Result.select().where(Result.id.in_(alert.points))}
    frames = dict(ResultFrame.select(ResultFrame.result, ResultFrame.frame)
                  .where(ResultFrame.result.in_(alert.points)).tuples())
    ordered = [rows[id_] for id_ in alert.points if id_ in rows]
    source, band, last = clean(_called(watch, alert), 80), clean(alert.band, 20), ordered[-1]
    url = site.url.rstrip("/")
    told = measured(watch.condition, last, alert.value)
    mark = tag(alert)
    return {
        "kind": kind, "severity": watch.rule.severity, "tag": mark, "alert": alert.id,
        "subject": clean(f"[{site.name}] {source} {_headline(watch, band, last, told)}: "
                         f"{_STATE[kind]}{watch.condition} [{mark}]"),
        "site": clean(site.name), "rule": clean(alert.rule), "source": source, "band": band,
        "catalogue_name": clean(alert.source, 80), "episode": alert.episode,
        "condition": str(watch.condition), "clear": str(watch.clear or ""), "measured": told,
        "threshold": watch.condition.threshold if _is_plain(watch) else None,
        "confirm": watch.rule.confirm, "cooldown_h": watch.rule.cooldown,
        "note": clean(alert.note, 300),
        "points": [_point(row, url, frames.get(row.id)) for row in ordered],
        "light_curve": _light_curve(alert),
        "links": _links(url, watch, alert) if url else {},
    }


def _links(url: str, watch: Watch, alert: Alert) -> dict[str, str]:
    drafts = {"drafts": f"{url}/drafts"} if watch.rule.severity == "atel" else {}
    return {"source": f"{url}/sources/{quote(alert.source)}",
            "alerts": f"{url}/alerts#alert-{alert.id}", **drafts}


_STATE = {"alert": "", "again": "still ", "ended": "ended, ", "withdrawn": "withdrawn, "}


def tag(alert: Alert) -> str:
    """By what people name an alert when they answer, such as #a1b2c3."""
    key = f"{alert.rule}\x1f{alert.source}\x1f{alert.band}\x1f{alert.episode}"
    return "#" + hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()[:6]


def measured(condition: Condition, row: Result, value: float | None) -> str:
    """What met a condition, where it is not the magnitude itself, such as ``p = 15.3 %``."""
    if condition.form is Form.VALUE and condition.quantity == "mag":
        return ""
    if condition.form is Form.VALUE and condition.quantity == "p":
        error = None if row.p_err is None else 100.0 * row.p_err
        return f"p = {plus_minus(100.0 * (value or 0.0), error, 1)} %"
    if condition.form is Form.VALUE and condition.quantity == "chi":
        return f"chi = {plus_minus(value, row.chi_err_deg, 1)} deg"
    name = condition.quantity if condition.form in (Form.VALUE, Form.COLOUR) else (
        f"{condition.form.value} {condition.quantity}")
    scale = 100.0 if condition.quantity == "p" and condition.unit != "sigma" else 1.0
    unit = "%" if scale > 1 else condition.unit + ("/d" if condition.form is Form.RATE else "")
    return f"{name} = {number(None if value is None else scale * value, 2)} {unit}".rstrip()


def _is_plain(watch: Watch) -> bool:
    return watch.condition.form is Form.VALUE and watch.condition.quantity == "mag"


def _headline(watch: Watch, band: str, last: Result, told: str) -> str:
    if watch.condition.quantity in ("p", "chi"):
        return f"{band}, {told}"
    text = f"{band} = {headline(last.mag, last.mag_err)}"
    return f"{text}, {told}" if told else text


def _called(watch: Watch, alert: Alert) -> str:
    """The name people use: the rule's own, or the first other name of the catalogue."""
    if watch.rule.source != "*":
        return watch.rule.source
    entry = Source.get_or_none(Source.name == alert.source)
    return str(next(iter(entry.other_names), alert.source)) if entry else str(alert.source)


def _point(row: Result, url: str, frame: int | None) -> Content:
    return {
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


def _light_curve(alert: Alert) -> list[list[float | None]]:
    """The latest good points about an alert: [jd, magnitude, error], in order of time."""
    rows = (Result.select(Result.jd_mid, Result.mag, Result.mag_err)
            .where(good_points(alert.source, alert.band.partition("-")[0])
                   & (Result.jd_mid >= alert.fired_jd - _PLOT_DAYS)
                   & (Result.jd_mid <= alert.fired_jd + _PLOT_AFTER))
            .order_by(Result.jd_mid.desc(), Result.id.desc()).limit(_PLOT_POINTS).tuples())
    return [[jd, round(mag, 4), None if err is None else round(err, 4)]
            for jd, mag, err in reversed(list(rows))]


def good_points(source: str, band: str, *, needs_mag: bool = True) -> Any:
    """The condition, for a query of results, that a point counts for alerts."""
    bars = flags.NEVER_ALERTS if needs_mag else flags.NEVER_ALERTS & ~flags.Flag.NO_CALIBRATORS
    good = ((Result.source == source) & (Result.band == band)
            & (Result.flags.bin_and(int(bars)) == 0) & (Result.human_flags == _NO_MARKS))
    return good & Result.mag.is_null(False) if needs_mag else good
