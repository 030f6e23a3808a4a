"""An installation's own constants in place of an instrument's."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import date

from iop4d.config.site import Polarimeter as Section
from iop4d.instruments.base import Instrument
from iop4d.instruments.telescopes import JD_UNIX_EPOCH, Telescope
from iop4d.model.errors import ConfigError
from iop4d.model.polarimeter import Beams, InstrumentalPolarisation


def overridden(instruments: tuple[Instrument, ...],
               sections: tuple[Section, ...]) -> tuple[Instrument, ...]:
    """The instruments with the site's constants; raises ConfigError for an unknown instrument."""
    found = {instrument.name: instrument for instrument in instruments}
    for section in sections:
        if section.instrument not in found:
            raise ConfigError(f"[[polarimeter]] instrument = '{section.instrument}': there is no "
                              f"such instrument; there are {', '.join(found)}")
        found[section.instrument] = _with(found[section.instrument], section)
    return tuple(found[instrument.name] for instrument in instruments)


def _with(instrument: Instrument, section: Section) -> Instrument:
    if math.isfinite(section.sky_angle):
        err = section.sky_angle_err if math.isfinite(section.sky_angle_err) else 0.0
        instrument = replace(instrument, sky_angle_deg=(section.sky_angle, err))
    if section.pair_offset:
        instrument = replace(instrument, beams=_beams(instrument, section))
    if any(math.isfinite(v) for v in (section.q0, section.u0, section.angle)):
        instrument = _with_constants(instrument, section)
    return instrument


def _beams(instrument: Instrument, section: Section) -> Beams:
    shipped = instrument.beams
    tolerance = section.pair_tolerance or (
        tuple(t * shipped.at_binning for t in shipped.tolerance_px) if shipped else (4.0, 4.0))
    return Beams(offset_px=(section.pair_offset[0], section.pair_offset[1]),
                 tolerance_px=(tolerance[0], tolerance[1]), source="the site file")


def _with_constants(instrument: Instrument, section: Section) -> Instrument:
    polarimeter = instrument.polarimeter
    if polarimeter is None:
        raise ConfigError(f"[[polarimeter]] instrument = '{instrument.name}': it measures no "
                          "polarisation")
    since, until = (_noon(day, instrument.telescope) if day else limit
                    for day, limit in ((section.since, -math.inf), (section.until, math.inf)))
    # What is not set is as shipped, with the dates of that.
    pieces = [
        InstrumentalPolarisation(
            q0=_percent(section.q0, old.q0), q0_err=_percent(section.q0_err, old.q0_err),
            u0=_percent(section.u0, old.u0), u0_err=_percent(section.u0_err, old.u0_err),
            angle_deg=_or(section.angle, old.angle_deg),
            angle_err_deg=_or(section.angle_err, old.angle_err_deg),
            since_jd=max(since, old.since_jd), until_jd=min(until, old.until_jd),
            source="the site file")
        for old in polarimeter.constants]
    return replace(instrument, polarimeter=replace(polarimeter, constants=(
        *polarimeter.constants, *(piece for piece in pieces if piece.since_jd < piece.until_jd))))


def _noon(day: str, telescope: Telescope) -> float:
    """JD(UTC) of the local noon before a night."""
    days = (date.fromisoformat(day) - date(1970, 1, 1)).days
    longitude = telescope.longitude_deg if math.isfinite(telescope.longitude_deg) else 0.0
    return JD_UNIX_EPOCH + days + 0.5 - longitude / 360.0


def _percent(value: float, shipped: float) -> float:
    return value / 100.0 if math.isfinite(value) else shipped


def _or(value: float, shipped: float) -> float:
    return value if math.isfinite(value) else shipped
