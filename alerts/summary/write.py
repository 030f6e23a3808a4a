"""A summary in words, and the rows and files that are made of it.

Its subject, plain text, and HTML for mail readers; its plots as files; its row, together with the
messages that carry it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from iop4d.alerts import subject_line
from iop4d.alerts.compose import cid_of
from iop4d.alerts.notify import dedup_key, message_id
from iop4d.alerts.rendering import clean, count, moment, render
from iop4d.alerts.summary.facts import NightSummary
from iop4d.config import Channel, Site
from iop4d.fits.atomic import write_atomic
from iop4d.model.states import AlertState, MessageKind
from iop4d.model.units import NOTHING, and_common, decimal, plus_minus, plus_minus_chi
from iop4d.store import outbox, summaries
from iop4d.store.database import Transaction
from iop4d.store.events import emit

Plain = dict[str, Any]  # a summary as its row keeps it

FOLDER = "summaries"
_FAILURES = 15  # reasons that a mail lists; the page has all
_NAMED = 3  # sources that a subject names
_LATE = 1800.0  # seconds after the night's end after which a summary says when it was made

# Words.


def plain(summary: NightSummary) -> Plain:
    """A summary as plain values, with the totals of which the subject is made."""
    return asdict(summary) | {"frames": summary.frames, "failed": summary.failed,
                              "is_empty": summary.is_empty}


def says_the_same(summary: NightSummary, kept: Plain) -> bool:
    """Whether a summary says what one that is kept does; when they were made is left aside."""
    new = json.loads(json.dumps(plain(summary)))  # as it is kept: tuples are lists
    return {name: value for name, value in new.items() if name != "made_at"} == {
        name: value for name, value in kept.items() if name != "made_at"}


def subject(facts: Plain) -> str:
    """What the mail is about: the night, its alerts, then the counts; the site stands last."""
    head = f"Night {facts['night']}: "
    parts = []
    if facts["trouble"]:
        parts = ["the summary could not be made"]
    else:
        if facts["alerts"]:
            parts.append(_alerts(facts))
        if facts["archives"]:
            parts.append("archive in trouble")
        parts += ["nothing was observed"] if facts["is_empty"] else [
            count(facts["frames"], "frame"), count(len(facts["sources"]), "source")]
        if facts["failed"]:
            parts.append(f"{facts['failed']} not used")
    return subject_line.subject(head + ", ".join(parts), "", site=facts["site"])


def _alerts(facts: Plain) -> str:
    """How many alerts, and of which sources."""
    names = list(dict.fromkeys(alert.get("called") or alert["source"]
                               for alert in facts["alerts"]))
    more = ", …" if len(names) > _NAMED else ""
    return f"{count(len(facts['alerts']), 'alert')} ({', '.join(names[:_NAMED])}{more})"


def text(facts: Plain) -> str:
    """The summary as plain text."""
    return render("summary.txt", _context(facts), **helpers())


def html(facts: Plain, source_of: Callable[[str], str] | None = None) -> str:
    """The summary as HTML. ``source_of``: the address of a picture, by default within the mail."""
    return render(
        "summary.html", _context(facts), **helpers(),
        source_of=source_of or (lambda picture: f"cid:{cid_of(picture)}"))


def message_content(facts: Plain) -> Plain:
    """What the outbox keeps: the mail as it was written, whatever changes later."""
    return {
        "kind": MessageKind.SUMMARY, "night": facts["night"], "subject": subject(facts),
        "text": text(facts), "html": html(facts),
        "pictures": [source["picture"] for source in _by_news(facts) if source["picture"]],
        "link": f"{facts['url']}/summaries/{facts['night']}" if facts["url"] else "",
    }


def _by_news(facts: Plain) -> list[Plain]:
    """The sources, that with an alert first, then by how much each changed over its error.

    A channel that shows one picture shows the first.
    """
    alerted = {alert["source"] for alert in facts["alerts"]
               if alert["state"] != AlertState.WITHDRAWN}

    def news(source: Plain) -> tuple[bool, float]:
        changes = [abs(band["change"]) / max(band["change_err"] or 0.01, 0.01)
                   for band in source["bands"] if band["change"] is not None]
        return source["name"] not in alerted, -max(changes, default=0.0)

    return sorted(facts["sources"], key=news)


def helpers() -> dict[str, Any]:
    """What templates call, those of the page too."""
    return {"plus_minus": plus_minus, "plus_minus_chi": plus_minus_chi, "signed": signed,
            "percent": percent, "count": count, "utc": moment, "timing": timing,
            "camera_lines": camera_lines}


def signed(value: float | None, error: float | None, digits: int = 2) -> str:
    """A change with its sign: ``+0.12 ± 0.02``, ``−0.30``."""
    if value is None:
        return NOTHING
    shown = f"{value:+.{digits}f}".replace("-", "−")
    return shown if error is None else f"{shown} ± {error:.{digits}f}"


def percent(value: float | None, error: float | None, digits: int = 2) -> str:
    """A fraction with its error in percent: ``12.31 ± 0.25 %``."""
    if value is None:
        return NOTHING
    return plus_minus(value * 100.0, None if error is None else error * 100.0, digits) + " %"


def camera_lines(camera: Plain) -> list[str]:
    """What a camera's points of a band say together, where there are several."""
    head, found = f"{camera['band']} {camera['instrument']}: ", []
    of = camera["magnitudes"]
    if of and of["n"] > 1:
        found.append(f"{head}mean {plus_minus(of['mag'], of['err'])} random,"
                     f"{and_common(of['common'], words=' common,')} {_constancy(of)}, F_var "
                     f"{percent(of['fvar'], of['fvar_err'], 1)}")
    of = camera["polarisation"]
    if of and of["n"] > 1:
        found.append(f"{head}q {percent(of['q'], of['q_err'])}, u {percent(of['u'], of['u_err'])}, "
                     f"{_constancy(of)}; χ turned by {signed(of['turn_deg'], of['turn_err'], 1)}°")
    return found


def _constancy(of: Plain) -> str:
    chance = of["p_value"]
    shown = "below 0.0001" if chance is not None and chance < 1e-4 else decimal(chance, 4)
    return f"chi2 {decimal(of['chi2'], 1)} of {of['dof']} for a constant (chance {shown})"


def timing(facts: Plain) -> str:
    """When a summary was made, where that was not at the end of its night; else empty."""
    made, until = facts["made_at"], facts["until"]
    if made < until:
        return f"The night is not over yet. This summary was made at {moment(made)} UTC."
    if made - until > _LATE:
        return (f"The night ended at {moment(until)} UTC. This summary was made at "
                f"{moment(made)} UTC.")
    return ""


def _context(facts: Plain) -> Plain:
    shown = facts["failures"][:_FAILURES]
    hidden = sum(failure["count"] for failure in facts["failures"][_FAILURES:])
    return facts | {"subject": subject(facts), "shown_failures": shown, "hidden_failures": hidden,
                    "facts": facts}


# Plots.


def save_picture(root: Path, night: str, source: str, png: bytes) -> str:
    """Write a plot into the site's folder; its path from there.

    The name holds a digest of the contents, so that a summary made again leaves the pictures of
    messages that still wait as they are.
    """
    known = re.sub(r"[^a-z0-9+]+", "-", source.casefold()).strip("-")[:40] or "source"
    named = hashlib.sha256(source.encode("utf-8", "replace") + png).hexdigest()[:10]
    path = f"{FOLDER}/{night}/{known}-{named}.png"
    write_atomic(root / path, [png], durable=True)
    return path


def with_pictures(summary: NightSummary, pictures: dict[str, str]) -> NightSummary:
    """A summary whose sources know their plots, given by the sources' names."""
    shown = {clean(name, 80): path for name, path in pictures.items()}
    return replace(summary, sources=tuple(
        replace(source, picture=shown.get(source.name, "")) for source in summary.sources))


# Rows.


def post(tx: Transaction, site: Site, summary: NightSummary, *, now: float,
         again: str = "") -> list[int]:
    """Write a night's row and the messages that carry it; ids of the messages.

    A night that has its row is left alone, unless its summary is sent ``again``, on request, under
    this name of the request.
    """
    if summaries.of_night(tx, summary.night) is not None and not again:
        return []
    is_news = not summary.is_empty or summary.is_late or summary.trouble
    wanted = again or site.summary.empty_nights or is_news
    messages = post_unfinished(tx, site, summary, now=now, again=again) if wanted else []
    summaries.store(tx, summary.night, plain(summary), messages=messages, now=now)
    emit(tx, "summary", now, night=summary.night, messages=len(messages))
    return messages


def post_unfinished(tx: Transaction, site: Site, summary: NightSummary, *, now: float,
                    again: str) -> list[int]:
    """Queue the messages alone; a night that is not over yet gets no row by them."""
    facts = plain(summary)
    content, ids = message_content(facts), []
    for channel in _channels(site):
        for recipient in channel.recipients:
            key = dedup_key("summary", summary.night, again, channel.name, recipient)
            ids.append(outbox.queue(
                tx, dedup_key=key, channel=channel.name, recipient=recipient, content=content,
                message_id=message_id(key, "summary", channel), created_at=now))
    return ids


def _channels(site: Site) -> Iterable[Channel]:
    channels = {channel.name: channel for channel in site.channel}
    return (channels[name] for name in dict.fromkeys(site.summary.channels) if name in channels)
