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

from iop4d.model.states import Role
from iop4d.store.database import StoreUnavailableError
from iop4d.web.auth import (
    api_token,
    person,
    person_of,
    person_of_token,
    refuse_other_pages,
    session_token,
)
from iop4d.web.context import parts
from iop4d.web.proxy import is_of_this_machine


class Access(IntEnum):
    """For whom an address is: for everybody, with the results, with all the rest, or to act.

    A viewer reads everything but the operator's matters; an observer, an editor and an admin may
    each do what those before them may.
    """

    OPEN = 0
    RESULTS = 1
    SITE = 2
    OWN = 3  # of whoever has an account
    OBSERVE = 4
    EDIT = 5
    ADMINISTER = 6


#: What each role may.
MAY = {Role.VIEWER: Access.OWN, Role.OBSERVER: Access.OBSERVE, Role.EDITOR: Access.EDIT,
       Role.ADMIN: Access.ADMINISTER}

ACCESS = {
    "static": Access.OPEN,
    "auth.page": Access.OPEN,
    "auth.enter": Access.OPEN,
    "auth.leave": Access.OPEN,
    "api.healthz": Access.OPEN,
    "search.search": Access.RESULTS,
    "api.bokeh_script": Access.OPEN,
    "source_list.source_list": Access.RESULTS,
    "sources.source": Access.RESULTS,
    "catalogue.entry": Access.SITE,
    "catalogue.change": Access.SITE,
    "calibrators.calibrators": Access.SITE,
    "calibrators.check": Access.SITE,
    "calibrators.history": Access.SITE,
    "calibrators.serve": Access.EDIT,
    "calibrators.find": Access.EDIT,
    "calibrators.adopt": Access.EDIT,
    "exposure.exposure": Access.SITE,
    "chart.picture": Access.SITE,
    "chart.print_form": Access.SITE,
    "catalogue.new": Access.EDIT,
    "catalogue.save": Access.EDIT,
    "catalogue.add": Access.EDIT,
    "catalogue.rename": Access.EDIT,
    "catalogue.remove": Access.EDIT,
    "catalogue.undo": Access.EDIT,
    "catalogue.reduce_again": Access.EDIT,
    "results.result": Access.RESULTS,
    "results.modulation_of": Access.RESULTS,
    "results.star": Access.RESULTS,
    "trials.start": Access.OBSERVE,
    "trials.trial": Access.SITE,
    "api.api_live": Access.RESULTS,
    "api.api_results": Access.RESULTS,
    "api.api_result": Access.RESULTS,
    "api.api_nights": Access.RESULTS,
    "api.api_points": Access.RESULTS,
    "v1.page": Access.RESULTS,
    "v1.openapi": Access.RESULTS,
    "v1.results": Access.RESULTS,
    "v1.result": Access.RESULTS,
    "v1.sources": Access.RESULTS,
    "v1.source": Access.RESULTS,
    "v1.points": Access.RESULTS,
    "v1.nights_of": Access.RESULTS,
    "v1.calibrators": Access.RESULTS,
    "v1.external": Access.RESULTS,
    "v1.frames": Access.SITE,
    "v1.frame": Access.SITE,
    "v1.measurements": Access.SITE,
    "v1.groups": Access.SITE,
    "v1.group": Access.SITE,
    "v1.masters": Access.SITE,
    "v1.master": Access.SITE,
    "v1.nights": Access.SITE,
    "v1.night": Access.SITE,
    "v1.jobs": Access.SITE,
    "v1.job": Access.SITE,
    "v1.alerts": Access.SITE,
    "v1.alert": Access.SITE,
    "v1.summaries": Access.SITE,
    "v1.messages": Access.SITE,
    "v1.summary": Access.SITE,
    "v1.status": Access.SITE,
    "v1.rules": Access.SITE,
    "v1.instruments": Access.RESULTS,
    "v1.triggers": Access.SITE,
    "v1.trigger": Access.SITE,
    "v1.add_trigger": Access.OBSERVE,  # and tokens of the scope trigger
    "curves.page": Access.RESULTS,
    "curves.data": Access.RESULTS,
    "curves.still": Access.RESULTS,
    "curves.still_of_source": Access.RESULTS,
    "curves.points": Access.RESULTS,
    "others.add": Access.EDIT,
    "others.remove": Access.EDIT,
    "flags.change": Access.OBSERVE,
    "public.page": Access.OPEN,  # of sources that the site file names
    "public.picture": Access.OPEN,
    "tonight.live": Access.SITE,
    "tonight.fragment": Access.SITE,
    "tonight.banner": Access.RESULTS,  # it stands on every page
    "api.api_status": Access.SITE,
    "api.live_stream": Access.SITE,
    "nights.night_list": Access.SITE,
    "night.night": Access.SITE,
    "data.data": Access.RESULTS,
    "data.unused": Access.SITE,
    "data.results": Access.RESULTS,
    "data.sources": Access.RESULTS,
    "data.calibrators": Access.RESULTS,
    "data.external": Access.RESULTS,
    "data.frames": Access.SITE,
    "data.nights": Access.SITE,
    "data.groups": Access.SITE,
    "data.masters": Access.SITE,
    "data.jobs": Access.SITE,
    "data.alerts": Access.SITE,
    "data.messages": Access.SITE,
    "data.triggers": Access.SITE,
    "data.measurements": Access.SITE,
    "frames.frame": Access.SITE,
    "frames.preview": Access.SITE,
    "frames.small_preview": Access.SITE,
    "frames.raw": Access.SITE,
    "frames.header": Access.SITE,
    "images.of_frame": Access.SITE,
    "images.tile": Access.SITE,
    "images.pixel": Access.SITE,
    "images.marks": Access.SITE,
    "images.small": Access.SITE,
    "images.still_of_frame": Access.SITE,
    "images.still_of_master": Access.SITE,
    "images.of_master": Access.SITE,
    "images.master_tile": Access.SITE,
    "images.master_pixel": Access.SITE,
    "frames.reduced": Access.SITE,
    "alerts.alerts": Access.SITE,
    "alerts.episode": Access.SITE,
    "rules.rules": Access.SITE,
    "rules.rule": Access.OBSERVE,  # a back-test takes time: not for outsiders
    "messages.messages": Access.SITE,
    "summaries.summary_list": Access.SITE,
    "summaries.summary_page": Access.SITE,
    "summaries.plot": Access.SITE,
    "drafts.draft_list": Access.SITE,
    "drafts.draft": Access.SITE,
    "drafts.draft_file": Access.SITE,
    "mailbox.mailbox": Access.SITE,
    "mailbox.html": Access.SITE,
    "system.system": Access.SITE,
    "masters.master": Access.SITE,
    "masters.reject": Access.EDIT,
    "masters.accept": Access.EDIT,
    "groups.group": Access.SITE,
    "frames.ignore": Access.EDIT,
    "system.fragment": Access.SITE,
    "metrics.metrics": Access.OWN,  # and as [web] metrics says
    "system.site_file": Access.ADMINISTER,
    "log.page": Access.ADMINISTER,
    "log.lines": Access.ADMINISTER,
    "frames.retry": Access.EDIT,  # and as [web] allow_retry says
    "alerts.alert": Access.OBSERVE,
    "alerts.mute": Access.OBSERVE,
    "rules.form": Access.EDIT,
    "rules.check": Access.EDIT,
    "rules.save": Access.EDIT,
    "rules.change": Access.EDIT,
    "drafts.save": Access.EDIT,
    "accounts.own": Access.OWN,
    "accounts.password": Access.OWN,
    "accounts.add_token": Access.OWN,
    "accounts.revoke_token": Access.OWN,  # another's is for admins
    "accounts.accounts": Access.ADMINISTER,
    "accounts.add": Access.ADMINISTER,
    "accounts.change": Access.ADMINISTER,
    "audit.changes": Access.ADMINISTER,
    "audit.take_back": Access.ADMINISTER,
}

#: What people read who are not signed in, by ``[web] read``.
_READ = {"everybody": Access.SITE, "results": Access.RESULTS, "signed-in": Access.OPEN}
_SAFE = ("GET", "HEAD", "OPTIONS")


def install(app: Flask) -> None:
    """Have every request meet the policy before its view is called."""
    app.before_request(_refuse)
    app.jinja_env.globals.update(
        sees_results=lambda: sees(Access.RESULTS), sees_site=lambda: sees(Access.SITE),
        may=lambda what: may(Access[what.upper()]))


def sees(access: Access) -> bool:
    """Whether whoever asks may read what is for an access."""
    return access <= _READ[parts().site.web.read] or may(access)


def may(access: Access) -> bool:
    """Whether who is signed in, or for whom a program acts, may do what an access is for."""
    found = person()
    return found is not None and access <= MAY[found.role]


def still_sees(access: Access) -> Callable[[], bool]:
    """Asks, at any later time, whether who sent this request may still read what is for an access.

    The site file and the session are looked at again each time.
    """
    having, token, sent = parts(), session_token(), api_token()

    def sees_now() -> bool:
        if access <= _READ[having.file.now().site.web.read]:
            return True
        try:
            found = (person_of_token(sent, having.reader) if sent
                     else person_of(token, having.reader))
        except StoreUnavailableError as error:
            # A database that is locked now has nothing to send either.
            return not error.absent
        return found is not None and access <= MAY[found.role]

    return sees_now


def may_retry() -> bool:
    """Whether this browser may have frames tried again: editors, and whom the site file names."""
    allowed = parts().site.web.allow_retry
    return sees(Access.SITE) and (allowed == "all" or (
        allowed == "local" and (may(Access.EDIT) or is_of_this_machine(request))))


def may_scrape() -> bool:
    """Whether a program may read the metrics: with an account or a token, and whom the site file
    names."""
    allowed = parts().site.web.metrics
    return may(Access.OWN) or allowed in ("all", "none") or (
        allowed == "local" and is_of_this_machine(request))


def may_trigger() -> bool:
    """Whether who asks may post triggers: observers, and tokens of that scope."""
    found = person()
    return found is not None and (found.triggers or MAY[found.role] >= Access.OBSERVE)


#: What else than the reader's role decides, by address.
_MORE = {"frames.retry": may_retry, "metrics.metrics": may_scrape,
         "v1.add_trigger": may_trigger}


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
    """The answer to who may not have this; None to who may."""
    endpoint = request.endpoint
    if endpoint is None:
        return None
    if api_token() and person() is None:
        return _without_rights("There is no such token, or its time is over.", 401)
    is_change = request.method not in _SAFE
    if is_change and not api_token():
        refuse_other_pages()
    access = ACCESS.get(endpoint, Access.ADMINISTER)
    more = _MORE.get(endpoint)
    if sees(access) if more is None else more():
        return None
    return _refused(access, is_change=is_change)


def _refused(access: Access, *, is_change: bool) -> AnyResponse:
    found = person()
    if found is not None:
        return _without_rights(f"Your account is that of {_WHO[found.role]}; this is for "
                               f"{_FOR[access]}. An admin can change that.", 403)
    if is_change:
        return _without_rights("Sign in first. The command 'iop4d users add NAME' creates an "
                               "account.", 403)
    if request.endpoint == "tonight.live" and sees(Access.RESULTS):
        return redirect(url_for("source_list.source_list"), code=303)
    if is_for_programs():
        return _without_rights("Sign in first.", 401)
    return redirect(url_for("auth.page", back=request.full_path.rstrip("?")), code=303)


_WHO = {Role.VIEWER: "a viewer", Role.OBSERVER: "an observer", Role.EDITOR: "an editor",
        Role.ADMIN: "an admin"}
_FOR = {Access.OBSERVE: "observers", Access.EDIT: "editors", Access.ADMINISTER: "admins"}


def is_for_programs() -> bool:
    """Whether a program asks, or a page for a part of it, or a script of a page that reads JSON."""
    return bool(request.path.startswith(("/api/", "/fragments/", "/events", "/metrics"))
                or request.headers.get("HX-Request")
                or request.headers.get("Accept", "") == "application/json")


def _without_rights(why: str, code: int) -> Response:
    if not is_for_programs():
        abort(code, why)
    return make_response(jsonify(error=why), code)
