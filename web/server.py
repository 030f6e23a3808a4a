"""Serve the site with waitress until told to stop."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import resource
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import waitress
from waitress import wasyncore

from iop4d.config import Site
from iop4d.config.store import FilePlace
from iop4d.model.errors import Iop4dError
from iop4d.store.database import GROUP_READS, PRIVATE, make_private
from iop4d.web.app import create_app
from iop4d.web.auth import LARGEST_FORM
from iop4d.web.connections import SPARE, Connections
from iop4d.web.context import parts
from iop4d.web.heavy import UNREAD
from iop4d.web.queue_log import quiet_queue

_LOOK_SECONDS = 0.2  # how soon a stop is noticed
_FIRST = 3  # file descriptor of the first socket that is handed over
_LARGEST_HEAD = 32 << 10  # bytes
_STOP_SECONDS = 1.5  # for requests under way
_CONNECTIONS = 1000  # a browser keeps up to six
#: How long a thread that makes a heavy answer may hold up the others, at each step of theirs.
_SWITCH_SECONDS = 0.001
#: Objects made before Python looks for unreachable ones: most of a request's are freed without it.
_LOOK_FOR_CYCLES = (20_000, 50, 100)
#: M_ARENA_MAX of mallopt(3), and how many heaps the threads share: with one for each of them what
#: a heavy answer needed stays with its thread.
_ARENA_MAX, _ARENAS = -8, 2
_OTHER_FILES = 100  # that the process has open besides: database, pictures, log
_IDLE_SECONDS = 30  # after which a connection without a request is closed


def _announce(address: str) -> None:
    sys.stdout.write(f"the site is at {address}\n")
    sys.stdout.flush()


def serve(site: Site, *, load: Callable[[], Site] | None = None,
          stop: threading.Event | None = None,
          announce: Callable[[str], None] = _announce) -> None:
    """Serve until SIGTERM, SIGINT or ``stop``; ``announce`` is called with the address.

    ``load`` reads the site file again where that changed; the address, threads and streams stay.
    Raises Iop4dError if the address cannot be had.
    """
    stop = stop or threading.Event()
    sys.setswitchinterval(_SWITCH_SECONDS)
    share_heaps()  # before there are threads
    if isinstance(site.database, FilePlace):
        make_private(site.database.path, GROUP_READS if site.daemon.group_reads else PRIVATE)
    app = create_app(site, load)
    sockets: dict[int, Any] = {}
    room = _room()
    connections = Connections(sockets, room=room, trusted=site.web.trusted_proxy)
    given = _given()
    where: dict[str, Any] = {"sockets": given} if given else {
        "host": site.web.host, "port": site.web.port}
    try:
        server = waitress.create_server(
            app, map=sockets, threads=site.web.threads, **where,
            connection_limit=room + SPARE, channel_timeout=_IDLE_SECONDS,
            # Reads on while a request is answered: so a stream learns that its browser left.
            channel_request_lookahead=1, ident="iop4d",
            # No reader that stalls blocks a thread: answers end or are in the buffers before.
            outbuf_high_watermark=2 * UNREAD,
            max_request_body_size=LARGEST_FORM, max_request_header_size=_LARGEST_HEAD,
            # What a proxy says is looked at by web.proxy.
            clear_untrusted_proxy_headers=False)
    except (OSError, ValueError) as error:
        wasyncore.close_all(sockets)
        raise Iop4dError(
            f"cannot listen at {site.web.host}:{site.web.port}: {error}; change [web] host or "
            "port, or stop what listens there") from error
    try:
        with _signals(stop), quiet_queue():
            _collect_rarely()
            announce(_address(site.web.host, server) + site.web.prefix.strip("/"))
            while not stop.is_set():
                wasyncore.loop(timeout=_LOOK_SECONDS, map=sockets, use_poll=True, count=1)
                connections.look()
    finally:
        parts(app).hub.close()
        server.task_dispatcher.shutdown(timeout=_STOP_SECONDS)
        wasyncore.close_all(sockets, ignore_all=True)


def _collect_rarely() -> None:
    """Spare each request the looks for cycles among all that was made at the start.

    In a process of its own: others may have chosen otherwise.
    """
    if threading.current_thread() is threading.main_thread():
        gc.collect()
        gc.freeze()
        gc.set_threshold(*_LOOK_FOR_CYCLES)


def share_heaps() -> bool:
    """Let all threads allocate from the same few heaps; False where the C library has no choice."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # another system's
        return False
    return bool(mallopt(_ARENA_MAX, _ARENAS))


def _room() -> int:
    """How many connections there may be; the limit of open files is raised for them if it can be.
    """
    wanted = _CONNECTIONS + _OTHER_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        more = wanted if hard == resource.RLIM_INFINITY else min(hard, wanted)
        with contextlib.suppress(OSError, ValueError):  # a system may allow less than it says
            resource.setrlimit(resource.RLIMIT_NOFILE, (more, hard))
            soft = more
    if soft == resource.RLIM_INFINITY:
        return _CONNECTIONS
    return max(50, min(_CONNECTIONS, soft - _OTHER_FILES))


def _given() -> list[socket.socket]:
    """The sockets that a service manager listens at for us: see sd_listen_fds(3)."""
    if os.environ.get("LISTEN_PID") != str(os.getpid()):
        return []
    count = int(os.environ.get("LISTEN_FDS", "0"))
    return [socket.socket(fileno=number) for number in range(_FIRST, _FIRST + count)]


def _address(host: str, server: Any) -> str:
    port = (server.effective_listen[0][1] if hasattr(server, "effective_listen")
            else server.effective_port)
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, host)  # noqa: S104
    return f"http://{shown}:{port}/"


@contextmanager
def _signals(stop: threading.Event) -> Iterator[None]:
    """Let SIGTERM and SIGINT set the event, where Python allows it: in the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, lambda *_: stop.set())
              for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
