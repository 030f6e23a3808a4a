"""Whether what is asked comes from a page of ours."""

from __future__ import annotations

from contextlib import suppress
from ipaddress import ip_address
from urllib.parse import urlsplit

from flask import abort, request

from iop4d.web.context import parts


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
