"""The channels of a site, made from their sections of the site file."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from iop4d import config
from iop4d.alerts.mail import EmailChannel
from iop4d.alerts.transport import Channel, SendError

__all__ = ["KINDS", "Channel", "SendError", "make_channels"]

#: What makes a channel of each kind, from its section and the seconds a server may take.
KINDS: Mapping[str, Callable[[config.Channel, float], Channel]] = {"email": EmailChannel}


def make_channels(site: config.Site) -> dict[str, Channel]:
    """Every channel of the site by its name."""
    return {channel.name: KINDS[channel.kind](channel, site.alerts.timeout)
            for channel in site.channel}
