"""The cards that tell when an exposure began, compared with the time that is used."""

from __future__ import annotations

from iop4d.instruments.base import Header, Instrument, card, julian_date
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
    return tuple(said)


def _step(value: str) -> float:
    """The last digit of a number of days; 0 of a text."""
    if not value.replace(".", "", 1).isdigit():
        return 0.0
    decimals = value.partition(".")[2].rstrip("0")
    return 10.0 ** -len(decimals)
