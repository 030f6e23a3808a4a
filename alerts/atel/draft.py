"""A draft: the sentences that fit into a telegram, as text for the form, with its trace.

The same facts, style and heading give the same text. What is too long loses whole sentences, in the
order of their ranks, and never a part of one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from iop4d.alerts.atel import words
from iop4d.alerts.atel.facts import About, Facts, Style
from iop4d.alerts.atel.pieces import Number, Piece, Sentence, ascii_of, quoted, str_of
from iop4d.alerts.atel.telescopes import named
from iop4d.model import flags
from iop4d.model.flags import Flag

MOST = 4000  # characters of a telegram, with its title and authors
MOST_TITLE = 255
_MOST_AUTHORS = 1200
_MOST_RELATED, _MOST_SUBJECTS = 20, 8
_SITE = "site file"
_WORRYING = ~(Flag.FEW_FIELD_STARS | Flag.HOST_EXTRAPOLATED | Flag.NO_CALIBRATORS)
_ALONE = ("No good magnitude is new: this is about the polarisation alone. Magnitudes need "
          "comparison stars: see iop4d catalogue find-calibrators.")


@dataclass(frozen=True, kw_only=True)
class Heading:
    """What stands above the text. ``related``: numbers of ATels it refers to."""

    authors: tuple[str, ...] = ()
    subjects: tuple[str, ...] = ()
    related: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Traced:
    """A number of the text: its place there, what it is, and the results it rests on."""

    start: int
    text: str
    what: str
    origin: str
    results: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Draft:
    """A telegram for a person to read, change and send. ``notes``: what to see to before that."""

    title: str
    authors: str
    subjects: tuple[str, ...]
    related: tuple[str, ...]
    body: str
    text: str
    numbers: tuple[Traced, ...] = ()
    left_out: tuple[str, ...] = ()
    notes: tuple[str, ...] = field(default=())


def write(facts: About, heading: Heading, style: Style, *, most: int = MOST) -> Draft:
    """The draft that says what can be said in ``most`` characters, all lines counted."""
    head, authors, cut = _head(facts, heading)
    kept = words.sentences(facts, style)
    left: list[Sentence] = []
    while (last := _least(kept)) is not None and len(_joined(head, kept)) > most:
        left.append(kept.pop(last))
    pieces = [*head, *_flow(kept)]
    text, body = _joined(head, kept), "".join(map(str_of, _flow(kept)))
    return Draft(
        title="".join(map(str_of, words.title(facts)))[:MOST_TITLE], authors=authors,
        subjects=tuple(ascii_of(s, 25) for s in heading.subjects[:_MOST_SUBJECTS]),
        related=tuple(ascii_of(r, 20) for r in heading.related[:_MOST_RELATED]),
        body=body.strip("\n"), text=text, numbers=_traced(pieces),
        left_out=tuple(map(str, left)),
        notes=(*_notes(facts, heading, style), *_notes_of_length(left, cut)))


def _head(facts: About, heading: Heading) -> tuple[list[Piece], str, bool]:
    """The lines above the text, the authors, and whether some of those found no room."""
    listed, cut = _authors(heading.authors)
    head: list[Piece] = ["Title: ", *words.title(facts), "\n",
                         "Authors: ", quoted(listed, "authors", _SITE, _MOST_AUTHORS + 20), "\n"]
    related = [f"ATel #{number}" for number in heading.related[:_MOST_RELATED]]
    for label, items in (
            ("Subjects", heading.subjects[:_MOST_SUBJECTS]), ("Related to", related)):
        if items:
            text = ", ".join(ascii_of(item, 25) for item in items)
            head += [f"{label}: ", quoted(text, label.lower(), _SITE, 600), "\n"]
    return [*head, "\n"], listed, cut


def _authors(names: Sequence[str]) -> tuple[str, bool]:
    """Whole names as long as there is room."""
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


def _flow(sentences: Sequence[Sentence]) -> list[Piece]:
    """Sentences with blanks between them, and a blank line between paragraphs."""
    pieces: list[Piece] = []
    for number, one in enumerate(sentences):
        if number:
            pieces.append(" " if one.paragraph == sentences[number - 1].paragraph else "\n\n")
        pieces.extend(one.pieces)
    return [*pieces, "\n"]


def _joined(head: Sequence[Piece], sentences: Sequence[Sentence]) -> str:
    return "".join(map(str_of, (*head, *_flow(sentences))))


def _traced(pieces: Sequence[Piece]) -> tuple[Traced, ...]:
    found, place = [], 0
    for piece in pieces:
        if isinstance(piece, Number):
            found.append(Traced(start=place, text=piece.text, what=piece.what,
                                origin=piece.origin, results=piece.results))
        place += len(str_of(piece))
    return tuple(found)


def _notes(facts: About, heading: Heading, style: Style) -> list[str]:
    """What a person must know or add before anything is sent."""
    notes = []
    if not heading.authors:
        notes.append("No authors: name them in the site file, [atel] authors.")
    if not style.contact:
        notes.append("No contact: name one in the site file, [atel] contact.")
    notes += [f"Nothing is known of the telescope {name}: describe it in the site file, [atel] "
              "telescopes." for name in facts.telescopes
              if not named(style.telescopes, name).known]
    if not isinstance(facts, Facts):
        return [*notes, _ALONE, *_notes_of_points(facts)]
    if not style.calibration:
        notes.append("Where the comparison stars' magnitudes are from is not said: name the "
                     "reference in the site file, [atel] calibration.")
    return [*notes, *_notes_of_points(facts), *_notes_of_light(facts)]


def _notes_of_points(facts: About) -> list[str]:
    notes = []
    if provisional := [p.id for p in facts.points if p.provisional]:
        notes.append(f"Provisional, to be reduced again with better masters: {_ids(provisional)}.")
    for name in dict.fromkeys(
            name for p in facts.points for name in flags.names(p.flags & _WORRYING)):
        of = [p.id for p in facts.points if name in flags.names(p.flags)]
        notes.append(f"Flagged {name.replace('_', ' ')}: {_ids(of)}.")
    return notes


def _notes_of_light(facts: Facts) -> list[str]:
    notes = []
    if len(facts.level.results) == 1:
        notes.append(f"The reported magnitude rests on result {facts.level.results[0]} alone: "
                     "look at its frame.")
    if facts.baseline is None:
        notes.append("The archive holds no earlier night in this band: nothing to compare with.")
    elif not words.trend(facts):
        notes.append("The magnitude differs little from that of the preceding nights.")
    return notes


def _notes_of_length(left: Sequence[Sentence], cut: bool) -> list[str]:
    notes = []
    if left:
        notes.append(f"{len(left)} sentence{'s' if len(left) > 1 else ''} left out to stay within "
                     f"{MOST} characters.")
    if cut:
        notes.append("Not all authors found room: the rest are 'et al.'.")
    return notes


def _ids(results: Sequence[int]) -> str:
    shown = ", ".join(map(str, results[:6]))
    more = f" and {len(results) - 6} more" if len(results) > 6 else ""
    return f"result{'s' if len(results) > 1 else ''} {shown}{more}"
