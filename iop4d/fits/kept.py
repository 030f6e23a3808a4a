"""The cards of raw frames that their products keep, as the FITS standard allows them.

A card that is sound stays as it is, byte for byte. One that is not is written as it was read; one
that would say something wrong of the product (the raw file's WCS, its pixels' storage) or has no
sound form becomes a line of HISTORY, so that nothing of a raw header is lost.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from iop4d.fits.cards import CARD, parse_value
from iop4d.fits.read import FitsFile
from iop4d.fits.written import HISTORY, card_lines, pieces_of, printable

#: Cards kept of a header at most: the product's header must be one that iop4d reads (1 MiB).
MOST = 10_000

#: How the raw file stores its pixels: says nothing of the frame.
_STORAGE = re.compile(
    r"SIMPLE|XTENSION|BITPIX|NAXIS\d*|EXTEND|PCOUNT|GCOUNT|GROUPS|BLOCKED|BSCALE|BZERO|BLANK|BUNIT|"
    r"DATAMIN|DATAMAX|CHECKSUM|DATASUM|EXTNAME|EXTVER|EXTLEVEL|INHERIT|LONGSTRN|TFIELDS|THEAP|"
    r"T(?:TYPE|FORM|UNIT|NULL|SCAL|ZERO|DISP|BCOL|DIM|CTYP|CUNI|CRVL|CDLT|CRPX|CROT)\d+|"
    r"P(?:TYPE|SCAL|ZERO)\d+|Z(?:IMAGE|SIMPLE|TENSION|EXTEND|BLOCKED|BITPIX|NAXIS\d*|PCOUNT|GCOUNT|"
    r"TILE\d+|CMPTYPE|NAME\d+|VAL\d+|MASKCMP|QUANTIZ|DITHER0|HECKSUM|DATASUM)")
#: A WCS of the raw file, with its distortions, in any convention; that of its times, which the
#: product has its own of; the place of its pixels on the detector and the order of its rows.
_OTHER = re.compile(
    r"(?:WCSAXES|WCSNAME|RADESYS|RADECSYS|EQUINOX|LONPOLE|LATPOLE|C(?:TYPE|UNIT|RVAL|RPIX|DELT|ROTA|"
    r"RDER|SYER|NAME)\d+|(?:CD|PC|PV|PS)\d+_\d+)[A-Z]?|EPOCH|WCSDIM|WAT\d_\d+|PC\d{6}|"
    r"[AB]P?_(?:ORDER|DMAX|\d+_\d+)|(?:CP|CQ)(?:DIS|ERR)\d+|D[PQ]\d+.*|D2IM\w*|AMD[XY]\d+|"
    r"PLT\w+|CNPIX\d|PPO\d|LTV\d|LTM\d_\d|"
    r"TIMESYS|TIMEUNIT|DATEREF|(?:MJD|JD)REF[IF]?|TSTART|TSTOP|TREFPOS|TREFDIR|"
    r"(?:DATE|MJD)-(?:BEG|END|AVG)|"
    r"(?:TRIM|BIAS|DATA|CCD|DET|AMP)SEC|ROWORDER|BAYERPAT|COLORTYP|CFAPAT|CFA-PAT|CFATYPE|"
    r"[XY]BAYROFF")
#: Reserved cards whose value is text or a number; for others any will do.
_TEXT = re.compile(r"ORIGIN|AUTHOR|CREATOR|REFERENC|TELESCOP|INSTRUME|OBSERVER|OBJECT|SPECSYS|"
                   r"SSYSOBS|SSYSSRC|DATE.*")
_FLOAT = re.compile(r"MJD-OBS|RESTFRQ|RESTFREQ|RESTWAV|OBSGEO-[XYZ]|VELOSYS|ZSOURCE|VELANGL")

_NAME = re.compile(r"[A-Z0-9_-]{1,8}")
_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[ED][+-]?\d+)?"
_STRING = r"'(?:[^']|'')*'"
_VALUE = rf"(?:{_STRING}|[TF]|{_NUMBER}|\( *{_NUMBER} *, *{_NUMBER} *\))"
_SOUND = re.compile(rf"(?:(?=.{{8}}= )[A-Z0-9_-]+ *|HIERARCH [^=]*[^ =] *)= *{_VALUE} *(?:/.*)?")
_SOUND_CONTINUE = re.compile(rf"CONTINUE  {_STRING} *(?:/.*)?")
_REMARKS = ("COMMENT", "HISTORY", "")


@dataclass(frozen=True, kw_only=True)
class KeptCards:
    """Cards (80 characters each) that a product keeps, and lines of HISTORY of those it cannot."""

    cards: tuple[str, ...] = ()
    history: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class _Entry:
    """A card of the raw file with the CONTINUE cards behind it.

    ``name``: in capitals, empty where the card has no = at its place; ``remark``: COMMENT, HISTORY
    or a text without a name.
    """

    name: str
    cards: tuple[str, ...]
    remark: bool = False


def raw_headers(file: FitsFile) -> tuple[bytes, ...]:
    """The headers that an open file's image has: its own, then the primary one."""
    hdus = (file.image, *file.hdus[:1])
    places = dict.fromkeys((hdu.first, hdu.start) for hdu in hdus)
    return tuple(bytes(file.data[first:start]) for first, start in places)


def kept_of(headers: Sequence[bytes], own: Collection[str]) -> KeptCards:
    """What a product keeps of the headers of its raw frame. ``own``: cards that it writes itself.

    Of a card that stands twice the first counts, as it does for the reduction.
    """
    cards: list[str] = []
    history: list[str] = []
    seen: set[str] = set()
    for entry in _distinct(headers):
        if _STORAGE.fullmatch(entry.name):
            continue
        if entry.remark:
            cards.append(f"{entry.name:8s}{printable(entry.cards[0][8:])}")
            continue
        sound = [] if entry.name in seen or entry.name in own or _OTHER.fullmatch(entry.name) \
            else _sound(entry)
        if entry.name:
            seen.add(entry.name)
        cards += sound
        if not sound:
            history += _as_history(entry)
    return _bounded(cards, history)


def common_headers(frames: Sequence[Sequence[bytes]]) -> tuple[bytes, ...]:
    """The headers of the first frame with those cards alone that stand in all of them alike."""
    if not frames:
        return ()
    shared = set.intersection(*({entry.cards for entry in _distinct(headers)}
                                for headers in frames))
    return tuple("".join(card for entry in _entries(header) if entry.cards in shared
                         for card in entry.cards).encode("latin-1") for header in frames[0])


def _bounded(cards: list[str], history: list[str]) -> KeptCards:
    if len(cards) + len(history) > MOST:
        left_out = len(cards) + len(history) - MOST
        cards = cards[:MOST]
        history = [*history[:MOST - len(cards)], f"{left_out} more cards are left out"]
    if history:
        history.insert(0, "Cards of the raw file that are not those of this image:")
    return KeptCards(cards=tuple(cards), history=tuple(history))


def _distinct(headers: Iterable[bytes]) -> Iterator[_Entry]:
    """The cards of all headers; remarks that stand in an earlier header too are left out."""
    before: set[tuple[str, ...]] = set()
    for header in headers:
        found = list(_entries(header))
        yield from (entry for entry in found if not (entry.remark and entry.cards in before))
        before |= {entry.cards for entry in found if entry.remark}


def _entries(raw: bytes) -> Iterator[_Entry]:
    text = raw.decode("latin-1")
    cards = [text[at:at + CARD] for at in range(0, len(text) - CARD + 1, CARD)]
    at = 0
    while at < len(cards):
        card, name = cards[at], cards[at][:8].rstrip().upper()
        if name == "END" and not card[8:].strip():
            return
        at += 1
        if name.startswith("HIERARCH") and "=" in card:
            name = card[8:].partition("=")[0].strip().upper()
        elif name in _REMARKS or card[8] != "=":
            if card.strip():
                yield _Entry(name=name if name in _REMARKS else "", cards=(card,),
                             remark=name in _REMARKS)
            continue
        more: list[str] = []
        while _goes_on([card, *more]) and cards[at:] and cards[at][:8].upper() == "CONTINUE":
            more.append(cards[at])
            at += 1
        yield _Entry(name=name, cards=(card, *more))


def _goes_on(cards: list[str]) -> bool:
    """Whether the text of the last card ends in &, which lets it go on in a CONTINUE card."""
    last = cards[-1]
    value = parse_value(last[8:] if len(cards) > 1 else last.partition("=")[2])
    return isinstance(value, str) and value.endswith("&")


def _sound(entry: _Entry) -> list[str]:
    """The card as the standard allows it; empty where it has no such form."""
    first, *more = (printable(card) for card in entry.cards)
    body = first.partition("=")[2]
    value = parse_value(body)
    if not _is_allowed(entry.name, value, body):
        return []
    wants_text = _TEXT.fullmatch(entry.name) and not isinstance(value, str)
    if wants_text:
        value = body.partition("/")[0].strip()
    elif _SOUND.fullmatch(first.rstrip()) and all(
            _SOUND_CONTINUE.fullmatch(card.rstrip()) for card in more):
        return [first, *more]
    if not _NAME.fullmatch(entry.name):
        return []
    for card in more:
        value = str(value).removesuffix("&") + str(parse_value(card[8:]))
    return card_lines(entry.name, value, _comment([first, *more][-1]))


def _is_allowed(name: str, value: object, body: str) -> bool:
    """Whether there is a value, and one that the card of this name may have."""
    if not name or (value == "" and "'" not in body):
        return False
    if name.startswith("DATE"):
        return _is_date(value)
    return not (_FLOAT.fullmatch(name) and isinstance(value, bool | str))


def _is_date(value: object) -> bool:
    """Whether it is a date of the standard, or of the one before (DD/MM/YY)."""
    said = str(value).strip()
    if re.fullmatch(r"\d\d/\d\d/\d\d", said):
        try:
            return bool(datetime.strptime(said, "%d/%m/%y"))  # noqa: DTZ007 - only looked at
        except ValueError:
            return False
    if not re.fullmatch(r"\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\d(\.\d*)?)?", said):
        return False
    try:
        return bool(datetime.fromisoformat(said.partition(".")[0]))
    except ValueError:
        return False


def _comment(card: str) -> str:
    """What stands behind the / of a card."""
    body = card[8:].partition("=")[2] or card[8:]
    quoted = re.match(rf" *{_STRING}", body)
    return (body[quoted.end():] if quoted else body).partition("/")[2].strip()


def _as_history(entry: _Entry) -> list[str]:
    pieces = [piece for card in entry.cards
              for piece in pieces_of(printable(card).rstrip(), HISTORY - 5)]
    return [f"raw: {pieces[0]}", *(f"raw+ {piece}" for piece in pieces[1:])]
