"""Cards whose names are in no list: by the parts of their names, and what stands behind the /."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from iop4d.instruments import base
from iop4d.instruments.base import Header, card, number_or_none

Cards = tuple[Header, Mapping[str, str]]

_KIND = re.compile(r"TYP|KIND")
_SAYS_KIND = re.compile(r"\b(type|kind) of (the )?(image|frame|exposure|observation|data)|"
                        r"\b(image|frame|exposure|observation|picture) (type|kind)")
_FILTER = re.compile(r"FILT|FLT")
_OBJECT = re.compile(r"(OBJ|TARG?|SOURCE|SRC|STAR)[-_]?(ECT|ETO?)?[-_]?(NAME?|NA?M|N|ID|CAT)?")
_SAYS_OBJECT = re.compile(r"\bname of (the )?(object|target|source|star|field)|"
                          r"\b(object|target|source)('s)? name")
_EXPOSURE = re.compile(r"EXP[A-Z]*[-_]?T|T(IME)?[-_]?EXP|INT[A-Z]*[-_]?TIM?")
_SAYS_EXPOSURE = re.compile(r"\b(exposure|integration)( time| length| duration)?\b")
_NO_EXPOSURE = re.compile(r"number|total number|start|begin|end|mid|type|id\b|name|file|meter|dead")
_NOISE = re.compile(r"(RD|READ)[A-Z]*[-_]?NO?I?S|RD?ON\d?|NOISE")
_SAYS_NOISE = re.compile(r"read(-?out)?[ -]?noise")
_SCALE = re.compile(r"SCAL|PIX|SECP")
_OF_GAIN = re.compile(r"(e-?|electrons?) ?(/|per) ?(adu|dn|counts?)\b")
_OF_EXPOSURE = re.compile(r"obs|expos|start|begin|beg\b|shutter|open|fecha|datum", re.IGNORECASE)
_JULIAN = re.compile(r"M?JD([-_].*|[A-Z]{2,4})?|[A-Z]*[-_]M?JD")
_OF_SUN = re.compile(r"H(EL|C)?J?D|B(C|ARY)?JD|HELIO|BARY|TDB|SUN", re.IGNORECASE)
_OF_OTHERS = re.compile(r"file|writ|creat|local|loc\b|\blt\b|night|end|stop|clos|calib|modif|temp",
                        re.IGNORECASE)
_BEGINS = re.compile(r"start|begin|beg\b|open", re.IGNORECASE)
_LATITUDE = re.compile(r"(OBS|SITE?|GEO|TEL|GPS|STA|STATION|LOC)?LAT(I|IT|ITU|ITUD|ITUDE)?"
                       r"(OBS|TEL|SITE|GEO|DEG|D)?")
_LONGITUDE = re.compile(r"(OBS|SITE?|GEO|TEL|GPS|STA|STATION|LOC)?LONG?(I|IT|ITU|ITUD|ITUDE)?"
                        r"(OBS|TEL|SITE|GEO|DEG|D)?")
#: Of a pair RA and DEC that is no place in the sky, or not that of the telescope.
_NO_POINTING = re.compile(r"OFF|ERR|RATE|TRK|TRACK|GUID|SUN|MOON|PM|VEL|BIAS|DIFF|SIG|STD|RMS|POLE")
_RADIANS = re.compile(r"\brad(ian)?s?\b")
_NAME_LENGTH = 8  # letters of a card's name


def kind_cards(header: Header, comments: Mapping[str, str]) -> Iterator[str]:
    """Cards of text that may tell what a frame is."""
    return _texts(header, comments, _KIND, _SAYS_KIND)


def filter_cards(headers: Sequence[Header]) -> Iterator[str]:
    """Cards of text that may name a filter."""
    for name, value in headers[-1].items():
        if _FILTER.search(name) and isinstance(value, str):
            yield name


def object_cards(header: Header, comments: Mapping[str, str]) -> Iterator[str]:
    """Cards of text that may name what was observed."""
    return _texts(header, comments, _OBJECT, _SAYS_OBJECT, whole=True)


def exposure_cards(header: Header, comments: Mapping[str, str]) -> Iterator[str]:
    """Cards of numbers that may be the exposure time."""
    for name in _numbers(header, comments, _EXPOSURE, _SAYS_EXPOSURE):
        if not _NO_EXPOSURE.search(comments.get(name, "").lower()):
            yield name


def noise_cards(header: Header, comments: Mapping[str, str]) -> Iterator[str]:
    """Cards that may hold the read noise."""
    for name in header:
        if _NOISE.fullmatch(name) or _SAYS_NOISE.search(comments.get(name, "").lower()):
            yield name


def scale_cards(header: Header, comments: Mapping[str, str]) -> Iterator[str]:
    """Cards of numbers of arcseconds that may be those of a pixel."""
    for name in header:
        if _SCALE.search(name) and re.search(r"arc-?s", comments.get(name, "").lower()):
            yield name


def gain_cards(header: Header, comments: Mapping[str, str]) -> Iterator[str]:
    """Cards of numbers that say that they are electrons per ADU."""
    for name in header:
        if _OF_GAIN.search(comments.get(name, "").lower()) and number_or_none(
                header, name) is not None:
            yield name


def moment_cards(header: Header, comments: Mapping[str, str]) -> list[str]:
    """Cards that may tell when an exposure began, those first that say so: dates, and JD or MJD."""
    said = {name: f"{name} {comments.get(name, '')}" for name, value in header.items()
            if isinstance(value, str) and re.match(r"\s*\d{2,4}[-/.]\d\d[-/.]\d", value)}
    names = [name for name, text in said.items()
             if _OF_EXPOSURE.search(text) and not _OF_OTHERS.search(text)]
    names += [name for name in header if _JULIAN.fullmatch(name) and not _OF_SUN.search(name)
              and number_or_none(header, name) is not None]
    return sorted(names, key=lambda name: not _BEGINS.search(said.get(name, "")))


def places(header: Header) -> Iterator[tuple[str, str]]:
    """Cards of latitude and longitude."""
    plain = {name: re.sub("[-_]", "", name) for name in header}
    lat = [name for name, said in plain.items() if _LATITUDE.fullmatch(said)]
    lon = [name for name, said in plain.items() if _LONGITUDE.fullmatch(said)]
    return ((one, other) for one in lat for other in lon)


def pointings(frames: Sequence[Cards]) -> Iterator[tuple[str, str]]:
    """Cards of right ascension and declination, such as FOVRA and FOVDEC; none in radians."""
    header, comments = frames[-1]
    for name in header:
        for at in (found.start() for found in re.finditer("RA", name)):
            if _NO_POINTING.search(name) or _RADIANS.search(comments.get(name, "").lower()):
                continue
            for dec in ("DEC", "DE"):
                other = f"{name[:at]}{dec}{name[at + 2:]}"
                yield from ((name, there) for there in dict.fromkeys((other, other[:_NAME_LENGTH]))
                            if there in header)


def _texts(header: Header, comments: Mapping[str, str], pattern: re.Pattern[str],
           said: re.Pattern[str], *, whole: bool = False) -> Iterator[str]:
    for name in header:
        fits = pattern.fullmatch(name) if whole else pattern.search(name)
        if (fits or said.search(comments.get(name, "").lower())) and re.search(
                r"[A-Za-z]", card(header, name)):
            yield name


def _numbers(header: Header, comments: Mapping[str, str], pattern: re.Pattern[str],
             said: re.Pattern[str]) -> Iterator[str]:
    for name in header:
        if (pattern.search(name) or said.search(comments.get(name, "").lower())) and (
                number_or_none(header, name) is not None):
            yield name


def binning_cards(header: Header, comments: Mapping[str, str]) -> Iterator[str]:
    """Cards that may hold the binning."""
    for name in header:
        if "BIN" in name or re.search(r"\bbinning|\bbin factor", comments.get(name, "").lower()):
            yield name


def is_kind(said: str) -> bool:
    """Whether text is one of the usual words for a kind of frame."""
    return base.value_of(base.KIND_WORDS, said) is not None
