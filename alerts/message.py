"""The mail of an alert: plain text and HTML that say the same, with the light curve in it."""

from __future__ import annotations

from datetime import UTC, datetime
from email.message import EmailMessage, MIMEPart
from email.policy import SMTP
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, TemplateError, select_autoescape

from iop4d.alerts import words
from iop4d.model.errors import Iop4dError
from iop4d.model.work import PlotRequest


class MessageError(Iop4dError):
    """A message cannot be written; the reason says why."""


def compose(content: dict[str, Any], *, message_id: str, sender: str, recipient: str, at: float,
            picture: bytes | None = None) -> EmailMessage:
    """The mail that says ``content``; ``at`` is its date in Unix seconds.

    Raises MessageError when the content is not what this version writes.
    """
    cid = f"light-curve.{message_id.strip('<>')}" if picture else ""
    try:
        content = content | {"subject": words.clean(content["subject"])}
        text = _templates().get_template("alert.txt").render(content)
        html = _templates().get_template("alert.html").render(content, cid=cid)
        message = EmailMessage(policy=SMTP)
        message["Subject"] = content["subject"]
        message["From"] = words.clean(sender)
        message["To"] = words.clean(recipient, 320)
        message["Date"] = datetime.fromtimestamp(at, UTC)
        message["Message-ID"] = message_id
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office answers
        message.set_content(text, cte="quoted-printable")
        message.add_alternative(html, subtype="html", cte="quoted-printable")
    except (TemplateError, KeyError, TypeError, ValueError) as error:
        raise MessageError(f"the message cannot be written: {error}") from error
    if picture:
        *_, rich = message.iter_parts()
        assert isinstance(rich, MIMEPart)
        rich.add_related(picture, "image", "png", cid=f"<{cid}>", disposition="inline",
                         filename="light-curve.png")
    return message


def plot_of(content: dict[str, Any]) -> PlotRequest | None:
    """The light curve that goes with a message; None when there is nothing to plot."""
    try:
        points = tuple((float(jd), float(mag), float("nan") if err is None else float(err))
                       for jd, mag, err in content["light_curve"])
        if not points:
            return None
        return PlotRequest(
            title=f"{content['source']} {content['band']}", band=content["band"], points=points,
            highlight_jd=content["points"][-1]["jd"], threshold=content["threshold"])
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise MessageError(f"the message cannot be written: {error!r}") from error


@cache
def _templates() -> Environment:
    environment = Environment(
        loader=PackageLoader("iop4d.alerts"), undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True, autoescape=select_autoescape(["html"]))
    environment.filters |= {"number": words.number, "headline": words.headline}
    environment.globals["plus_minus"] = words.plus_minus
    environment.globals["headline"] = words.headline
    return environment
