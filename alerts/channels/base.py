"""What every channel promises and is given, how it says that a message was not sent, and how the
channels of a site are made.

A kind of channel is one module with one class. Those of iop4d are imported when a site has one of
them; others come from installed packages, by the entry point group ``iop4d.channels``.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from typing import Any, Protocol, runtime_checkable

from iop4d import config
from iop4d.config.redact import named
from iop4d.config.secret import secret_of
from iop4d.model.errors import ConfigError, Iop4dError

GROUP = "iop4d.channels"
WHOLE = 4.0  # times the timeout of one answer: the longest that a whole delivery may take

#: What makes a channel of each kind, from its section and the seconds a server may take.
KINDS: Mapping[str, str] = {
    "email": "iop4d.alerts.channels.email:EmailChannel",
    "telegram": "iop4d.alerts.channels.telegram:TelegramChannel",
    "webhook": "iop4d.alerts.channels.webhook:WebhookChannel",
    "apprise": "iop4d.alerts.channels.apprise:AppriseChannel",
}


@dataclass(frozen=True, kw_only=True)
class Notice:
    """A message to a recipient, in every form that a channel may want.

    ``id``: ``<iop4d...@host>``, the same at every attempt. ``kind``: a MessageKind. ``first_id``:
    the id of the first notice of the same alert, where this is a later one.
    ``text`` is complete; ``html`` and ``pictures`` (content id to PNG) say the same for those who
    read them; ``tag`` names the alert in answers. ``at``: Unix seconds of its making. ``facts``:
    plain values, for programs.
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
    first_id: str = ""
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
    accepted nevertheless, so that the next attempt must be the very same message.
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


@runtime_checkable
class Checked(Protocol):
    """A channel whose server can be asked whether it would take a message. None needs to be."""

    async def check(self) -> None:
        """Connect and sign in as for a message, and send none.

        Raises SendError where no message would be accepted.
        """


def secret_for(channel: config.Channel, *, needed: str) -> str:
    """The secret of a channel, read for each message: a corrected file needs no restart.

    Raises SendError where there is none; ``needed`` names it.
    """
    secret = secret_of(channel)
    try:
        found = secret.read()
    except ConfigError as error:
        raise SendError(str(error), permanent=False, channel_down=True) from error
    if found is None:
        of_file, of_env, of_credential = secret.keys
        raise SendError(f"channel '{channel.name}' has no {needed}: set {of_file}, {of_env} or "
                        f"{of_credential}", permanent=False, channel_down=True)
    return found


Maker = Callable[[Any, float], Channel]


def make_channels(site: config.Site) -> dict[str, Channel]:
    """Every channel of the site by its name; raises ConfigError for a kind that is not there."""
    return {channel.name: _maker(channel)(channel, site.alerts.timeout)
            for channel in site.channel}


def channel_kinds() -> list[str]:
    """Every kind of channel that there is here, those of installed packages last."""
    return [*KINDS, *sorted({point.name for point in entry_points(group=GROUP)} - set(KINDS))]


def _maker(channel: config.Channel) -> Maker:
    if channel.kind in KINDS:
        module, _, name = KINDS[channel.kind].partition(":")
        return _callable(channel, getattr(importlib.import_module(module), name))
    for point in entry_points(group=GROUP):
        if point.name == channel.kind:
            try:
                return _callable(channel, point.load())
            # Whatever a plug-in does when it is imported must not end in a bare traceback.
            except Exception as error:
                raise ConfigError(f"the plug-in '{channel.kind}' ({point.value}) of channel "
                                  f"'{channel.name}' cannot be loaded: {type(error).__name__}: "
                                  f"{error}") from error
    raise ConfigError(f"channel '{channel.name}' has the unknown kind {named(channel.kind)}; "
                      f"expected one of {', '.join(channel_kinds())}")


def _callable(channel: config.Channel, found: Any) -> Maker:
    if not callable(found):
        raise ConfigError(f"the kind '{channel.kind}' of channel '{channel.name}' is not a class "
                          "or function that makes a channel")
    maker: Maker = found
    return maker


def scrub(text: str, addresses: str) -> str:
    """Text without any piece of the addresses that could be a password."""
    pieces = {piece for piece in re.split(r"[\s/@:?&=,;]+", addresses) if len(piece) > 4}
    for piece in sorted(pieces, key=len, reverse=True):
        text = text.replace(piece, "***")
    return text
