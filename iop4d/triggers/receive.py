"""What becomes of a notice: it is read, its source is found, and it is stored, once.

A notice that came before, whichever way, is not stored again; a later one of the same event
replaces what the row says; one that takes it back withdraws it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from iop4d.config.triggers import Triggers
from iop4d.model.notice import Notice, NoticeError
from iop4d.model.source import Catalogue, Source, SourceKind
from iop4d.model.states import TriggerState
from iop4d.model.units import degrees_between
from iop4d.store import audit, catalogue, triggers
from iop4d.store.database import Connection, Transaction
from iop4d.store.trigger_table import Trigger
from iop4d.triggers.notices import read_notice

_KEPT = 4000  # characters of a notice
_FINAL = (TriggerState.WITHDRAWN, TriggerState.ENDED)


@dataclass(frozen=True, kw_only=True)
class Received:
    """The row of a notice, and whether it is the first of its event. ``wrong``: why it cannot be
    read, or empty."""

    row: Trigger
    is_new: bool
    has_changed: bool = False  # what was known of it
    wrong: str = ""


def receive(tx: Transaction, body: bytes, *, origin: str, settings: Triggers, now: float,
            by: str = "") -> Received:
    """Store a notice; raises nothing for one that cannot be read, which is stored with the reason.

    ``by``: the account of who sent it here, for the audit; empty: it came by a topic.
    """
    content = body[:4 * _KEPT].decode("utf-8", "replace").replace("\x00", " ")[:_KEPT]
    try:
        notice = read_notice(body)
    except NoticeError as error:
        found = _unreadable(tx, body, content, origin, str(error), now)
    else:
        found = take(tx, notice, content=content, origin=origin, settings=settings, now=now)
    if by and (found.is_new or found.has_changed):
        row = found.row
        audit.record(tx, at=now, by=by, act="add-trigger", subject=f"trigger {row.id}", now={
            "source": row.source, "state": row.state, "until": row.until}, why=row.text)
    return found


def take(tx: Transaction, notice: Notice, *, content: str, origin: str, settings: Triggers,
         now: float) -> Received:
    """Store what a notice says."""
    said = _columns(tx, notice, settings, now) | {"content": content}
    known = triggers.of_event(tx, notice.event)
    if known is None:
        row = triggers.create(tx, now, event=notice.event, origin=origin, **said)
        return Received(row=row, is_new=True)
    if not _changes(known, notice):
        return Received(row=known, is_new=False)
    if notice.withdrawn:
        said = {"state": TriggerState.WITHDRAWN, "reason": said["reason"],
                "until": min(known.until, now)}
    else:
        said["until"] = max(known.until, said["until"])
    return Received(row=triggers.change(tx, known, now, **said), is_new=False, has_changed=True)


def match_again(tx: Transaction, settings: Triggers, now: float) -> int:
    """Find the sources of notices that the catalogue had none for; how many it has now."""
    found, known = 0, catalogue.load(tx)
    for row in triggers.waiting(tx, now):
        source = source_of(known, row.named.split("; "), row.ra_deg, row.dec_deg, row.error_deg,
                           settings)
        if source is not None:
            triggers.change(tx, row, now, source=source.name, state=TriggerState.ACCEPTED,
                            reason="")
            found += 1
    return found


def source_of(known: Catalogue, names: list[str] | tuple[str, ...], ra_deg: float | None,
              dec_deg: float | None, error_deg: float | None,
              settings: Triggers) -> Source | None:
    """The source that a notice is about: by its name, or the nearest target within the error."""
    for name in names:
        if (found := known.named(name)) is not None:
            return found
    if ra_deg is None or dec_deg is None or (error_deg or 0.0) > settings.max_error_deg:
        return None
    within = max(error_deg or 0.0, settings.match_arcmin / 60.0)
    near = [(degrees_between(ra_deg, dec_deg, one.ra_deg, one.dec_deg), one)
            for one in known.sources if one.kind is SourceKind.TARGET]
    apart, nearest = min(near, key=lambda one: one[0], default=(within + 1.0, None))
    return nearest if apart <= within else None


def _columns(db: Connection, notice: Notice, settings: Triggers, now: float) -> dict[str, Any]:
    source = source_of(catalogue.load(db), notice.names, notice.ra_deg, notice.dec_deg,
                       notice.error_deg, settings)
    state, reason = _state(notice, source, settings)
    issued_at = min(notice.issued_at or now, now)
    hours = notice.hours if notice.hours is not None else settings.for_hours
    until = notice.until if notice.until is not None else issued_at + 3600.0 * hours
    return {
        "source": source.name if source else "", "named": "; ".join(notice.names), "state": state,
        "reason": reason, "text": notice.text, "significance": notice.significance,
        "flux": notice.flux, "flux_unit": notice.flux_unit, "ra_deg": notice.ra_deg,
        "dec_deg": notice.dec_deg, "error_deg": notice.error_deg, "at": notice.at,
        "issued_at": issued_at,
        "until": min(until, now) if state == TriggerState.WITHDRAWN else until}


def _state(notice: Notice, source: Source | None,
           settings: Triggers) -> tuple[TriggerState, str]:
    if notice.withdrawn:
        return TriggerState.WITHDRAWN, "withdrawn by those who sent it"
    if notice.test:
        return TriggerState.IGNORED, notice.test
    if notice.significance is not None and notice.significance < settings.min_significance:
        return TriggerState.IGNORED, (f"{notice.significance:.3g} sigma; min_significance is "
                                      f"{settings.min_significance:g}")
    if source is None:
        what = "; ".join(notice.names) or "a target at its position"
        return TriggerState.UNMATCHED, f"the catalogue does not have {what}"
    return TriggerState.ACCEPTED, ""


def _changes(known: Trigger, notice: Notice) -> bool:
    """Whether a notice says what its row does not say yet."""
    if known.state in _FINAL:
        return False
    if notice.withdrawn:
        return True
    return bool(notice.issued_at is not None and notice.issued_at > known.issued_at)


def _unreadable(tx: Transaction, body: bytes, content: str, origin: str, why: str,
                now: float) -> Received:
    event = f"unreadable {hashlib.sha256(body).hexdigest()[:32]}"
    known = triggers.of_event(tx, event)
    row = known or triggers.create(
        tx, now, event=event, origin=origin, state=TriggerState.UNREADABLE, reason=why,
        issued_at=now, until=now, content=content)
    return Received(row=row, is_new=known is None, wrong=why)
