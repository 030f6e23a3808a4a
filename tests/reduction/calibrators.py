"""A target with three calibrators, measured without pixels."""

from __future__ import annotations

import math
from dataclasses import replace

from iop4d.instruments.telescopes import T090
from iop4d.model.colours import ColourTerm, PhotometricSystem
from iop4d.model.flags import Flag
from iop4d.model.frame import FrameFacts, FrameKind
from iop4d.model.messages import MeasuredFrame
from iop4d.model.result import Measurement, ResultValue
from iop4d.model.source import Catalogue, Source, SourceKind
from iop4d.reduction.calibrate import calibrate

TARGET = Source(name="T", ra_deg=330.68, dec_deg=42.28, kind=SourceKind.TARGET)
FACTS = FrameFacts(telescope="OSN-T090", instrument="AndorT90", kind=FrameKind.SCIENCE,
                   night="2022-09-08", jd_start=2459831.4, exptime_s=60.0, shape=(1024, 1024),
                   band="R")


def star(name: str, mag: float, err: float = 0.01) -> Source:
    return Source(name=name, ra_deg=330.7, dec_deg=42.2 + sum(map(ord, name)) / 100.0,
                  kind=SourceKind.CALIBRATOR,
                  calibrates=("T",), magnitudes={"R": (mag, err)})


GOOD = Flag(0)


def seen(name: str, mag_inst: float, *, err: float = 0.003, flags: Flag = GOOD) -> Measurement:
    return Measurement(source=name, x=1.0, y=1.0, flux=1.0, flux_err=1.0, mag_inst=mag_inst,
                       mag_inst_err=err, snr=300.0, sky=10.0, flags=int(flags))


def frame(*measured: Measurement, number: int = 0) -> MeasuredFrame:
    return MeasuredFrame(id=number, facts=replace(FACTS, jd_start=FACTS.jd_start + number / 1440),
                         measurements=measured, fwhm_arcsec=2.0, airmass=1.1, bjd_tdb=2459831.4)


#: A band that is the catalogue's own: of an unknown one the colours' share is in every error.
AS_THE_CATALOGUE = PhotometricSystem(terms=(
    ColourTerm(band="R", colour="V-R", term=0.0, term_err=0.0),))
STARS = (star("A", 13.0), star("B", 14.0), star("C", 15.0))
CATALOGUE = Catalogue(version=1, sources=(TARGET, *STARS))


def result(*measured: Measurement, catalogue: Catalogue = CATALOGUE) -> ResultValue:
    return calibrate(TARGET, [frame(*measured)], catalogue=catalogue, telescope=T090,
                     system=AS_THE_CATALOGUE)[0]


def series(fluxes: list[float], errs: list[float]) -> tuple[ResultValue, ...]:
    """Results of the target with such fluxes in ADU per second, among bright calibrators."""
    frames = []
    for number, (flux, err) in enumerate(zip(fluxes, errs, strict=True)):
        target = replace(
            seen("T", -2.5 * math.log10(flux) if flux > 0 else math.nan), flux=flux, flux_err=err,
            mag_inst_err=1.0857 * err / flux if flux > 0 else math.nan, snr=flux / err)
        frames.append(frame(target, *(seen(name, mag, err=1e-4) for name, mag in (
            ("A", -7.0), ("B", -6.0), ("C", -5.0))), number=number))
    return calibrate(TARGET, frames, catalogue=CATALOGUE, telescope=T090)
