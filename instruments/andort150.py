"""AndorT150: the Andor CCD on the 1.5 m telescope of the Sierra Nevada Observatory."""

from __future__ import annotations

from iop4d.instruments.base import Header, card
from iop4d.instruments.osn import osn_ccd
from iop4d.instruments.telescopes import T150
from iop4d.model.polarimeter import InstrumentalPolarisation

POLARISATION = InstrumentalPolarisation(
    q0=0.0158, q0_err=0.0041, u0=0.0382, u0_err=0.0078, angle_deg=0.1, angle_err_deg=2.0,
    source="an older reduction without an error of the angle, here twice that of the 0.9 m "
           "telescope's; an installation should measure its own")


def recognises(header: Header) -> bool:
    """Whether the frame is of this camera, which said Andor until 2023-01-11."""
    said = card(header, "INSTRUME")
    return said == "AndorT150" or (said == "Andor" and card(header, "TELESCOP") == "T150-OSN")


INSTRUMENT = osn_ccd(
    "AndorT150", T150, recognises=recognises, scale_arcsec=0.232,
    scale_source="7.92 arcmin over 2048 px: www.osn.iaa.csic.es, CCDT150",
    gain_e_adu=4.5, read_noise_e=8.0, polarisation=POLARISATION)
