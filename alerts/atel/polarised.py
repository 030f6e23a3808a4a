"""Sentences about polarisation: beside magnitudes, and where there are none."""

from __future__ import annotations

import math

from iop4d.alerts.atel import numbers
from iop4d.alerts.atel.facts import About, Facts, Point, Polarisation
from iop4d.alerts.atel.numbers import band_of
from iop4d.alerts.atel.pieces import Number, Piece, Sentence, listed, sentence

_LIMIT = "upper limit of p"


def beside(facts: Facts) -> Sentence | None:
    """p and chi of the same night."""
    if not facts.polarised:
        return None
    n, more = len(facts.polarised), list[Piece]()
    if n > 1:
        more = [", the nearest in time of ", _count(facts), " measurements in the night"]
    return _told(facts.told, 2, [], more)


def value(facts: Polarisation) -> Sentence | None:
    """p and chi where there is nothing else."""
    point = facts.told
    jd = numbers.julian(point.jd, "time of the polarimetry, JD(UTC)", (point.id,))
    return _told(point, 0, [" (JD ", jd, "; ", *numbers.exposures(point), ")"], [])


def spread(facts: Polarisation) -> Sentence | None:
    """Between what p ranged in the night."""
    if len(facts.polarised) < 2:
        return None
    low, high = (choose(facts.polarised, key=numbers.debiased) for choose in (min, max))
    return sentence(
        3, "It is the last of ", _count(facts), " measurements of the night in this band, of "
        "which the degree of polarisation ranged between ",
        numbers.degree(low, "lowest degree of polarisation"), " and ",
        numbers.degree(high, "highest degree of polarisation"), " %.")


def before(facts: About, rank: int) -> Sentence | None:
    """The measurement of an earlier night."""
    point = facts.polarised_before
    if point is None or not numbers.has_angle(point):
        return None
    return sentence(
        rank, "Our preceding polarisation measurement, on ",
        numbers.day(point.jd, "preceding polarimetry", (point.id,)), ", gave ",
        numbers.degree(point, "degree of polarisation before"), " % at ",
        numbers.angle(point, "polarisation angle before"), " deg.")


def others(facts: Polarisation) -> Sentence | None:
    """The same night in other bands."""
    if not facts.others:
        return None
    items = [(*_short(point), " in ", band_of(point), " (",
              numbers.clock(point.jd, "time of that polarimetry", (point.id,)), ")")
             for point in facts.others]
    return sentence(5, "In the same night we also measured ", *listed(items), ".")


def _told(point: Point, rank: int, when: list[Piece], more: list[Piece]) -> Sentence | None:
    at = numbers.time(point.jd, "time of the polarimetry (UTC)", (point.id,))
    if not numbers.has_angle(point):
        if not math.isfinite(point.p_limit):
            return None
        return sentence(
            rank, "No significant polarisation was found on ", at, *when, ": it was below ",
            _limit(point), " % in ", band_of(point), " (", Number(
                text="95 %", what="confidence of upper limits", origin="definition"),
            " confidence)", *more, ".")
    return sentence(
        rank, "The degree of polarisation in ", band_of(point), " on ", at, *when, " was ",
        numbers.degree(point, "degree of polarisation, debiased"),
        " % (debiased) at a position angle of ",
        numbers.angle(point, "polarisation angle"), " deg, east of north", *more, ".")


def _short(point: Point) -> tuple[Piece, ...]:
    if not numbers.has_angle(point):
        return ("p below ", _limit(point), " %")
    return ("p = ", numbers.degree(point, "degree of polarisation, debiased"), " % at ",
            numbers.angle(point, "polarisation angle"), " deg")


def _limit(point: Point) -> Number:
    return Number(text=f"{point.p_limit * 100.0:.1f}", what=_LIMIT, results=(point.id,))


def _count(facts: About) -> Number:
    return numbers.count(len(facts.polarised), "polarisation measurements",
                         tuple(point.id for point in facts.polarised))
