"""The cards that tell when an exposure began and ended, compared with the times that are used."""

from __future__ import annotations

from iop4d.instruments.base import Header, Instrument, card, julian_date
from iop4d.instruments.other_images import stack_doubt
from iop4d.model.errors import CardError
from iop4d.model.frame import FrameFacts
from iop4d.model.units import SECONDS_A_DAY, utc_of_jd

_CLOCKS_DIFFER_S = 120.0  # between cards: one may be of the header's writing, or of another scale


def start_doubts(header: Header, instrument: Instrument, facts: FrameFacts) -> tuple[str, ...]:
    """In words, each of the instrument's cards for the start that tells another time.

    A card may hold the middle or the end of the exposure, and its last digit is not exact.
    """
    said = []
    for name in instrument.start_cards:
        try:
            jd = julian_date(header, name)
        except CardError:
            continue
        allowed = facts.exptime_s + _CLOCKS_DIFFER_S + SECONDS_A_DAY * _step(card(header, name))
        off = abs(jd - facts.jd_start) * SECONDS_A_DAY
        if off > allowed:
            said.append(f"its card {name} says {utc_of_jd(jd)} UTC, {off / 3600.0:.2g} hours from "
                        f"the time that is used, {utc_of_jd(facts.jd_start)}")
    return tuple(said) + exposure_doubts(header, instrument, facts)


def exposure_doubts(header: Header, instrument: Instrument, facts: FrameFacts) -> tuple[str, ...]:
    """In words, that DATE-END tells another exposure time, or that an image is of several ones."""
    said = [stack_doubt(header)]
    if instrument.start_cards:
        try:
            lasted = SECONDS_A_DAY * (julian_date(header, "DATE-END")
                                      - julian_date(header, "DATE-OBS"))
        except CardError:
            lasted = 0.0
        # Read-out and a clock of whole seconds make a part of it; an hour is a time zone.
        allowed = 0.5 * max(lasted, facts.exptime_s) + _CLOCKS_DIFFER_S
        if lasted > 1.0 and abs(lasted - facts.exptime_s) > allowed:
            said.append(f"its exposure time is {facts.exptime_s:g} s, and from DATE-OBS to "
                        f"DATE-END it is {lasted:.0f} s")
    return tuple(filter(None, said))


def _step(value: str) -> float:
    """The last digit of a number of days; 0 of a text."""
    if not value.replace(".", "", 1).isdigit():
        return 0.0
    decimals = value.partition(".")[2].rstrip("0")
    return 10.0 ** -len(decimals)
