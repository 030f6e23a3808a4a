"""Text of which every number is traceable: sentences are made of words and of numbers.

A word that holds a digit is refused: whatever has one is a ``Number``, which says what it is and
which results (or which other origin) it comes from. So no number can stand in a draft untraced.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

from iop4d.alerts.rendering import clean

RESULTS = "results"  # the origin of everything that was measured
_DIGIT = re.compile(r"\d")
_PLAIN = {"±": "+/-", "°": " deg", "–": "-", "—": "-", "−": "-", "’": "'", "‘": "'", "“": '"',
          "”": '"', "ß": "ss", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "æ": "ae", "Æ": "AE",
          "œ": "oe", "đ": "d", "ı": "i", "α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta",
          "μ": "mu", "σ": "sigma", "χ": "chi", "…": "..."}


@dataclass(frozen=True, kw_only=True)
class Number:
    """A piece of text with digits: as it is written, what it is, and where it comes from.

    ``results``: ids of the results it rests on; ``origin``: ``results``, or in words where it was
    not measured (site file, catalogue, definition).
    """

    text: str
    what: str
    results: tuple[int, ...] = ()
    origin: str = RESULTS

    def __post_init__(self) -> None:
        assert (self.origin == RESULTS) == bool(self.results), f"{self.what} has no origin"


Piece = str | Number


@dataclass(frozen=True, kw_only=True)
class Sentence:
    """A whole sentence. ``rank``: 0 is never left out; of the others the highest goes first.

    ``paragraph`` counts from 0.
    """

    pieces: tuple[Piece, ...]
    rank: int
    paragraph: int = 0

    def __post_init__(self) -> None:
        for piece in self.pieces:
            assert isinstance(piece, Number) or not _DIGIT.search(piece), f"untraced: {piece}"

    def __str__(self) -> str:
        return "".join(map(str_of, self.pieces))


def sentence(rank: int, *pieces: Piece, paragraph: int = 0) -> Sentence:
    """A sentence of pieces."""
    return Sentence(pieces=pieces, rank=rank, paragraph=paragraph)


def str_of(piece: Piece) -> str:
    """A piece as it stands in the text."""
    return piece.text if isinstance(piece, Number) else piece


def ascii_of(text: str, limit: int = 300) -> str:
    """Foreign text on one line in ASCII, as the form takes it: accents go, Greek is spelt out."""
    spelt = "".join(_PLAIN.get(c, c) for c in clean(text, limit))
    plain = unicodedata.normalize("NFKD", spelt)
    return "".join("" if unicodedata.combining(c) else c if c.isascii() else "?" for c in plain)


def quoted(text: str, what: str, origin: str, limit: int = 300) -> Piece:
    """Foreign text (a name, an address): a word, or a traced number where it holds digits."""
    plain = ascii_of(text, limit)
    return Number(text=plain, what=what, origin=origin) if _DIGIT.search(plain) else plain


def listed(items: Iterable[tuple[Piece, ...]], last: str = " and ") -> list[Piece]:
    """Items with commas between them, and ``last`` before the last one."""
    parts, pieces = list(items), list[Piece]()
    for number, part in enumerate(parts):
        if number:
            pieces.append(last if number == len(parts) - 1 else ", ")
        pieces.extend(part)
    return pieces
