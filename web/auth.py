"""Who may do what: signing in, forms of our own pages alone, the policy that answers carry.

Signing in is for what changes something, and for reading where the policy says so.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from flask import (
    Blueprint,
    Flask,
    Response,
    abort,
    current_app,
    g,
    redirect,
    request,
    session,
    url_for,
)
from flask.sessions import SecureCookieSessionInterface
from werkzeug.exceptions import HTTPException
from werkzeug.routing import RequestRedirect
from werkzeug.security import check_password_hash, generate_password_hash
from werkzeug.wrappers import Response as AnyResponse

from iop4d.store import people, users
from iop4d.store.database import StoreUnavailableError
from iop4d.web.context import parts, render, render_without_database
from iop4d.web.limits import Caller, WrongPasswords, network_of
from iop4d.web.reader import Reader

blueprint = Blueprint("auth", __name__)

_KEY = "web.key"
_LASTS = 14 * 86400  # seconds that a session lasts
_EXTENSION = "iop4d.auth"
_LONGEST = 1000  # characters of a name, and of a password
LARGEST_FORM = 64 << 10  # bytes of a form: the longest has a dozen short fields
#: Passwords that are looked at at the same time. Each takes 32 MB and a core for 0.1 s on purpose.
_AT_ONCE = 2
_WAITING = 8  # people whose password may be looked at or wait for it; others come again


class _Sessions(SecureCookieSessionInterface):
    """Cookies for encrypted connections alone, where people reach the site by them, and for its
    pages alone, where others stand beside them."""

    def get_cookie_secure(self, app: Flask) -> bool:
        return parts(app).site.site.url.startswith("https:") or request.is_secure

    def get_cookie_path(self, app: Flask) -> str:
        return request.script_root or "/"


class _Door:
    """What the sign-in of a site shares among its threads."""

    def __init__(self) -> None:
        self.tried = WrongPasswords()
        self.looking = threading.BoundedSemaphore(_AT_ONCE)
        self.waiting = threading.BoundedSemaphore(_WAITING)


def install(app: Flask, root: Path) -> None:
    """Sign sessions with the site's own key, and put the policy into every answer."""
    _add_policy(app)
    app.secret_key = _key(root / _KEY)
    app.session_interface = _Sessions()
    app.extensions[_EXTENSION] = _Door()
    app.config.update(
        MAX_CONTENT_LENGTH=LARGEST_FORM, MAX_FORM_MEMORY_SIZE=LARGEST_FORM, MAX_FORM_PARTS=200,
        SESSION_COOKIE_NAME="iop4d", SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax", PERMANENT_SESSION_LIFETIME=_LASTS,
        # A cookie in each answer would keep browsers from keeping any, and hand it to caches.
        SESSION_REFRESH_EACH_REQUEST=False)


def _key(path: Path) -> bytes:
    """The site's key, made when first needed; without its file, sessions end with the server."""
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(secrets.token_bytes(32))
    except FileExistsError:
        pass
    except OSError:
        return secrets.token_bytes(32)
    return path.read_bytes() or secrets.token_bytes(32)


def who() -> str:
    """The name of who is signed in; empty if nobody is, and while nobody can be looked up.

    The cookie names a session of the database, which ends with the account, with its password and
    by signing out, for every copy of the cookie.
    """
    found = person()
    return "" if found is None else found.name


def person() -> users.Person | None:
    """Who is signed in, or for whom a program acts by its token, and what they may do.

    A program that sends a token is told so where nobody can be looked up: StoreUnavailableError.
    """
    if "person" not in g:
        g.person = None
        if sent := api_token():
            g.person = person_of_token(sent, parts().reader)
            with suppress(StoreUnavailableError):
                if g.person is not None:
                    _note_use(digest(sent), time.time())
        else:
            with suppress(StoreUnavailableError):
                g.person = person_of(session_token(), parts().reader)
    found: users.Person | None = g.person
    return found


def api_token() -> str:
    """The token that a program sent with its request; empty without one."""
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if kind.lower() == "bearer" else ""


def session_token() -> str:
    """What the cookie of this request names its session by; empty without one."""
    return str(session.get("token", ""))


def person_of(token: str, reader: Reader) -> users.Person | None:
    """Whose session it is now; None if it has ended. Raises StoreUnavailableError."""
    if not token:
        return None
    with reader.connected() as db:
        return users.person_of_session(db, digest(token), time.time())


def person_of_token(token: str, reader: Reader) -> users.Person | None:
    """For whom a program acts that sends a token; None if there is no such token, or it ended."""
    with reader.connected() as db:
        return users.person_of_token(db, digest(token), time.time())


def _note_use(token: str, now: float) -> None:
    """Keep when a token was used, not at each request."""
    with parts().reader.connected() as db:
        is_old = people.use_is_old(db, token, now)
    if is_old:
        with parts().reader.requesting() as tx:
            people.note_use(tx, token, now)


@blueprint.get("/sign-in")
def page() -> str:
    """The form."""
    return _form(back=request.args.get("back", ""))


@blueprint.post("/sign-in")
def enter() -> Any:
    """Name and password."""
    name, password = request.form.get("name", "").strip(), request.form.get("password", "")
    back = request.form.get("back", "")
    door: _Door = current_app.extensions[_EXTENSION]
    if not door.waiting.acquire(blocking=False):
        abort(503, "Too many people sign in at this moment; try again in a few seconds.")
    try:
        with door.looking:
            caller = _caller(name)
            if wait := door.tried.rest(caller):
                return _form(back=back, name=name, wrong="Too many wrong passwords; try again in "
                             f"{wait:.0f} s. A browser in which you signed in before may still "
                             "enter."), 429, {"Retry-After": f"{wait:.0f}"}
            known = _password_of(name)
            right = check_password_hash(known or _NOBODY, password[:_LONGEST])
            if not right or not known or len(password) > _LONGEST:
                door.tried.add(caller)
                return _form(back=back, name=name, wrong="The name or the password is wrong."), 403
    finally:
        door.waiting.release()
    _open_session(name, known, caller)
    return redirect(page_of_ours(back), code=303)


def check_own_password(password: str) -> None:
    """Refuse who is signed in and does not know the password; counted as when signing in.

    Raises PeopleError.
    """
    door: _Door = current_app.extensions[_EXTENSION]
    with door.looking:
        caller = _caller(who())
        if wait := door.tried.rest(caller):
            raise people.PeopleError(f"too many wrong passwords; try again in {wait:.0f} s",
                                     "current")
        if not check_password_hash(_password_of(who()) or _NOBODY, password[:_LONGEST]):
            door.tried.add(caller)
            raise people.PeopleError("the password is wrong", "current")


def renew_session(name: str, password: str) -> None:
    """A new session of this browser, after the password became that of a hash."""
    _open_session(name, password, _caller(name))


@blueprint.post("/sign-out")
def leave() -> AnyResponse:
    """End the session, for every copy of its cookie."""
    if token := str(session.pop("token", "")):
        with suppress(StoreUnavailableError), parts().reader.requesting() as tx:
            users.end_session(tx, digest(token))
    return redirect(url_for("tonight.live"), code=303)


def _form(*, back: str, name: str = "", wrong: str = "") -> str:
    context = {"back": page_of_ours(back), "name": name[:_LONGEST], "wrong": wrong}
    try:
        with parts().reader.connected() as db:
            return render(db, "signin.html", **context)
    except StoreUnavailableError as error:
        missing = "There is no account yet: 'iop4d users add NAME' creates one."
        context["wrong"] = missing if error.absent else f"{str(error).capitalize()}."
        return render_without_database("signin.html", **context)


def _caller(name: str) -> Caller:
    """Who tries a password; the cookie of a browser says whether the name signed in with it."""
    address, browser = request.remote_addr or "", ""
    if session.get("known") == name and name:
        browser = str(session.get("browser", ""))
    is_known = False
    with suppress(StoreUnavailableError), parts().reader.connected() as db:
        is_known = users.is_address_of(db, name[:_LONGEST], network_of(address), time.time())
    return Caller(name=name, address=address, browser=browser, is_known=is_known)


def _password_of(name: str) -> str | None:
    if len(name) > _LONGEST:
        return None
    try:
        with parts().reader.connected() as db:
            return users.password_of(db, name)
    except StoreUnavailableError as error:
        if not error.absent:
            raise
        return None


def _open_session(name: str, password: str, caller: Caller) -> None:
    """A new session; refused where the account went or its password changed in this moment."""
    token, now = secrets.token_urlsafe(32), time.time()
    with parts().reader.requesting() as tx:
        opened = users.open_session(
            tx, name, password, token=digest(token), address=network_of(caller.address),
            ends_at=now + _LASTS, now=now)
    if not opened:
        abort(403, "The account was changed at this moment; sign in again.")
    session.clear()
    session.update(token=token, known=name, browser=secrets.token_hex(8))
    session.permanent = True


def digest(token: str) -> str:
    """What the database keeps of a cookie: who reads the one cannot make the other."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def page_of_ours(path: str) -> str:
    """The address of the page of ours that a path names; of the live page if it names none.

    It is made anew from the page's name, so nothing of the text reaches the browser but a page's
    own values.
    """
    endpoint: str = "tonight.live"
    values: Mapping[str, Any] = {}
    if path.startswith("/") and path.isprintable() and "\\" not in path:
        with suppress(HTTPException, RequestRedirect, ValueError):
            pages = current_app.url_map.bind("")
            endpoint, values = pages.match(unquote(urlsplit(path).path), method="GET")
            # These names would be orders to url_for.
            query = {name: texts for name, texts in parse_qs(urlsplit(path).query).items()
                     if not name.startswith("_") and name != "endpoint"}
            return url_for(endpoint, **(query | dict(values)))
    return url_for(endpoint, **values)


#: Compared with where nobody has the name, so that it takes as long.
_NOBODY = generate_password_hash(secrets.token_hex(8))


def refuse_other_pages() -> None:
    """Refuse a form of another site, or of another name that points to this machine.

    A form is ours if it comes from the address that it is sent to, or from that of ``[site] url``:
    a proxy may have told us another one.
    """
    origin = _place(request.headers.get("Origin", ""))
    here, public = _place(request.host_url), _place(parts().site.site.url)
    is_here = origin == here and _is_our_name(here[1])
    if not origin[0] or not (is_here or origin == public):
        abort(403, "This request came from another site's page.")


def _place(text: str) -> tuple[str, str, int]:
    """Scheme, name and port of an address; empty of what is none."""
    with suppress(ValueError):
        address = urlsplit(text)
        usual = {"http": 80, "https": 443}.get(address.scheme)
        if usual and address.hostname:
            return address.scheme, address.hostname, address.port or usual
    return "", "", 0


def _is_our_name(name: str) -> bool:
    with suppress(ValueError):
        ip_address(name)
        return True
    return name in ("localhost", urlsplit(parts().site.site.url).hostname)


_STRICT = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data:",
    "connect-src": "'self'",
    "font-src": "'self'",
    "frame-src": "'none'",
    "base-uri": "'none'",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
}

_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}


def relax(**directives: str) -> None:
    """Change directives of the policy for the answer of this request."""
    g.csp = {name.replace("_", "-"): value for name, value in directives.items()}


def _add_policy(app: Flask) -> None:
    """Add the headers to every answer of the application."""

    @app.after_request
    def add_headers(response: Response) -> Response:
        policy = _STRICT | g.get("csp", {})
        response.headers["Content-Security-Policy"] = "; ".join(
            f"{name} {value}".strip() for name, value in policy.items())
        for name, value in _HEADERS.items():
            response.headers.setdefault(name, value)
        response.headers.setdefault("Cache-Control", "no-store")
        if response.headers["Cache-Control"] == "no-cache" and request.endpoint != "static":
            response.headers["Cache-Control"] = "private, no-cache"  # files of the site
        return response
