"""What the answers and failures of a mail server mean for a message and for its channel."""

from __future__ import annotations

import re
import ssl

import aiosmtplib

from iop4d.alerts.channels.base import SendError
from iop4d.alerts.rendering import clean

_OURS = {530, 534, 535, 538}  # login or encryption wanted: no recipient is at fault
_STORAGE = 552  # RFC 5321: too large a message, or a full mailbox
_ENHANCED = re.compile(r"\s*\d\.(\d{1,3})\.(\d{1,3})\b")  # RFC 3463: subject and detail
_SIZE_CODES = {("3", "4"), ("2", "3")}  # too large for the system, for this recipient
_FULL_CODES = {("2", "2"), ("3", "1")}  # mailbox full, disk of the server full
_SIZE = re.compile(r"too (large|big|long)|(message|size)\b.{0,40}(exceed|limit)|"
                   r"(exceed|limit).{0,40}\bsize", re.IGNORECASE)
_FULL = re.compile(r"quota|(mailbox|inbox).{0,30}full|storage", re.IGNORECASE)
_RELAY = re.compile(r"\brelay", re.IGNORECASE)
_SPAM = re.compile(r"\bspam|\bjunk|\bunsolicited|black ?list|block ?list|dnsbl|reputation|"
                   r"content (rejected|policy)", re.IGNORECASE)


class TooLargeError(SendError):
    """A mail is too large for the server or a recipient: a smaller one may be accepted."""


def check_size(size: int, offered: str | None, where: str) -> None:
    """Raises TooLargeError if a mail of ``size`` bytes is beyond what a server's EHLO offers."""
    limit = offered.strip() if offered else ""
    if limit.isdigit() and 0 < int(limit) < size:
        raise TooLargeError(f"{where} accepts mails of up to {limit} bytes; this one has {size}",
                            permanent=True)


def meaning_of(error: Exception, where: str, *, begun: bool) -> SendError:
    """What an error of the library means for the message and for its channel.

    ``begun``: the text was on its way, so that its fate is unknown without an answer.
    """
    match error:
        case aiosmtplib.SMTPSenderRefused() if _is_of_size(error.code, error.message):
            return refusal(error.code, error.message)
        case aiosmtplib.SMTPRecipientsRefused(recipients=[first, *_]):
            return refusal(first.code, first.message)
        case aiosmtplib.SMTPDataError():
            return refusal(error.code, error.message)
        case ssl.SSLError():  # before ValueError: a refused certificate is one, too
            reason = f"no trusted TLS connection to {where}: {clean(str(error))}"
        case aiosmtplib.SMTPNotSupported() | ValueError():
            return SendError(f"{where} cannot accept this message: {clean(str(error))}",
                             permanent=True)
        case aiosmtplib.SMTPResponseException():
            # Greeting, login, sender: not the fault of the message, which waits for a correction.
            reason = f"{where} answered {error.code} {clean(error.message)}"
            begun = False
        case TimeoutError():
            reason = f"{where} did not answer in time"
        case _:
            reason = f"{where}: {clean(str(error)) or type(error).__name__}"
    return SendError(reason, permanent=False, channel_down=True, unsure=begun)


def refusal(code: int, text: str) -> SendError:
    """The server's answer to this message.

    A server that refuses to relay our mail, or wants a login, can be configured, and a full
    mailbox emptied: such a message is kept.
    """
    said = f"{code} {clean(text, 400)}"
    if _is_of_size(code, text):
        return TooLargeError(said, permanent=not _may_be_full(code, text))
    ours = code in _OURS
    kept = ours or _RELAY.search(text) is not None or _is_full(text)
    permanent = 500 <= code < 600 and not kept
    if permanent and _SPAM.search(text):
        said = f"refused as spam: {said}"
    return SendError(said, permanent=permanent,
                     channel_down=ours or code == 421)  # 421: the service as a whole closes


def _is_of_size(code: int, text: str) -> bool:
    """Whether a smaller mail may be accepted."""
    if not 500 <= code < 600:
        return False
    enhanced = _enhanced(text)
    if enhanced in _SIZE_CODES:
        return True
    if enhanced in _FULL_CODES or (_FULL.search(text) and not _SIZE.search(text)):
        return False
    return code in (_STORAGE, 523) or _SIZE.search(text) is not None


def _may_be_full(code: int, text: str) -> bool:
    """Whether the answer may as well mean a full mailbox: the code does, the text says neither."""
    return code == _STORAGE and _enhanced(text) not in _SIZE_CODES and not _SIZE.search(text)


def _is_full(text: str) -> bool:
    enhanced = _enhanced(text)
    return enhanced in _FULL_CODES or (enhanced not in _SIZE_CODES and bool(_FULL.search(text)))


def _enhanced(text: str) -> tuple[str, str] | None:
    match = _ENHANCED.match(text)
    return (match[1], match[2]) if match else None
