"""A local stand-in for the Bot API: what bots say becomes files, and it can be made to fail.

It speaks as much of the API as iop4d uses. Somebody who plays with the demo writes to the bot by
``curl -d chat=7 -d text=/status http://127.0.0.1:PORT/say``; a test calls :meth:`BotServer.hear`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

TOKEN = "123456:stand-in-for-a-real-token"  # noqa: S105 it opens nothing
_TEXT, _CAPTION = 4096, 1024  # characters
_LONGEST_REQUEST = 20_000_000  # bytes
_POLL_AT_MOST = 50.0  # seconds
_REASONS = {200: "OK", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden",
            404: "Not Found", 413: "Payload Too Large", 429: "Too Many Requests",
            500: "Internal Server Error", 502: "Bad Gateway"}


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What goes wrong with the next request of a method (empty: any) to a chat (empty: any).

    ``kind``: an error (code and description, with parameters), ``hang`` (no answer), ``cut``
    (the connection breaks before anything is done), ``cut-after`` (done, but no answer), ``noise``
    (an answer that is none of the API's).
    """

    kind: str = "error"
    method: str = ""
    chat: str = ""
    code: int = 500
    description: str = "Internal Server Error"
    parameters: dict[str, Any] = field(default_factory=dict)


def too_many(seconds: int, *, method: str = "", chat: str = "") -> Fault:
    """429: wait so many seconds."""
    return Fault(code=429, description=f"Too Many Requests: retry after {seconds}", method=method,
                 chat=chat, parameters={"retry_after": seconds})


def blocked(chat: str = "") -> Fault:
    """403: the user does not want to hear of the bot."""
    return Fault(code=403, description="Forbidden: bot was blocked by the user", chat=chat)


def bad_request(description: str, *, method: str = "", chat: str = "") -> Fault:
    """400 with its reason, such as "chat not found" or "can't parse entities"."""
    return Fault(code=400, description=f"Bad Request: {description}", method=method, chat=chat)


@dataclass(frozen=True, kw_only=True)
class Request:
    """What was asked of the server, whatever became of it."""

    method: str
    chat: str
    at: float
    fields: dict[str, Any]


class BotServer:
    """The server, on a thread of its own. Messages lie in ``folder`` as 00001.json, 00001.png."""

    def __init__(self, folder: Path, *, port: int = 0, token: str = TOKEN,
                 clock: Callable[[], float] = time.time,
                 tls: ssl.SSLContext | None = None) -> None:
        self.folder = folder
        self.token = token
        self.faults: deque[Fault] = deque()
        self.gone: dict[str, int] = {}  # groups that were upgraded, and their new ids
        self.requests: list[Request] = []
        self._clock = clock
        self._tls = tls
        self._port = port
        self._updates: list[dict[str, Any]] = []
        self._count = 0
        self._heard = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="bot server")
        self._server: asyncio.Server | None = None
        self._news = asyncio.Event()
        self._talks: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    def start(self) -> None:
        """Listen on this machine."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._count = max((int(path.stem) for path in self.messages()), default=0)
        self._thread.start()
        self._run(self._listen())

    def stop(self) -> None:
        """Stop listening, and break off whatever hangs."""
        self._run(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def __enter__(self) -> BotServer:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """Its address, for the key ``api`` of a channel."""
        return f"http{'s' if self._tls else ''}://127.0.0.1:{self._port}"

    def messages(self) -> list[Path]:
        """The messages kept, oldest first."""
        return sorted(self.folder.glob("[0-9]*.json"))

    def said(self, chat: str = "") -> list[dict[str, Any]]:
        """What bots said, in one chat or in all."""
        every = [json.loads(path.read_text(encoding="utf-8")) for path in self.messages()]
        return [message for message in every if not chat or message["chat"] == chat]

    def hear(self, chat: int, text: str, *, user: str = "ana", reply_to: str = "",
             date: float | None = None, more: Mapping[str, Any] | None = None) -> None:
        """Somebody writes to the bot; ``reply_to`` is the text of the message answered.

        ``more`` stands in the message in place of what would be there.
        """
        message = self._message(chat, text, user=user, reply_to=reply_to, date=date)
        self._run(self._put(message | dict(more or {})))

    async def _put(self, message: dict[str, Any]) -> None:
        self._heard += 1
        self._updates.append({"update_id": self._heard,
                              "message": {"message_id": 100_000 + self._heard, **message}})
        self._news.set()

    def _message(self, chat: int, text: str, *, user: str, reply_to: str = "",
                 date: float | None = None) -> dict[str, Any]:
        message: dict[str, Any] = {
            "date": int(self._clock() if date is None else date), "text": text,
            "chat": {"id": chat, "type": "group" if chat < 0 else "private"},
            "from": {"id": 7, "is_bot": False, "first_name": user.title(), "username": user}}
        if reply_to:
            message["reply_to_message"] = {"message_id": 1, "text": reply_to}
        return message

    def _run(self, task: Any) -> None:
        asyncio.run_coroutine_threadsafe(task, self._loop).result(timeout=30)

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._meet, "127.0.0.1", self._port,
                                                  ssl=self._tls)
        self._port = self._server.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        assert self._server is not None
        # Whoever is being let in would be lost by the server, had it closed meanwhile.
        for door in self._server.sockets:
            self._loop.remove_reader(door.fileno())
        this = asyncio.current_task()
        while tasks := asyncio.all_tasks() - {this, *self._talks}:
            await asyncio.wait(tasks)
        self._server.close()
        for task, writer in self._talks.items():
            task.cancel()
            writer.transport.abort()
        if self._talks:
            await asyncio.wait(self._talks)
        await asyncio.sleep(0)  # for the transports to be closed

    def _meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._talk(reader, writer))
        self._talks[task] = writer
        task.add_done_callback(lambda done: self._talks.pop(done, None))

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request, one answer, good-bye."""
        try:
            path, fields, photo = await _read_request(reader)
            status, answer = await self._answer(path, fields, photo)
            body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            writer.write(f"HTTP/1.1 {status} {_REASONS.get(status, 'Error')}\r\nContent-Type: "
                         f"application/json\r\nContent-Length: {len(body)}\r\nConnection: close"
                         "\r\n\r\n".encode() + body)
            await writer.drain()
        except (OSError, ValueError, asyncio.IncompleteReadError, asyncio.CancelledError):
            writer.transport.abort()
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _answer(self, path: str, fields: dict[str, Any],
                      photo: bytes | None) -> tuple[int, Any]:
        if path == "/say":
            await self._put(self._message(int(fields.get("chat", 1)), str(fields.get("text", "")),
                                          user=str(fields.get("user", "ana"))))
            return 200, {"ok": True}
        match = re.fullmatch(r"/bot([^/]*)/(\w+)", path)
        if match is None:
            return _error(404, "Not Found")
        method, chat = match[2], str(fields.get("chat_id", ""))
        self.requests.append(Request(method=method, chat=chat, at=self._clock(), fields=fields))
        if match[1] != self.token:
            return _error(401, "Unauthorized")
        fault = self._fault(method, chat)
        if fault is not None and fault.kind == "error":
            return _error(fault.code, fault.description, fault.parameters)
        kind = fault.kind if fault is not None else ""
        if kind == "hang":
            await asyncio.Event().wait()
        if kind == "noise":
            return 200, b"<html>Please log in to the network of this hotel.</html>"
        if kind == "cut":
            raise OSError("cut")
        done = await self._do(method, chat, fields, photo)
        if kind == "cut-after":
            raise OSError("cut")
        return done

    def _fault(self, method: str, chat: str) -> Fault | None:
        for fault in self.faults:
            if fault.method in ("", method) and fault.chat in ("", chat):
                self.faults.remove(fault)
                return fault
        return None

    async def _do(self, method: str, chat: str, fields: dict[str, Any],
                  photo: bytes | None) -> tuple[int, Any]:
        if method == "getMe":
            return _ok({"id": 123456, "is_bot": True, "username": "iop4d_demo_bot"})
        if method == "getUpdates":
            return _ok(await self._poll(int(fields.get("offset", 0)),
                                        min(float(fields.get("timeout", 0)), _POLL_AT_MOST)))
        if method not in ("sendMessage", "sendPhoto"):
            return _error(404, "Not Found: method not found")
        text = str(fields.get("text" if method == "sendMessage" else "caption", ""))
        if chat in self.gone:
            return _error(400, "Bad Request: group chat was upgraded to a supergroup chat",
                          {"migrate_to_chat_id": self.gone[chat]})
        if wrong := _what_is_wrong(method, chat, text, photo):
            return _error(400, f"Bad Request: {wrong}")
        return _ok(self._keep(chat, text, fields, photo))

    async def _poll(self, offset: int, wait: float) -> list[dict[str, Any]]:
        """The updates from ``offset`` on; those before it are forgotten, as they were read."""
        self._updates = [u for u in self._updates if u["update_id"] >= offset]
        if not self._updates:
            self._news.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._news.wait()
        return self._updates[:100]

    def _keep(self, chat: str, text: str, fields: dict[str, Any],
              photo: bytes | None) -> dict[str, Any]:
        self._count += 1
        name = f"{self._count:05d}"
        if photo is not None:
            (self.folder / f"{name}.png").write_bytes(photo)
        kept = {"message_id": self._count, "chat": chat, "date": int(self._clock()), "text": text,
                "photo": f"{name}.png" if photo is not None else "",
                "reply_to": _parsed(fields.get("reply_parameters", {})).get("message_id", 0),
                "silent": _parsed(fields.get("disable_notification", False)) is True}
        part = self.folder / f"{name}.part"
        part.write_text(json.dumps(kept, ensure_ascii=False, indent=1), encoding="utf-8")
        part.replace(self.folder / f"{name}.json")
        return {"message_id": self._count, "date": kept["date"], "chat": {"id": chat}}


def _what_is_wrong(method: str, chat: str, text: str, photo: bytes | None) -> str:
    if not re.fullmatch(r"-?\d+|@\w+", chat):
        return "chat not found"
    if method == "sendMessage" and not text.strip():
        return "message text is empty"
    if len(text) > (_TEXT if method == "sendMessage" else _CAPTION):
        return f"message {'text' if method == 'sendMessage' else 'caption'} is too long"
    if method == "sendPhoto" and not (photo or b"").startswith(b"\x89PNG"):
        return "IMAGE_PROCESS_FAILED"
    return ""


def _ok(result: Any) -> tuple[int, dict[str, Any]]:
    return 200, {"ok": True, "result": result}


def _error(code: int, description: str,
           parameters: dict[str, Any] | None = None) -> tuple[int, dict[str, Any]]:
    more = {"parameters": parameters} if parameters else {}
    return code, {"ok": False, "error_code": code, "description": description, **more}


def _parsed(value: Any) -> Any:
    """A field of a form that holds JSON."""
    return json.loads(value) if isinstance(value, str) else value


async def _read_request(
        reader: asyncio.StreamReader) -> tuple[str, dict[str, Any], bytes | None]:
    """Path, fields and photo of a request."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = {name.strip().lower(): value.strip()
               for name, _, value in (line.partition(":") for line in head[1:])}
    length = int(headers.get("content-length", 0))
    if length > _LONGEST_REQUEST:
        raise ValueError("too long")
    body = await reader.readexactly(length)
    target = re.sub(r"^http://[^/]*", "", head[0].split(" ")[1])  # whole, of one who asks a proxy
    path, kind = target.partition("?")[0], headers.get("content-type", "")
    if kind.startswith("multipart/form-data"):
        fields, photo = _read_form(body, kind.partition("boundary=")[2].strip('"'))
        return path, fields, photo
    if kind.startswith("application/json"):
        return path, dict(json.loads(body)), None
    return path, dict(parse_qsl(body.decode())), None


def _read_form(body: bytes, boundary: str) -> tuple[dict[str, Any], bytes | None]:
    fields: dict[str, Any] = {}
    photo = None
    for part in body.split(f"--{boundary}".encode())[1:-1]:
        head, _, content = part.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        content = content.removesuffix(b"\r\n")
        name = re.search(rb'name="([^"]*)"', head)
        if name is not None and name[1] == b"photo":
            photo = content
        elif name is not None:
            fields[name[1].decode()] = content.decode()
    return fields, photo
