"""A message as a mail: a plain part, and HTML with a small plot."""

from __future__ import annotations

from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import formatdate
from typing import Any

from jinja2 import Environment, PackageLoader

from iop4d import __version__
from iop4d.config import Channel

_JD_EPOCH = 2440587.5  # JD of 1970-01-01T00:00 UTC
_PLOT = "light-curve@iop4d"


def _utc(jd: float) -> str:
    moment = datetime.fromtimestamp((jd - _JD_EPOCH) * 86400.0, tz=UTC)
    return moment.strftime("%Y-%m-%d %H:%M:%S")


def _environment(*, html: bool) -> Environment:
    environment = Environment(loader=PackageLoader("iop4d.alerts"), autoescape=html,
                              trim_blocks=True, lstrip_blocks=True)
    environment.filters["utc"] = _utc
    return environment


def one_line(text: str, longest: int = 150) -> str:
    """A text fit for a header: one line, no control characters."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:longest]


def subject(content: dict[str, Any]) -> str:
    """The subject: site, source, magnitude and condition."""
    last = content["points"][-1]
    name = next(iter(content["other_names"]), content["source"])
    return one_line(f"[{content['site']}] {name} {content['band']} = {last['mag']:.3f} "
                    f"± {last['mag_err']:.3f}: {content['condition']}")


def build(content: dict[str, Any], *, channel: Channel, recipient: str, message_id: str,
          plot: bytes | None) -> EmailMessage:
    """The mail of a message's content."""
    message = EmailMessage()
    message["From"] = channel.sender
    message["To"] = recipient
    message["Subject"] = subject(content)
    message["Date"] = formatdate(localtime=False)
    message["Message-ID"] = message_id
    message["Auto-Submitted"] = "auto-generated"
    values = content | {"version": __version__, "plot": _PLOT if plot else ""}
    message.set_content(_environment(html=False).get_template("alert.txt").render(values))
    message.add_alternative(_environment(html=True).get_template("alert.html").render(values),
                            subtype="html")
    if plot:
        html = message.get_payload()[1]
        assert isinstance(html, EmailMessage)
        html.add_related(plot, "image", "png", cid=f"<{_PLOT}>", filename="light-curve.png")
    return message
