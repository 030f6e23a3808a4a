"""The Flask application: its parts put together, and what it answers when something is wrong."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import cast

from flask import Flask, Response, jsonify, make_response, request
from flask.json.provider import DefaultJSONProvider
from werkzeug.exceptions import HTTPException

from iop4d import __version__
from iop4d.alerts.conditions import SYSTEM
from iop4d.config import Site
from iop4d.web import (
    acts,
    api,
    context,
    drafts,
    formats,
    mailbox,
    pages,
    queries,
    retry,
    security,
    signin,
    summaries,
)
from iop4d.web.context import Parts, render_without_database
from iop4d.web.livesite import LiveSite
from iop4d.web.reader import Reader, UnavailableError
from iop4d.web.stream import Hub

_log = logging.getLogger(__name__)


def create_app(site: Site, load: Callable[[], Site] | None = None) -> Flask:
    """The site's application; the database need not exist yet.

    ``load`` reads the site file again where that changed; without it the site stays as it is.
    """
    app = Flask(__name__)
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    # Bokeh's items name an object before they refer to it: their order must stay.
    cast(DefaultJSONProvider, app.json).sort_keys = False
    reader = Reader(site.database)
    # Pages must find a thread, however many streams are open.
    limit = min(site.web.streams, site.web.threads // 2)
    context.install(app, Parts(file=LiveSite(site, load), reader=reader,
                               hub=Hub(reader, limit=limit)))
    formats.install(app)
    security.install(app)
    signin.install(app, site.root)
    app.jinja_env.globals.update(version=__version__, bokeh_version=api.BOKEH,
                                 subject=queries.subject, may_retry=retry.is_allowed,
                                 system=SYSTEM, who=signin.who, retried=retry.STATES,
                                 also_called=context.also_called)
    app.register_blueprint(pages.blueprint)
    app.register_blueprint(api.blueprint)
    app.register_blueprint(retry.blueprint)
    app.register_blueprint(signin.blueprint)
    app.register_blueprint(acts.blueprint)
    app.register_blueprint(summaries.blueprint)
    app.register_blueprint(drafts.blueprint)
    app.register_blueprint(mailbox.blueprint)
    app.register_error_handler(UnavailableError, _unavailable)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(Exception, _unexpected)
    return app


def _for_programs() -> bool:
    return request.path.startswith("/api/")


def _unavailable(error: UnavailableError) -> Response:
    if _for_programs() or request.path.startswith("/fragments/"):
        answer = make_response(jsonify(error=error.why), 503)
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
    if _for_programs():
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
    why = "Something went wrong here; the site's log has the trace."
    if _for_programs():
        return make_response(jsonify(error=why), 500)
    return make_response(render_without_database("error.html", code=500, why=why), 500)
