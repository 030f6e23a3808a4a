"""The live stream under a real server: prompt, replayed, limited, and freed when browsers leave."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import pytest

from iop4d.config import Site
from iop4d.model.errors import Iop4dError
from iop4d.system.lock import SiteLock
from iop4d.web import stream
from iop4d.web.app import create_app
from iop4d.web.context import parts
from iop4d.web.reader import Reader
from iop4d.web.server import serve
from tests.support.stores import copy_database
from tests.web import observatory
from tests.web.conftest import DAEMON_SAYS, Serving, emit, execute


class Stream:
    """A browser's event source."""

    def __init__(self, address: str, *, since: int | None = None, header: bool = False) -> None:
        self._connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=30)
        path = "/events" if since is None or header else f"/events?since={since}"
        headers = {"Last-Event-ID": str(since)} if header else {}
        self._connection.request("GET", path, headers=headers)
        self.answer = self._connection.getresponse()

    def next(self, kind: str = "message") -> dict[str, Any]:
        """The next message of a kind, with its id."""
        fields: dict[str, str] = {}
        while True:
            line = self.answer.readline().decode()
            assert line, "the stream ended"
            if line != "\n":
                name, _, value = line.rstrip("\n").partition(": ")
                fields[name] = value
                continue
            if "data" in fields and fields.get("event", "message") == kind:
                data: dict[str, Any] = json.loads(fields["data"])
                return data | {"event_id": fields.get("id")}
            fields = {}

    def close(self) -> None:
        self.answer.close()
        self._connection.close()

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _get(address: str, path: str) -> tuple[int, Any, float]:
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=30)
    begun = time.monotonic()
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read()
        return answer.status, (dict(answer.headers), body), time.monotonic() - begun
    finally:
        connection.close()


def _until(condition: Callable[[], bool], seconds: float) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_an_event_arrives_within_two_seconds(empty: Site, serving: Serving) -> None:
    with serving(empty) as address, Stream(address) as live:
        assert live.answer.headers["Content-Type"].startswith("text/event-stream")
        for kind in ("frame", "alert"):
            written = time.monotonic()
            id_ = emit(empty, kind, '{"name":"<a>\\nb"}')
            message = live.next()
            assert time.monotonic() - written < 10  # a stream is silent for 15 s
            assert message == {"id": id_, "at": 1.0, "kind": kind, "event_id": str(id_),
                               "content": {"name": "<a>\nb"}}


@pytest.mark.parametrize("header", [True, False])
def test_what_was_missed_is_replayed_once_and_in_order(
        header: bool, empty: Site, serving: Serving) -> None:
    ids = [emit(empty) for _ in range(5)]
    with serving(empty) as address, Stream(address, since=ids[1], header=header) as live:
        ids.append(emit(empty))
        assert [live.next()["id"] for _ in range(4)] == ids[2:]


def test_a_browser_that_was_away_too_long_reloads_the_page(empty: Site, serving: Serving) -> None:
    first = emit(empty)
    for _ in range(stream.REPLAY + 1):
        last = emit(empty)
    with serving(empty) as address:
        with Stream(address, since=first) as live:
            live.next("reset")
            assert emit(empty) == live.next()["id"] == last + 1
        # An id from before another database took the place of this one.
        with Stream(address, since=10**6) as live:
            live.next("reset")


def test_the_daemons_beat_is_passed_on(empty: Site, serving: Serving,
                                       hold_lock: Callable[[Site], SiteLock]) -> None:
    hold_lock(empty)
    with serving(empty) as address, Stream(address) as live:
        live.next("beat")
        execute(empty, DAEMON_SAYS,
                json.dumps({"beat_at": time.time(), "state": "running"}))
        assert live.next("beat")["daemon"] == "running"


def test_a_stream_opened_before_there_is_a_database_has_its_events_later(
        tmp_path: Any, serving: Serving) -> None:
    site, beside = observatory.site(tmp_path / "site"), observatory.site(tmp_path / "beside")
    observatory.fill(beside, frames=3)
    with serving(site) as address, Stream(address) as live:
        # Made elsewhere: in one process the reader's connection and ours would share the tables.
        copy_database(beside.root, site.root)
        live.next("reset")
        id_ = emit(site)
        while (came := live.next()["id"]) < id_:
            pass  # what a copy into a server makes one after the other
        assert came == id_


def test_beyond_the_limit_streams_are_refused_and_the_site_lives(
        empty: Site, serving: Serving) -> None:
    site = replace(empty, web=replace(empty.web, threads=6, max_streams=3))
    with serving(site) as address, ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(Stream(address))
        status, (headers, _), took = _get(address, "/events")
        assert (status, headers["Retry-After"]) == (503, "30")
        assert took < 10
        status, _, took = _get(address, "/healthz")
        assert status == 503  # no daemon runs here
        assert took < 10


def test_streams_never_take_more_than_half_of_the_threads(empty: Site) -> None:
    app = create_app(replace(empty, web=replace(empty.web, threads=4, max_streams=100)))
    hub = parts(app).hub
    try:
        assert [hub.subscribe(None) is not None for _ in range(3)] == [True, True, False]
    finally:
        hub.close()


def test_streams_of_browsers_that_left_are_freed(empty: Site, serving: Serving) -> None:
    def open_streams() -> int:
        return int(json.loads(_get(address, "/api/status")[1][1])["streams"])

    with serving(empty) as address:
        streams = [Stream(address) for _ in range(4)]
        assert open_streams() == 4
        for one in streams:
            one.close()
        _until(lambda: open_streams() == 0, 5)


def test_a_browser_that_stops_reading_is_dropped(empty: Site, serving: Serving) -> None:
    def open_streams() -> int:
        return int(json.loads(_get(address, "/api/status")[1][1])["streams"])

    with serving(empty) as address, socket.socket() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        parts_ = urlsplit(address)
        deaf.connect((parts_.hostname, parts_.port))
        deaf.sendall(b"GET /events HTTP/1.1\r\nHost: x\r\n\r\n")
        _until(lambda: open_streams() == 1, 5)
        large = json.dumps({"reason": "x" * 200_000})
        for _ in range(40):
            emit(empty, "frame", large)
        _until(lambda: open_streams() == 0, 10)


def test_a_client_whose_queue_is_full_is_dropped(empty: Site) -> None:
    hub = stream.Hub(Reader(empty.database), lock=empty.lock, limit=2)
    try:
        slow = hub.subscribe(None)
        assert slow is not None
        for _ in range(stream.QUEUE + 1):
            emit(empty)
        _until(lambda: hub.count == 0, 5)
        assert slow.gone.is_set()
        assert list(stream.messages(slow, lambda: True))[1:] == []
    finally:
        hub.close()


def test_a_silent_stream_says_that_it_lives(
        empty: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "_HEARTBEAT_SECONDS", 0.1)
    monkeypatch.setattr(stream, "_LOOK_SECONDS", 0.05)
    client = stream.Client(sent=0, replay=[])
    lines = stream.messages(client, lambda: True)
    assert next(lines).startswith(b"retry: ")
    assert next(lines) == b": \n\n"
    client.drop()
    assert list(lines) == []


def test_sigterm_does_not_wait_for_open_streams_to_end(empty: Site) -> None:
    program = ("import pathlib, sys; from tests.web import observatory; "
               "from iop4d.web.server import serve; "
               "serve(observatory.site(pathlib.Path(sys.argv[1])))")
    process = subprocess.Popen([sys.executable, "-c", program, str(empty.root)],
                               stdout=subprocess.PIPE, text=True, env=os.environ)
    try:
        assert process.stdout is not None
        address = process.stdout.readline().split()[-1]
        with Stream(address), Stream(address):
            assert _get(address, "/healthz")[0] == 503  # no daemon runs here
            begun = time.monotonic()
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0
            assert time.monotonic() - begun < 5  # not the 15 s of a stream, on a busy machine
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def test_a_port_that_is_taken_is_explained(empty: Site) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        site = replace(empty, web=replace(empty.web, port=port))
        with pytest.raises(Iop4dError, match=f"cannot listen at 127.0.0.1:{port}"):
            serve(site, stop=threading.Event())
