"""Find the instruments: those in this folder, of plug-ins, and of the site file."""

from __future__ import annotations

import importlib
import pkgutil
from collections import Counter
from importlib.metadata import EntryPoint, entry_points

import iop4d.instruments
from iop4d.config import Camera
from iop4d.config.site import Polarimeter
from iop4d.instruments.base import Header, Instrument
from iop4d.instruments.camera import instrument_of
from iop4d.instruments.overrides import overridden
from iop4d.model.errors import ConfigError, FrameError


def find_instruments(cameras: tuple[Camera, ...] = (),
                     polarimeters: tuple[Polarimeter, ...] = ()) -> tuple[Instrument, ...]:
    """Every instrument: the site's cameras first, then plug-ins, then the shipped ones.

    ``polarimeters``: the site's own constants in place of theirs. Raises ConfigError for a plug-in
    that cannot be loaded or is none, and for two instruments of one name.
    """
    shipped = []
    for module in pkgutil.iter_modules(iop4d.instruments.__path__):
        loaded = importlib.import_module(f"iop4d.instruments.{module.name}")
        if isinstance(found := getattr(loaded, "INSTRUMENT", None), Instrument):
            shipped.append(found)
    plugged = [_plugged(point) for point in entry_points(group="iop4d.instruments")]
    found = (*map(instrument_of, cameras), *plugged, *shipped)
    for name, number in Counter(instrument.name for instrument in found).items():
        if number > 1:
            raise ConfigError(f"{number} instruments are named '{name}', of those shipped, of "
                              "plug-ins and of [[camera]] sections: give each its own name")
    return overridden(found, polarimeters)


def _plugged(point: EntryPoint) -> Instrument:
    try:
        found = point.load()
    except Exception as error:  # whatever a stranger's module does, its name is told
        raise ConfigError(f"the instrument plug-in '{point.name}' ({point.value}) cannot be "
                          f"loaded: {type(error).__name__}: {error}") from error
    if not isinstance(found, Instrument):
        raise ConfigError(f"the instrument plug-in '{point.name}' ({point.value}) is no "
                          "Instrument of iop4d.instruments.base")
    return found


def instrument_for(header: Header, instruments: tuple[Instrument, ...]) -> Instrument:
    """The instrument that recognises a header; raises FrameError when none does."""
    for instrument in instruments:
        if instrument.recognises(header):
            return instrument
    said = ", ".join(f"{card} = {str(header[card]).strip()!r}"
                     for card in ("TELESCOP", "INSTRUME") if card in header)
    raise FrameError(
        f"no known instrument: the header says {said or 'neither TELESCOP nor INSTRUME'}. "
        "Describe the camera in a [[camera]] section of the site file")
