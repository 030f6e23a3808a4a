"""The text of a draft, of which every number can be traced.

The template ``atel.txt`` writes whole sentences. Its numbers come from functions that record what
each is and which results it rests on; names, addresses and references are quoted, with their
origin. A digit that neither accounts for is refused, so no number can stand in a draft untraced.
What is too long loses whole sentences, in the order of their ranks. The same facts give the same
text.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol

from iop4d.alerts.atel.facts import DraftFacts, PhotometryFacts
from iop4d.alerts.atel.letterhead import Letterhead
from iop4d.alerts.atel.values import GoodPoint, MagnitudeChange, MeanMagnitude
from iop4d.alerts.rendering import clean, render
from iop4d.model import flags
from iop4d.model.errors import Iop4dError
from iop4d.model.flags import Flag
from iop4d.model.units import plus_minus, plus_minus_chi, sexagesimal, utc_of_jd

MOST = 4000  # characters of a telegram, with its title and authors
MOST_TITLE = 255
LEAST_SHOWN = 0.0005  # mag: with less, a scatter has no digit to show
_MOST_AUTHORS = 1200
_MOST_RELATED, _MOST_SUBJECTS = 20, 8
_RESULTS = "results"  # the origin of everything that was measured

_DIGIT = re.compile(r"\d")
#: What is recorded stands between these marks until the text is whole; no foreign text has them.
_MARKED = re.compile("\x02(\\d+)\x01([^\x03]*)\x03")
_ASCII = {"±": "+/-", "°": " deg", "–": "-", "—": "-", "−": "-", "’": "'", "‘": "'", "“": '"',
          "”": '"', "ß": "ss", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "æ": "ae", "Æ": "AE",
          "œ": "oe", "đ": "d", "ı": "i", "α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta",
          "μ": "mu", "σ": "sigma", "χ": "chi", "…": "..."}
#: Not strftime's, which speaks the machine's language.
_MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September",
           "October", "November", "December")
_WORRYING = ~(Flag.FEW_FIELD_STARS | Flag.HOST_EXTRAPOLATED | Flag.NO_CALIBRATORS)


class DraftError(Iop4dError):
    """A draft holds a number that nothing accounts for; the message names it and its sentence."""


class FromResults(Protocol):
    """Anything that knows the results it rests on."""

    @property
    def results(self) -> tuple[int, ...]:
        """Their ids."""


@dataclass(frozen=True, kw_only=True)
class Traced:
    """A number of the text: its place there, what it is, and the results it rests on.

    ``origin``: ``results``, or where it comes from if it was not measured (site file, catalogue,
    definition).
    """

    start: int
    text: str
    what: str
    origin: str
    results: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Draft:
    """A telegram for a person to read, change and send. ``notes``: what to check before that."""

    title: str
    authors: str
    subjects: tuple[str, ...]
    related: tuple[str, ...]
    body: str
    text: str
    numbers: tuple[Traced, ...] = ()
    left_out: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Sentence:
    """A whole sentence with its marks. ``rank``: 0 always stays; of the others the highest is left
    out first. ``paragraph`` counts from 0."""

    text: str
    rank: int
    paragraph: int


class Trace:
    """Records the sentences of one draft, and what each of its numbers rests on."""

    def __init__(self) -> None:
        self.sentences: list[Sentence] = []
        self._entries: list[Traced] = []

    def number(self, text: str | int, what: str, *of: FromResults) -> str:
        """A number that was measured, and what it rests on."""
        results = tuple(dict.fromkeys(id_ for one in of for id_ in one.results))
        if not results:
            raise DraftError(f"the {what} of a draft, {text}, rests on no result")
        return self._marked(str(text), what, _RESULTS, results)

    def quoted(self, text: str, what: str, origin: str, limit: int = 300) -> str:
        """Foreign text (a name, an address); it is recorded where it holds digits."""
        plain = ascii_of(text, limit)
        return self._marked(plain, what, origin, ()) if _DIGIT.search(plain) else plain

    def sentence(self, rank: int, paragraph: int = 0, *, caller: Callable[[], str]) -> str:
        """Record a sentence, unless it is empty; it is the body of a call block."""
        text = " ".join(caller().split())
        check_traced(text)
        if text:
            self.sentences.append(Sentence(text=text, rank=rank, paragraph=paragraph))
        return ""

    def resolve(self, text: str) -> tuple[str, tuple[Traced, ...]]:
        """A text without its marks, and every recorded number in its place."""
        out, numbers, end, length = list[str](), list[Traced](), 0, 0
        for mark in _MARKED.finditer(text):
            before, entry = text[end:mark.start()], self._entries[int(mark[1])]
            length += len(before)
            numbers.append(Traced(start=length, text=entry.text, what=entry.what,
                                  origin=entry.origin, results=entry.results))
            out += [before, entry.text]
            length, end = length + len(entry.text), mark.end()
        return "".join(out) + text[end:], tuple(numbers)

    def writers(self) -> dict[str, Callable[..., str]]:
        """What the template writes numbers and sentences with."""
        formats = {name: partial(self._formatted, form) for name, form in FORMATS.items()}
        return formats | {"number": self.number, "quoted": self.quoted,
                          "sentence": self.sentence}

    def _formatted(self, form: Callable[[Any], str], value: Any, what: str,
                   *of: FromResults) -> str:
        return self.number(form(value), what, *(of or (value,)))

    def _marked(self, text: str, what: str, origin: str, results: tuple[int, ...]) -> str:
        self._entries.append(Traced(start=0, text=text, what=what, origin=origin, results=results))
        return f"\x02{len(self._entries) - 1}\x01{text}\x03"


def check_traced(text: str) -> None:
    """Raise DraftError if a text holds a digit that stands in no recorded number."""
    if _DIGIT.search(_MARKED.sub("", text)):
        shown = _MARKED.sub(r"\2", text)
        raise DraftError(f"a draft holds a number that is traced to no result: {shown}")


def write(facts: DraftFacts, head: Letterhead, *, most: int = MOST) -> Draft:
    """The draft that says what can be said in ``most`` characters, all lines counted.

    Raises DraftError.
    """
    authors, is_cut = _authors(head.authors)
    shown = replace(head, authors=(authors,),
                    subjects=tuple(ascii_of(s, 25) for s in head.subjects[:_MOST_SUBJECTS]),
                    related=tuple(ascii_of(r, 20) for r in head.related[:_MOST_RELATED]))
    trace = Trace()
    heading = render_into(trace, facts, shown)
    kept, left = list(trace.sentences), list[Sentence]()
    while (last := _least(kept)) is not None and len(
            trace.resolve(f"{heading}\n\n{_body(kept)}\n")[0]) > most:
        left.append(kept.pop(last))
    text, numbers = trace.resolve(f"{heading}\n\n{_body(kept)}\n")
    return Draft(
        title=text.partition("\n")[0].removeprefix("Title: ")[:MOST_TITLE], authors=authors,
        subjects=shown.subjects, related=shown.related, body=trace.resolve(_body(kept))[0],
        text=text, numbers=numbers, left_out=tuple(trace.resolve(one.text)[0] for one in left),
        notes=(*_notes(facts, head), *_notes_of_length(left, is_cut)))


def render_into(trace: Trace, facts: DraftFacts, head: Letterhead) -> str:
    """The lines above the text; its sentences are recorded by ``trace``. Raises DraftError."""
    heading = render("atel.txt", {
        "facts": facts, "head": head, "has_magnitudes": isinstance(facts, PhotometryFacts),
        "authors": trace.quoted(", ".join(head.authors), "authors", "site file",
                                _MOST_AUTHORS + 20),
        "day": date_text, "rounded": _rounded_alike, "offset": offset_text,
        "least_scatter": LEAST_SHOWN,
        "right_ascension": partial(sexagesimal, hours=True, digits=2),
        "declination": partial(sexagesimal, digits=1)}, **trace.writers()).strip()
    check_traced(heading)
    return heading


def _authors(names: Sequence[str]) -> tuple[str, bool]:
    """Whole names as long as there is room, and whether some found none."""
    kept: list[str] = []
    for name in (ascii_of(name, 200) for name in names):
        if len(", ".join([*kept, name])) > _MOST_AUTHORS:
            return ", ".join(kept) + " et al.", True
        kept.append(name)
    return ", ".join(kept), False


def _least(sentences: Sequence[Sentence]) -> int | None:
    """The sentence that is left out next: of the highest rank the last; None: all must stay."""
    worst = max(range(len(sentences)), key=lambda i: (sentences[i].rank, i), default=None)
    return None if worst is None or sentences[worst].rank == 0 else worst


def _body(sentences: Sequence[Sentence]) -> str:
    """Sentences with blanks between them, and a blank line between paragraphs."""
    paragraphs: dict[int, list[str]] = {}
    for one in sentences:
        paragraphs.setdefault(one.paragraph, []).append(one.text)
    return "\n\n".join(map(" ".join, paragraphs.values()))


def ascii_of(text: str, limit: int = 300) -> str:
    """Foreign text on one line in ASCII, as the form takes it: accents go, Greek is spelt out."""
    spelt = "".join(_ASCII.get(c, c) for c in clean(text, limit))
    plain = unicodedata.normalize("NFKD", spelt)
    return "".join("" if unicodedata.combining(c) else c if c.isascii() else "?" for c in plain)


# How numbers are written.


def date_text(jd: float) -> str:
    """``2026 November 22``, of the nearest minute."""
    year, month, day = utc_of_jd(jd, "%Y %m %d", step_s=60.0).split()
    return f"{year} {_MONTHS[int(month) - 1]} {int(day)}"


def clock_text(jd: float) -> str:
    """``21:14 UT``."""
    return utc_of_jd(jd, "%H:%M UT", step_s=60.0)


def span_text(days: float) -> str:
    """Seconds below two minutes, minutes below two hours, hours below two days, else days."""
    if days < 2.0 / 1440.0:
        return f"{days * 86400.0:.0f} s"
    if days < 2.0 / 24.0:
        return f"{days * 1440.0:.0f} min"
    if days < 2.0:
        return f"{days * 24.0:.1f} h"
    return f"{days:.1f} d" if days < 10.0 else f"{days:.0f} d"


def places_of(err: float) -> int:
    """Decimals that a magnitude of this error deserves: two, three where it is below 0.01."""
    return 3 if err < 0.00995 else 2


def with_error(value: float, err: float) -> str:
    """``12.87 +/- 0.02``."""
    return plus_minus(value, err, places_of(err), sign="+/-")


def _percent(value: float, error: float) -> str:
    err = error * 100.0
    return plus_minus(value * 100.0, err, 1 if err >= 0.095 else 2, sign="+/-")


def angle_text(point: GoodPoint) -> str:
    """The polarisation angle in degrees, in [0, 180)."""
    places = 1 if point.chi_err_deg < 0.95 else 0
    return plus_minus_chi(point.chi_deg, point.chi_err_deg, places, sign="+/-")


def _rounded_alike(of: MeanMagnitude, beside: MeanMagnitude) -> str:
    """A magnitude with the decimals of the less certain of two."""
    return f"{of.mag:.{min(places_of(of.mag_err), places_of(beside.mag_err))}f}"


def offset_text(mag: float) -> str:
    """The size of a difference of magnitudes: two decimals, three where two would say nothing."""
    return f"{abs(mag):.{2 if abs(mag) >= 0.01 else 3}f}"


def _size(change: MagnitudeChange) -> str:
    return with_error(abs(change.mag), change.mag_err)


#: Functions of the template, ``name(value, what, *of)``; without ``of`` the value has results.
FORMATS: dict[str, Callable[[Any], str]] = {
    "magnitude": lambda of: with_error(of.mag, of.mag_err), "size": _size, "span": span_text,
    "date": date_text, "clock": clock_text, "julian": lambda jd: f"{jd:.4f}",
    "date_time": lambda jd: f"{date_text(jd)} at {clock_text(jd)}",
    "sigmas": lambda significance: f"{significance:.0f} sigma", "angle": angle_text,
    "degree": lambda point: _percent(point.degree, point.p_err),
    "degree_without_host": lambda point: _percent(point.degree_without_host, point.p_nucleus_err),
}


# What a person must know or add before anything is sent.


def _notes(facts: DraftFacts, head: Letterhead) -> list[str]:
    notes = []
    if not head.authors:
        notes.append("No authors: name them in the site file, [atel] authors.")
    if not head.contact:
        notes.append("No contact: name one in the site file, [atel] contact.")
    notes += [f"The telescope {name} is unknown: describe it in the site file, [atel] telescopes."
              for name in facts.telescopes if not head.telescope(name).known]
    if not isinstance(facts, PhotometryFacts):
        return [*notes, "There is no new good magnitude, so this draft is about the polarisation "
                        "alone. Magnitudes need comparison stars: see iop4d catalogue "
                        "find-calibrators.", *_notes_of_points(facts)]
    if not head.calibration:
        notes.append("The reference of the comparison stars' magnitudes is missing: name it in the "
                     "site file, [atel] calibration.")
    return [*notes, *_notes_of_points(facts), *_notes_of_photometry(facts)]


def _notes_of_points(facts: DraftFacts) -> list[str]:
    notes = []
    if provisional := [p.id for p in facts.points if p.provisional]:
        notes.append("Provisional, to be reduced again with better masters: "
                     f"{_results(provisional)}.")
    for name in dict.fromkeys(
            name for p in facts.points for name in flags.names(p.flags & _WORRYING)):
        of = [p.id for p in facts.points if name in flags.names(p.flags)]
        notes.append(f"Flagged {name.replace('_', ' ')}: {_results(of)}.")
    return notes


def _notes_of_photometry(facts: PhotometryFacts) -> list[str]:
    notes = []
    if len(facts.level.results) == 1:
        notes.append(f"The reported magnitude rests on result {facts.level.results[0]} alone: "
                     "look at its frame.")
    notes += [f"{night.instrument} at {night.telescope} differs by {mag:+.2f} mag in {night.band} "
              "on that night: the offset of the two instruments is unknown."
              for night, mag in facts.unlike]
    if facts.taken_past:
        notes.append(f"The past was taken with {facts.taken_past}: the change against it may be "
                     "an offset between instruments.")
    if facts.baseline is None:
        notes.append("The archive holds no earlier night in this band: nothing to compare with.")
    elif facts.departs is not None:
        notes.append("The last exposures differ from what the draft reports: look at them, and "
                     "wait for more.")
    elif not facts.trend:
        notes.append("The magnitude differs little from that of the preceding nights.")
    if not math.isfinite(facts.extinction):
        notes.append("The catalogue has no Galactic extinction of the source in "
                     f"{facts.chosen.band}: the draft does not state it.")
    return notes


def _notes_of_length(left: Sequence[Sentence], is_cut: bool) -> list[str]:
    notes = []
    if left:
        notes.append(f"{len(left)} sentence{'s' * (len(left) > 1)} left out to stay within "
                     f"{MOST} characters.")
    if is_cut:
        notes.append("The list of authors is too long: the last ones are 'et al.'.")
    return notes


def _results(ids: Sequence[int]) -> str:
    shown = ", ".join(map(str, ids[:6]))
    more = f" and {len(ids) - 6} more" if len(ids) > 6 else ""
    return f"result{'s' * (len(ids) > 1)} {shown}{more}"
