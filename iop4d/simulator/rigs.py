"""The five instruments as the simulator builds them: camera, headers, beams, angles."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from astropy.io import fits

from iop4d.instruments.discovery import find_instruments
from iop4d.model.polarimeter import InstrumentalPolarisation
from iop4d.simulator import headers
from iop4d.simulator.camera import ANDOR_T90, Ccd
from iop4d.simulator.headers import Shot


@dataclass(frozen=True, kw_only=True)
class Rig:
    """An instrument. ``ccd``: what is read out as a whole (of CAFOS the window it uses).

    ``offset``: (dx, dy) of the left minus the right image in pixels as read out, and ``spread``
    from night to night; None for one beam. ``sky_angle``: (position angle of +y, spread).
    ``window``: (ny, nx) of polarimetry frames, None for the whole; ``origin``: of the whole.
    ``half_wave``: a plate turns, not a polaroid. ``dark``: ADU per second.
    """

    ccd: Ccd
    archive: str
    night: str
    binning: int
    angles: tuple[float, ...]
    header: Callable[[Shot], fits.Header]
    name: Callable[[Shot], str]
    offset: tuple[float, float] | None = None
    spread: tuple[float, float] = (0.0, 0.0)
    sky_angle: tuple[float, float] = (1.3, 0.05)
    window: tuple[int, int] | None = None
    origin: tuple[int, int] = (0, 0)
    half_wave: bool = False
    dark: float = 0.0
    peak_adu: float = 35000.0  # that the target is exposed to
    longest_s: float = 120.0

    def constants(self, jd: float) -> InstrumentalPolarisation:
        """The nominal constants of a date."""
        for instrument in find_instruments():
            if instrument.name == self.ccd.name and instrument.polarimeter is not None:
                found = instrument.polarimeter.constants_at(jd)
                assert found is not None
                return found
        raise ValueError(f"{self.ccd.name} has no polarimeter")


_SKY = {"B": 22.0, "V": 21.3, "R": 20.7, "I": 19.3}
_POLAROID = (-45.0, 0.0, 45.0, 90.0)


def _zero(r: float) -> dict[str, float]:
    """Magnitudes of a star of 1 ADU/s in each band, from that in R."""
    return {"B": r - 0.1, "V": r + 0.1, "R": r, "I": r - 0.5}


ROPER_T90 = Ccd(
    name="RoperT90", shape=(1024, 1024), pixel_arcsec=0.774, gain_e_adu=7.14, read_noise_e=10.0,
    bias_adu=400.0, full_adu=65535.0, zero_point=_zero(20.5), sky_mag=_SKY, diameter_m=0.9,
    height_m=2896.0, seed=91)
ANDOR_T150 = Ccd(
    name="AndorT150", shape=(1024, 1024), pixel_arcsec=0.464, gain_e_adu=4.5, read_noise_e=8.0,
    bias_adu=320.0, full_adu=65535.0, zero_point=_zero(22.1), sky_mag=_SKY, diameter_m=1.5,
    height_m=2896.0, seed=150)
CAFOS = Ccd(
    name="CAFOS", shape=(800, 800), pixel_arcsec=0.530, gain_e_adu=1.45, read_noise_e=5.0,
    bias_adu=670.0, full_adu=65535.0, zero_point=_zero(24.1), sky_mag=_SKY, diameter_m=2.2,
    height_m=2168.0, seed=220)
#: Binned 2x2; 1 electron per ADU.
DIPOL = Ccd(
    name="DIPOL", shape=(2822, 4144), pixel_arcsec=0.134, gain_e_adu=1.0, read_noise_e=3.5,
    bias_adu=500.0, full_adu=65535.0, zero_point=_zero(22.4), sky_mag=_SKY, diameter_m=0.9,
    height_m=2896.0, seed=45)

RIGS: dict[str, Rig] = {
    "RoperT90": Rig(
        ccd=ROPER_T90, archive="OSN-T090", night="2021-09-08", binning=2, angles=_POLAROID,
        header=partial(headers.osn_header, telescop="T90-OSN", instrume="RoperT90"),
        name=headers.osn_name),
    "AndorT90": Rig(
        ccd=ANDOR_T90, archive="OSN-T090", night="2022-09-08", binning=2, angles=_POLAROID,
        header=partial(headers.osn_header, telescop="T90-OSN", instrume="AndorT90"),
        name=headers.osn_name),
    "AndorT150": Rig(
        ccd=ANDOR_T150, archive="OSN-T150", night="2023-09-08", binning=2, angles=_POLAROID,
        header=partial(headers.osn_header, telescop="T150-OSN", instrume="AndorT150"),
        name=headers.osn_name, sky_angle=(-0.7, 0.05)),
    "CAFOS": Rig(
        ccd=CAFOS, archive="CAHA-T220", night="2025-09-13", binning=1, half_wave=True,
        angles=(0.0, 22.5, 45.0, 67.5), header=headers.cafos_header, name=headers.cafos_name,
        offset=(-35.7, -0.2), spread=(1.0, 0.7), sky_angle=(0.4, 0.1), origin=(512, 512)),
    "DIPOL": Rig(
        ccd=DIPOL, archive="OSN-T090", night="2025-10-18", binning=2, half_wave=True,
        angles=tuple(22.5 * i for i in range(16)), header=headers.dipol_header,
        name=headers.dipol_name, offset=(-209.0, 13.0), spread=(8.0, 10.0),
        sky_angle=(177.6, 2.3), window=(896, 1120), dark=0.3, longest_s=30.0),
}
