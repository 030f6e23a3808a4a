"""What a message says, taken down as plain values when the rule fires.

It is kept in the outbox, so that a retry days later sends the same mail, whatever was measured
anew since then.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from peewee import Value

from iop4d.alerts.judged import is_plain, judged, quantity_of
from iop4d.alerts.rules import Point, Watch
from iop4d.alerts.subjects import called
from iop4d.alerts.words import clean, plus_minus, utc_of_jd
from iop4d.config import SiteInfo
from iop4d.model import flags
from iop4d.store.schema import Alert, Result, ResultFrame
from iop4d.store.table import JSONField

_PLOT_DAYS = 30.0  # of light curve before the alert
_PLOT_AFTER = 1.0  # days: an alert found late also shows what came next
_PLOT_POINTS = 200
_NO_MARKS = Value([], converter=JSONField().db_value, unpack=False)  # a list is no list of values

Content = dict[str, Any]


def of_alert(site: SiteInfo, watch: Watch, alert: Alert, kind: str,
             points: Sequence[Point] = ()) -> Content:
    """The content of a message about an alert; inside a connection.

    ``kind``: alert when it fired, again when it goes on, ended, or withdrawn. ``points``: those
    that say so; the ones that fired it, if not given.
    """
    points = points or _fired(alert)
    rows = {row.id: row for row in Result.select().where(Result.id.in_([p.id for p in points]))}
    frames = dict(ResultFrame.select(ResultFrame.result, ResultFrame.frame)
                  .where(ResultFrame.result.in_(list(rows))).tuples())
    points = [point for point in points if point.id in rows]
    source, band = clean(called(watch.rule, str(alert.source)), 80), clean(alert.band, 20)
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
        "confirm": watch.rule.confirm, "cooldown_h": watch.rule.cooldown,
        "note": clean(alert.note, 300),
        "points": [_point(rows[point.id], url, frames.get(point.id), watch, point)
                   for point in points],
        "light_curve": _light_curve(alert, max(alert.fired_jd + _PLOT_AFTER, last.jd_mid)),
        "links": _links(url, watch, alert) if url else {},
    }


def _fired(alert: Alert) -> list[Point]:
    """The points that fired an alert; only of the last is known what was judged."""
    times = dict(Result.select(Result.id, Result.jd_mid).where(
        Result.id.in_(alert.points)).tuples())
    value = math.nan if alert.value is None else alert.value
    return [Point(id=id_, jd=times[id_], value=value if id_ == alert.points[-1] else math.nan)
            for id_ in alert.points if id_ in times]


def _links(url: str, watch: Watch, alert: Alert) -> dict[str, str]:
    drafts = {"drafts": f"{url}/drafts"} if watch.rule.severity == "atel" else {}
    return {"source": f"{url}/sources/{quote(alert.source)}",
            "alerts": f"{url}/alerts#alert-{alert.id}", **drafts}


KINDS = ("alert", "again", "ended", "withdrawn")
_STATE = {"alert": "", "again": "still ", "ended": "ended, ", "withdrawn": "withdrawn, "}


def tag(alert: Alert) -> str:
    """By what people name an alert when they answer, such as #a1b2c3."""
    key = f"{alert.rule}\x1f{alert.source}\x1f{alert.band}\x1f{alert.episode}"
    return "#" + hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()[:6]


def _point(row: Result, url: str, frame: int | None, watch: Watch, point: Point) -> Content:
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


def _judged(watch: Watch, row: Result, point: Point) -> str:
    """What a rule judged of a point, beside its magnitude."""
    if watch.rule.host == "corrected" and watch.condition.quantity == "mag":
        nucleus = f"{plus_minus(row.mag_nucleus, row.mag_nucleus_err)} mag without the host"
        return ", ".join(filter(None, (nucleus, quantity_of(watch, point))))
    return quantity_of(watch, point)


def _light_curve(alert: Alert, until: float) -> list[list[float | None]]:
    """The latest good points about an alert, to JD ``until``: [jd, magnitude, error]."""
    rows = (Result.select(Result.jd_mid, Result.mag, Result.mag_err)
            .where(good_points(alert.source, alert.band.partition("-")[0])
                   & (Result.jd_mid >= alert.fired_jd - _PLOT_DAYS)
                   & (Result.jd_mid <= until))
            .order_by(Result.jd_mid.desc(), Result.id.desc()).limit(_PLOT_POINTS).tuples())
    return [[jd, round(mag, 4), None if err is None else round(err, 4)]
            for jd, mag, err in reversed(list(rows))]


def good_points(source: str, band: str, *, needs_mag: bool = True) -> Any:
    """The condition, for a query of results, that a point counts for alerts."""
    bars = flags.NEVER_ALERTS if needs_mag else flags.NEVER_ALERTS & ~flags.Flag.NO_CALIBRATORS
    good = ((Result.source == source) & (Result.band == band)
            & (Result.flags.bin_and(int(bars)) == 0) & (Result.human_flags == _NO_MARKS))
    return good & Result.mag.is_null(False) if needs_mag else good
