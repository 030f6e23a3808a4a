"""The cards of FITS headers as plain values; pure Python, bounded, and forgiving of real cameras.

FITS standard 4.0 (Pence et al. 2010; IAU FITS Working Group 2018), section 4.
"""

from __future__ import annotations

import re

BLOCK = 2880  # bytes of a FITS block, FITS standard 3.1
CARD = 80  # bytes of a header card
MAX_HISTORY = 1 << 14  # letters of HISTORY that are kept
MAX_HEADER = 1 << 20  # bytes; the longest headers of real cameras hold about 64 KiB

Value = str | int | float | bool
_END = b"END" + b" " * 77
_INT = re.compile(r"[+-]?\d{1,300}$")
_FLOAT = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([EeDd][+-]?\d{1,4})?$")
_STRING = re.compile(r"'((?:[^']|'')*)'")
_NO_VALUE = frozenset(("COMMENT", "HISTORY", "", "END"))


def find_end(data: memoryview, start: int) -> int | None:
    """Offset of the END card of the header that begins at ``start``; None if it has none."""
    stop = min(len(data), start + MAX_HEADER)
    for block in range(start, stop, BLOCK):
        piece = bytes(data[block:min(block + BLOCK, stop)])
        at = piece.find(_END)
        while at >= 0:
            if at % CARD == 0:
                return block + at
            at = piece.find(_END, at + 1)
    return None


def parse_cards(raw: bytes) -> dict[str, Value]:
    """Card names in capitals to values; of a card that stands twice, the first.

    HISTORY holds the lines of all such cards. Values that the standard does not allow are kept as
    text; a card without a value is "".
    """
    header: dict[str, Value] = {}
    history: list[str] = []
    text = raw.decode("latin-1")
    long_string = ""  # name of the card whose text continues in CONTINUE cards
    for at in range(0, len(text) - CARD + 1, CARD):
        card = text[at:at + CARD]
        name = card[:8].rstrip().upper()
        if name == "CONTINUE" and long_string:
            said = str(header[long_string])
            header[long_string] = said.removesuffix("&") + str(parse_value(card[8:]))
            continue
        long_string = ""
        if name in _NO_VALUE:
            history += [card[8:].strip()] if name == "HISTORY" else []
            continue
        if card[8] == "=":
            body = card[9:]
        elif name.startswith("HIERARCH") and "=" in card:
            left, _, body = card[8:].partition("=")
            name = left.strip().upper()
        else:
            continue
        if name in header:
            continue
        value = parse_value(body)
        header[name] = value
        if isinstance(value, str) and value.endswith("&"):
            long_string = name
    return header | ({"HISTORY": "\n".join(history)[:MAX_HISTORY]} if history else {})


def parse_comments(raw: bytes) -> dict[str, str]:
    """Card names in capitals to what stands behind the ``/``; of a card that stands twice, the
    first."""
    comments: dict[str, str] = {}
    text = raw.decode("latin-1")
    for at in range(0, len(text) - CARD + 1, CARD):
        card = text[at:at + CARD]
        name, body = card[:8].rstrip().upper(), card[9:].lstrip()
        if name.startswith("HIERARCH") and "=" in card:
            left, _, body = card[8:].partition("=")
            name, body = left.strip().upper(), body.lstrip()
        elif card[8:10] not in ("= ", "=") or name in _NO_VALUE:
            continue
        found = _STRING.match(body)
        said = (body[found.end():] if found else body).partition("/")[2].strip()
        if said:
            comments.setdefault(name, said)
    return comments


def lines_of(raw: bytes) -> list[tuple[str, str, str]]:
    """(name, value, comment) of every card in order, those that stand twice and remarks too.

    A remark (COMMENT, HISTORY, a card without a value) is all value.
    """
    text = raw.decode("latin-1")
    found: list[tuple[str, str, str]] = []
    for at in range(0, len(text) - CARD + 1, CARD):
        card = text[at:at + CARD]
        name, body = card[:8].rstrip().upper(), card[8:]
        if name == "END":
            break
        if name.startswith("HIERARCH") and "=" in card:
            left, _, body = card[8:].partition("=")
            name = left.strip()
        elif body[:1] == "=" and name not in _NO_VALUE:
            body = body[1:]
        elif name == "CONTINUE" and found:
            pass
        else:
            if name or body.strip():
                found.append((name, body.rstrip(), ""))
            continue
        body = body.strip()
        quoted = _STRING.match(body)
        value, rest = (quoted.group(1).replace("''", "'").rstrip(), body[quoted.end():]) \
            if quoted else body.partition("/")[::2]
        comment = (rest.partition("/")[2] if quoted else rest).strip()
        found.append((name, value.strip(), comment))
    return found


def parse_value(body: str) -> Value:
    """What stands behind the = of a card; as text where the standard does not allow it."""
    body = body.strip()
    if body.startswith("'"):
        found = _STRING.match(body)
        return (found.group(1) if found else body[1:]).replace("''", "'").rstrip()
    said = body.partition("/")[0].strip()
    if said in ("T", "F"):
        return said == "T"
    if _INT.match(said):
        return int(said)
    if _FLOAT.match(said):
        return float(said.replace("D", "E").replace("d", "e"))
    return said
