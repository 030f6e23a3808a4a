"""Sentences that hold the new level against the past."""

from __future__ import annotations

import math

from iop4d.alerts.atel import numbers
from iop4d.alerts.atel.facts import Baseline, Change, Facts
from iop4d.alerts.atel.numbers import band_of
from iop4d.alerts.atel.pieces import Number, Piece, Sentence, listed, sentence

SIGMAS = 3.0  # from which a change is called one
_MOST_EARLIER = 5  # nights that are listed one by one
RECORD_DAYS = 30.0  # a level that was last passed so long ago is worth saying


def past(facts: Facts) -> Sentence | None:
    """Against the median of the preceding nights."""
    past, level = facts.baseline, facts.level
    if past is None:
        return None
    step = level.mag - past.median
    both = level.results + past.results
    if abs(step) < SIGMAS * level.err:
        begin: list[Piece] = ["This agrees with"]
    else:
        size = Number(text=f"{abs(step):.2f}", what="change against the median of the past",
                      results=both)
        begin = ["This is ", size, " mag ", "brighter" if step < 0 else "fainter", " than"]
    scatter: list[Piece] = []
    if math.isfinite(past.scatter):
        scatter = [", with a scatter of ", Number(
            text=f"{past.scatter:.2f}", what="robust scatter of the nightly medians",
            results=past.results), " mag from night to night"]
    nights = (Number(text=f"{past.nights} nights", what="preceding nights with data",
                     results=past.results) if past.nights > 1 else "night")
    return sentence(
        1, *begin, " the median of the preceding ", nights, " with data (", band_of(facts.chosen),
        " = ", Number(text=f"{past.median:.2f}", what="median of the past", results=past.results),
        ", n = ", numbers.count(past.n, "points of the past", past.results), ", ", *_days(past),
        ")", *scatter, ".")


def _days(past: Baseline) -> list[Piece]:
    first = numbers.day(past.jd_first, "first point of the past", past.results)
    last = numbers.day(past.jd_last, "last point of the past", past.results)
    return ["on ", first] if first.text == last.text else ["from ", first, " to ", last]


def record(facts: Facts) -> Sentence | None:
    """The brightest (or faintest) since when."""
    record, level, past = facts.record, facts.level, facts.baseline
    if record is None or past is None or abs(level.mag - past.median) < SIGMAS * level.err:
        return None
    most = "brightest" if record.bright else "faintest"
    if record.since is None:
        return sentence(
            2, "It is the ", most, " level in our archive, which begins on ",
            numbers.day(record.first.jd, "first point of the archive", (record.first.id,)), ".")
    if level.jd - record.since.jd < RECORD_DAYS:
        return None
    since = record.since
    return sentence(
        2, "It is the ", most, " level in our archive since ",
        numbers.day(since.jd, f"last time it was as {most[:-3]}", (since.id,)), " (",
        band_of(since), " = ", numbers.point_magnitude(since, "magnitude at that time"), ").")


def _move(change: Change) -> str:
    return "brightened" if change.mag < 0 else "faded"


def before(facts: Facts) -> Sentence | None:
    """Against the night before."""
    change = facts.before
    if change is None:
        return None
    start: list[Piece] = [
        "On the preceding night with data, ",
        numbers.day(change.of.jd, "preceding night with data", change.of.results), ", we measured ",
        band_of(facts.chosen), " = ", numbers.magnitude(change.of, "mean of the preceding night")]
    if change.significance < SIGMAS:
        return sentence(5, *start, " mag.")
    return sentence(
        5, *start, " mag; the source ", _move(change), " by ",
        numbers.change(change, "change against the preceding night"), " mag in ",
        numbers.span(change.days, "time since the preceding night", change.results), " (",
        Number(text=f"{change.significance:.0f} sigma", what="significance of that change",
               results=change.results), ").")


def fastest(facts: Facts) -> Sentence | None:
    """The fastest change."""
    change = facts.fastest
    if change is None or (facts.before is not None and change.results == facts.before.results):
        return None
    return sentence(
        6, "The fastest significant change of these nights, between means over half an hour at "
        "most, was a ",
        "brightening" if change.mag < 0 else "fading", " by ",
        numbers.change(change, "fastest change"), " mag within ",
        numbers.span(change.days, "time of the fastest change", change.results), ", up to ",
        numbers.time(change.to.jd, "end of the fastest change", change.results), " (",
        Number(text=f"{change.significance:.0f} sigma", what="significance of the fastest change",
               results=change.results), ").")


def earlier(facts: Facts) -> Sentence | None:
    """The nights before it that are new too."""
    told = facts.before.of.results if facts.before is not None else ()
    nights = [night for night in facts.earlier if night.mean.results != told]
    if not nights:
        return None
    items = [(band_of(night), " = ", numbers.magnitude(night.mean, "mean of an earlier night"),
              " on ", numbers.day(night.mean.jd, "earlier night", night.mean.results))
             for night in nights[-_MOST_EARLIER:]]
    return sentence(8, "Before it, nightly means were ", *listed(items), ".")
