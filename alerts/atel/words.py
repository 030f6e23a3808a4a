"""The sentences of a draft, from its facts. Ranks say in which order they are left out."""

from __future__ import annotations

import math

from iop4d.alerts.atel import against, closing, numbers
from iop4d.alerts.atel.against import SIGMAS
from iop4d.alerts.atel.facts import Facts, Level, Style
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


def title(facts: Facts) -> tuple[Piece, ...]:
    """The telegram's title."""
    name = quoted(facts.called, "name of the source", _CATALOGUE, 80)
    if what := trend(facts):
        return ("Optical ", what, " of ", name)
    return ("Optical ", _done(facts), " of ", name)


def sentences(facts: Facts, style: Style) -> list[Sentence]:
    """Everything there is to say, in order."""
    made = [
        _report(facts, style), _value(facts), against.past(facts), against.record(facts),
        against.before(facts), against.fastest(facts), against.earlier(facts), _others(facts),
        _polarisation(facts), _polarisation_before(facts), closing.calibration(facts, style),
        closing.corrections(), closing.nucleus(facts), closing.link(facts, style),
        closing.contact(style), closing.thanks(style)]
    return [one for one in made if one is not None]


def _done(facts: Facts) -> str:
    return "photometry and polarimetry" if facts.polarised else "photometry"


def _report(facts: Facts, style: Style) -> Sentence:
    """Who was observed, and where."""
    name = quoted(facts.called, "name of the source", _CATALOGUE, 80)
    about: list[tuple[Piece, ...]] = []
    if facts.source.name != facts.called:
        about.append((quoted(facts.source.name, "name in the catalogue", _CATALOGUE, 80),))
    if math.isfinite(facts.source.redshift):
        about.append(("z = ", Number(text=f"{facts.source.redshift:.4g}", what="redshift",
                                     origin=_CATALOGUE)))
    brackets: list[Piece] = [" (", *listed(about, ", "), ")"] if about else []
    used = dict.fromkeys(night.telescope for night in (facts.chosen, *facts.others))
    where = listed(("the ", quoted(named(style.telescopes, telescope).phrase,
                                   f"the telescope {telescope}", "telescope", 120))
                   for telescope in list(used)[:_MOST_TELESCOPES])
    return sentence(0, "We report optical ", _done(facts), " of ", name, *brackets,
                    " obtained with ", *where, ".")


def _exposures(level: Level) -> list[Piece]:
    """``12 exposures, 1440 s in all``."""
    n = numbers.count(level.n_frames, "exposures", level.results)
    seconds = numbers.count(level.exposure_s, "exposure time in s", level.results)
    if level.n_frames == 1:
        return ["one exposure of ", seconds, " s"]
    return [n, " exposures, ", seconds, " s in all"]


def _value(facts: Facts) -> Sentence:
    """What was measured, and when."""
    level, chosen = facts.level, facts.chosen
    at = numbers.time(level.jd, "time of the measurement (UTC)", level.results)
    jd = numbers.julian(level.jd, "time of the measurement, JD(UTC)", level.results)
    mag = numbers.magnitude(level, f"{chosen.band} magnitude")
    if not facts.is_extreme:
        how = "" if level.n_frames == 1 else "mean of "
        return sentence(0, "On ", at, " (JD ", jd, "; ", how, *_exposures(level), ") we measured ",
                        band_of(chosen), " = ", mag, " mag.")
    both = chosen.brightest.results + chosen.faintest.results
    span = numbers.span(chosen.mean.jd_last - chosen.mean.jd_first, "time covered in the night",
                        chosen.mean.results)
    most = "brightest" if level == chosen.brightest else "faintest"
    return sentence(
        0, "The source varied during the night: at its ", most, ", on ", at, " (JD ", jd, "; ",
        *_exposures(level), "), we measured ", band_of(chosen), " = ", mag, " mag, and it ranged "
        "between ", band_of(chosen), " = ",
        Number(text=_two(chosen.brightest), what="brightest level of the night", results=both),
        " and ", Number(text=_two(chosen.faintest), what="faintest level", results=both),
        " within ", span, ".")


def _two(level: Level) -> str:
    return f"{level.mag:.{numbers.digits(level.err)}f}"


def _others(facts: Facts) -> Sentence | None:
    """The same night in other bands and at other telescopes."""
    if not facts.others:
        return None
    telescopes = {night.telescope for night in (facts.chosen, *facts.others)}
    items = []
    for night in facts.others:
        item: list[Piece] = [
            band_of(night), " = ", numbers.magnitude(night.mean, f"{night.band} magnitude"), " (",
            Number(text=f"{numbers.moment(night.mean.jd):%H:%M} UT", what="mean time",
                   results=night.mean.results), ", n = ",
            numbers.count(night.mean.n_frames, "exposures", night.mean.results)]
        if len(telescopes) > 1:
            item += [", ", quoted(night.telescope, "telescope", "telescope", 60)]
        items.append((*item, ")"))
    return sentence(3, "In the same night we also measured ", *listed(items),
                    "; these are means of the night.")


def _polarisation(facts: Facts) -> Sentence | None:
    """p and chi of the same night."""
    if not facts.polarised:
        return None
    point, n = facts.polarised[0], len(facts.polarised)
    at = numbers.time(point.jd, "time of the polarimetry (UTC)", (point.id,))
    more: list[Piece] = []
    if n > 1:
        ids = tuple(p.id for p in facts.polarised)
        more = [", the nearest in time of ", numbers.count(n, "polarisation measurements", ids),
                " measurements in the night"]
    if not numbers.has_angle(point):
        if not math.isfinite(point.p_limit):
            return None
        return sentence(
            2, "No significant polarisation was found on ", at, ": it was below ",
            Number(text=f"{point.p_limit * 100.0:.1f}", what="upper limit of p",
                   results=(point.id,)),
            " % in ", band_of(point), " (", Number(
                text="95 %", what="confidence of upper limits", origin="definition"),
            " confidence)", *more, ".")
    return sentence(
        2, "The degree of polarisation in ", band_of(point), " on ", at, " was ",
        numbers.degree(point, "degree of polarisation, debiased"),
        " % (debiased) at a position angle of ",
        numbers.angle(point, "polarisation angle"), " deg, east of north", *more, ".")


def _polarisation_before(facts: Facts) -> Sentence | None:
    point = facts.polarised_before
    if point is None or not numbers.has_angle(point):
        return None
    return sentence(
        7, "Our preceding polarisation measurement, on ",
        numbers.day(point.jd, "preceding polarimetry", (point.id,)), ", gave ",
        numbers.degree(point, "degree of polarisation before"), " % at ",
        numbers.angle(point, "polarisation angle before"), " deg.")
