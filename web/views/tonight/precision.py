"""What the data of the present target are worth: their errors against what is wanted, and the
exposure that would reach it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from iop4d.config import Site
from iop4d.config.want import Wanted
from iop4d.instruments.base import Instrument
from iop4d.instruments.discovery import find_instruments
from iop4d.model.errors import Iop4dError
from iop4d.model.units import MAG_PER_RELATIVE_FLUX
from iop4d.science import exposure
from iop4d.store import frames, tonight
from iop4d.store.database import Connection


@dataclass(frozen=True, kw_only=True)
class Precision:
    """A random error in a band, and what is wanted of it; NaN: nothing. Of p both are fractions.

    ``advice``: exposures that would reach it; None where it is reached, or nothing is wanted.
    """

    quantity: str
    error: float
    wanted: float
    exptime_s: float
    band: str = ""
    advice: exposure.Advice | None = None

    @property
    def is_reached(self) -> bool:
        """Whether the error is as small as wanted."""
        return self.error <= self.wanted

    @property
    def text(self) -> str:
        """What to do, as a sentence; empty where nothing is."""
        if self.advice is None:
            return ""
        if not self.advice.is_reachable:
            return "no exposure reaches it"
        seconds = f"{_rounded(self.advice.exptime_s):g} s"
        number = "" if self.advice.frames == 1 else f"{self.advice.frames} × "
        place = " at each position" if self.quantity == "p" else ""
        return f"{number}{seconds}{place} would reach it (now {self.exptime_s:g} s)"


def _rounded(seconds: float) -> float:
    """Seconds to two figures, not below."""
    if seconds < 10:
        return math.ceil(seconds)
    step = 10.0 ** (math.floor(math.log10(seconds)) - 1)
    return math.ceil(seconds / step) * step


class Instruments:
    """The instruments of a site by their names; found again where the site file changed."""

    def __init__(self) -> None:
        self._site: Site | None = None
        self._found: Mapping[str, Instrument] = {}

    def of(self, site: Site) -> Mapping[str, Instrument]:
        """Those of a site; none where a plug-in cannot be loaded."""
        if site is not self._site:
            try:
                self._found = {one.name: one for one in find_instruments(
                    site.camera, site.polarimeter)}
            except Iop4dError:
                self._found = {}
            self._site = site
        return self._found


def precisions(db: Connection, frames: Sequence[Any], point: Any, polarised: Any,
               wanted: Callable[[str], Wanted], instruments: Mapping[str, Instrument],
               ) -> list[Precision]:
    """The precision of a target's newest magnitude and p. ``frames``: of its telescope, the latest
    first; ``wanted``: what is wanted in a band."""
    found = []
    if point is not None and point.mag_err is not None:
        found.append(_precision(db, "mag", point.mag_err, wanted(point.band).mag_err, point,
                                frames, instruments, MAG_PER_RELATIVE_FLUX * exposure.GRAIN))
    if polarised is not None and polarised.p_err is not None:
        found.append(_precision(db, "p", polarised.p_err, wanted(polarised.band).p_err, polarised,
                                frames, instruments, exposure.GRAIN))
    return found


def _precision(db: Connection, quantity: str, error: float, wanted: float, point: Any,
               frames: Sequence[Any], instruments: Mapping[str, Instrument],
               floor: float) -> Precision:
    advice = None
    if error > wanted:
        # Another band or camera has other light.
        frame = next((f for f in frames if f.target == point.source and (f.band, f.instrument) == (
            point.band, point.instrument)), None)
        rates, longest = _rates(db, frame, point.source, instruments)
        advice = exposure.measured_advice(error=error, wanted=wanted, exptime_s=point.exptime_s,
                                          rates=rates, floor=floor, longest_s=longest)
    return Precision(quantity=quantity, error=error, wanted=wanted, exptime_s=point.exptime_s,
                     band=point.band, advice=advice)


#: Of a source whose light is not known: its photons alone count.
_PHOTONS = exposure.Rates(source=1.0, sky=0.0)


def _rates(db: Connection, frame: Any, source: str, instruments: Mapping[str, Instrument],
           ) -> tuple[exposure.Rates, float]:
    """What the aperture collects of a source, and the longest exposure that does not saturate."""
    light = tonight.light(db, frame.id, source) if frame is not None else None
    row = frames.find(db, frame.id) if light is not None else None
    known = instruments.get(row.instrument or "") if row is not None else None
    if light is None or row is None or known is None or not frame.exptime_s:
        return _PHOTONS, math.inf
    camera = known.for_frame(frames.facts_of(row))
    sky = light.sky / frame.exptime_s if math.isfinite(light.sky) else 0.0
    rates = exposure.rates_of_flux(
        flux_adu_s=light.flux, sky_adu_s=sky, aperture_px=frame.aperture_px or 0.0,
        gain_e_adu=camera.gain_e_adu, read_noise_e=camera.read_noise_e)
    longest = exposure.saturation_s(
        flux_adu_s=light.flux, sky_adu_s=sky, fwhm_px=frame.fwhm_px or 0.0,
        saturation_adu=camera.saturation_adu)
    return rates, longest if longest > 0 else math.inf
