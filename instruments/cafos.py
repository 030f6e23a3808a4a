"""CAFOS: imager and polarimeter of the 2.2 m telescope at Calar Alto.

In polarimetry a Wollaston prism makes two images of every star, and a half-wave plate turns.
"""

from __future__ import annotations

import re

from iop4d.instruments import base
from iop4d.instruments.base import Header, Instrument, card
from iop4d.instruments.telescopes import T220, night_of
from iop4d.model.errors import CardError, FrameError
from iop4d.model.frame import FrameFacts, FrameKind
from iop4d.model.polarimeter import Analyser, Beams, InstrumentalPolarisation, Polarimeter

_KINDS = {"bias": FrameKind.BIAS, "dark": FrameKind.DARK, "flat": FrameKind.FLAT,
          "domeflat": FrameKind.FLAT, "twilight": FrameKind.FLAT, "skyflat": FrameKind.FLAT,
          "science": FrameKind.SCIENCE}
# A capital, as Gunn's and Sloan's filters are written small.
_BAND = re.compile(r"^(?i:Bessell?|John(?:son)?|Cous(?:ins)?)?\s*([UBVRI])$")
_EMPTY = ("", "free", "none", "-")
_FREE_PLACE = "grism-11"  # of the grism wheel, in images of 2017 to 2025
_PLATE_DEG = (0.0, 22.5, 45.0, 67.5)  # INSPOROT says 22.48, 44.98, 67.48
_PLATE_TOLERANCE = 1.0  # degrees
_NUMBERS = re.compile(r"-?\d+")


def recognises(header: Header) -> bool:
    """Whether the frame is of this camera."""
    return card(header, "INSTRUME").upper().startswith("CAFOS")


def read(header: Header, name: str) -> FrameFacts:
    """The facts of a frame; raises CardError or FrameError."""
    base.refuse_focus(header, name)
    kind = _kind(header)
    if kind in (FrameKind.FLAT, FrameKind.SCIENCE):  # to a closed shutter a grism is nothing
        _refuse_spectrum(header)
    start = _start(header)
    angle = _plate(header) if kind is FrameKind.SCIENCE else None
    return FrameFacts(
        telescope=T220.name,
        instrument="CAFOS",
        kind=kind,
        night=night_of(start, T220),
        jd_start=start,
        exptime_s=base.exposure(header, "EXPTIME", kind=kind),
        shape=base.shape(header),
        binning=base.square_binning(header, "CCDBINX", "CCDBINY"),
        band=_band(header, kind),
        object=base.object_name(card(header, "OBJECT")),
        pointing_deg=base.pointing(header, "RA", "DEC", ra_unit="deg"),
        mode="photometry" if angle is None else "polarimetry",
        polariser_deg=angle,
        beams=1 if angle is None else 2,
        origin=_origin(header),
    )


def _kind(header: Header) -> FrameKind:
    said = base.text(header, "IMAGETYP").lower()
    if said == "arc":
        raise FrameError("an exposure of a calibration lamp (IMAGETYP is 'arc'), which belongs to "
                         "spectra: not reduced")
    if said not in _KINDS:
        raise CardError("IMAGETYP", f"is {said!r}, expected one of {', '.join(_KINDS)}")
    return _KINDS[said]


def _refuse_spectrum(header: Header) -> None:
    """Raise FrameError with a grism in the beam.

    INSGRNAM names it, or says that its place is free; INSGRID is only the place in the wheel.
    """
    name = "INSGRNAM" if card(header, "INSGRNAM") else "INSGRID"
    grism = card(header, name)
    if grism.lower() not in (*_EMPTY, _FREE_PLACE):
        raise FrameError(f"a spectrum ({name} is {grism!r}), no image: not reduced")


def _start(header: Header) -> float:
    """JD(UTC) of the start: DATE-OBS, else DATE; MJD-OBS, of 5 decimals, comes last.

    It is negative in some frames of 2017.
    """
    for name in ("DATE-OBS", "DATE", "MJD-OBS"):
        try:
            return base.julian_date(header, name)
        except CardError:
            continue
    raise CardError("DATE-OBS", "holds no date and time, nor do DATE and MJD-OBS")


def _plate(header: Header) -> float | None:
    """Position of the half-wave plate with the Wollaston in the beam; None in photometry.

    INSTRMOD is not asked: it says Polarizer on plain images too.
    """
    optics = card(header, "INSPOFPI")
    if optics.lower() in _EMPTY:
        return None
    if optics.lower() != "wollaston":
        raise FrameError(f"taken through {optics!r} (INSPOFPI), expected Wollaston or FREE: not "
                         "reduced")
    said = base.number(header, "INSPOROT") % 90.0
    for angle in _PLATE_DEG:
        if abs((said - angle + 45.0) % 90.0 - 45.0) < _PLATE_TOLERANCE:
            return angle
    raise CardError("INSPOROT", f"is {said:g} deg, expected 0, 22.5, 45 or 67.5")


def _band(header: Header, kind: FrameKind) -> str | None:
    if kind in (FrameKind.BIAS, FrameKind.DARK):
        return None
    said = card(header, "INSFLNAM")
    if found := _BAND.match(said):
        return found.group(1)
    if said.lower() in _EMPTY:
        if kind is FrameKind.FLAT:
            return None
        raise FrameError("no filter in the beam (INSFLNAM is "
                         f"{said!r}): no band to calibrate it in")
    raise FrameError(f"the filter {said!r} (INSFLNAM) is none of U, B, V, R, I: not reduced")


def _origin(header: Header) -> tuple[int, int]:
    """(x, y) of the first pixel from DATASEC, in pixels of the whole chip that count from 1.

    It is ``[x1,y1,x2,y2]`` in frames of 2025, ``[x1,y1:x2,y2]`` in those of 2017, and the FITS
    standard has ``[x1:x2,y1:y2]``.
    """
    said = card(header, "DATASEC")
    numbers = [int(n) for n in _NUMBERS.findall(said)]
    if len(numbers) != 4:
        return 0, 0
    standard = said.count(":") == 2
    x1, y1, x2, y2 = (numbers[i] for i in ((0, 2, 1, 3) if standard else range(4)))
    ny, nx = base.shape(header)
    same = x2 - x1 + 1 == nx and y2 - y1 + 1 == ny and x1 >= 1 and y1 >= 1
    return (x1 - 1, y1 - 1) if same else (0, 0)


INSTRUMENT = Instrument(
    name="CAFOS",
    telescope=T220,
    scale_arcsec=0.530,
    gain_e_adu=1.45,
    read_noise_e=5.0,
    saturation_adu=60000.0,
    masters=(FrameKind.BIAS, FrameKind.FLAT),
    recognises=recognises,
    read=read,
    polarimeter=Polarimeter(
        analyser=Analyser.HALF_WAVE_PLATE, angles_deg=_PLATE_DEG, fewest=3, turns_with_camera=True,
        constants=(InstrumentalPolarisation(
            q0=0.0, q0_err=0.0005, u0=0.0, u0_err=0.0005, angle_deg=-1.5, angle_err_deg=1.5,
            source="passed on without a paper; an installation should measure its own"),)),
    beams=Beams(offset_px=(-35.7, -0.2), tolerance_px=(4.0, 3.0),
                source="30 frames of 2025: -35.7 +- 1.3, -0.2 +- 1.0 px"),
    sky_angle_deg=(0.0, 2.0),
    sources={
        "sky_angle_deg": "north or south is up; assumed, an installation should set its own",
        "scale_arcsec": "CAFOS manual, Calar Alto",
        "gain_e_adu": "code of IOP4, github.com/juanep97/iop4; the header's CCDSENS is 1.43",
        "read_noise_e": "typical of the chip; the sky's noise is measured, not computed",
        "saturation_adu": "16-bit converter, with a margin",
    },
)
