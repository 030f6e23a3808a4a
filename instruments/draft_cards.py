"""What the cards of camera programs mean: pointings, binnings, scales and gains."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Protocol

from iop4d.instruments import base, draft_names
from iop4d.instruments.base import Header, card, number_or_none
from iop4d.model.errors import CardError

#: A header, and what stands behind the / in its cards.
Cards = tuple[Header, Mapping[str, str]]


class Keys(Protocol):
    """What collects the keys of a section."""

    unknown: list[str]

    def put(self, name: str, value: object, why: str) -> None:
        """A key, its value and its reason."""


def said_of(frames: Sequence[Cards], name: str) -> str:
    """What a card says in the first frame that has it, in quotes."""
    return repr(next((card(header, name) for header, _ in frames if card(header, name)), ""))


def comment_of(frames: Sequence[Cards], name: str) -> str:
    """What stands behind the / of a card in the first frame that has something there."""
    return next((comments[name] for _, comments in frames if comments.get(name)), "")


# The pointing.

_POINTINGS = (
    ("RA", "DEC"), ("OBJCTRA", "OBJCTDEC"), ("RA-MNT", "DEC-MNT"), ("TELRA", "TELDEC"),
    ("RA_OBS", "DEC_OBS"), ("RA_TEL", "DEC_TEL"), ("TELRA_D", "TELDEC_D"), ("RA_OBJ", "DEC_OBJ"),
    ("OBJRA", "OBJDEC"), ("RA_DEG", "DEC_DEG"), ("RA_TARG", "DEC_TARG"), ("CAT-RA", "CAT-DEC"),
    ("RA-D", "DEC-D"), ("RADEG", "DECDEG"), ("OBSRA", "OBSDEC"), ("ORIRA", "ORIDEC"),
    ("RA2000", "DEC2000"), ("RA_PNT", "DEC_PNT"), ("MOUNTRA", "MOUNTDEC"), ("CENTRA", "CENTDEC"),
    ("ALPHA", "DELTA"))


def put_pointing(frames: Sequence[Cards], section: Keys) -> None:
    """The cards of the pointing, and the unit of a right ascension that is a number."""
    for ra, dec in (*_POINTINGS, *draft_names.pointings(frames), ("CRVAL1", "CRVAL2")):
        if ra == "CRVAL1" and not all("RA" in card(header, "CTYPE1") for header, _ in frames):
            continue
        unit = _ra_unit(frames, ra)
        found = [base.pointing(header, ra, dec, ra_unit=unit) for header, _ in frames]
        if not any(found):
            continue
        if (ra, dec) not in (("RA", "DEC"), ("OBJCTRA", "OBJCTDEC")):
            section.put("ra_card", ra, f"says {said_of(frames, ra)}")
            section.put("dec_card", dec, f"says {said_of(frames, dec)}")
        if unit != "deg":
            section.put("ra_unit", unit, comment_of(frames, ra) or "no number is above 24")
        elif _may_be_hours(frames, ra):
            section.unknown.append(f"whether {ra} = {said_of(frames, ra)} is in degrees, as it is "
                                   'read, or in hours: ra_unit = "hour"')
        if "deg" in comment_of(frames, ra).lower() and any(
                ":" in card(header, ra) and found is not None and not base.is_degrees(card(
                    header, ra)) for (header, _), found in zip(frames, found, strict=True)):
            section.unknown.append(f"whether {ra} = {said_of(frames, ra)} is in degrees: text with "
                                   "colons is read as hours where it begins below 24")
        return
    section.unknown.append("the pointing: the field is looked for about the object's place in the "
                           "catalogue, else in the whole index")


def _ra_unit(frames: Sequence[Cards], name: str) -> str:
    """hour where the card is a number of hours: by its comment, or by another card of the frame."""
    numbers = [(header, n) for header, _ in frames
               if (n := number_or_none(header, name)) is not None]
    said = comment_of(frames, name).lower()
    if not numbers or any(n >= 24.0 for _, n in numbers) or "deg" in said:
        return "deg"
    if re.search(r"\bhours?\b|\bhrs?\b|\[h", said):
        return "hour"
    for header, n in numbers:
        for other in ("OBJCTRA", "RA", "CRVAL1"):
            place = base.pointing(header, other, other.replace("RA", "DEC").replace("1", "2"),
                                  ra_unit="deg") if other != name else None
            if place is not None and abs(15.0 * n - place[0]) < 3.0:
                return "hour"
            if place is not None and abs(n - place[0]) < 1.0:
                return "deg"
    return "hour" if name == "TELRA" else "deg"


def _may_be_hours(frames: Sequence[Cards], name: str) -> bool:
    """Whether nothing says that numbers below 24 are degrees."""
    numbers = [n for header, _ in frames if (n := number_or_none(header, name)) is not None]
    known = re.search(r"deg|\(j2000\) pointing", comment_of(frames, name).lower()) or any(
        base.pointing(header, "OBJCTRA", "OBJCTDEC", ra_unit="deg") for header, _ in frames)
    return bool(numbers) and max(numbers) < 24.0 and not known


# The scale.

#: Cards with the binning.
BINNINGS = ("XBINNING", "CCDXBIN", "CCDBINX", "DETXBIN", "XBIN", "BINX", "BINNING", "CCDSUM", "BIN",
            "HBIN", "CCDBIN", "BIN1", "BIN-FCT1", "XFACTOR", "CRDELT1", "CCDBIN1", "BINNINGX",
            "X_BINNING", "XBINNIN", "CAMBINX", "CAM-BINX", "DETBINX", "BIN_X", "INSTBIN", "DETBIN",
            "ESO DET WIN1 BINX")
#: Of the pixels as read out, and of single ones whatever the binning.
_SCALES = ("PIXSCALE", "SECPIX", "SECPIX1", "SECPPIX", "PIXSCAL1", "SCALE", "CCDSCALE", "PLTSCALE",
           "PIXSCL", "ITELESCOPEPLATESCALEH", "ARCSECPX", "IMSCALE", "ESO INS PIXSCALE")
_PER_PIXEL = re.compile(r"(arc-?\s?sec(ond)?s?|\")\s*(/|per|a)\s*pix")
_UNBINNED = ("ESO INS PIXSCALE",)
_SIZES = ("PIXSIZE1", "XPIXELSZ", "PIXSIZE", "PIXELSZ", "CCDXPIXE", "XPIXSIZE", "XPIXSZ")
_FOCAL = ("FOCALLEN", "FOCLEN", "FOCAL", "TELFOCUS", "FOCLENTH", "TELFOCAL")


def binning_card(header: Header, comments: Mapping[str, str]) -> str:
    """The card with the binning: a usual one, else one of which the text behind the / says it."""
    for name in (*BINNINGS, *draft_names.binning_cards(header, comments)):
        try:
            if card(header, name) and base.square_binning(header, name, name):
                return name
        except CardError:
            continue
    return ""


def pixel_scale(header: Header, comments: Mapping[str, str]) -> tuple[float, str] | None:
    """Arcseconds per pixel at binning 1, and how that is known; None where it is not."""
    bins = _binning(header, comments)
    size, focal = pixel_size(header, comments), _focal_length(header, comments)
    optics = math.degrees(math.atan(size / 1000.0 / focal)) * 3600.0 if size and focal else None
    said_so = [name for name, said in comments.items() if _PER_PIXEL.search(said.lower())]
    for name in (*_SCALES, *said_so, *draft_names.scale_cards(header, comments)):
        value, said = _of_both_axes(header, name), comments.get(name, "").lower()
        if value is None or not 0.01 < value < 200.0:
            continue
        if "mm" not in said and not (name == "PLTSCALE" and value > 20):
            return _of_card(name, value, said, bins, optics)
        if size is not None:
            return value * size / 1000.0, f"{name} {value:g} arcsec/mm, pixels of {size:g} um"
    if optics:
        return optics, f"pixels of {size:g} um at FOCALLEN {focal:g} mm"
    return _of_solution(header, bins)


def _of_both_axes(header: Header, name: str) -> float | None:
    """A number, or one that is said of each axis, such as 0.357x0.357."""
    found = re.fullmatch(r"\s*([\d.]+)\s*[x*]\s*\1\s*", card(header, name))
    try:
        return float(found[1]) if found else number_or_none(header, name)
    except ValueError:
        return None


def _of_card(name: str, value: float, said: str, bins: int,
             optics: float | None) -> tuple[float, str]:
    """The same of a card: of the pixels as read out, unless something tells otherwise."""
    if name in _UNBINNED or re.search(r"unbinned|binning 1|1x1", said):
        return value, f"{name} says {value:g}"
    if bins > 1 and optics and abs(value / optics - 1.0) < 0.1:
        return value, f"{name} says {value:g}, of single pixels by their size and FOCALLEN"
    return value / bins, f"{name} says {value:g}" + (f" at binning {bins}" * (bins > 1)) + (
        "" if bins == 1 or optics or "binned" in said or _PER_PIXEL.search(said) else
        ": or is it that of single pixels?")


def _of_solution(header: Header, bins: int) -> tuple[float, str] | None:
    """The same of the frame's astrometric solution."""
    cd = [number_or_none(header, name) for name in ("CD1_1", "CD1_2", "CD2_1", "CD2_2")]
    width = number_or_none(header, "IMAGEW")
    if all(v is not None for v in cd) and width in (None, number_or_none(header, "NAXIS1")):
        a, b, c, d = (v or 0.0 for v in cd)
        if a * d - b * c:
            return math.sqrt(abs(a * d - b * c)) * 3600.0 / bins, "of its astrometric solution"
    step = number_or_none(header, "CDELT2")
    if step and abs(step) < 0.06 and "DEC" in card(header, "CTYPE2"):
        return abs(step) * 3600.0 / bins, f"CDELT2 says {step:g} deg"
    return None


def pixel_size(header: Header, comments: Mapping[str, str]) -> float | None:
    """Micrometres of a pixel at binning 1: XPIXSZ is that of the pixels as read out."""
    for name in _SIZES:
        value = number_or_none(header, name)
        if value and 1e-7 < value < 1e-4:
            value *= 1e6  # metres
        elif value and 1e-3 < value < 0.1 and "mm" in comments.get(name, "").lower():
            value *= 1e3
        if value and 0.3 < value < 100.0:
            return value / (_binning(header, comments) if name == "XPIXSZ" else 1)
    return None


def _focal_length(header: Header, comments: Mapping[str, str]) -> float | None:
    """Millimetres; a number of metres says so behind the /."""
    for name in _FOCAL:
        value, said = number_or_none(header, name), comments.get(name, "").lower()
        if value and re.search(r"\[m\]|\(m\)|\bmet(er|re)s?\b|\bin m\b|^m$", said):
            value *= 1000.0
        if value and (value > 20.0 or (value > 1.0 and "mm" in said)):
            return value
    return None


def _binning(header: Header, comments: Mapping[str, str]) -> int:
    name = binning_card(header, comments)
    return base.square_binning(header, name, name) if name else 1


# The detector.

GAINS = ("EGAIN", "GAIN", "CCDGAIN", "CCDSENS", "EPADU", "EPERDN", "CVF", "E-GAIN", "E_GAIN",
         "ELECGAIN", "GAINE", "ESO DET OUT1 CONAD")
_ADU = r"(?:adus?|dn|counts?|d\.?n\.?)"
_ELECTRONS = r"(?:e-?|el|elec|electrons?|photo-?electrons?)"


def is_gain(name: str, header: Header, comments: Mapping[str, str]) -> bool:
    """Whether a card holds electrons per ADU, and not a camera's setting."""
    value, said = number_or_none(header, name), comments.get(name, "").lower()
    if value is None or not 0.0 < value < 50.0 or is_inverse_gain(name, header, comments):
        return False
    if name != "GAIN":
        return True
    if re.search(rf"e-|/\s*{_ADU}|electron", said):
        return True
    return not float(value).is_integer() and "EGAIN" not in header


def is_inverse_gain(name: str, header: Header, comments: Mapping[str, str]) -> bool:
    """Whether a card holds ADU per electron."""
    value, said = number_or_none(header, name), comments.get(name, "").lower()
    return value is not None and 0.02 < value < 100.0 and re.search(
        rf"\b{_ADU}\s*(/|per)\s*{_ELECTRONS}(?![a-z])|\belectrons to {_ADU}", said) is not None


def leading_number(said: str) -> float | None:
    """The number that a text such as ``5.5 e-`` begins with; None of a number alone, and others."""
    found = re.match(r"\s*(\d+(?:[.,]\d+)?)\s*[A-Za-z]", said)
    return float(found[1].replace(",", ".")) if found else None


def is_number(said: str) -> bool:
    """Whether a text is a number above 0."""
    return (number_or_none({"": said}, "") or 0.0) > 0.0


def is_inside(header: Header, name: str) -> bool:
    """Whether a card holds a region of the image."""
    try:
        _, x1, _, y1 = base.region(header, name)
    except CardError:
        return False
    return x1 <= (number_or_none(header, "NAXIS1") or 0.0) \
        and y1 <= (number_or_none(header, "NAXIS2") or 0.0)


def is_region(header: Header, name: str) -> bool:
    """Whether a card holds a region, and not that of a whole image without overscan."""
    try:
        x0, x1, y0, y1 = base.region(header, name)
    except CardError:
        return False
    nx, ny = (number_or_none(header, axis) or 0.0 for axis in ("NAXIS1", "NAXIS2"))
    return x1 <= nx and y1 <= ny and (x0, x1, y0, y1) != (0, nx, 0, ny)
