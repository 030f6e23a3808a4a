"""Find the instruments: those in this folder, of plug-ins, and of the site file."""

from __future__ import annotations

import importlib
import pkgutil
from importlib.metadata import entry_points

import iop4d.instruments
from iop4d.config import Camera
from iop4d.instruments.base import Header, Instrument
from iop4d.instruments.camera import instrument_of
from iop4d.model.errors import FrameError


def find_instruments(cameras: tuple[Camera, ...] = ()) -> tuple[Instrument, ...]:
    """Every instrument: the site's cameras first, then plug-ins, then the shipped ones."""
    shipped = []
    for module in pkgutil.iter_modules(iop4d.instruments.__path__):
        loaded = importlib.import_module(f"iop4d.instruments.{module.name}")
        if isinstance(found := getattr(loaded, "INSTRUMENT", None), Instrument):
            shipped.append(found)
    plugged = [point.load() for point in entry_points(group="iop4d.instruments")]
    return (*map(instrument_of, cameras), *plugged, *shipped)


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
