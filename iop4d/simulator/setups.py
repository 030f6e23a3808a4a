"""The five instruments, each with all that a simulated night needs to know about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from astropy.io import fits

from iop4d.simulator import headers
from iop4d.simulator.camera import (
    ANDOR_T90,
    ANDOR_T150,
    CAFOS,
    CAFOS_PHOTOMETRY,
    CAFOS_POLARIMETRY,
    DIPOL,
    DIPOL_PART,
    ROPER_T90,
    TWO_PRISMS,
    Ccd,
    Window,
)
from iop4d.simulator.headers import Shot
from iop4d.simulator.polarised import (
    CALCITE,
    T090_POLARISER,
    T150_POLARISER,
    WOLLASTON,
    Optics,
)
from iop4d.simulator.polarised import (
    TWO_PRISMS as TWO_PRISMS_OPTICS,
)

_ROPER_NIGHTS = ("1990-01-01", "2021-10-22")  # from then on the name is the Andor's


@dataclass(frozen=True, kw_only=True)
class Setup:
    """An instrument. ``telescope`` is also the name of its archive folder.

    ``photometry``: what is read of the CCD in photometry, ``polarimetry`` in polarimetry (None:
    all); ``part``: (nx, ny) of sub-frames about the target instead. ``angle_deg``: position angle
    of +y, east of north, and its spread from night to night; east is left where north is up, by
    turning alone. ``jitter_px``: how far the telescope misses at most. ``sample_night``: a night at
    which it was in use.
    """

    name: str
    telescope: str
    ccd: Ccd
    binning: int
    optics: Optics
    file_name: Callable[[Shot], str]
    header: Callable[[Shot], fits.Header]
    overhead_s: float  # between frames: reading out and moving
    bias_s: float  # from bias to bias
    flat_s: float  # from flat to flat
    angle_deg: tuple[float, float]
    jitter_px: float
    photometry: Window | None = None
    polarimetry: Window | None = None
    part: tuple[int, int] | None = None
    has_dark: bool = False
    sample_night: str = "2022-09-08"
    nights: tuple[str, str] = ("1990-01-01", "9999-12-31")


def _osn(name: str, telescope: str, ccd: Ccd, optics: Optics, angle_deg: float, *,
         nights: tuple[str, str] = ("1990-01-01", "9999-12-31"),
         sample_night: str = "2022-09-08") -> Setup:
    return Setup(
        name=name, telescope=telescope, ccd=ccd, binning=2, optics=optics,
        file_name=headers.osn_name, header=headers.osn_header,
        overhead_s=8.0, bias_s=1.0, flat_s=5.0, angle_deg=(angle_deg, 0.0), jitter_px=15.0,
        nights=nights, sample_night=sample_night)


SETUPS: tuple[Setup, ...] = (
    _osn("RoperT90", "OSN-T090", ROPER_T90, T090_POLARISER, 0.8, nights=_ROPER_NIGHTS,
         sample_night="2021-03-14"),
    _osn("AndorT90", "OSN-T090", ANDOR_T90, T090_POLARISER, 1.3),
    _osn("AndorT150", "OSN-T150", ANDOR_T150, T150_POLARISER, -0.7,
         sample_night="2024-03-14"),
    Setup(name="CAFOS", telescope="CAHA-T220", ccd=CAFOS, binning=1, optics=WOLLASTON,
          file_name=headers.cafos_name, header=headers.cafos_header,
          overhead_s=20.0, bias_s=15.0, flat_s=24.0, angle_deg=(0.4, 0.0), jitter_px=6.0,
          photometry=CAFOS_PHOTOMETRY, polarimetry=CAFOS_POLARIMETRY, sample_night="2025-09-13"),
    Setup(name="DIPOL", telescope="OSN-T090", ccd=DIPOL, binning=2, optics=CALCITE,
          file_name=headers.dipol_name, header=headers.dipol_header,
          overhead_s=2.0, bias_s=2.0, flat_s=6.0, angle_deg=(177.6, 2.3), jitter_px=4.0,
          part=DIPOL_PART, has_dark=True, sample_night="2025-10-18"),
)


#: A polarimeter that iop4d does not ship: a site file has to describe it.
DESCRIBED: tuple[Setup, ...] = (
    Setup(name="TwoPrisms", telescope="TwoPrisms", ccd=TWO_PRISMS, binning=1,
          optics=TWO_PRISMS_OPTICS, file_name=headers.prisms_name, header=headers.prisms_header,
          overhead_s=10.0, bias_s=5.0, flat_s=10.0, angle_deg=(0.6, 0.0), jitter_px=10.0,
          sample_night="2022-09-08"),
)


def setup_of(instrument: str) -> Setup:
    """The setup of an instrument, by its name."""
    for setup in (*SETUPS, *DESCRIBED):
        if setup.name == instrument:
            return setup
    raise ValueError(f"no simulated instrument '{instrument}'; there are "
                     + ", ".join(setup.name for setup in SETUPS))


def archive_of(instrument: str) -> tuple[str, str]:
    """(name of the archive's folder, telescope), such as OSN-T090 of DIPOL: both are the same."""
    telescope = setup_of(instrument).telescope
    return telescope, telescope
