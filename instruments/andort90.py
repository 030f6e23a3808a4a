"""AndorT90: the Andor CCD on the 0.9 m telescope of the Sierra Nevada Observatory.

Header habits are those of all OSN CCDs; see ``osn.py``. From 2021-10-23 on frames that say RoperT90
are of this camera too.
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
    """Whether the frame is of this camera."""
    said = card(header, "INSTRUME")
    return said == "AndorT90" or (said == "RoperT90" and not is_roper(header))


def read(header: Header, name: str) -> FrameFacts:
    """The facts of a frame; raises CardError or FrameError."""
    return read_osn_header(header, name, instrument="AndorT90", telescope=T090)


INSTRUMENT = Instrument(
    name="AndorT90",
    telescope=T090,
    scale_arcsec=0.387,
    gain_e_adu=4.5,
    read_noise_e=8.0,
    saturation_adu=62000.0,
    masters=(FrameKind.BIAS, FrameKind.FLAT),
    recognises=recognises,
    read=read,
    polarimeter=polariser(T090_POLARISATION),
    sources={
        "scale_arcsec": "13.2 arcmin over 2048 px: www.osn.iaa.csic.es, CCDT90",
        **CCD_SOURCES,
    },
)
