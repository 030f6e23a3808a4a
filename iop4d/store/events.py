"""Events for the live page, and the daemon's heartbeat."""

from __future__ import annotations

from typing import Any

from iop4d.store import schema

_KEEP = 20_000  # events kept; a page that was away longer loads anew
_HEARTBEAT = "daemon"


def emit(kind: str, at: float, **content: Any) -> None:
    """Record what happened; call inside a write transaction."""
    schema.Event.create(kind=kind, at=at, content=content)


def trim() -> None:
    """Drop the oldest events."""
    newest = schema.Event.select(schema.Event.id).order_by(schema.Event.id.desc()).limit(1).scalar()
    if newest:
        schema.Event.delete().where(schema.Event.id <= newest - _KEEP).execute()


def beat(status: dict[str, Any]) -> None:
    """Write the daemon's heartbeat."""
    schema.Meta.replace(key=_HEARTBEAT, value=status).execute()


def heartbeat() -> dict[str, Any]:
    """The daemon's last heartbeat; empty if it never ran."""
    row = schema.Meta.get_or_none(schema.Meta.key == _HEARTBEAT)
    return dict(row.value) if row else {}
