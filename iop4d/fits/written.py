"""Values as the cards of a FITS header, with their comments (FITS standard 4.0, section 4.2)."""

from __future__ import annotations

from iop4d.fits.cards import CARD, Value

HISTORY = 72  # characters of a line of HISTORY
_TEXT = 68  # characters of a quoted text that fit a card


def card_lines(name: str, value: Value, comment: str = "") -> list[str]:
    """A value as a card of 80 characters; a long text continues in CONTINUE cards behind it.

    What does not fit of a comment is left out.
    """
    head = f"{name:8s}= "
    if not isinstance(value, str):
        return [_with_comment(head + _said(value).rjust(20), comment)]
    pieces = _quoted(printable(value))
    if len(pieces) == 1:
        return [_with_comment(head + f"'{pieces[0]:8s}'".ljust(20), comment)]
    lines = [f"{head if number == 0 else 'CONTINUE  '}'{piece}&'".ljust(CARD)
             for number, piece in enumerate(pieces[:-1])]
    return [*lines, _with_comment(f"CONTINUE  '{pieces[-1]}'", comment)]


def history_lines(text: str) -> list[str]:
    """A text as HISTORY cards, cut between its words where it is long."""
    lines, line = [], ""
    words = (piece for word in printable(text).split(" ") for piece in pieces_of(word, HISTORY))
    for word in words:
        if line and len(line) + 1 + len(word) > HISTORY:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}" if line else word
    return [f"HISTORY {line}".ljust(CARD) for line in [*lines, line]]


def pieces_of(text: str, length: int) -> list[str]:
    """A text cut into pieces of a length; one at least."""
    return [text[at:at + length] for at in range(0, max(len(text), 1), length)]


def printable(text: str) -> str:
    """A text as a card may hold it: printable ASCII."""
    if text.isascii() and text.isprintable():
        return text  # nearly all: a header has hundreds of cards
    return "".join(c if " " <= c <= "~" else "?" for c in text)


def _quoted(text: str) -> list[str]:
    """A text with its quotes doubled, in pieces that fit a card; no doubled quote is cut."""
    doubled = text.replace("'", "''")
    if len(doubled) <= _TEXT:
        return [doubled]
    pieces, piece = [], ""
    for letter in text:
        said = "''" if letter == "'" else letter
        if len(piece) + len(said) > _TEXT - 1:
            pieces.append(piece)
            piece = ""
        piece += said
    return [*pieces, piece]


def _with_comment(card: str, comment: str) -> str:
    said = printable(comment)
    return (f"{card} / {said}" if said else card)[:CARD].rstrip().ljust(CARD)


def _said(value: float | bool) -> str:
    if isinstance(value, bool):
        return "T" if value else "F"
    if isinstance(value, int):
        return str(value)
    said = repr(float(value)).upper()
    return said if "." in said or "E" in said else said + ".0"
