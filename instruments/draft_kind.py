"""What the frames of a camera are: by a card, by names of files and folders, by short exposures."""

from __future__ import annotations

import re
from collections.abc import Sequence

from iop4d.instruments import base, draft_names, draft_time
from iop4d.instruments.base import card
from iop4d.instruments.draft_section import Example, Section, values_of
from iop4d.model.frame import FrameKind

_KIND_CARDS = ("IMAGETYP", "IMAGETYPE", "OBSTYPE", "FRAMETYP", "FRAME", "IMGTYPE", "EXPTYPE",
               "PICTTYPE", "IMTYPE", "OBS_TYPE", "FRMTYPE", "CCDTYPE", "OBJTYPE", "DATA-TYP",
               "ESO DPR TYPE", "DATATYPE", "OBSMODE", "EXP_TYPE", "FRAMETYPE", "IMG_TYPE", "TYPE",
               "OBS-TYPE", "FILETYPE")
#: SBIG's numbers in PICTTYPE.
_PICTURES = {"1": "science", "2": "bias", "3": "dark", "4": "flat"}
_SHORTEST = 0.001  # s
_FEW_STARS = 3  # fewer are hot pixels of a dark, or a cloud
_WORDS = {"bias": ("bias", "zero", "offset"), "dark": ("dark",), "flat": ("flat",)}
#: In a file's name: a step of the reduction of a science frame.
_STEP = re.compile(r"(bias|zero|dark|flat)[ _-]?(sub|corr|less|remov|divided|fielded)",
                   re.IGNORECASE)


def put_kind(frames: Sequence[Example], section: Section) -> None:
    """The card that tells the kind; else names of files and folders, and very short exposures."""
    for name in (*_KIND_CARDS, *_other_kind_cards(frames)):
        said = [value for value in values_of(frames, name) if value]
        known = {value: kind for value in said if (kind := _meaning(name, value))}
        if said and (known or name == "IMAGETYP"):
            section.put("kind_card", name, "says " + ", ".join(map(repr, said)))
            odd = {value: known.get(value, "science") for value in said
                   if name == "PICTTYPE" or value not in known}
            if odd:
                section.put("kinds", known | odd, "a guess where it says "
                            + ", ".join(map(repr, odd)))
            _misnamed(frames, name, section)
            return
    if is_plate(frames):
        return
    found = {_named(frame.path.name) for frame in frames}
    steps = {step[0].lower() for frame in frames if (step := _STEP.search(frame.path.name))}
    section.put("kind_names", {f"*{step}*": "science" for step in sorted(steps)}
                | {f"*{word}*": kind for kind, words in _WORDS.items()
                   for word in words if word in found or word == words[0]}
                | _folders(frames), "no card has the kind: by the file's name")
    if any(_is_short(frame) and not _named(frame.path.name) for frame in frames):
        section.put("bias_exptime", _SHORTEST, "and by exposures shorter than any shutter's")
    for frame in frames:
        if frame.stars is not None and frame.stars < _FEW_STARS and is_science(frame, section):
            section.unknown.append(f"whether {frame.path.name} is a bias, dark or flat: it shows "
                                   f"{frame.stars or 'no'} stars, and neither a card nor a name "
                                   "says so: kind_names")


def _other_kind_cards(frames: Sequence[Example]) -> list[str]:
    """Cards of other names that say a kind in every frame."""
    first = frames[0]
    return [name for name in draft_names.kind_cards(first.header, first.comments)
            if all(draft_names.is_kind(card(frame.header, name)) for frame in frames)]


def is_plate(frames: Sequence[Example]) -> bool:
    """Whether they are scanned photographs, of which there is no bias and no flat."""
    return any(card(frame.header, name) for frame in frames for name in ("PLATEID", "PLATENUM"))


def _is_short(frame: Example) -> bool:
    exptime = draft_time.seconds(frame.header, frame.comments)
    return exptime is not None and exptime <= _SHORTEST


def _meaning(name: str, said: str) -> str:
    if name == "PICTTYPE":
        return _PICTURES.get(said, "")
    return base.value_of(base.KIND_WORDS, said) or ""


def _misnamed(frames: Sequence[Example], kind_card: str, section: Section) -> None:
    """Names that begin with bias, dark or flat where the card says science; where the word stands
    elsewhere, it may be of a step of the reduction.
    """
    names = {}
    for frame in frames:
        said, file = _named(frame.path.name), frame.path.name
        if not said or _meaning(kind_card, card(frame.header, kind_card)) != "science":
            continue
        if begun := re.match(rf"(sky|dome|twilight)?[_ -]?{said}", file, re.IGNORECASE):
            names[f"{begun[0]}*"] = _kind_of_word(said)
        else:
            section.unknown.append(f"whether {file} is a {_kind_of_word(said)}, as its name may "
                                   "mean, or a science frame, as its card says: kind_names")
    if names:
        section.put("kind_names", names, "so some files are called that the card calls science")


def _folders(frames: Sequence[Example]) -> dict[str, str]:
    """Patterns of the folders that are named by a kind where the files are not."""
    found = {}
    for frame in frames:
        folder = frame.path.parent.name
        if not _named(frame.path.name) and (word := _named(folder)):
            found[f"*{word}*/"] = _kind_of_word(word)
    return found


def _named(name: str) -> str:
    """The word for a kind that a name has in it."""
    low = name.lower()
    return next((word for words in _WORDS.values() for word in words if word in low), "")


def _kind_of_word(word: str) -> str:
    return next(kind for kind, words in _WORDS.items() if word in words)


def is_science(frame: Example, section: Section) -> bool:
    """Whether a frame is a science frame by a section."""
    return kind_of(frame, section) is FrameKind.SCIENCE


def kind_of(frame: Example, section: Section) -> FrameKind:
    """What a frame is by a section."""
    def table(name: str) -> dict[str, str]:
        value = section.keys.get(name, ({}, ""))[0]
        return value if isinstance(value, dict) else {}

    named = base.value_of_name(table("kind_names"), frame.path.as_posix())
    if named:
        return FrameKind(named)
    if "kind_card" in section.keys:
        said = card(frame.header, str(section.keys["kind_card"][0]))
        return FrameKind(base.value_of(table("kinds") or base.KIND_WORDS, said) or "science")
    return FrameKind.BIAS if "bias_exptime" in section.keys and _is_short(frame) \
        else FrameKind.SCIENCE
