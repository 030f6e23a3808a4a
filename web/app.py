"""The Flask application: its parts put together, and what it answers when something is wrong."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any, cast

from flask import Flask, Response, jsonify, make_response, request
from flask.json.provider import DefaultJSONProvider
from werkzeug.exceptions import BadHost, HTTPException, NotFound
from werkzeug.routing import IntegerConverter, Map

from iop4d import __version__
from iop4d.alerts.conditions import SYSTEM
from iop4d.alerts.episodes import tag
from iop4d.config import Site
from iop4d.model import plain_json, uncertainty, units
from iop4d.model.bands import BANDS, colour_of
from iop4d.store import flagging, pages
from iop4d.store.database import StoreUnavailableError
from iop4d.store.status import TROUBLE
from iop4d.web import (
    api,
    auth,
    compression,
    context,
    formats,
    heavy,
    live_names,
    menu,
    policy,
    v1,
)
from iop4d.web.context import Parts, render_without_database
from iop4d.web.health import health_of
from iop4d.web.markdown import markdown
from iop4d.web.proxy import BehindProxy
from iop4d.web.reader import LiveSite, Reader
from iop4d.web.stream import Hub
from iop4d.web.views import alerts, data, sources, system, tonight
from iop4d.web.views.sources import public

_log = logging.getLogger(__name__)


class _Id(IntegerConverter):
    """The id of a row: a number that the database may hold. Any other is not found."""

    regex = "[0-9]{1,19}"

    def __init__(self, url_map: Map) -> None:
        super().__init__(url_map, max=context.LARGEST)


class _Json(DefaultJSONProvider):
    """JSON as every program reads it: no NaN and no infinity."""

    # Bokeh's items name an object before they refer to it: their order must stay.
    sort_keys = False

    def dumps(self, obj: Any, **options: Any) -> str:
        """Numbers that JSON does not know become null."""
        usual = {"default": self.default, "ensure_ascii": self.ensure_ascii,
                 "sort_keys": self.sort_keys}
        return plain_json.dumps(obj, **(usual | options))


def create_app(site: Site, load: Callable[[], Site] | None = None) -> Flask:
    """The site's application; the database need not exist yet.

    ``load`` reads the site file again where that changed; without it the site stays as it is.
    """
    app = Flask(__name__)
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.wsgi_app = BehindProxy(  # type: ignore[method-assign]
        app.wsgi_app, trusted=site.web.trusted_proxy, prefix=site.web.prefix)
    app.json = _Json(app)
    app.url_map.converters["int"] = _Id
    reader = Reader(site.database)
    # Pages must find a thread, however many streams are open.
    limit = min(site.web.max_streams, site.web.threads // 2)
    context.install(app, Parts(file=LiveSite(site, load), reader=reader,
                               hub=Hub(reader, lock=site.lock, limit=limit)))
    auth.install(app, site.root)
    policy.install(app)
    heavy.install(app, site.web.threads)
    compression.install(app)
    _give_templates(app)
    for blueprint in (auth.blueprint, api.blueprint, v1.blueprint, *tonight.BLUEPRINTS,
                      *sources.BLUEPRINTS, *data.BLUEPRINTS, *alerts.BLUEPRINTS,
                      *system.BLUEPRINTS):
        app.register_blueprint(blueprint)
    app.register_error_handler(StoreUnavailableError, _unavailable)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(Exception, _unexpected)
    return app


def _give_templates(app: Flask) -> None:
    """The functions that the templates use."""
    filters: dict[str, Callable[..., Any]] = {
        "utc": units.utc_of_unix, "utc_of_jd": units.utc_of_jd, "unix_of_jd": units.unix_of_jd,
        "jd": formats.jd, "span": units.span_text, "when": formats.when,
        "number": formats.number, "size": formats.size, "sexagesimal": units.sexagesimal,
        "state": formats.state, "flag_marks": formats.flag_marks, "percent": formats.percent,
        "place": formats.place, "spelled_once": formats.spelled_once, "markdown": markdown}
    functions: dict[str, Callable[..., Any]] = {
        "plus_minus": units.plus_minus, "plus_minus_chi": units.plus_minus_chi,
        "and_common": units.and_common,
        "total": uncertainty.total,
        "mag_total": uncertainty.mag_total,
        "nucleus_total": uncertainty.nucleus_total, "mag_text": uncertainty.mag_text,
        "p_text": uncertainty.p_text, "chi_text": uncertainty.chi_text}
    # Rows of older versions lack keys that the templates name.
    app.jinja_env.filters.update({n: formats.of_missing(f) for n, f in filters.items()})
    app.jinja_env.globals.update({n: formats.of_missing(f) for n, f in functions.items()})
    app.jinja_env.globals.update(
        version=__version__, bokeh_version=api.BOKEH, subject=pages.subject, tag=tag,
        may_retry=policy.may_retry, health_of=health_of, retried=TROUBLE, system=SYSTEM,
        who=auth.who, band_colours=band_colours, public_address=public.address,
        flag_names=flagging.NAMES, **menu.for_templates(), **live_names.FOR_TEMPLATES)


def band_colours() -> str:
    """The colours of the bands on light and on dark paper as JSON, for scripts."""
    return json.dumps({band: [colour_of(band), colour_of(band, dark=True)]
                       for band in (*BANDS, "")})


def _unavailable(error: StoreUnavailableError) -> Response:
    if policy.is_for_programs():
        answer = make_response(jsonify(error=str(error)), 503)
    elif error.absent and request.view_args:
        return _http_error(NotFound(f"There is no such page yet: {error}."))
    else:
        # No database is how a site begins, not an error.
        answer = make_response(render_without_database("unavailable.html", error=error),
                               200 if error.absent else 503)
    if answer.status_code == 503:
        answer.headers["Retry-After"] = "5"
    return answer


def _http_error(error: HTTPException) -> Response:
    if error.response is not None:
        return cast(Response, error.response)
    if error.code is None or error.code < 400:
        return cast(Response, error.get_response())
    if isinstance(error, BadHost):  # of which no page can have an address
        return Response(f"{error.code}: the Host header is not a name\n", error.code,
                        mimetype="text/plain")
    if policy.is_for_programs():
        answer = make_response(jsonify(error=error.description), error.code)
    else:
        answer = make_response(
            render_without_database("error.html", code=error.code, why=error.description),
            error.code)
    for name, value in error.get_headers():
        if name not in ("Content-Type", "Content-Length"):
            answer.headers[name] = value
    return answer


def _unexpected(error: Exception) -> Response:
    _log.error("%s %s failed", request.method, request.path, exc_info=error)
    why = "This page failed because of a fault in the program; the log has the trace."
    if policy.is_for_programs():
        return make_response(jsonify(error=why), 500)
    return make_response(render_without_database("error.html", code=500, why=why), 500)
