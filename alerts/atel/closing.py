"""Sentences about calibration and corrections, and whom to ask."""

from __future__ import annotations

import math
from collections.abc import Sequence
from urllib.parse import quote

from iop4d.alerts.atel import numbers
from iop4d.alerts.atel.facts import Facts, Style
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


def corrections() -> Sentence:
    """What was not done."""
    return sentence(0, "They are as observed: neither Galactic extinction nor the light of the "
                       "host galaxy is corrected for.", paragraph=1)


def nucleus(facts: Facts) -> Sentence | None:
    """Without the host galaxy, where its flux is known for every point of the level."""
    points = [p for p in facts.chosen.points if p.id in facts.level.results]
    if not points or not all(math.isfinite(p.host_mjy) and math.isfinite(p.mag_nucleus)
                             for p in points):
        return None
    mags = sorted(p.mag_nucleus for p in points)
    host = sorted(p.host_mjy for p in points)
    errs = sorted(p.mag_nucleus_err for p in points)
    ids = tuple(p.id for p in points)
    middle = len(points) // 2
    return sentence(
        4, "Without the host galaxy's ",
        Number(text=f"{host[middle]:.2f} mJy", what="host galaxy in the aperture, median",
               results=ids), " in the aperture (table of Nilsson et al. ",
        Number(text="2007, A&A 475, 199", what="reference of the host galaxies",
               origin="definition"), ") it would be ", band_of(facts.chosen), " = ",
        Number(text=numbers.plus_minus(mags[middle], errs[middle]),
               what="magnitude without the host galaxy, median", results=ids), " mag.",
        paragraph=1)


def link(facts: Facts, style: Style) -> Sentence | None:
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
