"""What a message says, taken down as plain values when the rule fires.

It is kept in the outbox, so that a retry days later sends the same mail, whatever was measured
anew since then.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from peewee import Value

from iop4d.alerts.rules import Watch
from iop4d.alerts.words import clean, headline, utc_of_jd
from iop4d.config import SiteInfo
from iop4d.model import flags
from iop4d.store.schema import Alert, JSONField, Result, ResultFrame, Source

_PLOT_DAYS = 30.0  # of light curve before the alert
_PLOT_AFTER = 1.0  # days: an alert found late also shows what came next
_PLOT_POINTS = 200
_NO_MARKS = Value([], converter=JSONField().db_value, unpack=False)  # a list is no list of values

Content = dict[str, Any]


def fired(site: SiteInfo, watch: Watch, alert: Alert) -> Content:
    """The content of the message that an alert fired; inside a connection."""
    rows = {row.id: row for row in Result.select().where(Result.id.in_(alert.points))}
    frames = dict(ResultFrame.select(ResultFrame.result, ResultFrame.frame)
                  .where(ResultFrame.result.in_(alert.points)).tuples())
    ordered = [rows[id_] for id_ in alert.points]
    source, band, last = clean(_called(watch, alert), 80), clean(alert.band, 20), ordered[-1]
    url = site.url.rstrip("/")
    return {
        "subject": clean(f"[{site.name}] {source} {band} = {headline(last.mag, last.mag_err)}: "
                         f"{watch.condition}"),
        "site": clean(site.name), "rule": clean(alert.rule), "source": source, "band": band,
        "catalogue_name": clean(alert.source, 80), "episode": alert.episode,
        "condition": str(watch.condition), "clear": str(watch.clear or ""),
        "threshold": watch.condition.threshold, "cooldown_h": watch.rule.cooldown,
        "points": [_point(row, url, frames.get(row.id)) for row in ordered],
        "light_curve": _light_curve(alert),
        "links": {"source": f"{url}/sources/{quote(alert.source)}",
                  "alerts": f"{url}/alerts"} if url else {},
    }


def _called(watch: Watch, alert: Alert) -> str:
    """The name people use: the rule's own, or the first other name of the catalogue."""
    if watch.rule.source != "*":
        return watch.rule.source
    entry = Source.get_or_none(Source.name == alert.source)
    return str(next(iter(entry.other_names), alert.source)) if entry else str(alert.source)


def _point(row: Result, url: str, frame: int | None) -> Content:
    return {
        "id": row.id, "jd": row.jd_mid, "utc": utc_of_jd(row.jd_mid),
        "mag": row.mag, "mag_err": row.mag_err, "exptime_s": row.exptime_s,
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
            .where(good_points(alert.source, alert.band)
                   & (Result.jd_mid >= alert.fired_jd - _PLOT_DAYS)
                   & (Result.jd_mid <= alert.fired_jd + _PLOT_AFTER))
            .order_by(Result.jd_mid.desc(), Result.id.desc()).limit(_PLOT_POINTS).tuples())
    return [[jd, round(mag, 4), None if err is None else round(err, 4)]
            for jd, mag, err in reversed(list(rows))]


def good_points(source: str, band: str) -> Any:
    """The condition, for a query of results, that a point counts for alerts."""
    return ((Result.source == source) & (Result.band == band)
            & (Result.flags.bin_and(int(flags.NEVER_ALERTS)) == 0)
            & Result.mag.is_null(False) & (Result.human_flags == _NO_MARKS))
