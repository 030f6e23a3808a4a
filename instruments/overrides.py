"""An installation's own constants in place of an instrument's."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import date

from iop4d.config.site import ColourTerm as ColourSection
from iop4d.config.site import Polarimeter as Section
from iop4d.instruments.base import Instrument
from iop4d.instruments.telescopes import Telescope
from iop4d.model.colours import ColourTerm
from iop4d.model.errors import ConfigError
from iop4d.model.polarimeter import Beams, InstrumentalPolarisation
from iop4d.model.units import JD_UNIX_EPOCH


def overridden(instruments: tuple[Instrument, ...],
               sections: tuple[Section, ...]) -> tuple[Instrument, ...]:
    """The instruments with the site's constants; raises ConfigError for a section that fits none.

    ``instruments``: no two of one name.
    """
    found = {instrument.name: instrument for instrument in instruments}
    for section in sections:
        if section.instrument not in found:
            raise ConfigError(f"[[polarimeter]] instrument = '{section.instrument}': there is no "
                              f"such instrument; there are {', '.join(found)}")
        found[section.instrument] = _with(found[section.instrument], section)
    return tuple(found.values())


def transformed(instruments: tuple[Instrument, ...],
                sections: tuple[ColourSection, ...]) -> tuple[Instrument, ...]:
    """The instruments with the site's colour terms, in their order; a later one counts first.

    Raises ConfigError for a section that fits no instrument.
    """
    found = {instrument.name: instrument for instrument in instruments}
    for section in sections:
        if section.instrument not in found:
            raise ConfigError(f"[[colour_term]] instrument = '{section.instrument}': there is no "
                              f"such instrument; there are {', '.join(found)}")
        one = found[section.instrument]
        since, until = _limits("colour_term", section, one.telescope)
        term = ColourTerm(band=section.band, colour=section.colour, term=section.term,
                          term_err=section.term_err, since_jd=since, until_jd=until)
        found[section.instrument] = replace(one, system=replace(
            one.system, terms=(*one.system.terms, term)))
    return tuple(found.values())


def _with(instrument: Instrument, section: Section) -> Instrument:
    if _any_set(section.sky_angle, section.sky_angle_err):
        angle, err = instrument.sky_angle_deg or (math.nan, 0.0)
        instrument = replace(instrument, sky_angle_deg=(
            _needed(section, "sky_angle", _or(section.sky_angle, angle)),
            _or(section.sky_angle_err, err)))
    if section.pair_offset or section.pair_tolerance:
        instrument = replace(instrument, beams=_beams(_with_pairs(instrument), section))
    if _any_set(section.q0, section.q0_err, section.u0, section.u0_err, section.zero_angle,
                section.zero_angle_err):
        instrument = _with_constants(instrument, section)
    return instrument


def _with_pairs(instrument: Instrument) -> Beams:
    """The pairs of an instrument; raises ConfigError where an offset would be of no effect: of
    single images, or of several analysers."""
    said = f"[[polarimeter]] instrument = '{instrument.name}': "
    if instrument.analysers:
        raise ConfigError(f"{said}each of its analysers has its own pair offset; expected them in "
                          "pair_offsets of the [[camera]] section")
    if instrument.beams is None:
        raise ConfigError(f"{said}it makes one image of every star; expected no pair_offset" + (
            ", but analyser, angle_card and pair_offset in its [[camera]] section if it is a "
            "polarimeter of two images" if instrument.identity else ""))
    return instrument.beams


def _beams(pairs: Beams, section: Section) -> Beams:
    """At binning 1, as the site file has it."""
    (dx, dy), (tx, ty) = (own or old for own, old in zip(
        (section.pair_offset, section.pair_tolerance), pairs.at(1), strict=True))
    return Beams(offset_px=(dx, dy), tolerance_px=(tx, ty), source="the site file")


def _with_constants(instrument: Instrument, section: Section) -> Instrument:
    """What is not set is as shipped, with the dates of that."""
    polarimeter = instrument.polarimeter
    if polarimeter is None:
        raise ConfigError(f"[[polarimeter]] instrument = '{instrument.name}': it measures no "
                          "polarisation")
    since, until = _limits("polarimeter", section, instrument.telescope)
    pieces = [
        InstrumentalPolarisation(
            q0=_percent(section.q0, old.q0), q0_err=_percent(section.q0_err, old.q0_err),
            u0=_percent(section.u0, old.u0), u0_err=_percent(section.u0_err, old.u0_err),
            angle_deg=_or(section.zero_angle, old.angle_deg),
            angle_err_deg=_or(section.zero_angle_err, old.angle_err_deg),
            since_jd=max(since, old.since_jd), until_jd=min(until, old.until_jd),
            source="the site file")
        for old in polarimeter.constants]
    return replace(instrument, polarimeter=replace(polarimeter, constants=(
        *polarimeter.constants, *(piece for piece in pieces if piece.since_jd < piece.until_jd))))


def _limits(name: str, section: Section | ColourSection,
            telescope: Telescope) -> tuple[float, float]:
    """JD(UTC) from and to which a section holds; raises ConfigError where it never does."""
    if section.since and section.until and section.since >= section.until:
        raise ConfigError(f"[[{name}]] instrument = '{section.instrument}': since is "
                          f"{section.since}, expected a night before until, {section.until}")
    return (_noon(section.since, telescope) if section.since else -math.inf,
            _noon(section.until, telescope) if section.until else math.inf)


def _noon(day: str, telescope: Telescope) -> float:
    """JD(UTC) of the local noon before a night."""
    days = (date.fromisoformat(day) - date(1970, 1, 1)).days
    longitude = telescope.longitude_deg if math.isfinite(telescope.longitude_deg) else 0.0
    return JD_UNIX_EPOCH + days + 0.5 - longitude / 360.0


def _needed(section: Section, key: str, value: float) -> float:
    """A value that must be set where nothing is shipped."""
    if not math.isfinite(value):
        raise ConfigError(f"[[polarimeter]] instrument = '{section.instrument}': expected the key "
                          f"{key}, of which none is shipped")
    return value


def _any_set(*values: float) -> bool:
    return any(math.isfinite(value) for value in values)


def _percent(value: float, shipped: float) -> float:
    return value / 100.0 if math.isfinite(value) else shipped


def _or(value: float, shipped: float) -> float:
    return value if math.isfinite(value) else shipped
