"""Filters: the cards that camera programs write them in, and the catalogue's names of bands."""

from __future__ import annotations

import re
from collections.abc import Sequence

from iop4d.instruments import base, draft_names
from iop4d.instruments.base import Header, card
from iop4d.instruments.draft_cards import Cards, Keys

_FILTERS = ("FILTER", "FILTERS", "FILTNAM", "FILTNAME", "FLTNAME", "FILTERID", "FILT", "INSFLNAM",
            "INSFILTE", "CCDFLTID", "FLTRNM", "WFFBAND", "FILTER-N", "FILTNM", "FLTRNAME",
            "FILTERNA", "FILTER_N", "FILTE", "IFILTER", "FILTRE", "BANDPASS")
#: Cards of wheels that stand one behind the other: the filter is in one of them.
_WHEELS = (("FILTER", "FILTER2"), *(tuple(f"{name}{n}" for n in range(1, 7)) for name in (
    "FILTER", "FILTER0", "FILTNME", "FILTNAM", "FILT", "FWHEEL", "FLTNM")),
    ("ALFLTNM", "FAFLTNM", "FBFLTNM"), ("STFLTNM", "FAFLTNM", "FBFLTNM"),
    ("FILTERA", "FILTERB"), ("UFILTER", "LFILTER"),
    tuple(f"ESO INS FILT{n} NAME" for n in range(1, 5)))
_BANDS = set("UBVRIugriz")
_CLEAR = {"c", "l", "lum", "luminance", "ircut", "ir cut", "ir-cut", "uv/ir", "uvir", "uv/ir cut",
          "uv ir cut", "rggb", "bggr", "grbg", "gbrg", "astro", "vis", "w"}
_BAND = re.compile(
    r"(?:photometric|phot|bessell?|johnson|john|cousins|cous|kron|sloan|sln|sdss|gunn|p\d+)?[\s_./-]*"
    r"([UBVRIugriz])(?:'|p|prime|c|j|s)?(?:[\s_./-]*(?:bessell?|johnson|cousins|sloan|sdss|filter"
    r"|[+-]?\d+(?:\.\d)?))?", re.IGNORECASE)
_SLOAN = re.compile(r"sloan|sln|sdss|gunn|^[a-z](?:p|prime|'|s)$|^[griz]$", re.IGNORECASE)
#: Words about a filter's letter: its system (of ugriz, of UBVRI) and its maker, none of a band.
_OF_UGRIZ = {"sloan", "sdss", "gunn", "ps1", "panstarrs", "ztf", "decam", "hsc"}
_OF_UBVRI = {"bessell", "bessel", "bess", "bes", "johnson", "john", "jc", "cousins", "cous", "kron",
             "kc", "krc", "kcousins", "harris", "ubvri"}
_NO_BAND = {"photometric", "phot", "filter", "band", "int", "astrodon", "baader", "custom",
            "standard", "std", "ing"}
_LETTER = re.compile(r"([UBVRIugriz])('|p|prime|c|j)?|(z)s", re.IGNORECASE)
_UBVRI_WORD = re.compile("|".join(sorted(_OF_UBVRI)), re.IGNORECASE)
#: The Digitized Sky Survey's codes of its plates, and the band that is near to each.
_PLATES = {"0": "B", "1": "B", "2": "B", "3": "B", "4": "V", "5": "V", "6": "V", "7": "B",
           "8": "R", "9": "I", "18": "B", "35": "R", "36": "R", "37": "I"}


def put_band(lit: Sequence[Cards], stems: Sequence[str], section: Keys, *, clear: str) -> None:
    """The cards of the filter and the catalogue's names, of frames that saw light.

    ``stems``: names of science frames' files, without their ends; ``clear``: the band without a
    filter.
    """
    headers = [header for header, _ in lit]
    if names := _filter_cards(headers):
        said = list(dict.fromkeys(base.first_filter(header, names) for header in headers))
        _put_card(names, [value for value in said if value], section, clear)
        return
    tokens = {stem: _token(stem) for stem in stems}
    if tokens and all(tokens.values()):
        section.put("band_names", {f"*{said}*": said.strip("_- ") for said in
                                   dict.fromkeys(tokens.values())},
                    "no card names a filter: by the file's name")
        return
    section.put("band", clear, "no card names a filter: "
                + ("green pixels are near V" if clear == "V" else
                   "C is none; change it if there is one"))


def _filter_cards(headers: Sequence[Header]) -> tuple[str, ...]:
    """The card of the filter, or those of several wheels; empty where there are none."""
    groups = [tuple(name for name in group if any(card(header, name) for header in headers))
              for group in (*_WHEELS, *((name,) for name in _FILTERS))]
    groups = [names for names in groups if names]
    if not any(_is_known(headers, names) for names in groups):
        wheels = tuple(name for name in draft_names.filter_cards(headers) if all(
            base.is_open(said) or known_band(name, said) in _BANDS
            for said in (card(header, name) for header in headers)))
        if wheels and (_is_known(headers, wheels) or not groups):
            groups.append(wheels)
    if ("FILTER", "FILTER2") in groups and not any("FILTER1" in names for names in groups):
        return "FILTER", "FILTER2"
    # One card that sums up the wheels before the wheels; one that names a filter before others.
    groups.sort(key=lambda names: (
        not any(not base.is_open(base.first_filter(header, names)) for header in headers),
        not _is_known(headers, names),
        not all(base.first_filter(header, names) for header in headers),
        names[0] not in _FILTERS or len(names) > 1))
    return groups[0] if groups else ()


def _is_known(headers: Sequence[Header], names: Sequence[str]) -> bool:
    """Whether cards name a filter of a known band in some frame."""
    return any(known_band(names[0], base.first_filter(header, names)) in _BANDS
               for header in headers)


def _put_card(names: Sequence[str], said: Sequence[str], section: Keys, clear: str) -> None:
    name = names[0]
    bands = {value: clear if band == "C" else band for value in said
             if (band := known_band(name, value)) != value}
    if name == "BANDPASS" and len(bands) == len(said) == 1:
        section.put("band", bands[said[0]], f"near that of the plate, {name} {said[0]}")
        return
    if tuple(names) != ("FILTER",):
        section.put("band_card", ", ".join(names), f"says {', '.join(said)}" + (
            "; the first that is not open counts" if len(names) > 1 else ""))
    if bands:
        section.put("bands", bands, "the catalogue's names" + (
            "; C is without a filter" if "C" in bands.values() else "") + (
            "; green pixels are near V" if clear == "V" else "") + (
            "; near the plate's" if name == "BANDPASS" else ""))
    strange = [value for value in said if known_band(name, value) == value and value not in (
        *"UBVRIugriz",)]
    if strange:
        section.unknown.append(f"the band of the filter {', '.join(strange)}: bands = "
                               f'{{ "{strange[0]}" = "..." }}')


def known_band(name: str, said: str) -> str:
    """The catalogue's name of a filter; what the card says where it is none that is known."""
    if name == "BANDPASS" and said in _PLATES:
        return _PLATES[said]
    if said in (*"UBVRIugriz", "C"):
        return said
    if said.lower() in _CLEAR or base.is_open(said):
        return "C"
    both = [part for part in re.split(r"[+&|/]", said) if not base.is_open(part)]
    if len(both) == 1 and both[0] != said:
        return known_band(name, both[0].strip())  # of two wheels
    found = _BAND.fullmatch(said)
    return (_of_letter(found[1], said) if found else _by_words(said)) or said


def _of_letter(letter: str, said: str) -> str:
    """The band of a letter with nothing but known words and an angle about it; or empty."""
    if _SLOAN.search(said):
        return letter.lower() if letter.lower() in "ugriz" else ""
    if letter in "griz" and not _UBVRI_WORD.search(said):
        return letter
    return letter.upper() if letter.upper() in "UBVRI" else letter


def _by_words(said: str) -> str:
    """The band of the one letter that is left of words such as SDSS, numbers aside; or empty."""
    words = [word for word in re.split(r"[^A-Za-z0-9']+", said) if word]
    systems = {word.lower() for word in words}
    left = [word for word in words if word.lower() not in _OF_UGRIZ | _OF_UBVRI | _NO_BAND
            and (word.lower() == "ps1" or not re.search(r"\d", word))]
    found = _LETTER.fullmatch(left[0]) if len(left) == 1 else None
    if found is None or (systems & _OF_UGRIZ and systems & _OF_UBVRI):
        return ""
    letter, suffix = found[1] or found[3], (found[2] or "").lower()
    is_sloan = systems & _OF_UGRIZ or suffix in ("'", "p", "prime") or found[3] or (
        letter in "griz" and not systems & _OF_UBVRI)
    if is_sloan:
        return letter.lower() if letter.lower() in "ugriz" else ""
    return letter.upper() if letter.upper() in "UBVRI" else ""


def _token(stem: str) -> str:
    """A filter that stands alone in a file's name, with what is about it."""
    found = re.search(r"[_\- ][UBVRI][_\- ]|[_\- ][UBVRI]$", stem)
    return found[0] if found else ""
