"""RoperT90: the camera of the 0.9 m telescope of the Sierra Nevada Observatory until 2021-10-23.

From then on its name stands in headers of the Andor; see ``andort90.py``, whose constants of
polarisation it shares: the polarisers stayed.
"""

from __future__ import annotations

from iop4d.instruments.base import Header, Instrument, card
from iop4d.instruments.osn import (
    CCD_SOURCES,
    T090_POLARISATION,
    is_roper,
    polariser,
    read_osn_header,
)
from iop4d.instruments.telescopes import T090
from iop4d.model.frame import FrameFacts, FrameKind


def recognises(header: Header) -> bool:
    """Whether the frame is of this camera, by its name and its time."""
    return card(header, "INSTRUME") == "RoperT90" and is_roper(header)


def read(header: Header, name: str) -> FrameFacts:
    """The facts of a frame; raises CardError or FrameError."""
    return read_osn_header(header, name, instrument="RoperT90", telescope=T090)


INSTRUMENT = Instrument(
    name="RoperT90",
    telescope=T090,
    scale_arcsec=0.387,
    gain_e_adu=7.14,
    read_noise_e=10.0,
    saturation_adu=62000.0,
    masters=(FrameKind.BIAS, FrameKind.FLAT),
    recognises=recognises,
    read=read,
    polarimeter=polariser(T090_POLARISATION),
    sources={
        "scale_arcsec": "13.2 arcmin over 2048 px, as of its successor",
        **CCD_SOURCES,
    },
)
