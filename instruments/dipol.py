"""DIPOL: polarimeter on the 0.9 m telescope of the Sierra Nevada Observatory.

A calcite plate makes two images of every star on one CMOS camera, in all frames; polarimetry turns
a half-wave plate and mostly reads a part of the camera out.
"""

from __future__ import annotations

import math
import re
from dataclasses import replace

from iop4d.instruments import base
from iop4d.instruments.base import Header, Instrument, card
from iop4d.instruments.osn import start_of
from iop4d.instruments.telescopes import T090, night_of
from iop4d.model.colours import PhotometricSystem
from iop4d.model.errors import CardError, FrameError
from iop4d.model.frame import FrameFacts, FrameKind
from iop4d.model.polarimeter import Analyser, Beams, InstrumentalPolarisation, Polarimeter

_KINDS = {"bias": FrameKind.BIAS, "dark": FrameKind.DARK, "flat": FrameKind.FLAT,
          "light": FrameKind.SCIENCE}
_BANDS = {"red": "R", "green": "V", "blue": "B", "r": "R", "v": "V", "b": "B", "g": "V"}
_NOTES = re.compile(r"(-?\d+(?:[.,]\d+)?)\s*deg", re.IGNORECASE)
_STEP = 22.5  # degrees between positions of the plate
_PLATE_TOLERANCE = 1.0  # degrees
_WHOLE = (8288, 5644)  # pixels (x, y) of the camera at binning 1
_PART = 0.6  # of either side, below which a frame is a sub-frame
#: JD(UTC) of 2023-09-28T12:00, when the mirrors were cleaned.
CLEANED_JD = 2460216.0


def recognises(header: Header) -> bool:
    """Whether the frame is of this camera; the telescope's name was empty before 2023-10-11."""
    return card(header, "INSTRUME") == "ASI Camera (1)" and card(header, "TELESCOP") in (
        "", "T90-OSN")


def read(header: Header, name: str) -> FrameFacts:
    """The facts of a frame; raises CardError or FrameError."""
    base.refuse_focus(header, name)
    kind = _kind(header)
    light = kind is FrameKind.SCIENCE
    start = start_of(header)
    angle = _plate(header) if light else None
    facts = FrameFacts(
        telescope=T090.name,
        instrument="DIPOL",
        kind=kind,
        night=night_of(start, T090),
        jd_start=start,
        exptime_s=base.exposure(header, "EXPTIME", "EXPOSURE", kind=kind),
        shape=base.shape(header),
        binning=base.square_binning(header, "XBINNING", "YBINNING", default=_binning(header)),
        band=_band(header, kind),
        object=base.object_name(card(header, "OBJECT")),
        pointing_deg=base.pointing(header, "TELRA", "TELDEC", ra_unit="hour"),
        mode="photometry" if angle is None else "polarimetry",
        polariser_deg=angle,
        beams=2 if light else 1,
        origin=(_origin(header, "XORGSUBF"), _origin(header, "YORGSUBF")),
        flipped="flip" in card(header, "FLIPSTAT").lower(),
    )
    return replace(facts, subframe=light and _is_part(facts))


def _kind(header: Header) -> FrameKind:
    """IMAGETYP, but a science frame with skyflat in OBJECT is a flat."""
    said = base.text(header, "IMAGETYP")
    word = said.lower().split()[0]
    if word not in _KINDS:
        raise CardError("IMAGETYP", f"is {said!r}, expected Bias Frame, Dark Frame, Flat Field or "
                                    "Light Frame")
    if word == "light" and "skyflat" in card(header, "OBJECT").lower():
        return FrameKind.FLAT
    return _KINDS[word]


def _binning(header: Header) -> int:
    """Without cards: 2, as nearly all frames have, unless the frame is too wide for that."""
    return 2 if base.shape(header)[1] <= _WHOLE[0] // 2 else 1


def _plate(header: Header) -> float | None:
    """Position of the half-wave plate from NOTES; None without ``deg``, which is photometry."""
    notes = card(header, "NOTES")
    if "deg" not in notes.lower():
        return None
    found = _NOTES.search(notes)
    said = float(found.group(1).replace(",", ".")) % 360.0 if found else math.nan
    angle = round(said / _STEP) * _STEP if found else math.nan
    if not abs(said - angle) <= _PLATE_TOLERANCE:
        raise CardError("NOTES", f"is {notes!r}, expected a multiple of 22.5 deg")
    return angle % 360.0


def _band(header: Header, kind: FrameKind) -> str | None:
    """Red, Green and Blue are an own system, near R, V and B."""
    if kind in (FrameKind.BIAS, FrameKind.DARK):
        return None
    said = card(header, "FILTER")
    if not said:
        raise CardError("FILTER", "is missing or empty")
    if said.lower() not in _BANDS:
        raise FrameError(f"FILTER is {said!r}, expected Red, Green or Blue")
    return _BANDS[said.lower()]


def _origin(header: Header, name: str) -> int:
    place = base.number(header, name) if card(header, name) else 0.0
    if not 0 <= place < max(_WHOLE):
        raise CardError(name, f"is {place:g}, no pixel of the camera")
    return int(place)


def _is_part(facts: FrameFacts) -> bool:
    ny, nx = facts.shape
    return (nx * facts.binning < _PART * _WHOLE[0] or ny * facts.binning < _PART * _WHOLE[1])


# What was published disagrees by far more than its errors. IOP4 had u0 = -3.7710 +- 0.005 % and a
# zero angle of 44.5 +- 0.05 deg before the mirrors were cleaned, -4.0806 +- 0.005 % and 45.1 +-
# 0.05 deg after it; IOP4 1.7.4, with a fit that leaves the ratio of the beams free, has -4.55 +-
# 0.07 % and 41.0 +- 3.0 deg for all dates. Hiltner 960 came out at 52.8 deg with 41.0 deg
# (2025-10-18), where 54.54 is true: 42.7 deg. Here u0 is the middle of both and its error half
# their difference; the zero angle is the standard's, its error holds all three. An installation
# should measure its own.
_SOURCE = ("u0 between {} % ({} the mirrors were cleaned) and -4.55 +- 0.07 % (all dates), zero "
           "angle from Hiltner 960 between 41.0 +- 3.0 and 45.1 +- 0.05 deg: code of IOP4, "
           "github.com/juanep97/iop4")
POLARISATION = InstrumentalPolarisation(
    q0=0.0, q0_err=0.0007, u0=0.0, u0_err=0.0, angle_deg=42.7, angle_err_deg=2.0)


INSTRUMENT = Instrument(
    name="DIPOL",
    telescope=T090,
    scale_arcsec=0.067,
    gain_e_adu=1.0,
    read_noise_e=3.5,
    saturation_adu=65000.0,
    masters=(FrameKind.BIAS, FrameKind.DARK, FrameKind.FLAT),
    recognises=recognises,
    read=read,
    polarimeter=Polarimeter(
        analyser=Analyser.HALF_WAVE_PLATE, angles_deg=tuple(_STEP * i for i in range(16)),
        fewest=8, turns_with_camera=True,
        constants=(
            replace(POLARISATION, q0=0.0005, u0=-0.0416, u0_err=0.0039, until_jd=CLEANED_JD,
                    source=_SOURCE.format("-3.771 +- 0.005", "before")),
            replace(POLARISATION, q0=0.0001, u0=-0.0432, u0_err=0.0024, since_jd=CLEANED_JD,
                    source=_SOURCE.format("-4.081 +- 0.005", "after")),
        )),
    beams=Beams(offset_px=(-209.0, 13.0), tolerance_px=(36.0, 48.0), at_binning=2,
                source="-209 +- 12, +13 +- 16 px at 2x2"),
    system=PhotometricSystem(own_bands={"R": 0.05, "V": 0.05, "B": 0.08}),
    sky_angle_deg=(177.6, 2.3),
    sources={
        "scale_arcsec": "0.134 arcsec per pixel at 2x2",
        "gain_e_adu": "code of IOP4, github.com/juanep97/iop4",
        "read_noise_e": "typical of the sensor; the sky's noise is measured, not computed",
        "saturation_adu": "16-bit converter, with a margin",
        "system": "assumed: a colour term of 0.15, in B of 0.25, against a spread of colours of "
                  "0.35 mag; none is published",
        "sky_angle_deg": "177.6 +- 2.3 deg in solved frames",
    },
)
