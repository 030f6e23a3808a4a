"""Behind a web server that passes requests on: who asks whence, and below which address.

What such a server says of a request (``X-Forwarded-For``, ``-Proto``, ``-Host``) is believed only
where the site file names its address. What anybody passed on is never this machine's own request.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any
from urllib.parse import urlsplit
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from flask import Request
from werkzeug.middleware.proxy_fix import ProxyFix

_PASSED_ON = "iop4d.passed_on"
#: What servers add to a request that they pass on.
_TRACES = ("HTTP_FORWARDED", "HTTP_VIA", "HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_HOST",
           "HTTP_X_FORWARDED_PROTO", "HTTP_X_FORWARDED_PORT", "HTTP_X_FORWARDED_PREFIX",
           "HTTP_X_FORWARDED_SERVER", "HTTP_X_REAL_IP", "HTTP_TRUE_CLIENT_IP",
           "HTTP_CF_CONNECTING_IP")


class BehindProxy:
    """The application as a proxy, a prefix, or neither leads to it.

    ``trusted``: address or network of the proxy, or empty. ``prefix``: the path below which the
    pages stand, whether the proxy takes it off or passes it on.
    """

    def __init__(self, app: WSGIApplication, *, trusted: str, prefix: str) -> None:
        self._app = app
        self._fixed = ProxyFix(app, x_for=1, x_proto=1, x_host=1, x_port=0, x_prefix=0)
        self._trusted = ip_network(trusted, strict=False) if trusted else None
        self._prefix = prefix.rstrip("/")

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        peer = _plain(str(environ.get("REMOTE_ADDR", "")))
        environ[_PASSED_ON] = self._trusted is not None or _is_passed_on(environ)
        path, prefix = str(environ.get("PATH_INFO", "")), self._prefix
        if prefix:
            environ["SCRIPT_NAME"] = prefix
            if path == prefix or path.startswith(prefix + "/"):
                environ["PATH_INFO"] = path[len(prefix):] or "/"
        is_trusted = self._trusted is not None and peer is not None and peer in self._trusted
        return (self._fixed if is_trusted else self._app)(environ, start_response)


def is_of_this_machine(request: Request) -> bool:
    """Whether a browser of this machine asks, directly, for a page of this machine's own name.

    A proxy that says nothing of itself speaks HTTP/1.0, which no browser does, or the page has
    another name in the browser.
    """
    origin = request.headers.get("Origin")
    return (not request.environ.get(_PASSED_ON, True)
            and request.environ.get("SERVER_PROTOCOL") != "HTTP/1.0"
            and _is_loopback(request.remote_addr or "")
            and _is_local_name(request.host_url)
            and (origin is None or _is_local_name(origin)))


def _is_passed_on(environ: dict[str, Any]) -> bool:
    return any(name in environ for name in _TRACES)


def _plain(address: str) -> IPv4Address | IPv6Address | None:
    with suppress(ValueError):
        found = ip_address(address.partition("%")[0])
        return getattr(found, "ipv4_mapped", None) or found
    return None


def _is_loopback(address: str) -> bool:
    found = _plain(address)
    return found is not None and found.is_loopback


def _is_local_name(address: str) -> bool:
    with suppress(ValueError):
        name = urlsplit(address).hostname or ""
        return name == "localhost" or _is_loopback(name)
    return False
