"""How the CCDs of the Sierra Nevada Observatory write their headers."""

from __future__ import annotations

import re

from iop4d.instruments import base
from iop4d.instruments.telescopes import Telescope, night_of
from iop4d.model.errors import CardError, FrameError
from iop4d.model.frame import FrameFacts, FrameKind

_KINDS = {"BIAS": FrameKind.BIAS, "DARK": FrameKind.DARK, "FLAT": FrameKind.FLAT,
          "LIGHT": FrameKind.LIGHT}
_POLAROID = re.compile(r"^[UBVRI][_+-]?(0|45|90)$")
_BAND = re.compile(r"^([UBVRI])\b")


def read_osn_header(header: base.Header, name: str, *, instrument: str,
                    telescope: Telescope) -> FrameFacts:
    """The facts of a frame of an OSN CCD; raises CardError or FrameError."""
    kind = _kind(header, name)
    start = _start(header)
    return FrameFacts(
        telescope=telescope.name,
        instrument=instrument,
        kind=kind,
        night=night_of(start, telescope),
        jd_start=start,
        exptime_s=0.0 if kind is FrameKind.BIAS and "EXPTIME" not in header
        else base.exposure(header, "EXPTIME", "EXPOSURE"),
        shape=base.shape(header),
        binning=base.square_binning(header, "XBINNING", "YBINNING"),
        band=_band(header, kind),
        object=str(header.get("OBJECT", "")).strip(),
        pointing_deg=base.pointing(header, "OBJCTRA", "OBJCTDEC", ra_unit="hour"),
    )


def _kind(header: base.Header, name: str) -> FrameKind:
    """IMAGETYP, but a LIGHT whose OBJECT and file name both say flat or bias is that."""
    said = base.text(header, "IMAGETYP").upper().split()[0]
    if said not in _KINDS:
        raise CardError("IMAGETYP", f"is {said!r}, expected one of {', '.join(_KINDS)}")
    if said == "LIGHT":
        for word in ("FLAT", "BIAS"):
            if word in str(header.get("OBJECT", "")).upper() and word in name.upper():
                return _KINDS[word]
    return _KINDS[said]


def _start(header: base.Header) -> float:
    """JD(UTC) of the start: the JD card, else DATE-OBS."""
    if str(header.get("JD", "")).strip():
        try:
            return base.julian_date(header, "JD")
        except CardError:
            if "DATE-OBS" not in header:
                raise
    return base.julian_date(header, "DATE-OBS")


def _band(header: base.Header, kind: FrameKind) -> str | None:
    """The band; None for bias and dark, and for a flat taken without a filter."""
    if kind in (FrameKind.BIAS, FrameKind.DARK):
        return None
    said = str(header.get("FILTER", "")).strip()
    if kind is FrameKind.FLAT and said in ("", "Clear"):
        return None
    if not said:
        raise CardError("FILTER", "is missing or empty")
    if _POLAROID.match(said):
        raise FrameError(f"FILTER is {said!r}: polarimetry, which this version leaves alone")
    if not (found := _BAND.match(said)):
        raise CardError("FILTER", f"is {said!r}, expected one of U, B, V, R, I")
    return found.group(1)
