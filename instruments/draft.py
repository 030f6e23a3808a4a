"""A ``[[camera]]`` section from the headers of some frames, with the reason of every line.

It knows the cards that camera programs and observatories use: MaxIm DL and its kin (SBFITSEXT),
CCDSoft, ACP, NINA, SGP, APT, SharpCap, ASIImg, KStars and INDI, Seestar, DWARF, IRAF, the
Digitized Sky Survey. What no header tells is said, and left for the observer.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from iop4d.instruments import base, draft_cards, draft_names, draft_place, draft_time
from iop4d.instruments.base import card
from iop4d.instruments.detector_cards import mosaic, steps_done
from iop4d.instruments.draft_bands import put_band
from iop4d.instruments.draft_gain import put_gain
from iop4d.instruments.draft_kind import is_plate, is_science, kind_of, put_kind
from iop4d.instruments.draft_section import Example, Section, values_of
from iop4d.model.errors import FrameError, Iop4dError
from iop4d.model.frame import FrameKind


def draft(frames: Sequence[Example]) -> str:
    """The section that reads these frames, all of one camera; raises Iop4dError if they are not."""
    section = Section()
    _name(frames, section)
    put_kind(frames, section)
    science = [frame for frame in frames if is_science(frame, section)] or list(frames)
    _scale(science, section)
    _detector(frames, section)
    _band(frames, science, section)
    put_gain(frames, section)
    _object(science, section)
    moment_of = draft_time.put_time([(frame.header, frame.comments) for frame in frames], section)
    draft_cards.put_pointing([(frame.header, frame.comments) for frame in science], section)
    draft_place.put_place([(frame.header, frame.comments) for frame in frames],
                          [(frame.header, frame.comments) for frame in science], section, moment_of)
    draft_place.put_diameter([(frame.header, frame.comments) for frame in frames], section)
    _masters(frames, section)
    _notices(frames, section)
    return section.text()


# Who it is.

_NAMES = ("INSTRUME", "CAMERA", "CAMNAME", "CAMMODEL", "DEVICE", "CCD_NAME", "CAMID", "CAMERAID",
          "DETECTOR", "HEAD", "CCD_TYPE")
_TELESCOPES = ("TELESCOP", "OBSERVAT", "SITENAME", "ORIGIN")
_LAST_RESORT = ("DETNAM", "CREATOR", "SWCREATE", "PROGRAM", "OBSERVER", "NAXIS1")


def _name(frames: Sequence[Example], section: Section) -> None:
    """Name, telescope, and the cards that all the frames share."""
    identify: dict[str, str] = {}
    for names in (_NAMES, _TELESCOPES, _LAST_RESORT):
        for name in names:
            said = _common(values_of(frames, name))
            if said:
                identify[name] = said
                break
        if names is _TELESCOPES and identify:
            break
    if chip := _common(values_of(frames, "CHIP")):
        identify["CHIP"] = chip  # of a file that was split
    for name in (*_NAMES, "CHIP"):
        cameras = {card(frame.header, name) for frame in frames} - {""}
        if len(cameras) > 1 and name not in identify:
            raise Iop4dError(f"the frames are of {len(cameras)} cameras, by {name}: "
                             f"{', '.join(sorted(cameras))}. Give those of one")
    if not identify:
        raise Iop4dError("no card tells what the frames have in common: "
                         f"looked at {', '.join((*_NAMES, *_TELESCOPES, *_LAST_RESORT))}")
    telescope = next((said for name in _TELESCOPES if (said := _common(values_of(frames, name)))),
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


# The detector.


def _scale(frames: Sequence[Example], section: Section) -> None:
    for frame in frames:
        found = draft_cards.pixel_scale(frame.header, frame.comments)
        if found is not None:
            section.put("pixel_scale", float(f"{found[0]:.5g}"), found[1])
            return
    size = next((s for frame in frames
                 if (s := draft_cards.pixel_size(frame.header, frame.comments))), None)
    how = ("no card tells it: 206.265 x the pixels in um / the focal length in mm; a frame that is "
           "not found at it says at which its stars match")
    if size is not None:
        how = f"CHANGE IT: {size * 206.264806:.4g} / the focal length in mm, which no card tells"
    section.put("pixel_scale", 1.0, how if size else f"CHANGE IT: {how}")


_NOISE = ("RDNOISE", "READNOIS", "READNOISE", "RON", "CCDRON", "READNOI", "ENOISE", "RDNOISE1",
          "RNOISE", "CCDNOISE", "ESO DET OUT1 RON")
_SATURATION = ("SATURATE", "SATLEVEL", "SATURATI", "CCDSAT", "SATURLEV", "SATVAL")


def _detector(frames: Sequence[Example], section: Section) -> None:
    name = next((name for frame in frames
                 if (name := draft_cards.binning_card(frame.header, frame.comments))), "")
    if name:
        said = [value for value in values_of(frames, name) if value]
        section.put("binning_card", name, f"says {', '.join(said)}")
    others = draft_names.noise_cards(frames[0].header, frames[0].comments)
    noise = next((name for name in (*_NOISE, *others) if _first(frames, (name,)) and not re.search(
        r"\b(adu|dn|counts?)\b", _comment(frames, name))), "")
    if noise and (electrons := draft_cards.leading_number(_said(frames, noise))):
        section.put("read_noise", electrons, f"{noise} says {_said(frames, noise)}")
    elif draft_cards.is_number(_said(frames, noise)):
        section.put("read_noise_card", noise, f"electrons: {_said(frames, noise)}")
    _saturation(frames, section)
    _regions(frames, section)
    if pattern := next((p for frame in frames if (p := mosaic(frame.header))), ""):
        section.put("bayer", "green", f"{pattern}: the pixels lie behind colour filters; ignore "
                    "would take all for one band")
    rows = [said for said in values_of(frames, "ROWORDER") if said]
    if len(rows) > 1:
        section.put("flipped", {"ROWORDER": "TOP-DOWN"}, "the frames are of both orders")


def _regions(frames: Sequence[Example], section: Section) -> None:
    """The pixels that see light and the overscan, where the image holds both."""
    for key, names in (("trim_card", ("TRIMSEC",)), ("overscan_card", ("BIASSEC",))):
        for name in names:
            there = [frame for frame in frames
                     if re.search(r"\d\s*:\s*\d", card(frame.header, name))]
            if there and all(draft_cards.is_region(frame.header, name) for frame in there):
                section.put(key, name, f"says {_said(there, name)}")
            elif any(not draft_cards.is_inside(frame.header, name) for frame in there):
                section.unknown.append(f"what {name} = {_said(there, name)} means, which is not "
                                       "inside the image: trim or overscan = ...")
    if quarters := next((name for frame in frames for name in frame.header
                         if re.fullmatch(r"BSEC\d\d|BIASSEC\d", name)), ""):
        section.unknown.append(f"how the parts of the image are joined, each of which was read by "
                               f"an amplifier of its own and has its overscan ({quarters}): give "
                               "frames that are trimmed and joined")
    if "overscan_card" in section.keys and "trim_card" not in section.keys:
        name = _first(frames, ("DATASEC",))
        if name and all(draft_cards.is_region(frame.header, name) for frame in frames):
            section.put("trim_card", name, f"says {_said(frames, name)}")
        else:
            section.unknown.append("which pixels see light beside the overscan: trim = ...")


def _saturation(frames: Sequence[Example], section: Section) -> None:
    clipped = [frame.clipped_adu for frame in frames if frame.clipped_adu is not None]
    if clipped:
        section.put("saturation", float(min(clipped)), "many pixels are clipped there")
    elif name := next((name for name in _SATURATION if draft_cards.is_number(_said(frames, name))
                       and not re.search(r"\be-|electron", _comment(frames, name))), ""):
        section.put("saturation_card", name, f"ADU: {_said(frames, name)}")
    else:
        section.unknown.append("where pixels saturate, if below 65535 ADU: an overexposed star "
                               "shows it")


def _first(frames: Sequence[Example], names: Sequence[str]) -> str:
    """The first of some cards that a frame has a positive number or text of numbers in."""
    return next((name for name in names for frame in frames
                 if re.search(r"[1-9]", card(frame.header, name))), "")


def _said(frames: Sequence[Example], name: str) -> str:
    """What a card says in the first frame that has it."""
    return next((said for said in values_of(frames, name) if said), "")


def _comment(frames: Sequence[Example], name: str) -> str:
    return next((said.lower() for frame in frames if (said := frame.comments.get(name))), "")


# The band and the target.


def _band(frames: Sequence[Example], science: Sequence[Example], section: Section) -> None:
    lit = [frame for frame in frames if kind_of(frame, section) in (
        FrameKind.SCIENCE, FrameKind.FLAT)] or list(frames)
    put_band([(frame.header, frame.comments) for frame in lit],
             [frame.path.stem for frame in science], section,
             clear="V" if "bayer" in section.keys else "C")


_OBJECTS = ("OBJECT", "OBJNAME", "OBJNAM", "OBJECTNA", "TARGNAME", "TARGET", "TCSTGT", "FIELD",
            "CAT-NAME", "SRCNAME", "ESO OBS TARG NAME")


def _object(science: Sequence[Example], section: Section) -> None:
    others = draft_names.object_cards(science[-1].header, science[-1].comments)
    name = next((name for name in (*_OBJECTS, *others) if any(
        re.search(r"[A-Za-z]", said) for said in values_of(science, name))), "OBJECT")
    if name != "OBJECT":
        section.put("object_card", name, f"says {_said(science, name)}")


# What else is to be said.


_PLATE = re.compile(r"polari[sz]|half-?wave|wave-?plate|retarder|wollaston|savart|"
                    r"analy[sz]er (angle|position)", re.IGNORECASE)


def _masters(frames: Sequence[Example], section: Section) -> None:
    kinds = {kind_of(frame, section) for frame in frames}
    steps = ", ".join(value for value in values_of(frames, "CALSTAT") if _is_calibrated(value))
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


def _notices(frames: Sequence[Example], section: Section) -> None:
    """What an observer should know of such frames."""
    say, header = section.unknown.append, frames[0].header
    if base.number_or_none(header, "NAXIS") not in (2.0, None):
        say(f"which plane is meant: NAXIS is {card(header, 'NAXIS')}, and one image is expected")
    for name in ("STACKCNT", "NCOMBINE", "SNAPSHOT"):
        if (base.number_or_none(header, name) or 0.0) > 1:
            say(f"single exposures: {name} = {card(header, name)}, this is a stack")
    if plate := next((name for name in header if _PLATE.search(
            f"{name} {frames[0].comments.get(name, '')}") and not base.is_open(card(header, name))
            and card(header, name).upper() not in ("F", "FALSE", "OUT", "NO")), ""):
        say(f"whether a polariser or a plate stands in the beam ({plate} = {card(header, plate)}): "
            "a polarimeter is described by analyser and angle_card")
    if second := _second_images(frames, section):
        say(f"why every star has a second image, {second}: a polarimeter of two beams is described "
            "by analyser, angle_card and pair_offset")
    if is_plate(frames):
        say("how the scan's values follow the light: magnitudes of a photographic plate are not "
            "linear")
    if not math.isfinite(_longitude(section)):
        say("where the telescope stands: latitude, longitude, height, without which there is no "
            "airmass, and nights are those of Greenwich")


def _second_images(frames: Sequence[Example], section: Section) -> str:
    """Where the second images of stars are seen, by filter; empty where there are none."""
    name = str(section.keys.get("band_card", ("FILTER", ""))[0])
    found = {card(frame.header, name): frame.second_image_px for frame in frames
             if frame.second_image_px is not None}
    return "; ".join(f"at {x:+.1f}, {y:+.1f} px" + (f" behind {said}" if said else "")
                     for said, (x, y) in found.items())


def _longitude(section: Section) -> float:
    value = section.keys.get("longitude", (math.nan, ""))[0]
    return value if isinstance(value, float) else math.nan
