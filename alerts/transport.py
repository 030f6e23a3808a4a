"""What every channel promises, and how it says that a message did not go out."""

from __future__ import annotations

from email.message import EmailMessage
from typing import Protocol

from iop4d.model.errors import Iop4dError


class SendError(Iop4dError):
    """A message was not accepted.

    ``permanent``: trying the same again is of no use. ``channel_down``: no other message of this
    channel would get through now either.
    """

    def __init__(self, reason: str, *, permanent: bool, channel_down: bool = False) -> None:
        self.reason = reason
        self.permanent = permanent
        self.channel_down = channel_down
        super().__init__(reason)


class Channel(Protocol):
    """A way to reach people."""

    @property
    def sender(self) -> str:
        """The address that messages come from."""

    async def send(self, message: EmailMessage, recipient: str) -> None:
        """Hand a message over for one recipient; returns once it was accepted.

        Raises SendError when it was not, or when that is not known.
        """
