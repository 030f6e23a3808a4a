"""A ``[[camera]]`` section from the headers of some frames, with the reason of every line.

It knows the cards that camera programs and observatories use: MaxIm DL and its kin (SBFITSEXT),
CCDSoft, ACP, NINA, SGP, APT, SharpCap, ASIImg, KStars and INDI, Seestar, DWARF, IRAF, the
Digitized Sky Survey. What no header tells is said, and left for the observer.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath

from iop4d.instruments import base, draft_cards, draft_place, draft_time
from iop4d.instruments.base import Header, card
from iop4d.instruments.detector_cards import mosaic, steps_done
from iop4d.instruments.draft_bands import put_band
from iop4d.model.errors import FrameError, Iop4dError
from iop4d.model.frame import FrameKind


@dataclass(frozen=True, kw_only=True)
class Seen:
    """A frame: its file, its cards, what stands behind the / in them, and of its pixels the level
    at which many are clipped (ADU), the offset of a second image of every star (px), and the number
    of stars; or None."""

    path: PurePath
    header: Header
    comments: Mapping[str, str] = field(default_factory=dict)
    clipped_adu: float | None = None
    second_image_px: tuple[float, float] | None = None
    stars: int | None = None


_MOST_LINES = 12  # of a section, the one with its name among them
#: What stands in one table where there are more: of the detector before all else.
_FOLDED_FIRST = ("binning_card", "gain_card", "read_noise_card", "saturation_card", "trim_card",
                 "overscan_card")


@dataclass
class Section:
    """Keys with their values and reasons, and what could not be known."""

    keys: dict[str, tuple[object, str]] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)

    def put(self, name: str, value: object, why: str) -> None:
        """A key, its value and its reason."""
        self.keys[name] = (value, why)

    def text(self) -> str:
        """The section as TOML; of very many keys those that name cards stand in one table."""
        keys = self._folded()
        lines = {name: f"{name} = {_toml(value)}" for name, (value, _) in keys.items()}
        wide = min(max(map(len, lines.values())), 56)
        return "\n".join([
            "[[camera]]", *(f"{lines[name]:<{wide}}  # {why}" if why else lines[name]
                            for name, (_, why) in keys.items()),
            *(f"# not known: {said}" for said in self.unknown)]) + "\n"


    def _folded(self) -> dict[str, tuple[object, str]]:
        """The keys, of which as many as needed stand in the table of cards."""
        too_many = len(self.keys) - (_MOST_LINES - 1)
        names = [name for name in self.keys if name.endswith("_card")]
        names.sort(key=lambda name: name not in _FOLDED_FIRST)
        folded = names[:too_many + 1] if too_many > 0 else []
        table = ({name.removesuffix("_card"): self.keys[name][0] for name in folded},
                 "; ".join(f"{name.removesuffix('_card')}: {self.keys[name][1]}"
                           for name in folded))
        first = next((name for name in self.keys if name in folded), "")
        return {("cards" if name == first else name): (table if name == first else line)
                for name, line in self.keys.items() if name == first or name not in folded}


def draft(frames: Sequence[Seen]) -> str:
    """The section that reads these frames, all of one camera; raises Iop4dError if they are not."""
    section = Section()
    _name(frames, section)
    _kind(frames, section)
    science = [seen for seen in frames if _is_science(seen, section)] or list(frames)
    _scale(science, section)
    _detector(frames, section)
    _band(frames, science, section)
    _object(science, section)
    draft_time.put_time([(seen.header, seen.comments) for seen in frames], section)
    draft_cards.put_pointing([(seen.header, seen.comments) for seen in science], section)
    draft_place.put_place([(seen.header, seen.comments) for seen in frames],
                          [(seen.header, seen.comments) for seen in science], section)
    _masters(frames, section)
    _notices(frames, section)
    return section.text()


def _toml(value: object) -> str:
    if isinstance(value, dict):
        pairs = ", ".join(f"{_key(name)} = {json.dumps(said, ensure_ascii=False)}"
                          for name, said in value.items())
        return f"{{ {pairs} }}"
    if isinstance(value, float):
        return f"{value:.10g}" if value != int(value) else f"{value:.1f}"
    return json.dumps(value, ensure_ascii=False)


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else json.dumps(name, ensure_ascii=False)


def _values(frames: Iterable[Seen], name: str) -> list[str]:
    """What a card says in the frames, each once; empty where a frame lacks it."""
    return list(dict.fromkeys(card(seen.header, name) for seen in frames))


# Who it is.

_NAMES = ("INSTRUME", "CAMERA", "CAMNAME", "CAMMODEL", "DEVICE", "CCD_NAME", "CAMID", "CAMERAID",
          "DETECTOR", "HEAD", "CCD_TYPE")
_TELESCOPES = ("TELESCOP", "OBSERVAT", "SITENAME", "ORIGIN")
_LAST_RESORT = ("DETNAM", "CREATOR", "SWCREATE", "PROGRAM", "OBSERVER", "NAXIS1")


def _name(frames: Sequence[Seen], section: Section) -> None:
    """Name, telescope, and the cards that all the frames share."""
    identify: dict[str, str] = {}
    for names in (_NAMES, _TELESCOPES, _LAST_RESORT):
        for name in names:
            said = _common(_values(frames, name))
            if said:
                identify[name] = said
                break
        if names is _TELESCOPES and identify:
            break
    if chip := _common(_values(frames, "CHIP")):
        identify["CHIP"] = chip  # of a file that was split
    for name in (*_NAMES, "CHIP"):
        cameras = {card(seen.header, name) for seen in frames} - {""}
        if len(cameras) > 1 and name not in identify:
            raise Iop4dError(f"the frames are of {len(cameras)} cameras, by {name}: "
                             f"{', '.join(sorted(cameras))}. Give those of one")
    if not identify:
        raise Iop4dError("no card tells what the frames have in common: "
                         f"looked at {', '.join((*_NAMES, *_TELESCOPES, *_LAST_RESORT))}")
    telescope = next((said for name in _TELESCOPES if (said := _common(_values(frames, name)))),
                     "")
    own = next((identify[name] for name in _NAMES if name in identify), "")
    section.put("name", f"{own or telescope or 'My camera'} {chip}".strip("* "),
                "what it is called in results: change it as you like")
    section.put("telescope", telescope.strip("* ") or "My telescope",
                "" if telescope else "no card names it: change it")
    section.put("identify", identify, "what all these frames say, and no other camera's should")


def _common(values: Sequence[str]) -> str:
    """What all values are, but for a number in brackets or behind a mark; empty where they differ.
    """
    if len(values) == 1 or not all(values):
        return values[0] if len(values) == 1 else ""
    first, last = min(values), max(values)
    n = next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first))
    return f"{first[:n]}*" if n >= 3 and first[n - 1] in "[(#_:" else ""  # a number of its own


# What the frames are.

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


def _kind(frames: Sequence[Seen], section: Section) -> None:
    """The card that tells the kind; else names of files and folders, and very short exposures."""
    for name in _KIND_CARDS:
        said = [value for value in _values(frames, name) if value]
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
    if _is_plate(frames):
        return
    found = {_named(seen.path.name) for seen in frames}
    steps = {step[0].lower() for seen in frames if (step := _STEP.search(seen.path.name))}
    section.put("kind_names", {f"*{step}*": "science" for step in sorted(steps)}
                | {f"*{word}*": kind for kind, words in _WORDS.items()
                   for word in words if word in found or word == words[0]}
                | _folders(frames), "no card has the kind: by the file's name")
    if any(_is_short(seen) and not _named(seen.path.name) for seen in frames):
        section.put("bias_exptime", _SHORTEST, "and by exposures shorter than any shutter's")
    for seen in frames:
        if seen.stars is not None and seen.stars < _FEW_STARS and _is_science(seen, section):
            section.unknown.append(f"whether {seen.path.name} is a bias, dark or flat: it shows "
                                   f"{seen.stars or 'no'} stars, and neither a card nor a name "
                                   "says so: kind_names")


def _is_plate(frames: Sequence[Seen]) -> bool:
    """Whether they are scanned photographs, of which there is no bias and no flat."""
    return any(card(seen.header, name) for seen in frames for name in ("PLATEID", "PLATENUM"))


def _is_short(seen: Seen) -> bool:
    exptime = draft_time.seconds(seen.header, seen.comments)
    return exptime is not None and exptime <= _SHORTEST


def _meaning(name: str, said: str) -> str:
    if name == "PICTTYPE":
        return _PICTURES.get(said, "")
    return base.value_of(base.KIND_WORDS, said) or ""


def _misnamed(frames: Sequence[Seen], kind_card: str, section: Section) -> None:
    """Names that begin with bias, dark or flat where the card says science; where the word stands
    elsewhere, it may be of a step of the reduction.
    """
    names = {}
    for seen in frames:
        said, file = _named(seen.path.name), seen.path.name
        if not said or _meaning(kind_card, card(seen.header, kind_card)) != "science":
            continue
        if begun := re.match(rf"(sky|dome|twilight)?[_ -]?{said}", file, re.IGNORECASE):
            names[f"{begun[0]}*"] = _kind_of_word(said)
        else:
            section.unknown.append(f"whether {file} is a {_kind_of_word(said)}, as its name may "
                                   "mean, or a science frame, as its card says: kind_names")
    if names:
        section.put("kind_names", names, "so some files are called that the card calls science")


def _folders(frames: Sequence[Seen]) -> dict[str, str]:
    """Patterns of the folders that are named by a kind where the files are not."""
    found = {}
    for seen in frames:
        folder = seen.path.parent.name
        if not _named(seen.path.name) and (word := _named(folder)):
            found[f"*{word}*/"] = _kind_of_word(word)
    return found


def _named(name: str) -> str:
    """The word for a kind that a name has in it."""
    low = name.lower()
    return next((word for words in _WORDS.values() for word in words if word in low), "")


def _kind_of_word(word: str) -> str:
    return next(kind for kind, words in _WORDS.items() if word in words)


def _is_science(seen: Seen, section: Section) -> bool:
    return _kind_of(seen, section) is FrameKind.SCIENCE


def _kind_of(seen: Seen, section: Section) -> FrameKind:
    def table(name: str) -> dict[str, str]:
        value = section.keys.get(name, ({}, ""))[0]
        return value if isinstance(value, dict) else {}

    named = base.value_of_name(table("kind_names"), seen.path.as_posix())
    if named:
        return FrameKind(named)
    if "kind_card" in section.keys:
        said = card(seen.header, str(section.keys["kind_card"][0]))
        return FrameKind(base.value_of(table("kinds") or base.KIND_WORDS, said) or "science")
    return FrameKind.BIAS if "bias_exptime" in section.keys and _is_short(seen) \
        else FrameKind.SCIENCE


# The detector.


def _scale(frames: Sequence[Seen], section: Section) -> None:
    for seen in frames:
        found = draft_cards.pixel_scale(seen.header, seen.comments)
        if found is not None:
            section.put("pixel_scale", float(f"{found[0]:.5g}"), found[1])
            return
    size = next((s for seen in frames
                 if (s := draft_cards.pixel_size(seen.header, seen.comments))), None)
    how = ("no card tells it: 206.265 x the pixels in um / the focal length in mm; a frame that is "
           "not found at it says at which its stars match")
    if size is not None:
        how = f"CHANGE IT: {size * 206.264806:.4g} / the focal length in mm, which no card tells"
    section.put("pixel_scale", 1.0, how if size else f"CHANGE IT: {how}")


_NOISE = ("RDNOISE", "READNOIS", "READNOISE", "RON", "CCDRON", "READNOI", "ENOISE", "RDNOISE1",
          "RNOISE", "CCDNOISE", "ESO DET OUT1 RON")
_SATURATION = ("SATURATE", "SATLEVEL", "SATURATI", "CCDSAT", "SATURLEV", "SATVAL")


def _detector(frames: Sequence[Seen], section: Section) -> None:
    name = next((name for seen in frames
                 if (name := draft_cards.binning_card(seen.header, seen.comments))), "")
    if name:
        said = [value for value in _values(frames, name) if value]
        section.put("binning_card", name, f"says {', '.join(said)}")
    _gain(frames, section)
    noise = next((name for name in _NOISE if _first(frames, (name,)) and not re.search(
        r"\b(adu|dn|counts?)\b", _comment(frames, name))), "")
    if noise and (electrons := draft_cards.leading_number(_said(frames, noise))):
        section.put("read_noise", electrons, f"{noise} says {_said(frames, noise)}")
    elif draft_cards.is_number(_said(frames, noise)):
        section.put("read_noise_card", noise, f"electrons: {_said(frames, noise)}")
    _saturation(frames, section)
    _regions(frames, section)
    if pattern := next((p for seen in frames if (p := mosaic(seen.header))), ""):
        section.put("bayer", "green", f"{pattern}: the pixels lie behind colour filters; ignore "
                    "would take all for one band")
    rows = [said for said in _values(frames, "ROWORDER") if said]
    if len(rows) > 1:
        section.put("flipped", {"ROWORDER": "TOP-DOWN"}, "the frames are of both orders")


def _gain(frames: Sequence[Seen], section: Section) -> None:
    first = frames[0]
    gain = next((name for name in draft_cards.GAINS
                 if draft_cards.is_gain(name, first.header, first.comments)), "")
    inverse = next((name for name in ("GAIN", *draft_cards.GAINS)
                    if draft_cards.is_inverse_gain(name, first.header, first.comments)), "")
    if gain:
        section.put("gain_card", gain, f"electrons per ADU: {card(first.header, gain)}")
    elif inverse:
        value = base.number(first.header, inverse)
        section.put("gain", float(f"{1.0 / value:.5g}"), f"1 / {inverse}, which says {value:g} "
                    f"{_comment(frames, inverse)}")
    elif (number := draft_cards.leading_number(said := card(first.header, "GAIN"))) and re.search(
            r"\d\s*e(l|-|lectrons?)?\s*(/|per)", said):
        section.put("gain", number, f"GAIN says {said}")
    else:
        setting = card(first.header, "GAIN")
        section.unknown.append("the gain in electrons per ADU" + (
            f"; GAIN = {setting} is a setting" if setting else "") + ": gain = ...")


def _regions(frames: Sequence[Seen], section: Section) -> None:
    """The pixels that see light and the overscan, where the image holds both."""
    for key, names in (("trim_card", ("TRIMSEC",)), ("overscan_card", ("BIASSEC",))):
        for name in names:
            there = [seen for seen in frames if re.search(r"\d\s*:\s*\d", card(seen.header, name))]
            if there and all(draft_cards.is_region(seen.header, name) for seen in there):
                section.put(key, name, f"says {_said(there, name)}")
            elif any(not draft_cards.is_inside(seen.header, name) for seen in there):
                section.unknown.append(f"what {name} = {_said(there, name)} means, which is not "
                                       "inside the image: trim or overscan = ...")
    if "overscan_card" in section.keys and "trim_card" not in section.keys:
        name = _first(frames, ("DATASEC",))
        if name and all(draft_cards.is_region(seen.header, name) for seen in frames):
            section.put("trim_card", name, f"says {_said(frames, name)}")
        else:
            section.unknown.append("which pixels see light beside the overscan: trim = ...")


def _saturation(frames: Sequence[Seen], section: Section) -> None:
    clipped = [seen.clipped_adu for seen in frames if seen.clipped_adu is not None]
    if clipped:
        section.put("saturation", float(min(clipped)), "many pixels are clipped there")
    elif name := next((name for name in _SATURATION if draft_cards.is_number(_said(frames, name))
                       and not re.search(r"\be-|electron", _comment(frames, name))), ""):
        section.put("saturation_card", name, f"ADU: {_said(frames, name)}")
    else:
        section.unknown.append("where pixels saturate, if below 65535 ADU: an overexposed star "
                               "shows it")


def _first(frames: Sequence[Seen], names: Sequence[str]) -> str:
    """The first of some cards that a frame has a positive number or text of numbers in."""
    return next((name for name in names for seen in frames
                 if re.search(r"[1-9]", card(seen.header, name))), "")


def _said(frames: Sequence[Seen], name: str) -> str:
    """What a card says in the first frame that has it."""
    return next((said for said in _values(frames, name) if said), "")


def _comment(frames: Sequence[Seen], name: str) -> str:
    return next((said.lower() for seen in frames if (said := seen.comments.get(name))), "")


# The band and the target.


def _band(frames: Sequence[Seen], science: Sequence[Seen], section: Section) -> None:
    lit = [seen for seen in frames if _kind_of(seen, section) in (
        FrameKind.SCIENCE, FrameKind.FLAT)] or list(frames)
    put_band([(seen.header, seen.comments) for seen in lit],
             [seen.path.stem for seen in science], section,
             clear="V" if "bayer" in section.keys else "C")


_OBJECTS = ("OBJECT", "OBJNAME", "OBJNAM", "OBJECTNA", "TARGNAME", "TARGET", "TCSTGT", "FIELD",
            "CAT-NAME", "SRCNAME", "ESO OBS TARG NAME")


def _object(science: Sequence[Seen], section: Section) -> None:
    name = next((name for name in _OBJECTS if any(re.search(r"[A-Za-z]", said) for said in
                                                  _values(science, name))), "OBJECT")
    if name != "OBJECT":
        section.put("object_card", name, f"says {_said(science, name)}")


# What else is to be said.


def _masters(frames: Sequence[Seen], section: Section) -> None:
    kinds = {_kind_of(seen, section) for seen in frames}
    steps = ", ".join(value for value in _values(frames, "CALSTAT") if _is_calibrated(value))
    there = [kind.value for kind in (FrameKind.BIAS, FrameKind.DARK, FrameKind.FLAT)
             if kind in kinds]
    if steps:
        why = f"CALSTAT says {steps}: they are calibrated already"
    elif not there:
        why = "none is among these frames: add bias, dark, flat once there are some"
    else:
        why = "what is among these frames"
    if there != ["bias", "flat"]:
        section.put("masters", there, why)


def _is_calibrated(said: str) -> bool:
    """Whether CALSTAT says that a dark or flat was applied, or more than iop4d understands."""
    try:
        return bool(steps_done({"CALSTAT": said}) - {FrameKind.BIAS})
    except FrameError:
        return True


def _notices(frames: Sequence[Seen], section: Section) -> None:
    """What an observer should know of such frames."""
    say, header = section.unknown.append, frames[0].header
    if base.number_or_none(header, "NAXIS") not in (2.0, None):
        say(f"which plane is meant: NAXIS is {card(header, 'NAXIS')}, and one image is expected")
    for name in ("STACKCNT", "NCOMBINE", "SNAPSHOT"):
        if (base.number_or_none(header, name) or 0.0) > 1:
            say(f"single exposures: {name} = {card(header, name)}, this is a stack")
    if second := _second_images(frames, section):
        say(f"why every star has a second image, {second}: a polarimeter of two beams is described "
            "by analyser, angle_card and pair_offset")
    if _is_plate(frames):
        say("how the scan's values follow the light: magnitudes of a photographic plate are not "
            "linear")
    if not math.isfinite(_longitude(section)):
        say("where the telescope stands: latitude, longitude, height, without which there is no "
            "airmass, and nights are those of Greenwich")


def _second_images(frames: Sequence[Seen], section: Section) -> str:
    """Where the second images of stars are seen, by filter; empty where there are none."""
    name = str(section.keys.get("band_card", ("FILTER", ""))[0])
    found = {card(seen.header, name): seen.second_image_px for seen in frames
             if seen.second_image_px is not None}
    return "; ".join(f"at {x:+.1f}, {y:+.1f} px" + (f" behind {said}" if said else "")
                     for said, (x, y) in found.items())


def _longitude(section: Section) -> float:
    value = section.keys.get("longitude", (math.nan, ""))[0]
    return value if isinstance(value, float) else math.nan
