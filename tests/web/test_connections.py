"""Connections of one address that send slowly, or nothing, do not keep others out."""

from __future__ import annotations

import dataclasses
import http.client
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from urllib.parse import urlsplit

import pytest

from iop4d.config import Site
from iop4d.web import connections, server
from tests.web.conftest import Serving

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="127.0.0.2 is this machine's too")

_ROOM = 60
_READER, _OTHER = "127.0.0.1", "127.0.0.2"
_HEAD = "GET /healthz HTTP/1.1\r\nHost: {place}\r\n"
_FORM = ("POST /sign-in HTTP/1.1\r\nHost: {place}\r\nContent-Length: 60000\r\n"
         "Content-Type: application/x-www-form-urlencoded\r\n\r\nname=")
_SLOW = {"head": _HEAD + "X-Slow: ", "form": _FORM, "silent": "", "idle": _HEAD + "\r\n",
         "unread": 2 * _HEAD.replace("/healthz", "/nights") + "\r\n"}


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_CONNECTIONS", _ROOM)


@contextmanager
def _open(address: str, source: str, number: int, text: str) -> Iterator[list[socket.socket]]:
    where = urlsplit(address)
    with ExitStack() as held:
        made = []
        for _ in range(number):
            one = held.enter_context(closing(socket.create_connection(
                (where.hostname or "", where.port or 0), 10, source_address=(source, 0))))
            one.sendall(text.format(place=where.netloc).encode())
            made.append(one)
        yield made


def _is_closed(one: socket.socket) -> bool:
    one.settimeout(0.05)
    try:
        while one.recv(4096):
            pass
    except TimeoutError:
        return False
    except ConnectionError:
        pass
    return True


def _page(address: str, path: str = "/") -> int:
    with closing(http.client.HTTPConnection(urlsplit(address).netloc, timeout=8)) as browser:
        browser.request("GET", path)
        answer = browser.getresponse()
        answer.read()
        return answer.status


@pytest.mark.parametrize("text", _SLOW.values(), ids=_SLOW)
def test_a_page_comes_while_another_address_has_more_connections_than_there_are_places(
        filled: Site, serving: Serving, text: str) -> None:
    """An old fault: 1,100 connections that sent their heads slowly kept all others out."""
    with serving(filled) as address, _open(address, _OTHER, 2 * _ROOM, text):
        assert _page(address) == 200
        assert _page(address, "/healthz") in {200, 503}


def test_the_connections_of_readers_stay_when_another_address_fills_the_server(
        filled: Site, serving: Serving) -> None:
    with serving(filled) as address, _open(address, _READER, 6, _SLOW["idle"]) as browser:
        assert not any(_is_closed(one) for one in browser)
        with _open(address, _OTHER, 2 * _ROOM, _SLOW["head"]) as slow:
            assert _page(address) == 200
            assert sum(_is_closed(one) for one in slow) >= _ROOM
            assert not any(_is_closed(one) for one in browser)


def test_those_of_the_trusted_proxy_stay_though_they_are_the_most(
        filled: Site, serving: Serving) -> None:
    behind = dataclasses.replace(filled, web=dataclasses.replace(
        filled.web, trusted_proxy=_READER))
    with serving(behind) as address, _open(address, _READER, 40, _SLOW["idle"]) as proxy, \
            _open(address, _OTHER, _ROOM, _SLOW["head"]):
        assert _page(address) == 200
        assert not any(_is_closed(one) for one in proxy)


@pytest.mark.parametrize(("kind", "limit"), [("head", "_HEAD_SECONDS"), ("form", "_BODY_SECONDS")])
def test_a_request_that_comes_a_letter_at_a_time_is_closed(
        filled: Site, serving: Serving, kind: str, limit: str,
        monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, limit, 1.5)
    with serving(filled) as address, _open(address, _OTHER, 1, _SLOW[kind]) as (slow,), \
            _open(address, _READER, 1, _SLOW["idle"]) as (idle,):
        until = time.monotonic() + 20
        while not _is_closed(slow):
            assert time.monotonic() < until
            time.sleep(0.2)
            try:
                slow.sendall(b"a")
            except ConnectionError:
                break
        assert not _is_closed(idle)


def test_a_form_that_takes_longer_than_a_head_may_is_read(
        filled: Site, serving: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "_HEAD_SECONDS", 1.0)
    form = _FORM.replace("60000", "12")
    with serving(filled) as address, _open(address, _READER, 1, form) as (phone,):
        for letter in b"carol&p":
            time.sleep(0.5)
            phone.sendall(bytes([letter]))
        phone.settimeout(10)
        assert phone.recv(20).startswith(b"HTTP/1.1 ")
