"""Images that are no single raw exposure: masters, stacks, differences, other scales and units."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from iop4d.model.errors import FrameError
from iop4d.model.frame import FrameFacts, FrameKind

Header = Mapping[str, object]

_KIND_CARDS = ("IMAGETYP", "IMAGETYPE", "OBSTYPE", "FRAME", "FRAMETYP", "PICTTYPE", "IMGTYPE",
               "EXPTYPE", "OBJECT")
_CAMERA_CARDS = ("INSTRUME", "CAMERA", "CAMNAME", "DETECTOR")
_MASTER = re.compile(r"\b(master|super|combined|mean|median)[ _-]?(bias|zero|dark|flat)|"
                     r"\b(bias|zero|dark|flat)[ _-]?(master|combined)\b|^master\b")
_CALIBRATION = (FrameKind.BIAS, FrameKind.DARK, FrameKind.FLAT)
#: Cards in which programs write of how many exposures an image is made.
_COUNTS = ("NCOMBINE", "STACKCNT", "LIGH_CNT", "SNAPSHOT", "NSTACK", "NSTACKED", "NCOADD",
           "NCOADDS", "COADDS", "NUMSTACK", "IMGCOUNT")
_STACK = re.compile(r"\b(master[ _-]?light|stacked|live ?stack)\b")
#: Cards that programs of image subtraction write (HOTPANTS and others).
_DIFFERENCE_CARDS = ("DIFFIM", "KSUM00", "CONVOL00", "DIFFTMPL")
_DIFFERENCE = re.compile(r"\bdiff(erence)?\b|\bdiff?img\b|template[ _-]?subtracted")
_RATE = re.compile(r"(/|\bper\b|\s)\s*s(ec(ond)?s?)?\b|s\s*(\*\*|\^)?\s*\(?-1|\bcps\b|hz")
_FLUX = re.compile(r"magg(y|ies)|\b[munpM]?Jy\b|\berg\b|\bmag\b|\bab\b", re.IGNORECASE)
_ELECTRONS = re.compile(r"(photo-?)?(e-|electrons?)", re.IGNORECASE)


def as_taken(header: Header, facts: FrameFacts, name: str, *,
             simulated: bool = False) -> FrameFacts:
    """The facts of an image that a camera took; raises FrameError for one that was made of others.

    ``name``: of the file; ``simulated``: whether images of a camera that is none are wanted.
    Pixels that are in electrons have a gain of 1.
    """
    for card in () if simulated else _CAMERA_CARDS:
        if is_simulator(_card(header, card)):
            raise FrameError(f"was made by a simulator ({card} = {_card(header, card)}), not by a "
                             "camera: identify of a [[camera]] section that names it takes it")
    said = [_card(header, card).lower() for card in _KIND_CARDS]
    if facts.kind in _CALIBRATION:
        _refuse_master(header, facts.kind, [*said, name.lower()])
    if any(_card(header, card) for card in _DIFFERENCE_CARDS) or any(
            _DIFFERENCE.search(text) for text in said[:-1]):
        raise FrameError("is a difference of two images, which lacks the light that both have: "
                         "give iop4d the frame itself")
    if all(_card(header, card) for card in ("BSOFTEN", "BOFFSET")):
        raise FrameError("its pixels are on a scale that is not linear (asinh; BSOFTEN and "
                         "BOFFSET of Pan-STARRS): give iop4d linear ones")
    unit = _card(header, "BUNIT")
    if _FLUX.search(unit) or _RATE.search(unit.lower()):
        raise FrameError(f"its pixels are in {unit} (BUNIT), which do not tell their noise: give "
                         "iop4d the raw frame, in ADU or electrons")
    if _ELECTRONS.fullmatch(unit):
        return replace(facts, detector=replace(facts.detector, gain_e_adu=1.0))
    return facts


def is_simulator(said: str) -> bool:
    """Whether the name of a camera is that of a program's simulator."""
    return re.search(r"simulat", said, re.IGNORECASE) is not None


def stack_doubt(header: Header) -> str:
    """That an image is a stack of several exposures, in words; empty if it is not."""
    for card in _COUNTS:
        if (count := _count(header, card)) > 1:
            return (f"it is a stack of {count} exposures ({card}): neither its time nor its noise "
                    "are those of one exposure")
    if any(_STACK.search(_card(header, card).lower()) for card in _KIND_CARDS[:-1]):
        return "it is a stack of exposures: neither its time nor its noise are those of one"
    return ""


def _refuse_master(header: Header, kind: FrameKind, texts: list[str]) -> None:
    by = next((f"{card} = {count}" for card in _COUNTS if (count := _count(header, card)) > 1), "")
    if not by and any(_MASTER.search(text.replace("_", " ")) for text in texts):
        by = "by its header or name"
    if by:
        raise FrameError(f"is a master {kind} made of several frames ({by}): iop4d makes its own "
                         "masters, give it the single frames")


def _count(header: Header, name: str) -> int:
    try:
        value = float(_card(header, name))
    except ValueError:
        return 0
    return int(value) if 1.0 < value < 1e6 else 0


def _card(header: Header, name: str) -> str:
    value = header.get(name)
    return "" if value is None or isinstance(value, bool) else str(value).strip()
