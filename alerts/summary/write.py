"""A summary in words: its subject, plain text, and HTML for mail readers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from iop4d.alerts.compose import cid_of
from iop4d.alerts.rendering import clean, count, moment, render
from iop4d.alerts.summary.facts import Facts
from iop4d.model.states import MessageKind
from iop4d.model.units import NOTHING, plus_minus

Plain = dict[str, Any]  # facts as their row keeps them
_FAILURES = 15  # reasons that a mail lists; the page has all
_LATE = 1800.0  # seconds after the night's end after which a summary says when it was made


def plain(facts: Facts) -> Plain:
    """Facts as plain values, with the totals of which the subject is made."""
    return asdict(facts) | {"frames": facts.frames, "failed": facts.failed,
                            "is_empty": facts.is_empty}


def subject(facts: Plain) -> str:
    """What the mail is about, with the counts that matter."""
    head = f"[{facts['site']}] Night {facts['night']}: "
    if facts["trouble"]:
        return clean(head + "the summary could not be made")
    if facts["is_empty"]:
        said = ["nothing was observed"]
    else:
        said = [count(facts["frames"], "frame"), count(len(facts["sources"]), "source")]
    if facts["failed"]:
        said.append(f"{facts['failed']} failed")
    if facts["alerts"]:
        said.append(count(len(facts["alerts"]), "alert"))
    if facts["archives"]:
        said.append("archive in trouble")
    return clean(head + ", ".join(said))


def text(facts: Plain) -> str:
    """The summary as plain text."""
    return render("summary.txt", _context(facts), **helpers())


def html(facts: Plain, source_of: Callable[[str], str] | None = None) -> str:
    """The summary as HTML. ``source_of``: the address of a picture, by default within the mail."""
    return render(
        "summary.html", _context(facts), **helpers(),
        source_of=source_of or (lambda picture: f"cid:{cid_of(picture)}"))


def content(facts: Plain) -> Plain:
    """What the outbox keeps: the mail as it was written, whatever is measured anew since."""
    return {
        "kind": MessageKind.SUMMARY, "subject": subject(facts), "text": text(facts),
        "html": html(facts), "pictures": pictures(facts), "night": facts["night"],
        "link": f"{facts['url']}/summaries/{facts['night']}" if facts["url"] else "",
    }


def pictures(facts: Plain) -> list[str]:
    """The summary's plots, as paths beside the site file."""
    return [source["picture"] for source in facts["sources"] if source["picture"]]


def signed(value: float | None, error: float | None, digits: int = 2) -> str:
    """A change with its sign: ``+0.12 ± 0.02``, ``−0.30``."""
    if value is None:
        return NOTHING
    said = f"{value:+.{digits}f}".replace("-", "−")
    return said if error is None else f"{said} ± {error:.{digits}f}"


def percent(value: float | None, error: float | None, digits: int = 2) -> str:
    """A fraction with its error in percent: ``12.31 ± 0.25 %``."""
    if value is None:
        return NOTHING
    return plus_minus(value * 100.0, None if error is None else error * 100.0, digits) + " %"


def helpers() -> dict[str, Any]:
    """What templates call, those of the page too."""
    return {"plus_minus": plus_minus, "signed": signed, "percent": percent, "count": count,
            "utc": moment, "timing": timing}


def timing(facts: Plain) -> str:
    """A word on when a summary was made, where that was not at the end of its night."""
    made, until = facts["made_at"], facts["until"]
    if made < until:
        return f"The night is not over: this is how it stood at {moment(made)} UTC."
    if made - until > _LATE:
        return (f"The night ended at {moment(until)} UTC; this is how it stood at "
                f"{moment(made)} UTC.")
    return ""


def _context(facts: Plain) -> Plain:
    shown = facts["failures"][:_FAILURES]
    hidden = sum(failure["count"] for failure in facts["failures"][_FAILURES:])
    return facts | {"subject": subject(facts), "shown_failures": shown, "hidden_failures": hidden,
                    "facts": facts}
