"""The demo's mailbox: mails of a folder, shown as a mail program would."""

from __future__ import annotations

import base64
import email
import email.policy
import os
import re
from dataclasses import dataclass
from email.message import EmailMessage, MIMEPart
from pathlib import Path

from flask import Blueprint, Response, abort

from iop4d.store.database import Connection
from iop4d.web.auth import relax
from iop4d.web.context import parts, reading, render
from iop4d.web.reader import RefusedError, open_inside

blueprint = Blueprint("mailbox", __name__)

_SHOWN = 100
_LARGEST = 16 << 20


@dataclass(frozen=True, kw_only=True)
class Mail:
    """A mail as it is shown."""

    name: str
    at: float
    subject: str
    sender: str
    to: str
    date: str
    text: str
    html: str
    attachments: tuple[str, ...]


@blueprint.before_request
def refuse_without_one() -> None:
    """There is a mailbox only where the site file names one."""
    if parts().site.web.mailbox is None:
        abort(404, "This site shows no mailbox.")


@blueprint.get("/mailbox")
@blueprint.get("/mailbox/<name>")
@reading
def mailbox(db: Connection, name: str | None = None) -> str:
    """The mails, and one of them: the newest, or the one asked for."""
    names = _names()
    if name is not None and name not in names:
        abort(404, "There is no such mail.")
    mails = [mail for mail in map(_read, names[:_SHOWN]) if mail]
    shown = _read(name) if name else mails[0] if mails else None
    relax(frame_src="'self'")
    return render(db, "mailbox.html", mails=mails, shown=shown, total=len(names))


@blueprint.get("/mailbox/<name>/html")
def html(name: str) -> Response:
    """A mail's HTML alone, with nothing allowed but its own styles and pictures."""
    mail = _read(name) if name in _names() else None
    if mail is None or not mail.html:
        abort(404, "There is no such mail.")
    relax(script_src="'none'", style_src="'unsafe-inline'", img_src="data:", connect_src="'none'",
          font_src="'none'", form_action="'none'", frame_ancestors="'self'", sandbox="")
    return Response(mail.html, mimetype="text/html")


def _folder() -> Path:
    site = parts().site
    assert site.web.mailbox is not None
    return site.root / site.web.mailbox


def _names() -> list[str]:
    """The names of the mails, the newest first."""
    try:
        with os.scandir(_folder()) as entries:
            found = [(entry.stat(follow_symlinks=False).st_mtime_ns, entry.name)
                     for entry in entries if entry.name.endswith(".eml")]
    except OSError:
        # No folder yet, or a mail that was deleted meanwhile: the next look has the rest.
        return []
    return [name for _, name in sorted(found, reverse=True)]


def _read(name: str) -> Mail | None:
    path = _folder().absolute() / name
    try:
        with open_inside(path, [_folder()]) as file:
            content, at = file.read(_LARGEST), path.lstat().st_mtime
    except (RefusedError, OSError):
        return None
    message = email.message_from_bytes(content, policy=email.policy.default)
    plain = message.get_body(("plain",))
    rich = message.get_body(("html",))
    return Mail(
        name=name, at=at, subject=str(message["subject"] or "(no subject)"),
        sender=str(message["from"] or ""), to=str(message["to"] or ""),
        date=str(message["date"] or ""), text=_content(plain),
        html=_with_pictures(_content(rich), message),
        attachments=tuple(part.get_filename() or part.get_content_type()
                          for part in message.iter_attachments()
                          if part.get_content_disposition() == "attachment"))


def _content(part: MIMEPart | None) -> str:
    if part is None:
        return ""
    try:
        return str(part.get_content())
    except (LookupError, ValueError):
        payload = part.get_payload(decode=True)
        return payload.decode("utf-8", "replace") if isinstance(payload, bytes) else ""


def _with_pictures(text: str, message: EmailMessage) -> str:
    """Put the pictures that a mail contains into its HTML."""
    pictures: dict[str, str] = {}
    for part in message.walk():
        cid = str(part.get("content-id") or "").strip().strip("<>")
        data = part.get_payload(decode=True)
        if cid and part.get_content_maintype() == "image" and isinstance(data, bytes):
            pictures[cid] = (f"data:{part.get_content_type()};base64,"
                             f"{base64.b64encode(data).decode()}")
    return re.sub(r"cid:([^\s\"'<>)]+)", lambda m: pictures.get(m[1], ""), text)
