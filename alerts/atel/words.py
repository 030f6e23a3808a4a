"""The sentences of a draft, from its facts. Ranks say in which order they are left out."""

from __future__ import annotations

import math

from iop4d.alerts.atel import against, closing, numbers, polarised
from iop4d.alerts.atel.against import SIGMAS
from iop4d.alerts.atel.facts import About, Facts, Polarisation, Style
from iop4d.alerts.atel.numbers import band_of
from iop4d.alerts.atel.pieces import Number, Piece, Sentence, listed, quoted, sentence
from iop4d.alerts.atel.telescopes import named

_LEAST = 0.2  # mag against the past, from which a title speaks of a change
_MOST_TELESCOPES = 6  # that are named with their places
_CATALOGUE = "catalogue"


def trend(facts: Facts) -> str:
    """``brightening`` or ``fading`` against the past, empty for neither."""
    past = facts.baseline
    if past is None:
        return ""
    step = facts.level.mag - past.median
    if abs(step) < max(_LEAST, SIGMAS * facts.level.err):
        return ""
    return "brightening" if step < 0 else "fading"


def title(facts: About) -> tuple[Piece, ...]:
    """The telegram's title."""
    name = quoted(facts.called, "name of the source", _CATALOGUE, 80)
    if isinstance(facts, Facts) and (what := trend(facts)):
        return ("Optical ", what, " of ", name)
    return ("Optical ", _done(facts), " of ", name)


def sentences(facts: About, style: Style) -> list[Sentence]:
    """Everything there is to say, in order."""
    if isinstance(facts, Facts):
        measured = [_value(facts), _single(facts), against.past(facts), against.record(facts),
                    against.before(facts), against.fastest(facts), against.earlier(facts),
                    _others(facts), polarised.beside(facts), polarised.before(facts, 7),
                    closing.calibration(facts, style), closing.corrections(facts),
                    closing.nucleus(facts)]
    else:
        assert isinstance(facts, Polarisation)
        measured = [polarised.value(facts), polarised.spread(facts), polarised.before(facts, 2),
                    polarised.others(facts), closing.corrections(facts)]
    made = [_report(facts, style), *measured, closing.nucleus_polarisation(facts),
            closing.link(facts, style), closing.contact(style), closing.thanks(style)]
    return [one for one in made if one is not None]


def _done(facts: About) -> str:
    if not isinstance(facts, Facts):
        return "polarimetry"
    return "photometry and polarimetry" if facts.polarised else "photometry"


def _report(facts: About, style: Style) -> Sentence:
    """Who was observed, and where."""
    name = quoted(facts.called, "name of the source", _CATALOGUE, 80)
    about: list[tuple[Piece, ...]] = []
    if facts.source.name != facts.called:
        about.append((quoted(facts.source.name, "name in the catalogue", _CATALOGUE, 80),))
    if math.isfinite(facts.source.redshift):
        about.append(("z = ", Number(text=f"{facts.source.redshift:.4g}", what="redshift",
                                     origin=_CATALOGUE)))
    brackets: list[Piece] = [" (", *listed(about, ", "), ")"] if about else []
    where = listed(("the ", quoted(named(style.telescopes, telescope).phrase,
                                   f"the telescope {telescope}", "telescope", 120))
                   for telescope in facts.telescopes[:_MOST_TELESCOPES])
    return sentence(0, "We report optical ", _done(facts), " of ", name, *brackets,
                    " obtained with ", *where, ".")


def _value(facts: Facts) -> Sentence:
    """What was measured, and when."""
    level, chosen = facts.level, facts.chosen
    at = numbers.time(level.jd, "time of the measurement (UTC)", level.results)
    jd = numbers.julian(level.jd, "time of the measurement, JD(UTC)", level.results)
    mag = numbers.magnitude(level, f"{chosen.band} magnitude")
    if not facts.is_extreme:
        how = "" if level.n_frames == 1 else "mean of "
        return sentence(0, "On ", at, " (JD ", jd, "; ", how, *numbers.exposures(level),
                        ") we measured ", band_of(chosen), " = ", mag, " mag.")
    both = chosen.brightest.results + chosen.faintest.results
    places = min(numbers.digits(extreme.err) for extreme in (chosen.brightest, chosen.faintest))
    span = numbers.span(chosen.mean.jd_last - chosen.mean.jd_first, "time covered in the night",
                        chosen.mean.results)
    return sentence(
        0, "The source varied during the night: of means over half an hour at most, the ",
        _most(facts), " was ", band_of(chosen), " = ", mag, " mag on ", at, " (JD ", jd, "; ",
        *numbers.exposures(level), "), and they ranged between ", band_of(chosen), " = ",
        Number(text=f"{chosen.brightest.mag:.{places}f}", what="brightest mean of the night",
               results=both),
        " and ", Number(text=f"{chosen.faintest.mag:.{places}f}", what="faintest mean of the night",
                        results=both),
        " within ", span, ".")


def _most(facts: Facts) -> str:
    if facts.is_extreme:
        return "brightest" if facts.level == facts.chosen.brightest else "faintest"
    return "brightest" if facts.is_brighter else "faintest"


def _single(facts: Facts) -> Sentence | None:
    """The extreme among single points, of which means of a fast change fall short."""
    if not facts.chosen.scatters:
        return None
    most = _most(facts)
    choose = min if most == "brightest" else max
    point = choose(facts.chosen.points, key=lambda p: p.mag)
    if facts.level.results == (point.id,):
        return None
    return sentence(
        1, "The ", most, " single measurement was ", band_of(point), " = ",
        numbers.point_magnitude(point, f"{most} single measurement"), " mag at ",
        numbers.clock(point.jd, "time of that measurement", (point.id,)), ".")


def _others(facts: Facts) -> Sentence | None:
    """The same night in other bands and at other telescopes."""
    if not facts.others:
        return None
    telescopes = {night.telescope for night in (facts.chosen, *facts.others)}
    items = []
    for night in facts.others:
        item: list[Piece] = [
            band_of(night), " = ", numbers.magnitude(night.mean, f"{night.band} magnitude"), " (",
            numbers.clock(night.mean.jd, "mean time", night.mean.results), ", n = ",
            numbers.count(night.mean.n_frames, "exposures", night.mean.results)]
        if len(telescopes) > 1:
            item += [", ", quoted(night.telescope, "telescope", "telescope", 60)]
        items.append((*item, ")"))
    return sentence(3, "In the same night we also measured ", *listed(items),
                    "; these are means of the night.")
