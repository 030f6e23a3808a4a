"""What a site file names that only installed packages know: instruments, kinds of channels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iop4d.model.errors import ConfigError
from iop4d.model.source import similar

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from iop4d.config import Site

    Place = Callable[[str, str, int], str]


def check_named(site: Site, place: Place) -> None:
    """Raise ConfigError for what is not there. ``place``: names a key's place in the file.

    Instruments are looked for where the file says anything of them: that takes a while.
    """
    _check_kinds(site, place)
    if site.camera or site.polarimeter or site.colour_term or site.polarimetry.method:
        _check_instruments(site, place)


def _check_kinds(site: Site, place: Place) -> None:
    from iop4d.config.channel import PluginChannel

    for number, channel in enumerate(site.channel):
        if isinstance(channel, PluginChannel):
            from iop4d.alerts.channels.base import channel_kinds

            _expect(channel.kind, channel_kinds(), place("channel", "kind", number))


def _check_instruments(site: Site, place: Place) -> None:
    from iop4d.instruments.discovery import find_instruments

    shipped = {one.name for one in find_instruments()}
    for number, camera in enumerate(site.camera):
        if camera.name in shipped:
            raise ConfigError(f"{place('camera', 'name', number)} is '{camera.name}'; expected a "
                              f"name that no other instrument has: {', '.join(sorted(shipped))}")
    there = shipped | {camera.name for camera in site.camera}
    for section in ("polarimeter", "colour_term"):
        for number, item in enumerate(getattr(site, section)):
            _expect(item.instrument, there, place(section, "instrument", number))
    for name in site.polarimetry.method:
        _expect(name.partition("/")[0], there, place("polarimetry", "method", 0))
    find_instruments(site.camera, site.polarimeter, site.colour_term)


def _expect(name: str, there: Collection[str], where: str) -> None:
    if name not in there:
        raise ConfigError(f"{where} names '{name}'; expected one of {', '.join(sorted(there))}"
                          f"{similar(name, there)}")
