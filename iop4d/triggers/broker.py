"""The client of a Kafka broker: GCN's, or another. Its libraries are the extra iop4d[gcn]."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any, Protocol

from iop4d.config.triggers import Triggers
from iop4d.model.errors import Iop4dError

MISSING = "[triggers] topics needs the extra iop4d[gcn]: pip install 'iop4d[gcn]'"
_REJOIN_MS = 10_000  # after which a broker gives the topics of one that vanished to the next
_RECONNECT_MS = (1000, 60_000)  # between two attempts to connect, at first and at most
_LARGEST = 8 << 20  # bytes of an answer of the broker for one topic: some notices hold maps


class Message(Protocol):
    """A message of a topic, or an error of the broker in its place."""

    def topic(self) -> str | None:
        """The topic that it is of."""

    def value(self) -> bytes | None:
        """What it says."""

    def error(self) -> object | None:
        """What is wrong; None of a message."""


class Consumer(Protocol):
    """What the listener needs of a client. Each call blocks."""

    def poll(self, timeout: float) -> Message | None:
        """The next message within some seconds; None without one."""

    def commit(self, *, message: Message, asynchronous: bool) -> object:
        """Tell the broker that all up to a message was received."""

    def list_topics(self, *, timeout: float) -> Any:
        """What the broker has: an object with ``topics``; raises where it does not answer."""

    def close(self) -> None:
        """Leave the broker."""


#: Makes a client; the second argument is called with what goes wrong, in words.
Connect = Callable[[Triggers, Callable[[str], None]], Consumer]


def is_installed() -> bool:
    """Whether the extra is there."""
    return find_spec("gcn_kafka") is not None


def connect(settings: Triggers, troubled: Callable[[str], None]) -> Consumer:
    """A client that listens to the topics of a site. Raises Iop4dError, also for its secret."""
    try:
        import gcn_kafka
    except ImportError as error:
        raise Iop4dError(f"{MISSING} ({error})") from error
    made = gcn_kafka.Consumer(config_of(settings, troubled), domain=settings.domain,
                              client_id=settings.client_id or None,
                              client_secret=settings.secret.read())
    made.subscribe(list(settings.topics))
    found: Consumer = made
    return found


def config_of(settings: Triggers, troubled: Callable[[str], None]) -> dict[str, Any]:
    """The configuration of librdkafka, without what GCN's package adds."""
    own: dict[str, Any] = {}
    if settings.servers:
        own["bootstrap.servers"] = settings.servers
        if not settings.client_id:
            own["security.protocol"] = "plaintext"
    return own | {
        "group.id": settings.consumers,
        # Nothing is lost: what was received is committed once it is stored; a site that is new, or
        # was away for long, gets what the broker still has.
        "enable.auto.commit": False, "auto.offset.reset": "earliest",
        "session.timeout.ms": _REJOIN_MS, "fetch.message.max.bytes": _LARGEST,
        "reconnect.backoff.ms": _RECONNECT_MS[0], "reconnect.backoff.max.ms": _RECONNECT_MS[1],
        # Its own messages on standard error would repeat what error_cb says, at each attempt.
        "log_level": 2,
        "error_cb": lambda error: troubled(_said(error))}


def _said(error: Any) -> str:
    """An error of the client, in words; empty for what only repeats others."""
    return "" if error.name() == "_ALL_BROKERS_DOWN" else str(error.str())
