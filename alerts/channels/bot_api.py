"""A small client of the Bot API: one request, one answer, and errors that never hold the token.

Each call makes its own connection: messages are few, and a call that failed leaves nothing behind.
"""

from __future__ import annotations

import asyncio
import json
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import quote
from urllib.request import getproxies, proxy_bypass

import httpx2

from iop4d.alerts.channels.base import WHOLE
from iop4d.alerts.rendering import clean
from iop4d.model.errors import Iop4dError

_LONGEST_ANSWER = 8_000_000  # bytes; a hundred updates are far below it
#: What a request can end with; attempts to connect come in groups.
NETWORK = (httpx2.HTTPError, httpx2.InvalidURL, OSError, ValueError, ExceptionGroup)
_TOKEN = re.compile(r"\d+:[A-Za-z0-9_-]{10,}")


class BotError(Iop4dError):
    """The Bot API did not do what was asked.

    ``code`` is its error code, 0 when it did not answer at all; ``retry_after``: seconds that it
    asked to wait; ``moved_to``: the chat's new id; ``unsure``: it may have done it nevertheless.
    """

    def __init__(self, description: str, *, code: int = 0, retry_after: float | None = None,
                 moved_to: str = "", unsure: bool = False) -> None:
        self.unsure = unsure
        self.description = description
        self.code = code
        self.retry_after = retry_after
        self.moved_to = moved_to
        super().__init__(f"{code} {description}" if code else description)


class HiddenAddress(httpx2.AsyncHTTPTransport):
    """Sends to an address that the client above it does not know.

    The client writes addresses into its log and its errors, and those of bots and webhooks hold a
    secret. So it is given the host alone, and the rest is put in down here. ``inside`` goes before
    the path that was asked for; with ``whole`` it stands for all of it.
    """

    def __init__(self, inside: str, *, whole: bool = False, base: str, proxy: str = "") -> None:
        self._inside = inside.encode()
        self._whole = whole
        super().__init__(verify=_trust(), trust_env=False, proxy=proxy or _proxy_for(base))

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        path = self._inside if self._whole else self._inside + request.url.raw_path
        hidden = httpx2.Request(
            request.method, request.url.copy_with(raw_path=path), headers=request.headers,
            stream=request.stream, extensions=request.extensions)
        return await super().handle_async_request(hidden)


class BotApi:
    """One bot. ``base``: address of the API; ``timeout``: seconds that an answer may take."""

    def __init__(self, token: str, *, base: str, timeout: float, proxy: str = "") -> None:
        self._token = token
        self._base = base.rstrip("/")
        self._timeout = timeout
        self._proxy = proxy

    async def send_message(self, chat: str, text: str, *, reply_to: int = 0,
                           silent: bool = False) -> int:
        """Send a plain text to a chat; the message's id."""
        sent = await self._call("sendMessage", {
            "chat_id": chat, "text": text, "link_preview_options": {"is_disabled": True}}
            | _options(reply_to, silent))
        return _message_id(sent)

    async def send_photo(self, chat: str, png: bytes, caption: str = "", *, reply_to: int = 0,
                         silent: bool = False) -> int:
        """Send a picture to a chat; the message's id."""
        fields = {"chat_id": chat, "caption": caption} | _options(reply_to, silent)
        sent = await self._call("sendPhoto", fields, photo=png)
        return _message_id(sent)

    async def get_updates(self, offset: int, *, wait: float) -> list[dict[str, Any]]:
        """The messages from ``offset`` on; if there are none, wait for the first one."""
        found = await self._call(
            "getUpdates", {"offset": offset, "timeout": int(wait), "allowed_updates": ["message"]},
            longer=wait)
        if not isinstance(found, list):
            raise BotError("the answer to getUpdates is not a list")
        return [update for update in found if isinstance(update, dict)]

    async def get_me(self) -> str:
        """The bot's user name."""
        me = await self._call("getMe", {})
        return str(me.get("username", "")) if isinstance(me, dict) else ""

    def scrub(self, text: str) -> str:
        """Text without the token, in whatever form it stands in it."""
        secret = self._token.partition(":")[2]
        for form in (self._token, quote(self._token, safe=""), secret):
            text = text.replace(form, "***") if len(form) > 4 else text
        return text

    async def _call(self, method: str, fields: Mapping[str, Any], *, photo: bytes | None = None,
                    longer: float = 0.0) -> Any:
        if not _TOKEN.fullmatch(self._token):
            raise BotError("the token is malformed; expected one such as 123456:ABC-DEF1234",
                           code=401)
        limits = httpx2.Timeout(self._timeout, read=self._timeout + longer)
        try:
            async with asyncio.timeout(WHOLE * self._timeout + longer), httpx2.AsyncClient(
                    transport=HiddenAddress(self._prefix, base=self._base, proxy=self._proxy),
                    timeout=limits, headers={"Accept-Encoding": "identity"}) as client:
                request = client.build_request("POST", f"{self._origin}/{method}",
                                               **_body(fields, photo))
                answer = await exchange(client, request, most=_LONGEST_ANSWER)
        except NETWORK as error:
            raise BotError(self.scrub(network_reason(error, self._shown)),
                           unsure=may_have_arrived(error)) from None
        return self._result(answer.status, answer.body)

    @property
    def _origin(self) -> str:
        scheme, _, rest = self._base.partition("://")
        return f"{scheme}://{rest.partition('/')[0]}"

    @property
    def _shown(self) -> str:
        """The address for messages, without a login that may stand in it."""
        scheme, _, rest = self._origin.partition("://")
        return f"{scheme}://{rest.rpartition('@')[2]}"

    @property
    def _prefix(self) -> str:
        return f"{self._base[len(self._origin):]}/bot{self._token}"

    def _result(self, status: int, body: bytes) -> Any:
        try:
            answer = json.loads(body)
            if not isinstance(answer, dict):
                raise ValueError
        except ValueError:
            # Of a proxy or a portal, say: its 404 says nothing of our token.
            raise BotError(f"{self._shown} did not answer as a Bot API does (status {status})",
                           code=status if status >= 500 or status in (413, 429) else 0) from None
        if answer.get("ok") is True:
            return answer.get("result")
        parameters = answer.get("parameters")
        more = parameters if isinstance(parameters, dict) else {}
        moved = more.get("migrate_to_chat_id")
        raise BotError(
            clean(self.scrub(str(answer.get("description", "no reason given"))), 300),
            code=_whole_number(answer.get("error_code")) or status,
            retry_after=_seconds(more.get("retry_after")),
            moved_to="" if moved is None else clean(str(moved), 40))


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a server answered, as far as it was read."""

    status: int
    headers: httpx2.Headers
    body: bytes


async def exchange(client: httpx2.AsyncClient, request: httpx2.Request, *, most: int,
                   login: httpx2.Auth | None = None) -> Answer:
    """Send a request; of the answer no more than ``most`` bytes are read."""
    response = await client.send(request, stream=True, auth=login)
    try:
        body = bytearray()
        async for piece in response.aiter_bytes():
            body += piece
            if len(body) >= most:
                break
        return Answer(status=response.status_code, headers=response.headers,
                      body=bytes(body[:most]))
    finally:
        await response.aclose()


async def reach(url: httpx2.URL, *, proxy: str) -> None:
    """Connect as a request to an address does, and look at the certificate; raises one of NETWORK.

    Through a proxy nothing is tried.
    """
    if proxy or _proxy_for(str(url)):
        return
    is_tls = url.scheme == "https"
    _, writer = await asyncio.open_connection(
        url.host, url.port or (443 if is_tls else 80), ssl=_trust() if is_tls else None)
    writer.close()


def network_reason(error: Exception, where: str) -> str:
    """Why no answer came, in words."""
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, TimeoutError | httpx2.TimeoutException):
        return f"{where} did not answer in time"
    reason = clean(str(error)) or type(error).__name__
    if isinstance(error, httpx2.ProxyError):
        return f"the proxy to {where}: {reason}"
    return f"{where}: {reason}"


def may_have_arrived(error: Exception) -> bool:
    """Whether a request without an answer may have been obeyed: the connection was made."""
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    never = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.ProxyError,
             httpx2.UnsupportedProtocol, httpx2.InvalidURL)
    return isinstance(error, httpx2.HTTPError | OSError) and not isinstance(error, never)


def _body(fields: Mapping[str, Any], photo: bytes | None) -> dict[str, Any]:
    if photo is None:
        return {"json": {name: _sound(value) for name, value in fields.items()}}
    texts = {name: value if isinstance(value, str) else json.dumps(value)
             for name, value in fields.items() if value != ""}
    return {"data": {name: _sound(value) for name, value in texts.items()},
            "files": {"photo": ("light-curve.png", photo, "image/png")}}


def _sound(value: Any) -> Any:
    """Text without halves of characters, which have no UTF-8."""
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value


def _options(reply_to: int, silent: bool) -> dict[str, Any]:
    options: dict[str, Any] = {"disable_notification": True} if silent else {}
    if reply_to:
        options["reply_parameters"] = {"message_id": reply_to, "allow_sending_without_reply": True}
    return options


def _message_id(sent: Any) -> int:
    return _whole_number(sent.get("message_id")) if isinstance(sent, dict) else 0


def _whole_number(value: Any) -> int:
    return value if isinstance(value, int) else 0


def _seconds(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and 0 <= value < 1e6 else None


def _proxy_for(base: str) -> str | None:
    """The proxy that the environment names for an address; an explicit transport ignores it."""
    url = httpx2.URL(base)
    if proxy_bypass(f"{url.host}:{url.port}" if url.port else url.host):
        return None
    proxies = getproxies()
    proxy = proxies.get(url.scheme) or proxies.get("all")
    return None if not proxy else proxy if "://" in proxy else f"http://{proxy}"


@cache
def _trust() -> ssl.SSLContext:
    """The system's certificates; to read them takes longer than a request."""
    return ssl.create_default_context()
