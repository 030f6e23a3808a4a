"""What every channel promises, what it is given, and how it says that a message did not go out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from iop4d.model.errors import Iop4dError


@dataclass(frozen=True, kw_only=True)
class Notice:
    """What is said to a recipient, in every form that a channel may want.

    ``id``: ``<iop4d...@host>``, the same at every attempt. ``kind``: alert, again, ended,
    withdrawn, digest, summary, system or test. ``text`` is complete; ``html`` and ``pictures``
    (content id to PNG) say the same for those who read them; ``tag`` names the alert in answers.
    ``at``: Unix seconds of its making. ``facts``: plain values, for programs.
    """

    id: str
    kind: str
    subject: str
    text: str
    at: float
    html: str = ""
    pictures: Mapping[str, bytes] = field(default_factory=dict)
    link: str = ""
    severity: str = "notice"
    tag: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def picture(self) -> bytes | None:
        """The first picture, for channels that show one."""
        return next(iter(self.pictures.values()), None)


class SendError(Iop4dError):
    """A message was not accepted.

    ``permanent``: trying the same again is of no use. ``channel_down``: no other message of this
    channel would get through now either. ``retry_after``: seconds that the other side asked for.
    ``moved_to``: the recipient's new name, to be used from now on. ``unsure``: it may have been
    accepted all the same, so that the next attempt must be the very same message.
    """

    def __init__(self, reason: str, *, permanent: bool, channel_down: bool = False,
                 retry_after: float | None = None, moved_to: str = "",
                 unsure: bool = False) -> None:
        self.reason = reason
        self.permanent = permanent
        self.channel_down = channel_down
        self.retry_after = retry_after
        self.moved_to = moved_to
        self.unsure = unsure
        super().__init__(reason)


class Channel(Protocol):
    """A way to reach people."""

    async def send(self, notice: Notice, recipient: str) -> None:
        """Hand a message over for one recipient; returns once it was accepted.

        Raises SendError when it was not, or when that is not known.
        """
