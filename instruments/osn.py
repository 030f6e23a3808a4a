"""How the CCDs of the Sierra Nevada Observatory (OSN) write their headers."""

from __future__ import annotations

import re
from collections.abc import Callable

from iop4d.instruments import base
from iop4d.instruments.telescopes import T090, Telescope, night_of
from iop4d.model.errors import CardError
from iop4d.model.frame import FrameFacts, FrameKind
from iop4d.model.polarimeter import Analyser, InstrumentalPolarisation, Polarimeter

#: First night from which on INSTRUME = RoperT90 is the Andor: cameras are changed by day.
ANDOR_SINCE = "2021-10-23"

_WIDTH = 2048  # pixels of all these CCDs at binning 1

#: Of the 0.9 m telescope, with either camera: the polarisers stayed. The angle was published
#: without an error; BL Lac of 2022-09-08 came out at 15.5 +- 0.9 deg where 14.7 was published.
T090_POLARISATION = InstrumentalPolarisation(
    q0=0.0579, q0_err=0.0030, u0=0.0583, u0_err=0.0023, angle_deg=-18.0, angle_err_deg=1.0,
    source="code of IOP4, github.com/juanep97/iop4; the angle's error from BL Lac of 2022-09-08, "
           "Escudero Pedrosa et al. 2024, AJ 168, 84")

#: The polariser's positions, degrees; the fit needs three of them.
POLARISER_DEG = (-45.0, 0.0, 45.0, 90.0)

#: Position angle of the image's +y axis for which the zero angles hold, and its error. South up is
#: the same to a polariser.
SKY_ANGLE_DEG = (0.0, 2.0)

#: Where the facts of these CCDs are from.
CCD_SOURCES = {
    "sky_angle_deg": "north or south is up; assumed, as no solved frame is published: an "
                     "installation of another angle should set its own",
    "gain_e_adu": "code of IOP4, github.com/juanep97/iop4",
    "read_noise_e": "typical of the model; the sky's noise is measured, not computed",
    "saturation_adu": "16-bit converter, with a margin for the bias and non-linearity",
}

_KINDS = {"BIAS": FrameKind.BIAS, "DARK": FrameKind.DARK, "FLAT": FrameKind.FLAT,
          "LIGHT": FrameKind.SCIENCE}
# R_45 and R-45 are -45 degrees; R45 and R+45 are +45.
_POLARISER = re.compile(r"^([UBVRI])\s*(?:Johnson\s*)?([_+-]?)\s*(0|45|90)$")
_BAND = re.compile(r"^([UBVRI])\b[^\d]*$")  # a number would be an angle that is none of ours


def osn_ccd(name: str, telescope: Telescope, *, recognises: Callable[[base.Header], bool],
            scale_arcsec: float, scale_source: str, gain_e_adu: float, read_noise_e: float,
            polarisation: InstrumentalPolarisation) -> base.Instrument:
    """A CCD of the OSN: it saturates, is calibrated and writes its headers as the others do."""
    def read(header: base.Header, file: str) -> FrameFacts:
        return read_osn_header(header, file, instrument=name, telescope=telescope)

    return base.Instrument(
        name=name, telescope=telescope, scale_arcsec=scale_arcsec, gain_e_adu=gain_e_adu,
        read_noise_e=read_noise_e, saturation_adu=62000.0,
        masters=(FrameKind.BIAS, FrameKind.FLAT), recognises=recognises, read=read,
        polarimeter=polariser(polarisation), sky_angle_deg=SKY_ANGLE_DEG,
        sources={"scale_arcsec": scale_source, **CCD_SOURCES})


def polariser(*constants: InstrumentalPolarisation) -> Polarimeter:
    """The polarisers in an OSN filter wheel, which is mounted with the camera."""
    return Polarimeter(analyser=Analyser.POLARISER, angles_deg=POLARISER_DEG, fewest=3,
                       constants=constants, turns_with_camera=True)


def is_roper(header: base.Header) -> bool:
    """Whether INSTRUME = RoperT90 is true: by the night; without a time it is not."""
    try:
        return night_of(start_of(header), T090) < ANDOR_SINCE
    except CardError:
        return False


def read_osn_header(header: base.Header, name: str, *, instrument: str,
                    telescope: Telescope) -> FrameFacts:
    """The facts of a frame of an OSN CCD; raises CardError or FrameError."""
    base.refuse_focus(header, name)
    kind = _kind(header, name)
    start = start_of(header)
    band, angle = _filter(header, kind)
    return FrameFacts(
        telescope=telescope.name,
        instrument=instrument,
        kind=kind,
        night=night_of(start, telescope),
        jd_start=start,
        exptime_s=base.exposure(header, "EXPTIME", "EXPOSURE", kind=kind),
        shape=base.shape(header),
        binning=base.square_binning(header, "XBINNING", "YBINNING", default=_binning(header)),
        band=band,
        object=base.object_name(base.card(header, "OBJECT")),
        pointing_deg=base.pointing(header, "OBJCTRA", "OBJCTDEC", ra_unit="hour"),
        origin=base.window(header, "XORGSUBF", "YORGSUBF"),
        mode="photometry" if angle is None else "polarimetry",
        polariser_deg=angle,
    )


def _kind(header: base.Header, name: str) -> FrameKind:
    """IMAGETYP, but a LIGHT whose OBJECT and file name both say flat or bias is that."""
    said = base.text(header, "IMAGETYP").upper().split()[0]
    if said not in _KINDS:
        raise CardError("IMAGETYP", f"is {said!r}, expected one of {', '.join(_KINDS)}")
    if said == "LIGHT":
        for word in ("FLAT", "BIAS"):
            if word in base.card(header, "OBJECT").upper() and word in name.upper():
                return _KINDS[word]
    return _KINDS[said]


def start_of(header: base.Header) -> float:
    """JD(UTC) of the start: the JD card, else DATE-OBS."""
    if base.card(header, "JD"):
        try:
            return base.julian_date(header, "JD")
        except CardError:
            if not base.card(header, "DATE-OBS"):
                raise
    return base.julian_date(header, "DATE-OBS")


def _binning(header: base.Header) -> int:
    """The binning that the width tells: 2048 px are 1x1, 1024 px 2x2."""
    return 2 if base.shape(header)[1] == _WIDTH // 2 else 1


def _filter(header: base.Header, kind: FrameKind) -> tuple[str | None, float | None]:
    """(band, angle of the polariser); no band for bias and dark, and for a flat without filter."""
    if kind in (FrameKind.BIAS, FrameKind.DARK):
        return None, None
    said = base.card(header, "FILTER")
    if kind is FrameKind.FLAT and said.lower() in ("", "clear"):
        return None, None
    if not said:
        raise CardError("FILTER", "is missing or empty")
    if found := _POLARISER.match(said):
        band, sign, degrees = found.groups()
        angle = -45.0 if degrees == "45" and sign in ("_", "-") else float(degrees)
        return band, angle if kind is FrameKind.SCIENCE else None
    if found := _BAND.match(said):
        return found.group(1), None
    raise CardError("FILTER", f"is {said!r}, expected one of U, B, V, R, I, with 0, 45, 90 or _45 "
                    "for a polariser")
