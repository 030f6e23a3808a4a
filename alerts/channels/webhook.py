"""Webhook: the notice as JSON, posted to one address and signed with a secret that both sides know.

The signature is that of the Standard Webhooks specification, so receivers find libraries for it:
the headers ``webhook-id`` (the same at every retry), ``webhook-timestamp`` (Unix seconds) and
``webhook-signature``, which is ``v1,`` and the base64 of HMAC-SHA256 over ``id.timestamp.body``.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx2

from iop4d import __version__, config
from iop4d.alerts.channels.base import WHOLE, Notice, SendError, scrub
from iop4d.alerts.channels.bot_api import (
    NETWORK,
    Answer,
    HiddenAddress,
    exchange,
    may_have_arrived,
    network_reason,
    reach,
)
from iop4d.alerts.rendering import clean
from iop4d.config.secret import secret_of
from iop4d.model import plain_json
from iop4d.model.errors import ConfigError

FORM = 1  # of the JSON; a receiver can count on its fields as long as this stays
_READ = 2000  # bytes of an answer: enough for its reason
_LATER = {408, 425, 429}
_CORRECTABLE = {401: "secret", 403: "secret", 404: "url", 407: "proxy"}  # of the channel
_LOST = {502, 504}  # of something between us and the receiver, which may have taken the post
_LONGEST_WAIT = 86400.0  # seconds, whatever the other side asks for


class WebhookChannel:
    """One address. The secret is read at each post: a corrected file needs no restart."""

    def __init__(self, channel: config.WebhookChannel, timeout: float, *,
                 clock: Callable[[], float] = time.time) -> None:
        self._channel = channel
        self._timeout = timeout
        self._clock = clock

    async def send(self, notice: Notice, recipient: str) -> None:
        """Post a notice; raises SendError unless the answer is 2xx."""
        body = write(notice, recipient)
        headers = {"Content-Type": "application/json", "User-Agent": f"iop4d/{__version__}",
                   "Accept-Encoding": "identity"}
        headers |= self._signature(notice, body)
        url = self._url()
        where = url.host + (f":{url.port}" if url.port else "")
        try:
            async with asyncio.timeout(WHOLE * self._timeout):
                answer = await self._post(url, body, headers)
        except NETWORK as error:
            raise SendError(network_reason(error, where), permanent=False, channel_down=True,
                            unsure=may_have_arrived(error)) from None
        if not 200 <= answer.status < 300:
            raise self._refusal(where, answer)

    async def check(self) -> None:
        """Connect, and look at the server's certificate; raises SendError. Nothing is posted, and
        through a proxy nothing is tried."""
        url = self._url()
        try:
            async with asyncio.timeout(self._timeout):
                await reach(url, proxy=self._channel.proxy)
        except NETWORK as error:
            raise SendError(network_reason(error, url.host), permanent=False,
                            channel_down=True) from None

    def _url(self) -> httpx2.URL:
        try:
            return httpx2.URL(self._channel.url)
        except httpx2.InvalidURL:
            raise SendError(f"the url of channel '{self._channel.name}' is not a valid address",
                            permanent=False, channel_down=True) from None

    async def _post(self, url: httpx2.URL, body: bytes, headers: Mapping[str, str]) -> Answer:
        hidden = HiddenAddress(url.raw_path.decode("ascii"), whole=True, base=str(url),
                               proxy=self._channel.proxy)
        login = httpx2.BasicAuth(url.username, url.password) if url.username else None
        shown = url.copy_with(raw_path=b"/", username=None, password=None)
        async with httpx2.AsyncClient(transport=hidden, timeout=self._timeout) as client:
            request = client.build_request("POST", shown, content=body, headers=dict(headers))
            return await exchange(client, request, most=_READ, login=login)

    def _signature(self, notice: Notice, body: bytes) -> dict[str, str]:
        channel = self._channel
        headers = {"webhook-id": clean(notice.id.strip("<>"), 200),
                   "webhook-timestamp": str(int(self._clock()))}
        try:
            secret = secret_of(channel).read()
            if secret is not None:
                headers["webhook-signature"] = sign(
                    key_of(secret), headers["webhook-id"], headers["webhook-timestamp"], body)
        except ConfigError as error:
            raise SendError(str(error), permanent=False, channel_down=True) from error
        return headers

    def _refusal(self, where: str, answer: Answer) -> SendError:
        """What an answer means for the message and for its channel."""
        # Servers like to repeat the path that they do not know, and it may be the secret.
        said = scrub(answer.body.decode("utf-8", "replace"),
                     self._channel.url.partition("://")[2].replace(self._url().host, ""))
        status, text = answer.status, clean(said, 200)
        if 300 <= status < 400:
            return SendError(f"{where} answered {status}: redirects are not followed; correct the "
                             f"url of channel '{self._channel.name}'", permanent=False,
                             channel_down=True)
        if status in _CORRECTABLE:
            return SendError(f"{where} answered {status} {text}".rstrip() + f": check the "
                             f"{_CORRECTABLE[status]} of channel '{self._channel.name}'",
                             permanent=False, channel_down=status != 403)  # that can be the text
        asked = _wait_of(answer.headers.get("Retry-After", ""), self._clock())
        temporary = status >= 500 or status in _LATER
        # A message that makes the receiver fail (500) must not hold up the others.
        return SendError(f"{where} answered {status} {text}".rstrip(), permanent=not temporary,
                         channel_down=status in (429, 502, 503, 504) or (
                             temporary and asked is not None),
                         retry_after=asked if temporary else None, unsure=status in _LOST)


def write(notice: Notice, recipient: str) -> bytes:
    """The JSON of a notice: without its HTML and its picture, to which its link leads."""
    made = datetime.fromtimestamp(notice.at, UTC).isoformat(timespec="seconds")
    content = {
        "form": FORM, "id": notice.id.strip("<>"), "kind": notice.kind, "at": made,
        "recipient": recipient, "severity": notice.severity, "subject": notice.subject,
        "text": notice.text, "link": notice.link, "tag": notice.tag, "facts": notice.facts}
    return plain_json.dumps(content, default=str).encode()


def sign(key: bytes, id_: str, timestamp: str, body: bytes) -> str:
    """The signature header of a body."""
    signed = f"{id_}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()


def key_of(secret: str) -> bytes:
    """The key that a secret means: ``whsec_`` and base64, or any text as it stands."""
    secret = secret.strip()
    if not secret.startswith("whsec_"):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except binascii.Error:
        raise ConfigError("a secret that begins with whsec_ must continue in base64: make a new "
                          "one as docs/channels.md shows") from None


def _wait_of(header: str, now: float) -> float | None:
    """Seconds that a Retry-After header asks for, as a number or a date; None for no wait."""
    try:
        seconds = float(header) if header.strip().isdigit() else \
            parsedate_to_datetime(header).timestamp() - now
    except (ValueError, TypeError, OverflowError):
        return None
    return min(seconds, _LONGEST_WAIT) if seconds > 0 else None
