"""The headers every answer carries, and the few pages that need more than the strict policy."""

from __future__ import annotations

from flask import Flask, Response, g

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


def install(app: Flask) -> None:
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
