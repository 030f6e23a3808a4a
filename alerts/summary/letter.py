"""The mail of a summary: its text and HTML as they were written, with its pictures."""

from __future__ import annotations

from datetime import UTC, datetime
from email.message import EmailMessage, MIMEPart
from email.policy import SMTP
from pathlib import Path
from typing import Any

from iop4d.alerts.message import MessageError
from iop4d.alerts.words import clean


def cid_of(picture: str) -> str:
    """The id by which a mail's HTML names one of its pictures."""
    return picture.replace("/", ".") + "@iop4d"


def compose(content: dict[str, Any], *, root: Path, message_id: str, sender: str, recipient: str,
            at: float) -> EmailMessage:
    """The mail that says ``content``; ``root``: the site's folder, where its pictures lie.

    A picture that is no longer there is left out. Raises MessageError when the content is not
    what this version writes.
    """
    message = EmailMessage(policy=SMTP)
    try:
        message["Subject"] = clean(content["subject"])
        message["From"] = clean(sender)
        message["To"] = clean(recipient, 320)
        message["Date"] = datetime.fromtimestamp(at, UTC)
        message["Message-ID"] = message_id
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office answers
        message.set_content(content["text"], cte="quoted-printable")
        message.add_alternative(content["html"], subtype="html", cte="quoted-printable")
        pictures = [str(picture) for picture in content["pictures"]]
    except (KeyError, TypeError, ValueError) as error:
        raise MessageError(f"the summary cannot be written: {error!r}") from error
    *_, rich = message.iter_parts()
    assert isinstance(rich, MIMEPart)
    for picture in pictures:
        try:
            png = (root / picture).read_bytes()
        except OSError:
            continue
        rich.add_related(png, "image", "png", cid=f"<{cid_of(picture)}>", disposition="inline",
                         filename=Path(picture).name)
    return message
