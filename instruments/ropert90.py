"""RoperT90: the camera of the 0.9 m telescope of the Sierra Nevada Observatory until 2021-10-23.

From then on its name stands in headers of the Andor; see ``andort90.py``, whose constants of
polarisation it shares: the polarisers stayed.
"""

from __future__ import annotations

from iop4d.instruments.base import Header, card
from iop4d.instruments.osn import T090_POLARISATION, is_roper, osn_ccd
from iop4d.instruments.telescopes import T090


def recognises(header: Header) -> bool:
    """Whether the frame is of this camera, by its name and its time."""
    return card(header, "INSTRUME") == "RoperT90" and is_roper(header)


INSTRUMENT = osn_ccd(
    "RoperT90", T090, recognises=recognises, scale_arcsec=0.387,
    scale_source="13.2 arcmin over 2048 px, as of its successor",
    gain_e_adu=7.14, read_noise_e=10.0, polarisation=T090_POLARISATION)
