"""Mail over SMTP: in clear only where no password is at stake, never by chance."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import ssl
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from email.headerregistry import HeaderRegistry, MessageIDHeader
from email.message import EmailMessage, MIMEPart
from email.policy import SMTP
from email.utils import parseaddr
from typing import Any

import aiosmtplib

from iop4d import config
from iop4d.alerts.channels.base import WHOLE, Notice, SendError, secret_for
from iop4d.alerts.channels.smtp_answers import TooLargeError, check_size, meaning_of, refusal
from iop4d.alerts.rendering import clean

log = logging.getLogger(__name__)

_LINGER = 0.01  # seconds in which the loop closes the socket, also one whose TLS was refused
_GOODBYE = 2.0  # seconds that a server may take over QUIT; the message is accepted by then
_PICTURE = re.compile(r'<img\b[^>]*\bsrc="cid:[^"]*"[^>]*>')
_LEFT_OUT = "left out: the mail server refuses mails of that size"
#: Headers that hold an id, besides that of the mail. The library folds them as words, and encodes
#: one that is long for a line: then no reader finds the mail or the picture that is meant.
_OF_IDS = ("in-reply-to", "references", "content-id")


class EmailChannel:
    """One mail server. A connection is made for each message: alerts are few and far between."""

    def __init__(self, channel: config.EmailChannel, timeout: float) -> None:
        self._channel = channel
        self._timeout = timeout

    async def send(self, notice: Notice, recipient: str) -> None:
        """Hand a mail over to the server; raises SendError when it was not accepted.

        A mail that is too large goes without its pictures, or as text alone. A connection that
        breaks after the text was sent leaves its fate unknown: that is a temporary error, and the
        retry carries the same Message-ID.
        """
        if recipient != clean(recipient, 320):  # the library would pick some address out of it
            raise SendError(f"'{clean(recipient, 80)}' is not an address", permanent=True)
        too_large: SendError | None = None
        for smaller in _ever_smaller(notice):
            try:
                return await self._send(self._mail(smaller, recipient), recipient)
            except TooLargeError as error:
                log.warning("%s to %s is too large: %s", notice.id, recipient, error)
                too_large = error
        assert too_large is not None
        raise too_large

    async def check(self) -> None:
        """Connect, with TLS, and sign in, as before a mail; raises SendError."""
        client = self._client()
        try:
            async with asyncio.timeout(self._timeout):
                await client.connect()
        except (aiosmtplib.SMTPException, OSError, TimeoutError, ValueError) as error:
            raise meaning_of(error, self._where, begun=False) from error
        finally:
            await _hang_up(client)

    async def _send(self, message: EmailMessage, recipient: str) -> None:
        client = self._client()
        try:
            async with asyncio.timeout(WHOLE * self._timeout):
                await client.connect()
                if client.is_ehlo_or_helo_needed:
                    with contextlib.suppress(aiosmtplib.SMTPHeloError):  # older than EHLO
                        await client.ehlo()
                check_size(len(message.as_bytes()), client.esmtp_extensions.get("size"),
                           self._where)
                refused, _ = await client.send_message(
                    message, sender=parseaddr(self._channel.sender)[1], recipients=[recipient])
        except (aiosmtplib.SMTPException, OSError, TimeoutError, ValueError) as error:
            raise meaning_of(error, self._where, begun=client.text_begun) from error
        finally:
            await _hang_up(client)
        # A server that takes the text for some recipients alone is no error to the library.
        for code, text in refused.values():
            raise refusal(code, text)

    @property
    def _where(self) -> str:
        return f"{self._channel.host}:{self._channel.port}"

    def _mail(self, notice: Notice, recipient: str) -> EmailMessage:
        channel = self._channel
        # A blind copy must not name its recipient in the header; the first of the others stands
        # there.
        shown = recipient if recipient in channel.to or not channel.to else channel.to[0]
        try:
            return write_mail(notice, sender=channel.sender, recipient=shown,
                              reply_to=channel.reply_to)
        except ValueError as error:
            raise SendError(f"the mail cannot be written: {clean(str(error))}",
                            permanent=True) from error

    def _client(self) -> _Client:
        channel = self._channel
        return _Client(
            hostname=channel.host, port=channel.port, timeout=self._timeout,
            # Never None: that would send in clear to a server that offers no STARTTLS.
            use_tls=channel.tls == "tls", start_tls=channel.tls == "starttls",
            tls_context=self._trusted(),
            username=channel.user or None, password=self._password() if channel.user else None)

    def _trusted(self) -> ssl.SSLContext | None:
        """What certificates are checked against, where the system's alone do not do."""
        channel = self._channel
        if channel.ca_file is None or channel.tls == "none":
            return None
        context = ssl.create_default_context()
        try:
            context.load_verify_locations(channel.ca_file)
        except (OSError, ssl.SSLError) as error:
            raise SendError(f"the key 'ca_file' of the channel '{channel.name}' names a file "
                            f"without certificates: {channel.ca_file}: {error}", permanent=False,
                            channel_down=True) from error
        return context

    def _password(self) -> str:
        channel = self._channel
        if channel.tls == "none":
            raise SendError(f"channel '{channel.name}' has a user but no TLS: its password "
                            "would be sent unencrypted", permanent=False, channel_down=True)
        return secret_for(channel, needed="password")


def write_mail(notice: Notice, *, sender: str, recipient: str, reply_to: str = "",
               ) -> EmailMessage:
    """The mail of a notice: plain text, HTML beside it, and its pictures inside."""
    headers = HeaderRegistry()
    for name in _OF_IDS:
        headers.map_to_type(name, MessageIDHeader)  # type: ignore[arg-type]  # as its own
    message = EmailMessage(policy=SMTP.clone(header_factory=headers))
    message["Subject"] = notice.subject
    message["From"] = clean(sender)
    message["To"] = clean(recipient, 320)
    if reply_to:
        message["Reply-To"] = clean(reply_to, 320)
    message["Date"] = datetime.fromtimestamp(notice.at, UTC)
    message["Message-ID"] = notice.id
    if notice.first_id:  # mail readers show the messages of an alert as one thread
        message["In-Reply-To"] = message["References"] = notice.first_id
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office answers
    message.set_content(notice.text, cte="quoted-printable")
    if notice.html:
        message.add_alternative(notice.html, subtype="html", cte="quoted-printable")
        *_, rich = message.iter_parts()
        assert isinstance(rich, MIMEPart)
        for cid, picture in notice.pictures.items():
            rich.add_related(picture, "image", "png", cid=f"<{cid}>", disposition="inline",
                             filename=f"{cid.partition('.')[0]}.png")
    return message


def _ever_smaller(notice: Notice) -> Iterator[Notice]:
    """A notice as it is, without its pictures, and as text alone."""
    yield notice
    if notice.pictures:
        bare = replace(
            notice, pictures={}, text=f"{notice.text.rstrip()}\n\nPictures {_LEFT_OUT}.\n",
            html=_PICTURE.sub(f"<em>Picture {_LEFT_OUT}.</em>", notice.html))
        yield bare
        notice = bare
    if notice.html:
        yield replace(notice, html="")


class _Client(aiosmtplib.SMTP):
    """Knows whether the text was on its way: a mail whose text was not has not arrived."""

    text_begun = False

    async def data(self, message: str | bytes, /, **more: Any) -> Any:
        """Send the text."""
        self.text_begun = True
        return await super().data(message, **more)


async def _hang_up(client: aiosmtplib.SMTP) -> None:
    if client.is_connected:
        with contextlib.suppress(aiosmtplib.SMTPException, OSError, TimeoutError):
            async with asyncio.timeout(_GOODBYE):
                await client.quit()
    client.close()
    await asyncio.sleep(_LINGER)
