"""Mail, through aiosmtplib."""

from __future__ import annotations

import os
import ssl
from email.message import EmailMessage

import aiosmtplib

from iop4d.alerts.channels import SendError
from iop4d.config import Channel


class MailSender:
    """Sends mails through one server. TLS is what the site file says, never what the server offers:
    a server without STARTTLS would otherwise get the password in clear."""

    def __init__(self, channel: Channel, *, timeout: float) -> None:
        self._channel = channel
        self._timeout = timeout

    async def send(self, message: EmailMessage, recipient: str) -> None:
        """Send a mail to one recipient; raises SendError."""
        channel = self._channel
        try:
            refused, _ = await aiosmtplib.send(
                message, sender=channel.sender, recipients=[recipient], hostname=channel.host,
                port=channel.port, username=channel.user or None, password=self._password(),
                use_tls=channel.tls == "tls", start_tls=channel.tls == "starttls",
                timeout=self._timeout)
        except aiosmtplib.SMTPRecipientsRefused as error:
            code = error.recipients[0].code
            raise SendError(f"{recipient} refused: {error.recipients[0].message}",
                            permanent=code >= 500) from error
        except aiosmtplib.SMTPAuthenticationError as error:
            raise SendError(f"login refused: {error}", whole_channel=True) from error
        except aiosmtplib.SMTPResponseException as error:
            raise SendError(f"{error.code} {error.message}", permanent=error.code >= 500) from error
        except (aiosmtplib.SMTPException, OSError, ssl.SSLError) as error:
            raise SendError(f"{channel.host}:{channel.port}: {error}",
                            whole_channel=True) from error
        if refused:
            code, words = refused[recipient]
            raise SendError(f"{recipient} refused: {code} {words}", permanent=code >= 500)

    def _password(self) -> str | None:
        """The password, read anew each time so that a changed one is taken up."""
        channel = self._channel
        if channel.password_file is not None:
            try:
                return channel.password_file.read_text(encoding="utf-8").strip()
            except OSError as error:
                raise SendError(f"the password file cannot be read: {error}",
                                whole_channel=True) from error
        if channel.password_env:
            if channel.password_env not in os.environ:
                raise SendError(f"the environment has no {channel.password_env}",
                                whole_channel=True)
            return os.environ[channel.password_env]
        return None
