"""Who may do what: signing in, forms of our own pages alone, the policy that answers carry.

Signing in is for what changes something. Everything else is for whoever reaches the page.
"""

from __future__ import annotations

import secrets
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from ipaddress import ip_address
from pathlib import Path
from typing import Any, ParamSpec, TypeVar
from urllib.parse import urlsplit

from flask import Blueprint, Flask, Response, abort, g, redirect, request, session
from flask.sessions import SecureCookieSessionInterface
from werkzeug.security import check_password_hash, generate_password_hash
from werkzeug.wrappers import Response as AnyResponse

from iop4d.store.schema import User
from iop4d.web.context import parts, reading, render

blueprint = Blueprint("auth", __name__)

P = ParamSpec("P")
R = TypeVar("R")
_KEY = "web.key"
_TRIES, _REST = 5, 60.0  # wrong passwords of a name, then seconds without another try
_LASTS = 14 * 86400  # seconds that a session lasts
_wrong: dict[str, list[float]] = defaultdict(list)


class _Sessions(SecureCookieSessionInterface):
    """Cookies for encrypted connections alone, where people reach the site by them."""

    def get_cookie_secure(self, app: Flask) -> bool:
        return parts(app).site.site.url.startswith("https:")


def install(app: Flask, root: Path) -> None:
    """Sign sessions with the site's own key, and put the policy into every answer."""
    _add_policy(app)
    app.secret_key = _key(root / _KEY)
    app.session_interface = _Sessions()
    app.config.update(
        SESSION_COOKIE_NAME="iop4d", SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax", PERMANENT_SESSION_LIFETIME=_LASTS)


def _key(path: Path) -> bytes:
    """The key of the site, made when it is first needed; without it sessions end with us."""
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
    """Who is signed in; empty: nobody."""
    return str(session.get("name", ""))


def signed_in(view: Callable[P, R]) -> Callable[P, R]:
    """Let nobody else in, and no form of another page."""

    @wraps(view)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        if not who():
            abort(403, "Sign in first: 'iop4d users add NAME' on the machine makes an account.")
        refuse_other_pages()
        return view(*args, **kwargs)

    return guarded


@blueprint.get("/sign-in")
@reading
def page() -> str:
    """The form."""
    return render("signin.html", back=_back(request.args.get("back", "")), wrong="")


@blueprint.post("/sign-in")
@reading
def enter() -> Any:
    """Name and password."""
    refuse_other_pages()
    name, back = request.form.get("name", "").strip(), _back(request.form.get("back", ""))
    now = time.monotonic()
    _wrong[name] = [at for at in _wrong[name] if now - at < _REST]
    if len(_wrong[name]) >= _TRIES:
        return render("signin.html", back=back,
                      wrong=f"Too many wrong passwords; try again in {_REST:.0f} s."), 429
    user = User.get_or_none(User.name == name)
    known = user.password if user is not None else _NOBODY
    if not check_password_hash(known, request.form.get("password", "")) or user is None:
        _wrong[name].append(now)
        return render("signin.html", back=back, wrong="The name or the password is wrong."), 403
    session.clear()
    session["name"] = user.name
    session.permanent = True
    return redirect(back, code=303)


@blueprint.post("/sign-out")
def leave() -> AnyResponse:
    """Forget who it was."""
    refuse_other_pages()
    session.clear()
    return redirect("/", code=303)


def _back(path: str) -> str:
    """A page of ours to go back to."""
    return path if path.startswith("/") and not path.startswith(("//", "/\\")) else "/"


#: Compared with where nobody has the name, so that it takes as long.
_NOBODY = generate_password_hash(secrets.token_hex(8))


def refuse_other_pages() -> None:
    """A form of another site, or of a name that somebody points here, is not ours."""
    origin = urlsplit(request.headers.get("Origin", ""))
    if origin.netloc != request.host or not _is_our_name(origin.hostname or ""):
        abort(403, "This was asked from another page than ours.")


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
