"""Public pages of sources, to be cited in telegrams: a light curve between two fixed times.

Only of sources that ``[web] public_sources`` names; nothing else of the site is on them.
"""

from __future__ import annotations

import math
import time
from typing import Any
from urllib.parse import quote, urlencode

from flask import Blueprint, Response, abort, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from iop4d.config import Site
from iop4d.model.source import Source, canonical
from iop4d.model.units import jd_of_unix, utc_of_jd
from iop4d.store import sources
from iop4d.store.database import Connection
from iop4d.web.context import parts, reading
from iop4d.web.curves.answer import Curve
from iop4d.web.curves.choice import Choice
from iop4d.web.curves.columns import night_text
from iop4d.web.heavy import heavy
from iop4d.web.still_curve import still_curve
from iop4d.web.views.sources.curves import chosen, of_choice
from iop4d.web.views.sources.moved import moved_to

blueprint = Blueprint("public", __name__)

_DAYS = 30.0  # of an address that names no time
_MOST = 3_000  # points of the picture
_ALL = "*"


@blueprint.get("/public/<path:key>")
@heavy
@reading
def page(db: Connection, key: str) -> AnyResponse | str:
    """The light curve of a source between two times, and the means of its nights."""
    name, entry = _public(db, key)
    if (moved := moved_to(db, ".page", key, name)) is not None:
        return moved
    choice = chosen([(name, entry)])
    if choice.since is None or choice.until is None:
        now = jd_of_unix(time.time())
        since = now - _DAYS if choice.since is None else choice.since
        until = now if choice.until is None else choice.until
        return redirect(f"{url_for('.page', key=name)}?{urlencode(_times(since, until))}", code=302)
    curve = _curve(db, choice)
    return render_template(
        "public.html", root=request.script_root, site=parts().site, name=name, entry=entry,
        choice=choice, nights=_nights(curve), times=urlencode(_times(choice.since, choice.until)),
        address=address(name, name, choice.since, choice.until) or request.base_url,
        read_at=utc_of_jd(jd_of_unix(time.time())))


@blueprint.get("/public/<path:key>/light-curve.svg")
@heavy
@reading
def picture(db: Connection, key: str) -> Response:
    """The picture of a public page."""
    name, entry = _public(db, key)
    curve = _curve(db, chosen([(name, entry)]))
    return Response(still_curve(curve, is_narrow="narrow" in request.args),
                    mimetype="image/svg+xml")


def address(source: str, called: str, since_jd: float, until_jd: float) -> str:
    """The address of the public page of a source; empty if it has none."""
    site = parts().site
    if not _is_public(site, (source, called)):
        return ""
    base = site.site.url.rstrip("/") or request.url_root.rstrip("/")
    return f"{base}/public/{quote(source)}?{urlencode(_times(since_jd, until_jd))}"


def _times(since_jd: float, until_jd: float) -> dict[str, str]:
    form = "%Y-%m-%dT%H:%M"
    return {"from": utc_of_jd(since_jd, form, step_s=60.0),
            "to": utc_of_jd(until_jd, form, step_s=60.0)}


def _public(db: Connection, key: str) -> tuple[str, Source | None]:
    """A source that has a public page; of any other nothing is said."""
    found = sources.find(db, key)
    names = () if found is None else (found[0], *(found[1].other_names if found[1] else ()))
    if found is None or not _is_public(parts().site, names):
        abort(404, "There is no public page of this source.")
    return found


def _is_public(site: Site, names: tuple[str, ...]) -> bool:
    named = site.web.public_sources
    return _ALL in named or bool({canonical(name) for name in names}
                                 & {canonical(name) for name in named})


def _curve(db: Connection, choice: Choice) -> Curve:
    """Without what people or the program flagged, and without the points of others: those are the
    group's own business."""
    only = Choice(sources=choice.sources, since=choice.since, until=choice.until,
                  bands=choice.bands, flagged=False, others=False, points="all")
    return of_choice(db, only, 0.0, most=_MOST)


def _nights(curve: Curve) -> list[dict[str, Any]]:
    """The means of nights, the newest first; None where there is no number."""
    rows = []
    for one in curve.every_night:
        columns = one.columns
        rows += [{name: _known(columns[name][at]) for name in (
            "jd", "n", "y", "y_err", "y_common", "p", "p_err", "p_limit", "chi", "chi_err")}
            | {"night": night_text(columns["night"][at]), "band": one.band,
               "telescope": one.telescope, "instrument": one.instrument}
            for at in range(one.size)]
    rows.sort(key=lambda row: (row["band"], row["jd"]))
    return sorted(rows, key=lambda row: str(row["night"]), reverse=True)


def _known(value: Any) -> float | None:
    return float(value) if math.isfinite(value) else None
