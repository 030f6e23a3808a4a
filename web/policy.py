"""Who may read what: every address of the pages stands in one table.

``[web] read`` of the site file says what people read who are not signed in. An address that is not
in the table is for who is signed in; a test refuses to have one.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from typing import Any

from flask import Flask, Response, abort, jsonify, make_response, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from iop4d.store.database import StoreUnavailableError
from iop4d.web.auth import name_of, session_token, who
from iop4d.web.context import parts


class Access(IntEnum):
    """For whom an address is: for everybody, with the results, with all the rest, or to act."""

    OPEN = 0
    RESULTS = 1
    SITE = 2
    ACT = 3


ACCESS = {
    "static": Access.OPEN,
    "auth.page": Access.OPEN,
    "auth.enter": Access.OPEN,
    "auth.leave": Access.OPEN,
    "api.healthz": Access.OPEN,
    "api.bokeh_script": Access.OPEN,
    "sources.source_list": Access.RESULTS,
    "sources.source": Access.RESULTS,
    "sources.result": Access.RESULTS,
    "sources.modulation_of": Access.RESULTS,
    "api.api_live": Access.RESULTS,
    "api.api_results": Access.RESULTS,
    "api.api_result": Access.RESULTS,
    "api.api_nights": Access.RESULTS,
    "api.api_points": Access.RESULTS,
    "api.api_plot": Access.RESULTS,
    "api.api_still": Access.RESULTS,
    "now.live": Access.SITE,
    "now.fragment": Access.SITE,
    "api.api_status": Access.SITE,
    "api.live_stream": Access.SITE,
    "nights.night_list": Access.SITE,
    "nights.night": Access.SITE,
    "frames.unused": Access.SITE,
    "frames.frame": Access.SITE,
    "frames.preview": Access.SITE,
    "frames.small_preview": Access.SITE,
    "frames.raw": Access.SITE,
    "frames.reduced": Access.SITE,
    "alerts.alerts": Access.SITE,
    "alerts.rule": Access.SITE,
    "summaries.summary_list": Access.SITE,
    "summaries.summary_page": Access.SITE,
    "summaries.plot": Access.SITE,
    "drafts.draft_list": Access.SITE,
    "drafts.draft": Access.SITE,
    "drafts.draft_file": Access.SITE,
    "mailbox.mailbox": Access.SITE,
    "mailbox.html": Access.SITE,
    "frames.retry": Access.ACT,
    "alerts.alert": Access.ACT,
    "alerts.mute": Access.ACT,
    "alerts.add_rule": Access.ACT,
}

#: What people read who are not signed in, by ``[web] read``.
_READ = {"everybody": Access.ACT, "results": Access.RESULTS, "signed-in": Access.OPEN}


def install(app: Flask) -> None:
    """Have every request meet the policy before its view is called."""
    app.before_request(_refuse)
    app.jinja_env.globals.update(sees_results=lambda: sees(Access.RESULTS),
                                 sees_site=lambda: sees(Access.SITE))


def sees(access: Access) -> bool:
    """Whether whoever asks may read what is for an access; those who act check more themselves."""
    return access <= _READ[parts().site.web.read] or bool(who())


def still_sees(access: Access) -> Callable[[], bool]:
    """Asks, at any later time, whether who sent this request may still read what is for an access.

    The site file and the session are looked at again each time.
    """
    having, token = parts(), session_token()

    def may() -> bool:
        if access <= _READ[having.file.now().site.web.read]:
            return True
        try:
            return bool(name_of(token, having.reader))
        except StoreUnavailableError as error:
            # A database that is locked now has nothing to send either.
            return not error.absent

    return may


def _access(endpoint: str) -> Access:
    if endpoint == "now.fragment" and request.view_args == {"name": "banner"}:
        return Access.RESULTS  # it stands on every page
    return ACCESS.get(endpoint, Access.ACT)


def for_reader(value: Any) -> Any:
    """Plain values without the folders of files, for who reads results alone."""
    if sees(Access.SITE):
        return value
    if isinstance(value, dict):
        return {name: for_reader(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [for_reader(one) for one in value]
    return value.rpartition("/")[2] if isinstance(value, str) and value.startswith("/") else value


def _refuse() -> AnyResponse | None:
    """The answer to who may not read this; None to who may."""
    endpoint = request.endpoint
    if endpoint is None or sees(_access(endpoint)):
        return None
    if request.method == "POST":
        abort(403, "Sign in first. The command 'iop4d users add NAME' creates an account.")
    if endpoint == "now.live" and sees(Access.RESULTS):
        return redirect(url_for("sources.source_list"), code=303)
    if endpoint == "now.fragment" or endpoint.startswith("api."):
        answer: Response = make_response(jsonify(error="Sign in first."), 401)
        return answer
    return redirect(url_for("auth.page", back=request.path), code=303)
