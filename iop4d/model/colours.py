"""An instrument's own bands against the catalogue's: colour terms, their dates, and colours."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from iop4d.model.source import Source, catalogue_error

_NAN = float("nan")

#: The colours that a band's term is measured against, the first that the catalogue has.
COLOURS_OF: dict[str, tuple[str, ...]] = {
    "U": ("U-B", "B-V"), "B": ("B-V", "V-R"), "V": ("B-V", "V-R", "V-I"),
    "R": ("V-R", "B-V", "R-I"), "I": ("R-I", "V-I", "V-R"), "g": ("g-r",),
    "r": ("g-r", "r-i"), "i": ("r-i", "g-r"), "z": ("i-z", "r-i")}
#: Standard deviation of the colours that a source of unknown colour may have about those of the
#: comparison stars, magnitudes: blazars are bluer than most stars, by about as much.
_SPREAD = {"B-V": 0.35, "U-B": 0.5, "V-R": 0.2, "R-I": 0.2, "V-I": 0.4, "g-r": 0.35, "r-i": 0.15,
           "i-z": 0.15}
_OTHER_SPREAD = 0.35


@dataclass(frozen=True, kw_only=True)
class ColourTerm:
    """Catalogue minus instrumental magnitude in a band: a zero point plus ``term`` times a colour.

    ``colour``: two bands of the catalogue, such as ``B-V``; it holds from ``since_jd`` (included)
    to ``until_jd``, JD(UTC).
    """

    band: str
    colour: str
    term: float
    term_err: float
    since_jd: float = -math.inf
    until_jd: float = math.inf


@dataclass(frozen=True, kw_only=True)
class PhotometricSystem:
    """What is known of an instrument's bands.

    ``terms``: the dated ones, of which the last that holds counts. ``own_bands``: bands that only
    resemble the catalogue's of that name, with the error (mag) that this makes until a term is
    known.
    """

    terms: tuple[ColourTerm, ...] = ()
    own_bands: Mapping[str, float] = field(default_factory=dict)

    def term_at(self, band: str, jd: float) -> ColourTerm | None:
        """The term of a band at a date; None if none is known."""
        return next((t for t in reversed(self.terms)
                     if t.band == band and t.since_jd <= jd < t.until_jd), None)


def colour_of(source: Source, colour: str) -> tuple[float, float]:
    """A source's colour such as ``B-V`` and its error; NaN where the catalogue does not tell.

    That of ``colours``, of which a source that varies has only this, else of its magnitudes.
    """
    if colour in source.colours:
        value, err = source.colours[colour]
        return value, catalogue_error(err)
    first, _, second = colour.partition("-")
    if first not in source.magnitudes or second not in source.magnitudes:
        return _NAN, _NAN
    (one, one_err), (other, other_err) = source.magnitudes[first], source.magnitudes[second]
    return one - other, math.hypot(catalogue_error(one_err), catalogue_error(other_err))


def spread_of(colour: str) -> float:
    """Standard deviation of an unknown colour, magnitudes."""
    return _SPREAD.get(colour, _OTHER_SPREAD)
