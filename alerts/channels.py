"""How messages leave: a channel sends one, or says why not and whether to try again."""

from __future__ import annotations

from email.message import EmailMessage
from typing import Protocol

from iop4d.config import Channel


class SendError(Exception):
    """A message was not taken. ``permanent``: it never will be; trying again is of no use.

    ``whole_channel``: no other message of the channel can go now either.
    """

    def __init__(self, reason: str, *, permanent: bool = False,
                 whole_channel: bool = False) -> None:
        self.permanent = permanent
        self.whole_channel = whole_channel
        super().__init__(reason)


class Sender(Protocol):
    """What a channel does."""

    async def send(self, message: EmailMessage, recipient: str) -> None:
        """Send a message to one recipient; raises SendError."""


def sender_of(channel: Channel, *, timeout: float) -> Sender:
    """The sender of a channel of the site file."""
    from iop4d.alerts.mail import MailSender  # one channel's library is not needed for another's

    return MailSender(channel, timeout=timeout)
