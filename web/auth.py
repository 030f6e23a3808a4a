"""Who may do what: signing in, forms of our own pages alone, the policy that answers carry.

Signing in is for what changes something. Everything else is for whoever reaches the page.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from ipaddress import ip_address
from pathlib import Path
from typing import Any, ParamSpec, TypeVar
from urllib.parse import urlsplit

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
)
from flask.sessions import SecureCookieSessionInterface
from werkzeug.security import check_password_hash, generate_password_hash
from werkzeug.wrappers import Response as AnyResponse

from iop4d.store import users
from iop4d.store.database import Connection
from iop4d.web.context import parts, reading, render

blueprint = Blueprint("auth", __name__)

P = ParamSpec("P")
R = TypeVar("R")
_KEY = "web.key"
_TRIES, _REST = 5, 60.0  # wrong passwords of a name, then seconds without another try
_NAMES = 10_000  # names whose wrong passwords are counted at the same time
_LASTS = 14 * 86400  # seconds that a session lasts
_EXTENSION = "iop4d.wrong_passwords"


class WrongPasswords:
    """When wrong passwords were tried, by name; it forgets what is over, and is never large.

    Whoever tries very many names pushes out only those that were tried longest ago.
    """

    def __init__(self, *, most: int = _NAMES, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._clock = clock
        self._tries: dict[str, list[float]] = {}  # the name tried longest ago first
        self._changing = threading.Lock()

    def __len__(self) -> int:
        return len(self._tries)

    def add(self, name: str) -> None:
        """Count a wrong password."""
        with self._changing:
            self._tries[name] = [*self._recent(self._tries.pop(name, [])), self._clock()]
            for oldest in list(self._tries):
                if len(self._tries) <= self._most and self._recent(self._tries[oldest]):
                    break
                del self._tries[oldest]

    def are_too_many(self, name: str) -> bool:
        """Whether a name has to rest."""
        return len(self._recent(self._tries.get(name, []))) >= _TRIES

    def _recent(self, tries: list[float]) -> list[float]:
        now = self._clock()
        return [at for at in tries if now - at < _REST]


class _Sessions(SecureCookieSessionInterface):
    """Cookies for encrypted connections alone, where people reach the site by them."""

    def get_cookie_secure(self, app: Flask) -> bool:
        return parts(app).site.site.url.startswith("https:")


def install(app: Flask, root: Path) -> None:
    """Sign sessions with the site's own key, and put the policy into every answer."""
    _add_policy(app)
    app.secret_key = _key(root / _KEY)
    app.session_interface = _Sessions()
    app.extensions[_EXTENSION] = WrongPasswords()
    app.config.update(
        SESSION_COOKIE_NAME="iop4d", SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax", PERMANENT_SESSION_LIFETIME=_LASTS)


def _key(path: Path) -> bytes:
    """The site's key, made when first needed; without its file, sessions end with the server."""
    try:
        with path.open("xb") as file:
            path.chmod(0o600)
            file.write(secrets.token_bytes(32))
    except FileExistsError:
        pass
    except OSError:
        return secrets.token_bytes(32)
    return path.read_bytes() or secrets.token_bytes(32)


def who() -> str:
    """The name of who is signed in; empty if nobody is."""
    return str(session.get("name", ""))


def signed_in(view: Callable[P, R]) -> Callable[P, R]:
    """Refuse a view to people who are not signed in, and to forms of other pages."""

    @wraps(view)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        if not who():
            abort(403, "Sign in first. The command 'iop4d users add NAME' creates an account.")
        refuse_other_pages()
        return view(*args, **kwargs)

    return guarded


@blueprint.get("/sign-in")
@reading
def page(db: Connection) -> str:
    """The form."""
    return render(db, "signin.html", back=_back(request.args.get("back", "")), wrong="")


@blueprint.post("/sign-in")
@reading
def enter(db: Connection) -> Any:
    """Name and password."""
    refuse_other_pages()
    name, back = request.form.get("name", "").strip(), _back(request.form.get("back", ""))
    tried: WrongPasswords = current_app.extensions[_EXTENSION]
    if tried.are_too_many(name):
        return render(db, "signin.html", back=back,
                      wrong=f"Too many wrong passwords; try again in {_REST:.0f} s."), 429
    known = users.password_of(db, name)
    if not check_password_hash(known or _NOBODY, request.form.get("password", "")) or not known:
        tried.add(name)
        return render(db, "signin.html", back=back,
                      wrong="The name or the password is wrong."), 403
    session.clear()
    session["name"] = name
    session.permanent = True
    return redirect(back, code=303)


@blueprint.post("/sign-out")
def leave() -> AnyResponse:
    """End the session."""
    refuse_other_pages()
    session.clear()
    return redirect("/", code=303)


def _back(path: str) -> str:
    """A page of ours to go back to."""
    return path if path.startswith("/") and not path.startswith(("//", "/\\")) else "/"


#: Compared with where nobody has the name, so that it takes as long.
_NOBODY = generate_password_hash(secrets.token_hex(8))


def refuse_other_pages() -> None:
    """Refuse a form of another site, or of another name that points to this machine."""
    origin = urlsplit(request.headers.get("Origin", ""))
    if origin.netloc != request.host or not _is_our_name(origin.hostname or ""):
        abort(403, "This request came from another site's page.")


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
        return response
