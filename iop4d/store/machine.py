"""What whoever runs the machine asks of the tables: latencies, messages by channel, names."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from iop4d.config import Channel
from iop4d.config.redact import is_shown
from iop4d.model.source import canonical
from iop4d.store.database import Connection
from iop4d.store.table import number_in

#: Of frames that came in some time: telescope, when they came, and the seconds until their results.
#: Whatever came since then was changed since then, too, which the index knows.
_LATENCIES = (f"SELECT telescope, completed_at, {number_in('info', 'latency_s')} "  # noqa: S608 - of ours
              "FROM frame "
              "WHERE changed_at > ? AND completed_at > ? AND kind = 'science' AND state = 'done'")
_CHANNELS = ("SELECT channel, state, COUNT(*), MAX(sent_at) FROM outbox "
             "GROUP BY channel, state ORDER BY channel")
_NAMES = "SELECT name, other_names FROM source"


@dataclass(frozen=True, kw_only=True)
class ChannelLine:
    """A channel and its messages by state. ``kind``: empty where the site file has it no more."""

    name: str
    kind: str = ""
    recipients: int = 0
    messages: dict[str, int] = field(default_factory=dict)
    sent_at: float | None = None


def latencies(db: Connection, since: float) -> list[tuple[str, float, float]]:
    """Of the science frames that came since then and have results: telescope, when, seconds."""
    return [(telescope, at, float(took)) for telescope, at, took in db.rows(
        _LATENCIES, since, since) if took is not None]


def channels(db: Connection, of_site: Iterable[Channel]) -> list[ChannelLine]:
    """The channels of a site, and those that it had, with what became of their messages."""
    messages: dict[str, dict[str, int]] = {}
    sent: dict[str, float] = {}
    for name, state, count, last in db.rows(_CHANNELS):
        messages.setdefault(name, {})[state] = count
        if last is not None:
            sent[name] = max(last, sent.get(name, 0.0))
    known = {channel.name: channel for channel in of_site}
    return [ChannelLine(
        name=name, kind=_kind(known[name].kind) if name in known else "",
        recipients=len(known[name].recipients) if name in known else 0,
        messages=messages.get(name, {}), sent_at=sent.get(name))
        for name in dict.fromkeys([*known, *messages])]


def _kind(kind: str) -> str:
    """The kind of a channel; of a package's kind any text may stand there, also a secret."""
    return kind if is_shown(kind) else "a kind that is not shown"


def unknown_names(db: Connection, names: Collection[str]) -> list[str]:
    """Which of some names no source of the catalogue has."""
    if not names:
        return []
    known = {canonical(one) for name, others in db.rows(_NAMES)
             for one in (name, *json.loads(others))}
    return sorted(name for name in names if canonical(name) not in known)
