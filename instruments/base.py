"""What every instrument is: facts, and functions that read a header, with defaults."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, tzinfo
from pathlib import PurePath

from iop4d.instruments import moments
from iop4d.instruments.detector_cards import with_detector
from iop4d.instruments.other_images import as_taken, is_simulator
from iop4d.instruments.telescopes import Telescope
from iop4d.model.colours import PhotometricSystem
from iop4d.model.errors import CardError, FrameError
from iop4d.model.frame import Detector, FrameFacts, FrameKind
from iop4d.model.polarimeter import Beams, Polarimeter

Header = Mapping[str, object]  # card name, in capitals, to value (str, int, float, bool)

#: What cards of many programs call a kind; a dark of a flat is a dark.
KIND_WORDS = {"*bias*": "bias", "zero*": "bias", "*dark*": "dark", "*flat*": "flat",
              "light*": "science", "object*": "science", "sci*": "science",
              "expose*": "science", "tricolor*": "science", "target*": "science",
              "offset*": "bias"}


#: Clocks that, as numbers, count the seconds since midnight; others count hours.
_OF_SECONDS = re.compile(r"TM[-_](START|END)|UT_START|UT_END")

#: Cards in which programs write when an exposure began, UTC.
START_CARDS = ("DATE-OBS", "JD", "JD-OBS", "MJD-OBS", "MJD")


@dataclass(frozen=True, kw_only=True)
class Instrument:
    """An instrument's facts and the functions that read its headers.

    ``scale_arcsec``: arcseconds per pixel at binning 1; ``gain_e_adu``: electrons per ADU;
    ``saturation_adu``: raw level from which a pixel is saturated; ``linear_to_adu``: raw level up
    to which the detector is linear, NaN where that is not known. ``recognises`` says whether a
    header is this instrument's; ``read`` turns (header, file name) into facts, or raises CardError
    (a card is missing or wrong) or FrameError (a frame that is not ours to reduce).
    ``sky_angle_deg``: position angle, east of north, of the image's +y axis. ``reads_folder``:
    ``read`` gets the file's whole path instead of its name. ``identity``: the cards by which it is
    recognised, each with what it has to say, where they can be listed. ``bayer``: what is done with
    a mosaic of colour filters, and ``rows_turned`` as in ``detector_cards``.
    """

    name: str
    telescope: Telescope
    scale_arcsec: float
    gain_e_adu: float
    read_noise_e: float
    saturation_adu: float
    masters: tuple[FrameKind, ...]
    recognises: Callable[[Header], bool]
    read: Callable[[Header, str], FrameFacts]
    sources: Mapping[str, str]  # where each figure comes from
    polarimeter: Polarimeter | None = None
    beams: Beams | None = None  # where there are two images of every star
    analysers: Mapping[str, Beams] = field(default_factory=dict)  # by FrameFacts.beam_element
    system: PhotometricSystem = field(default_factory=PhotometricSystem)  # of its bands
    sky_angle_deg: tuple[float, float] | None = None  # (position angle of +y, error), where stable
    start_cards: tuple[str, ...] = START_CARDS  # that tell when an exposure began, UTC
    reads_folder: bool = False
    identity: Mapping[str, str] = field(default_factory=dict)
    linear_to_adu: float = math.nan
    bayer: str = "refuse"
    rows_turned: bool = False
    gain_known: bool = True  # else 1 is assumed
    of_two_pixels: bool = False  # whether the gain is that of the mean of two pixels

    def facts_of(self, header: Header, path: PurePath) -> FrameFacts:
        """The facts of a frame in a file; raises CardError or FrameError."""
        facts = self.read(header, path.as_posix() if self.reads_folder else path.name)
        facts = as_taken(header, facts, path.name, simulated=any(
            map(is_simulator, self.identity.values())))
        return with_detector(header, facts, bayer=self.bayer, rows_turned=self.rows_turned)

    def for_frame(self, facts: FrameFacts) -> Instrument:
        """The instrument with the figures that a frame's own header gives."""
        said = facts.detector
        if said == Detector():
            return self
        scale = said.pixel_arcsec
        averaged = said.mosaic.startswith("G:")
        gain = said.gain_e_adu or (
            self.gain_e_adu / (2.0 if self.of_two_pixels else 1.0))
        return replace(
            self, gain_e_adu=gain * (2.0 if averaged else 1.0), of_two_pixels=averaged,
            gain_known=self.gain_known or bool(said.gain_e_adu),
            read_noise_e=said.read_noise_e or self.read_noise_e,
            saturation_adu=said.saturation_adu or self.saturation_adu,
            scale_arcsec=scale / facts.binning if scale else self.scale_arcsec)

    def beams_of(self, facts: FrameFacts) -> Beams | None:
        """The two images of every star of a frame: those of the analyser in the beam."""
        return self.analysers.get(facts.beam_element, self.beams)

    def pixel_arcsec(self, binning: int) -> float:
        """Arcseconds per pixel at a binning."""
        return self.scale_arcsec * binning


def card(header: Header, name: str) -> str:
    """A card as stripped text, empty where it is missing."""
    value = header.get(name, "")
    return "" if value is None else str(value).strip()


def object_name(said: str) -> str:
    """The target's name without what observers hang on it: ``3C 273`` of ``3C 273 R45``.

    Filters, angles, exposure times and running numbers are left out, after a blank or an
    underscore. A plain number is part of the name behind a catalogue's short name (``Mrk 501``);
    behind a whole name (``BLLac 2``) it is one where it has more than two digits.
    """
    said = re.sub(r"(\d)[\s_]+deg\b", r"\1deg", said, flags=re.IGNORECASE)
    words = list(re.finditer(r"[^\s_]+", said))
    while len(words) > 1 and _is_suffix([word[0] for word in words]):
        words.pop()
    return said[words[0].start():words[-1].end()] if words else ""


_SUFFIX = re.compile(
    r"[ubvri]([+-]?\d+(\.\d+)?)?"  # a filter, with an angle or a running number behind it
    r"|(bess?ell?|john(son)?|cous(ins)?)[ubvri]?|red|green|blue|clear|iar"
    r"|[+-]?\d+(\.\d+)?deg|\d+(\.\d+)?s(ec)?", re.IGNORECASE)
_ANGLES = [22.5 * step for step in range(-8, 16)]


def _is_suffix(words: list[str]) -> bool:
    """Whether the last word is none of the target's name."""
    *before, last = words
    if _SUFFIX.fullmatch(last):
        return True
    if not re.fullmatch(r"[+-]?\d+(\.\d+)?", last):
        return False
    counts = float(last) in _ANGLES or last.startswith("0")
    if len(before) > 1:
        return counts
    return len(before[0]) >= 5 and (counts or len(last) <= 2)


def refuse_focus(header: Header, name: str) -> None:
    """Raise FrameError for a frame that was taken to focus the telescope."""
    said = (card(header, "IMAGETYP"), card(header, "OBJECT"), name)
    if any("focus" in text.lower() for text in said):
        raise FrameError("taken to focus the telescope: not reduced")


def text(header: Header, name: str) -> str:
    """A card as stripped text; raises CardError when it is missing or empty."""
    value = card(header, name)
    if not value:
        raise CardError(name, "is missing or empty")
    return value


def number(header: Header, card: str) -> float:
    """A card as a finite number, also when written as text or with a decimal comma."""
    value = header.get(card)
    if value is None or isinstance(value, bool):
        raise CardError(card, "is missing or is no number")
    try:
        parsed = float(str(value).strip().replace(",", "."))
    except ValueError:
        raise CardError(card, f"is {value!r}, no number") from None
    if not abs(parsed) < 1e300:
        raise CardError(card, f"is {value!r}, no finite number")
    return parsed


def number_or_none(header: Header, name: str) -> float | None:
    """A card as a finite number; None where it is missing or is none."""
    try:
        return number(header, name)
    except CardError:
        return None


def exposure(header: Header, *names: str, kind: FrameKind = FrameKind.SCIENCE) -> float:
    """Exposure time in seconds from the first of the cards that is there; never negative.

    A bias needs none.
    """
    name = next((name for name in names if card(header, name)), names[0])
    if kind is FrameKind.BIAS and not card(header, name):
        return 0.0
    seconds = number(header, name)
    if not 0 <= seconds <= 86400:
        raise CardError(name, f"is {seconds:g} s, which no exposure takes")
    return seconds


def julian_date(header: Header, card: str, *, clock: str = "", zone: tzinfo = UTC,
                order: str = "dmy") -> float:
    """JD(UTC) from a card that holds a date and time as text (UTC if it names no zone), JD or MJD.

    ``clock``: a card with the time of day, where the first one holds the date alone; ``zone`` and
    ``order`` of text are those of ``moments``.
    """
    value = text(header, card)
    if not re.fullmatch(r"\d{8}", value):  # 20240314 is a date
        try:
            number(header, card)
        except CardError:
            pass
        else:
            jd = _jd_of_number(header, card)
            if not clock:
                return jd
            value = moments.day_of_jd(jd)
    try:
        return _in_range(card, value, moments.jd_of_text(value, zone=zone, order=order))
    except ValueError as error:
        if not clock:
            raise CardError(card, f"is {value!r}, {error}") from None
    hour = text(header, clock)
    if _OF_SECONDS.fullmatch(clock) and (seconds := number_or_none(header, clock)) is not None:
        hour = f"{int(seconds // 3600)}:{int(seconds // 60) % 60:02d}:{seconds % 60:09.6f}"
    try:
        return _in_range(card, value, moments.jd_of_parts(value, hour, zone=zone, order=order))
    except ValueError as error:
        raise CardError(card, f"is {value!r} and {clock} is {hour!r}: {error}") from None


def _jd_of_number(header: Header, card: str) -> float:
    """JD of a card that holds JD or MJD."""
    jd = number(header, card)
    if 15000.0 < jd < 100000.0:  # MJD of 1900 to 2132
        jd += 2400000.5
    return _in_range(card, text(header, card), jd)


def _in_range(card: str, value: str, jd: float) -> float:
    if not 2415000.0 < jd < 2500000.5:
        raise CardError(card, f"is {value!r}, no time between 1900 and 2132")
    return jd


def angle(header: Header, card: str, *, unit: str) -> float:
    """An angle in degrees from a plain number in ``unit`` (deg or hour) or sexagesimal text.

    Sexagesimal text is hours where ``unit`` is hour, degrees otherwise.
    """
    value = text(header, card)
    factor = 15.0 if unit == "hour" else 1.0
    try:
        return float(value.replace(",", ".")) * factor
    except ValueError:
        pass
    parts = [part for part in re.split(r"[:\shmsd°'\"]+", value) if part]
    try:
        numbers = [abs(float(part.replace(",", "."))) for part in parts]
    except ValueError:
        numbers = []
    if not 1 <= len(numbers) <= 3:
        raise CardError(card, f"is {value!r}, no angle such as '22 02 43'")
    degrees = sum(part / 60.0**power for power, part in enumerate(numbers)) * factor
    return -degrees if value.startswith("-") else degrees


def pointing(header: Header, ra: str, dec: str, *, ra_unit: str) -> tuple[float, float] | None:
    """ICRS (RA, Dec) in degrees, or None where the header does not tell or tells nonsense.

    A frame without a pointing can still be solved blindly, so this never rejects one.
    """
    sexagesimal = bool(re.search(r"\d[:\sh]+\d", str(header.get(ra, "")).strip()))
    if sexagesimal:
        ra_unit = "deg" if is_degrees(card(header, ra)) else "hour"
    try:
        lon = angle(header, ra, unit=ra_unit)
        lat = angle(header, dec, unit="deg")
    except CardError:
        return None
    if lon == 0.0 == lat:  # what programs write that know no place
        return None
    return (lon % 360.0, lat) if abs(lon) <= 360.0 and abs(lat) <= 90.0 else None


def is_degrees(said: str) -> bool:
    """Whether a right ascension as text begins with more hours than there are: in degrees."""
    first = re.match(r"\s*\+?(\d+)", said)
    return first is not None and int(first[1]) >= 24


def square_binning(header: Header, x: str, y: str, *, default: int = 1) -> int:
    """The binning, which must be the same in x and y; ``default`` where there are no cards.

    A card may hold both as text: ``2x2``, ``2*2``, ``1 1``, ``(2, 2)``.
    """
    said = [card(header, name) for name in (x, y) if card(header, name)] or [str(default)]
    bins = [bin_ for one in said for bin_ in _bins(x, one)]
    if bins[0] != bins[-1] or not 1 <= bins[0] <= 16 or bins[0] != int(bins[0]):
        raise CardError(x, f"binning {bins[0]:g}x{bins[-1]:g} is not supported")
    return int(bins[0])


def _bins(name: str, said: str) -> list[float]:
    parts = re.fullmatch(r"[(\[]?\s*(\d+)\s*(?:[xX*,;\s]|by)\s*(\d+)\s*[)\]]?", said)
    return [float(part) for part in parts.groups()] if parts else [number({name: said}, name)]


def matches(value: object, pattern: str, *, any_case: bool = False) -> bool:
    """Whether what a card says, or a name, is as a pattern says.

    A pattern is text, a number (1 is 1.0 too), text with ``*`` and ``?`` for anything, ``*`` alone
    for any value, or nothing for a card that is missing or empty.
    """
    said = "" if value is None else str(value).strip()
    if isinstance(value, bool):
        said = "T" if value else "F"
        pattern = {"True": "T", "False": "F"}.get(pattern.strip(), pattern)
    pattern = pattern.strip()
    if any_case:
        said, pattern = said.lower(), pattern.lower()
    if said == pattern:
        return True
    if not said or not pattern:
        return False
    try:
        return math.isclose(float(said.replace(",", ".")), float(pattern), rel_tol=1e-9)
    except ValueError:
        parts = re.split(r"([*?])", pattern)
        wild = "".join({"*": ".*", "?": "."}.get(part, re.escape(part)) for part in parts)
        return len(parts) > 1 and re.fullmatch(wild, said, re.DOTALL) is not None


_OPEN = re.compile(r"((open|clear|empty|none|no[ _-]?filter|nofilt|free|air|hole|blank|null|n/?a|"
                   r"unknown|undefined)([ _.(-].*|\d.*)?|-+|0|<.*>)?", re.IGNORECASE)


def is_open(said: str) -> bool:
    """Whether a card of a filter says that there is none: ``Open``, ``clear``, ``NO_FILTER``."""
    return _OPEN.fullmatch(said.strip()) is not None


_NO_FILTER = re.compile(r"calcite|wollaston|lambda|retarder|half-?wave|quarter-?wave|polari[sz]er|"
                        r"\bplate\b|_plate\b|grism|prism", re.IGNORECASE)


def first_filter(header: Header, names: Sequence[str]) -> str:
    """What the first of some cards that is not open says; if all are, the first that is there.

    Of several cards one that names a plate, a prism or a polariser counts as open.
    """
    said = [text for name in names if (text := card(header, name))]
    return next((text for text in said if not is_open(text)
                 and not (len(names) > 1 and _NO_FILTER.search(text))), said[0] if said else "")


def value_of(table: Mapping[str, str], said: str) -> str | None:
    """The value of the first key of a table that matches, exact ones before patterns; or None."""
    exact = [key for key in table if key.strip().lower() == said.strip().lower()]
    found = exact or [key for key in table if matches(said, key, any_case=True)]
    return table[found[0]] if found else None


def value_of_name(table: Mapping[str, str], path: str) -> str | None:
    """The value of the first pattern that a file's name or, with a / at its end, the name of one
    of the three folders about it matches; or None."""
    *folders, name = path.split("/")
    for pattern, value in table.items():
        names = folders[-3:] if pattern.endswith("/") else [name]
        if any(matches(one, pattern.rstrip("/"), any_case=True) for one in names):
            return value
    return None


def region(header: Header, name: str, said: str = "") -> tuple[int, int, int, int]:
    """(x0, x1, y0, y1) of a region ``[x1:x2,y1:y2]`` of a card, or of the text ``said``.

    The FITS standard's pixels count from 1 and the last one is part of it; those that are returned
    count from 0 and the last one is not.
    """
    said = said or text(header, name)
    numbers = re.fullmatch(
        r"\[?\s*(\d+)\s*:\s*(\d+)\s*,\s*(\d+)\s*:\s*(\d+)\s*\]?", said.strip())
    if not numbers:
        raise CardError(name, f"is {said!r}, no region such as [1:1024,1:1024]")
    x1, x2, y1, y2 = map(int, numbers.groups())
    if not (1 <= x1 <= x2 and 1 <= y1 <= y2):
        raise CardError(name, f"is {said!r}, a region without pixels")
    return x1 - 1, x2, y1 - 1, y2


def window(header: Header, x: str, y: str = "") -> tuple[int, int]:
    """(x, y) of a frame's first pixel on the detector, in binned pixels that count from 0.

    ``x``: a card with a region, or with x alone and ``y`` with y; (0, 0) where they are missing.
    """
    if ":" in card(header, x):
        x0, _, y0, _ = region(header, x)
        return x0, y0
    place = []
    for name in (x, y):
        value = number(header, name) if name and card(header, name) else 0.0
        if not 0 <= value < 1e5:
            raise CardError(name, f"is {value:g}, no pixel of a detector")
        place.append(int(value))
    return place[0], place[1]


def shape(header: Header) -> tuple[int, int]:
    """(ny, nx) of the image; raises CardError if it is no plain 2-d image."""
    if number(header, "NAXIS") != 2:
        raise CardError("NAXIS", f"is {header.get('NAXIS')}, expected a plain image of 2 axes")
    return _whole(header, "NAXIS2"), _whole(header, "NAXIS1")


def _whole(header: Header, name: str) -> int:
    value = number(header, name)
    if not 1 <= value <= 1e6 or value != int(value):
        raise CardError(name, f"is {value:g}, expected a number of pixels")
    return int(value)
