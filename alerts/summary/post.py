"""Makes a summary's files and rows: its plots first, then all rows in one transaction."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from iop4d.alerts.notify import dedup_key, message_id
from iop4d.alerts.rendering import clean
from iop4d.alerts.summary import write
from iop4d.alerts.summary.facts import Facts
from iop4d.config import Channel, Site
from iop4d.fits.atomic import write_atomic
from iop4d.store.database import ambient
from iop4d.store.events import emit
from iop4d.store.schema import Outbox, Summary

FOLDER = "summaries"


def keep_picture(root: Path, night: str, source: str, png: bytes) -> str:
    """Write a plot into the site's folder; its path from there.

    The name holds a digest of the contents, so that a summary made again leaves the pictures of
    letters that still wait as they are.
    """
    known = re.sub(r"[^a-z0-9+]+", "-", source.casefold()).strip("-")[:40] or "source"
    named = hashlib.sha256(source.encode("utf-8", "replace") + png).hexdigest()[:10]
    path = f"{FOLDER}/{night}/{known}-{named}.png"
    write_atomic(root / path, [png], durable=True)
    return path


def with_pictures(facts: Facts, pictures: dict[str, str]) -> Facts:
    """Facts whose sources know their plots, given by the sources' names."""
    shown = {clean(name, 80): path for name, path in pictures.items()}
    return replace(facts, sources=tuple(
        replace(source, picture=shown.get(source.name, "")) for source in facts.sources))


def post(site: Site, facts: Facts, *, now: float, again: str = "") -> list[int]:
    """Write a night's row and the letters that carry it; ids of the letters.

    Call inside a write transaction. A night that has its row is left alone, unless its summary is
    sent ``again``, on request, under this name of the request.
    """
    said = write.plain(facts)
    known = Summary.get_or_none(Summary.night == facts.night)
    if known is not None and not again:
        return []
    is_news = not facts.is_empty or facts.is_late or facts.trouble
    wanted = again or site.summary.empty_nights or is_news
    ids = _letters(site, said, now=now, again=again) if wanted else []
    values = {"facts": said, "state": "queued" if ids else "made", "letters": ids,
              "made_at": now, "sent_at": None}
    if known is None:
        Summary.create(night=facts.night, **values)
    else:
        Summary.update(**values).where(Summary.id == known.id).execute()
    emit(ambient(), "summary", now, night=facts.night, letters=len(ids))
    return ids


def post_letters(site: Site, facts: Facts, *, now: float, again: str) -> list[int]:
    """Send what is known of a night that is not over yet; it gets no row by that."""
    return _letters(site, write.plain(facts), now=now, again=again)


def _letters(site: Site, said: write.Plain, *, now: float, again: str) -> list[int]:
    content = write.content(said)
    ids = []
    for channel in _channels(site):
        for recipient in channel.recipients:
            key = dedup_key("summary", said["night"], again, channel.name, recipient)
            known = Outbox.get_or_none(Outbox.dedup_key == key)
            row = known or Outbox.create(
                dedup_key=key, channel=channel.name, recipient=recipient, content=content,
                message_id=message_id(key, "summary", channel), state="queued", created_at=now)
            ids.append(int(row.id))
    return ids


def _channels(site: Site) -> Iterable[Channel]:
    channels = {channel.name: channel for channel in site.channel}
    return (channels[name] for name in dict.fromkeys(site.summary.channels) if name in channels)


def settle() -> None:
    """Note what became of the letters of each summary; inside a write transaction."""
    for row in Summary.select().where(Summary.state == "queued"):
        letters = list(Outbox.select(Outbox.state, Outbox.sent_at).where(
            Outbox.id.in_(row.letters)))
        if any(letter.state == "queued" for letter in letters):
            continue
        sent = [letter.sent_at for letter in letters if letter.state == "sent"]
        Summary.update(state="sent" if sent else "failed", sent_at=max(sent, default=None)).where(
            Summary.id == row.id).execute()
