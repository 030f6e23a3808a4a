"""Groups of measured frames without noise, of a target whose polarisation is known."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache

import numpy as np

from iop4d.config.site import Polarimetry
from iop4d.instruments.base import Instrument
from iop4d.instruments.discovery import find_instruments
from iop4d.model.frame import FrameFacts, FrameKind
from iop4d.model.messages import MeasuredFrame
from iop4d.model.result import FieldStar, Measurement, ResultValue
from iop4d.model.source import Catalogue, Source, SourceKind
from iop4d.reduction.polarise import polarise
from iop4d.science.stokes import Stokes, rotated

SETTINGS = Polarimetry()
TARGET = Source(name="T", ra_deg=120.0, dec_deg=30.0, kind=SourceKind.TARGET)
STARS = tuple(
    Source(name=f"C{n}", ra_deg=120.01 + n / 100, dec_deg=30.0, kind=SourceKind.CALIBRATOR,
           calibrates=("T",), magnitudes={"R": (13.0 + n / 2, 0.01)}) for n in range(4))
CATALOGUE = Catalogue(version=1, sources=(TARGET, *STARS))
MAG, P, CHI = 14.5, 0.15, 30.0
NAMES = ("RoperT90", "AndorT90", "AndorT150", "CAFOS", "DIPOL")


@cache
def instrument(name: str) -> Instrument:
    return next(i for i in find_instruments() if i.name == name)


def seen(name: str, jd: float, p: float = P, chi: float = CHI) -> tuple[float, float]:
    """q and u as an instrument sees them: turned back, its own added."""
    polarimeter = instrument(name).polarimeter
    assert polarimeter is not None
    constants = polarimeter.constants_at(jd)
    assert constants is not None
    two = math.radians(2 * chi)
    sky = Stokes(q=p * math.cos(two), u=p * math.sin(two), covariance=np.eye(2), method="", n=1)
    back = rotated(sky, -constants.angle_deg)
    return back.q + constants.q0, back.u + constants.u0


def measurement(source: str, flux: float, beam: str = "", flags: int = 0) -> Measurement:
    err = 1e-3 * flux
    return Measurement(
        source=source, x=50.0, y=50.0, flux=flux, flux_err=err, mag_inst=-2.5 * math.log10(flux),
        mag_inst_err=1.086e-3, snr=1000.0, sky=10.0, flags=flags, beam=beam, photon_err=err)


def group(name: str, *, clear: tuple[float, ...] = (1.0,) * 16, field_stars: int = 10,
          jd: float = 2460400.5, p: float = P,
          isp: tuple[float, float] = (0.0, 0.0)) -> list[MeasuredFrame]:
    """A group without noise: each position, its transparency, calibrators and field stars.

    ``isp``: q and u on the sky that all stars but the target have; of the target's they are a part.
    """
    tool = instrument(name)
    assert tool.polarimeter is not None
    plate = tool.beams is not None
    q, u = seen(name, jd, p=p)
    q0, u0 = seen(name, jd, p=math.hypot(*isp), chi=math.degrees(math.atan2(isp[1], isp[0])) / 2)
    frames = []
    for k, angle in enumerate(tool.polarimeter.angles_deg):
        phase = math.radians((4 if plate else 2) * angle)
        facts = FrameFacts(
            telescope=tool.telescope.name, instrument=name, kind=FrameKind.SCIENCE,
            night="2024-03-31", jd_start=jd + k / 1440, exptime_s=30.0, shape=(100, 100), band="R",
            mode="polarimetry", polariser_deg=angle, beams=2 if plate else 1)
        rows: list[Measurement] = []
        for source, mag, (sq, su) in (("T", MAG, (q, u)), *(
                (s.name, s.magnitudes["R"][0], (q0, u0)) for s in STARS)):
            flux = clear[k] * 10 ** (0.4 * (22.0 - mag))
            m = sq * math.cos(phase) + su * math.sin(phase)
            if plate:
                ordinary, extraordinary = flux / 2 * (1 + m), flux / 2 * (1 - m)
                rows += [measurement(source, ordinary + extraordinary),
                         measurement(source, ordinary, "O"),
                         measurement(source, extraordinary, "E")]
            else:
                rows.append(measurement(source, flux * (1 + m)))
        m0 = q0 * math.cos(phase) + u0 * math.sin(phase)
        field = () if plate else tuple(
            FieldStar(ra_deg=120.1 + n / 100, dec_deg=30.0, flux=1000 * clear[k] * (1 + m0),
                      flux_err=1.0) for n in range(field_stars))
        frames.append(MeasuredFrame(
            id=k, facts=facts, measurements=tuple(rows), fwhm_arcsec=2.0, airmass=1.1,
            bjd_tdb=jd, field_stars=field, aperture_arcsec=2.5))
    return frames


def result(frames: list[MeasuredFrame], name: str, settings: Polarimetry = SETTINGS, *,
           catalogue: Catalogue = CATALOGUE) -> ResultValue:
    polarised = polarise(frames, catalogue=catalogue, instrument=instrument(name),
                         settings=settings)
    assert polarised.refused == ()
    return next(r for r in polarised.results if r.source == "T")


def behind_dust(q: float, u: float, err: float = 1e-5) -> Catalogue:
    """The catalogue where it knows the interstellar polarisation of the target's field."""
    return Catalogue(version=2, sources=(replace(TARGET, interstellar=(q, err, u, err)), *STARS))
