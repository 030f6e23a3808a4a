"""Colour terms in a calibration: what they change of the stars, the source and its errors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from iop4d.model.colours import COLOURS_OF, ColourTerm, PhotometricSystem, colour_of, spread_of
from iop4d.model.flags import Flag
from iop4d.model.result import NAN, ResultValue
from iop4d.model.source import Source
from iop4d.science.colour_terms import slope
from iop4d.science.ensemble import Ensemble
from iop4d.science.ordered import median

Floats = NDArray[np.float64]

_TERM = 0.05  # mag per mag: standard deviation of the terms of filters that were made for a band


@dataclass(frozen=True, kw_only=True)
class Colours:
    """The colours that enter a calibration in one band.

    ``shift``, ``err``: (S,) what is subtracted from each calibrator's magnitude, so that it is one
    of the source's colour, and the error of that. ``common_err``: the error that all magnitudes of
    the source share. ``colour``: the source's, NaN if unknown.
    """

    band: str
    shift: Floats
    err: Floats
    common_err: float = 0.0
    colour: float = NAN
    term: ColourTerm | None = None
    own_band: bool = False


def colours_of(target: Source, stars: Sequence[Source], band: str, jd: float,
               system: PhotometricSystem) -> Colours:
    """What the instrument's colour term does to a source and its calibrators.

    A source of unknown colour counts as one of the median calibrator's colour, with the spread of
    plausible colours as its error; a calibrator likewise. A source's colour is one for all its
    points: what it is wrong by, they share.
    """
    nothing = np.zeros(len(stars))
    term = system.term_at(band, jd)
    if term is None:
        own = system.own_bands.get(band)
        return Colours(band=band, shift=nothing, err=nothing, common_err=own or 0.0,
                       own_band=own is not None)
    colours, errors = np.array([colour_of(star, term.colour) for star in stars]
                               ).reshape(-1, 2).T
    known = np.isfinite(colours)
    spread = spread_of(term.colour)
    middle = median(colours[known])
    colour, colour_err = colour_of(target, term.colour)
    if not known.any() or not math.isfinite(colour):
        own, common = middle, abs(term.term) * spread
    else:
        own = colour
        common = math.hypot(term.term * colour_err, term.term_err * (colour - middle))
    shift = np.where(known, term.term * (np.where(known, colours, 0.0) - own), 0.0)
    return Colours(band=band, shift=shift if known.any() else nothing, term=term, colour=colour,
                   err=abs(term.term) * np.where(known, errors, spread), common_err=common)


def with_measured_term(colours: Colours, target: Source, stars: Sequence[Source],
                       ensemble: Ensemble) -> Colours:
    """The same with the colour term that the series' own calibrators show, if no other is known.

    It is applied to nothing, since so few stars may be wrong about it, but what it may do to the
    source enters the error: what the stars' slope leaves plausible of terms that are 0 +- 0.05 mag
    per mag without them; all of that where too few or too alike stars show no slope. A source whose
    distance from the stars' colours is unknown has the spread of plausible ones.
    """
    if colours.term is not None or not stars:
        return colours
    names = COLOURS_OF.get(colours.band, ())
    known: list[float] = []  # distances from the stars' colours
    unknown: list[float] = []
    for name in names:
        each, (own, _) = np.array([colour_of(star, name)[0] for star in stars]), colour_of(
            target, name)
        seen = each[np.isfinite(each)]
        if not seen.size:
            continue
        is_known = math.isfinite(own)
        away = abs(own - median(seen)) if is_known else spread_of(name)
        measured = slope(ensemble.offsets, ensemble.offset_errs, each)
        if measured is not None:
            return replace(colours, common_err=max(
                colours.common_err, away * _plausible(measured.term, measured.err)))
        (known if is_known else unknown).append(away)
    away = [*known, *unknown, spread_of(names[0] if names else "")][0]
    return replace(colours, common_err=max(colours.common_err, _TERM * away))


def _plausible(term: float, err: float) -> float:
    """Root mean square of the terms of which a measured one may be, mag per mag."""
    part = _TERM**2 / (_TERM**2 + err**2)
    return math.hypot(part * term, math.sqrt(part) * err)


def with_colours(result: ResultValue, colours: Colours) -> ResultValue:
    """The result with its colour term, and its errors with what that does to them."""
    more, term = colours.common_err, colours.term
    flags = result.flags | (int(Flag.OWN_BAND) if colours.own_band else 0)
    result = replace(result, flags=flags) if colours.own_band else result
    if more and math.isfinite(result.mag_err_common):
        result = replace(result, mag_err_common=math.hypot(result.mag_err_common, more),
                         zero_point_err=math.hypot(result.zero_point_err, more))
    return result if term is None else replace(
        result, colour=colours.colour, colour_term=term.term, colour_term_err=term.term_err)
