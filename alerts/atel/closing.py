"""Sentences about calibration and corrections, and whom to ask."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median
from urllib.parse import quote

from iop4d.alerts.atel import numbers
from iop4d.alerts.atel.compare import without_host
from iop4d.alerts.atel.facts import About, Facts, Style
from iop4d.alerts.atel.numbers import band_of
from iop4d.alerts.atel.pieces import Number, Piece, Sentence, listed, quoted, sentence

MOST_STARS = 8  # comparison stars that are named
_SITE, _CATALOGUE = "site file", "catalogue"


def calibration(facts: Facts, style: Style) -> Sentence:
    """Against which stars."""
    stars: Sequence[str] = [star.name.removeprefix(facts.source.name).strip() or star.name
                            for star in facts.calibrators]
    results = tuple(i for night in (facts.chosen, *facts.others) for i in night.mean.results)
    source: list[Piece] = []
    if style.calibration:
        source = [", with the magnitudes of ",
                  quoted(style.calibration, "reference of the comparison stars", _SITE, 120)]
    if not stars:
        return sentence(0, "The magnitudes are differential, against comparison stars of the "
                           "field", *source, ".", paragraph=1)
    names: list[Piece] = []
    if len(stars) <= MOST_STARS:
        names = [" (", *listed([(quoted(name, "comparison star", _CATALOGUE, 40),)
                                for name in stars], ", "), ")"]
    return sentence(
        0, "The magnitudes are differential, against ",
        numbers.count(len(stars), "comparison stars", results), " comparison star",
        "s" if len(stars) > 1 else "", " of the field", *names, *source, ".", paragraph=1)


def corrections(facts: About) -> Sentence:
    """What was not done, of magnitudes and of p."""
    diluted = "the degree of polarisation is not corrected for the light of the host galaxy"
    if not isinstance(facts, Facts):
        return sentence(0, diluted[0].upper(), diluted[1:], ".", paragraph=1)
    also = f"; {diluted} either" if facts.polarised else ""
    return sentence(0, "They are as observed: neither Galactic extinction nor the light of the "
                       "host galaxy is corrected for", also, ".", paragraph=1)


def nucleus(facts: Facts) -> Sentence | None:
    """Without the host galaxy, where its flux is known for every point of the level."""
    points = [p for p in facts.chosen.points if p.id in facts.level.results]
    level = without_host(points)
    if level is None:
        return None
    host = median(p.host_mjy for p in points)
    return sentence(
        4, "Without the host galaxy's ",
        Number(text=f"{host:.2f} mJy", what="host galaxy in the aperture, median",
               results=level.results), " in the aperture (", _table(),
        ") the magnitude that we report would be ",
        band_of(facts.chosen), " = ",
        numbers.magnitude(level, "magnitude without the host galaxy"), " mag.", paragraph=1)


def nucleus_polarisation(facts: About) -> Sentence | None:
    """p without the host galaxy, whose light is taken as not polarised."""
    point = facts.polarised[0] if facts.polarised else None
    if point is None or not numbers.has_angle(point) or not math.isfinite(point.p_nucleus):
        return None
    start: list[Piece] = ["Without the light of the host galaxy"]
    if not (isinstance(facts, Facts) and nucleus(facts)):
        start += [" (", _table(), ")"]
    return sentence(
        4, *start, ", taken as not polarised, the degree of polarisation would be ",
        numbers.degree_without_host(point, "degree of polarisation without the host, debiased"),
        " %.", paragraph=1)


def _table() -> Number:
    return Number(text="table of Nilsson et al. 2007, A&A 475, 199",
                  what="reference of the host galaxies", origin="definition")


def link(facts: About, style: Style) -> Sentence | None:
    if not style.url:
        return None
    address = f"{style.url.rstrip('/')}/sources/{quote(facts.source.name)}"
    return sentence(1, "All our measurements of the source are at ",
                    quoted(address, "permanent link", _SITE, 300), " .", paragraph=1)


def contact(style: Style) -> Sentence | None:
    if not style.contact:
        return None
    return sentence(1, "Contact: ", quoted(style.contact, "contact", _SITE, 200), ".", paragraph=1)


def thanks(style: Style) -> Sentence | None:
    if not style.acknowledgement:
        return None
    text = style.acknowledgement.strip().rstrip(".") + "."
    return sentence(9, quoted(text, "acknowledgement", _SITE, 600), paragraph=1)
