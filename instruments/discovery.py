"""Find the instruments: those in this folder, of plug-ins, and of the site file."""

from __future__ import annotations

import importlib
import pkgutil
from collections import Counter
from collections.abc import Mapping
from difflib import SequenceMatcher
from importlib.metadata import EntryPoint, entry_points

import iop4d.instruments
from iop4d.config import Camera
from iop4d.config.site import ColourTerm, Polarimeter
from iop4d.instruments.base import Header, Instrument, card, matches
from iop4d.instruments.camera import instrument_of
from iop4d.instruments.overrides import overridden, transformed
from iop4d.model.errors import ConfigError, FrameError

_ALIKE = 0.5  # of a header and what a section wants of it, from which on the section is named


def find_instruments(cameras: tuple[Camera, ...] = (),
                     polarimeters: tuple[Polarimeter, ...] = (),
                     colour_terms: tuple[ColourTerm, ...] = ()) -> tuple[Instrument, ...]:
    """Every instrument: the site's cameras first, then plug-ins, then the shipped ones.

    ``polarimeters``: the site's own constants in place of theirs; ``colour_terms``: of their bands.
    Raises ConfigError for a plug-in that cannot be loaded or is none, and for two instruments of
    one name.
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
    return transformed(overridden(found, polarimeters), colour_terms)


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
    said = ", ".join(f"{name} = {card(header, name)!r}"
                     for name in ("TELESCOP", "INSTRUME") if name in header)
    raise FrameError(
        f"no known instrument: the header says {said or 'neither TELESCOP nor INSTRUME'}. "
        f"{_near_miss(header, instruments)}; such frames are read again once the site file has a "
        "section that fits")


def _near_miss(header: Header, instruments: tuple[Instrument, ...]) -> str:
    """The section that fits all but for some cards, and these cards; or how to write one."""
    near = max((one for one in instruments if one.identity),
               key=lambda one: _likeness(header, one.identity), default=None)
    if near is None or not _likeness(header, near.identity) >= _ALIKE:
        return ("Describe the camera in a [[camera]] section of the site file, which 'iop4d "
                "instruments draft' writes from some frames")
    wrong = [f"{name} is {card(header, name)!r} and not {value!r}" if card(header, name) else
             f"{name} is missing or empty and not {value!r}"
             for name, value in near.identity.items() if not matches(header.get(name), value)]
    return f"The [[camera]] section '{near.name}' nearly fits, but {', '.join(wrong)}"


def _likeness(header: Header, identity: Mapping[str, str]) -> float:
    """How far a header is what a section wants, 0 to 1: each card's part is its text's."""
    parts = [1.0 if matches(header.get(name), value) else
             SequenceMatcher(None, card(header, name).lower(), value.lower()).ratio()
             for name, value in identity.items()]
    return sum(parts) / len(parts)
