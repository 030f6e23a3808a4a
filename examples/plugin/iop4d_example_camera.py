"""A camera on a balcony, as a plug-in brings it: facts, and functions that read its headers."""

from __future__ import annotations

from iop4d.instruments import base
from iop4d.instruments.base import Header, Instrument
from iop4d.instruments.telescopes import Telescope, night_of
from iop4d.model.frame import FrameFacts, FrameKind

BALCONY = Telescope(name="Balcony", latitude_deg=37.18, longitude_deg=-3.60, height_m=700.0)


def recognises(header: Header) -> bool:
    """Whether a frame is of this camera."""
    return base.card(header, "INSTRUME") == "Balcony 50"


def read(header: Header, _name: str) -> FrameFacts:
    """Every frame is a science frame through the green filter."""
    start = base.julian_date(header, "DATE-OBS")
    return FrameFacts(
        telescope=BALCONY.name, instrument="Balcony", kind=FrameKind.SCIENCE,
        night=night_of(start, BALCONY), jd_start=start,
        exptime_s=base.exposure(header, "EXPTIME"), shape=base.shape(header), band="V",
        object=base.card(header, "OBJECT"))


INSTRUMENT = Instrument(
    name="Balcony", telescope=BALCONY, scale_arcsec=2.4, gain_e_adu=1.0, read_noise_e=2.0,
    saturation_adu=60000.0, masters=(), recognises=recognises, read=read,
    sources={"scale_arcsec": "solved frames", "gain_e_adu": "maker's data sheet",
             "saturation_adu": "maker's data sheet"})
