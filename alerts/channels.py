"""The channels of a site, made from their sections of the site file.

A kind is one file with one class. Those of iop4d are imported when a site has one of them; others
come from installed packages, by the entry point group ``iop4d.channels``.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from importlib.metadata import entry_points
from typing import Any

from iop4d import config
from iop4d.alerts.transport import Channel, SendError
from iop4d.model.errors import ConfigError

__all__ = ["GROUP", "KINDS", "Channel", "SendError", "channel_kinds", "make_channels"]

GROUP = "iop4d.channels"

#: What makes a channel of each kind, from its section and the seconds a server may take.
KINDS: Mapping[str, str] = {
    "email": "iop4d.alerts.mail:EmailChannel",
    "telegram": "iop4d.alerts.telegram:TelegramChannel",
    "webhook": "iop4d.alerts.webhook:WebhookChannel",
    "apprise": "iop4d.alerts.appriseway:AppriseChannel",
}
Maker = Callable[[config.Channel, float], Channel]


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
    raise ConfigError(f"channel '{channel.name}' is of the kind '{channel.kind}'; there are "
                      f"{', '.join(channel_kinds())}")


def _callable(channel: config.Channel, found: Any) -> Maker:
    if not callable(found):
        raise ConfigError(f"the kind '{channel.kind}' of channel '{channel.name}' is no class or "
                          "function that makes a channel")
    maker: Maker = found
    return maker
