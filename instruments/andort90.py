"""AndorT90: the Andor CCD on the 0.9 m telescope of the Sierra Nevada Observatory.

Header habits are those of all OSN CCDs; see ``osn.py``. From 2021-10-23 on frames that say RoperT90
are of this camera too.
"""

from __future__ import annotations

from iop4d.instruments.base import Header, card
from iop4d.instruments.osn import T090_POLARISATION, is_roper, osn_ccd
from iop4d.instruments.telescopes import T090


def recognises(header: Header) -> bool:
    """Whether the frame is of this camera."""
    said = card(header, "INSTRUME")
    return said == "AndorT90" or (said == "RoperT90" and not is_roper(header))


INSTRUMENT = osn_ccd(
    "AndorT90", T090, recognises=recognises, scale_arcsec=0.387,
    scale_source="13.2 arcmin over 2048 px: www.osn.iaa.csic.es, CCDT90",
    gain_e_adu=4.5, read_noise_e=8.0, polarisation=T090_POLARISATION)
