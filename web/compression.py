"""Pages, styles, scripts and JSON travel compressed to who takes it so."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from typing import cast

from flask import Flask, Response, request

_TYPES = ("text/html", "text/css", "text/javascript", "text/plain", "application/json",
          "image/svg+xml", "application/vnd.iop4d.curves")
_SMALLEST = 1000  # octets: what is smaller fits into one packet
_LEVEL = 4  # of zlib, 0 to 9
_GZIP = 16 + zlib.MAX_WBITS
#: Where a password is typed: a length that tells of the contents helps who guesses.
_PLAIN = ("/sign-in",)


def install(app: Flask) -> None:
    """Compress the answers of an application."""
    app.after_request(_compressed)


def _compressed(answer: Response) -> Response:
    if (answer.mimetype not in _TYPES or answer.status_code in (206, 304) or request.path in _PLAIN
            or "Content-Encoding" in answer.headers):
        return answer
    answer.vary.add("Accept-Encoding")
    if request.method == "HEAD" or not request.accept_encodings.quality("gzip"):
        return answer
    if answer.is_streamed and not answer.direct_passthrough:
        answer.response = _pieces(cast(Iterable[bytes | str], answer.response))
        del answer.headers["Content-Length"]
    else:
        answer.direct_passthrough = False
        plain = answer.get_data()
        if len(plain) < _SMALLEST:
            return answer
        answer.set_data(zlib.compress(plain, _LEVEL, _GZIP))
    answer.headers["Content-Encoding"] = "gzip"
    tag, _ = answer.get_etag()
    if tag:
        # Of another form than the plain one, with the same meaning.
        answer.set_etag(tag, weak=True)
    return answer


def _pieces(plain: Iterable[bytes | str]) -> Iterator[bytes]:
    packer = zlib.compressobj(_LEVEL, wbits=_GZIP)
    for piece in plain:
        packed = packer.compress(piece.encode() if isinstance(piece, str) else piece)
        if packed:
            yield packed
    yield packer.flush()
