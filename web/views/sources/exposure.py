"""Exposure times of a source, from the zero points and skies that were measured, and tonight."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

from flask import Blueprint, request

from iop4d.config import Site
from iop4d.config.want import wanted_of
from iop4d.instruments.base import Instrument
from iop4d.instruments.discovery import find_instruments
from iop4d.model.polarimeter import Analyser
from iop4d.model.source import Source
from iop4d.model.units import MAG_PER_RELATIVE_FLUX
from iop4d.science.exposure import (
    Advice,
    exposure_of_mag_error,
    exposure_of_p_error,
    flux_of_magnitude,
    mag_error,
    planned,
    rates_of_flux,
    saturation_s,
)
from iop4d.science.fwhm import FWHM_PER_SIGMA
from iop4d.science.photometry import scintillation
from iop4d.store.conditions import Conditions, newest_conditions
from iop4d.store.database import Connection
from iop4d.store.last_values import source_rows
from iop4d.web import visibility
from iop4d.web.context import parts, reading, render
from iop4d.web.views.sources.catalogue import known
from iop4d.web.views.sources.list import tonight_of

blueprint = Blueprint("exposure", __name__)

#: Magnitudes that a unit of airmass takes, of a clear sky over a mountain (Hayes & Latham 1975, ApJ
#: 197, 593, to 5 %).
_EXTINCTION = {"U": 0.50, "B": 0.25, "V": 0.15, "R": 0.10, "I": 0.06}
_USUAL_EXTINCTION = 0.12
_FEWEST = 3  # results of a camera and band that say anything
#: Skies that can be chosen, as the part of the measured ones that are darker.
_SKIES = {"dark": 0.2, "usual": 0.5, "moonlit": 0.9}
_FIELDS: dict[str, tuple[float, float]] = {
    "mag": (0.0, 25.0), "mag_err": (0.001, 0.5), "snr": (2.0, 1000.0), "p_err": (0.02, 20.0),
    "seeing": (0.4, 10.0), "airmass": (1.0, 4.0)}


@dataclass(frozen=True, kw_only=True)
class Line:
    """What a camera needs in a band. ``frames``: results that tell; ``zero_point``: mag of 1 ADU/s
    at this airmass; ``sky_mag``: mag per square arcsec; ``saturates_s``: of the source;
    ``positions``: of a group, each exposed as ``for_p`` says."""

    telescope: str
    instrument: str
    band: str
    frames: int
    mag: float
    zero_point: float
    sky_mag: float
    fwhm_arcsec: float
    saturates_s: float
    for_mag: Advice
    for_p: Advice | None
    positions: int
    error_of_a_minute: float


@blueprint.get("/sources/<path:key>/exposure")
@reading
def exposure(db: Connection, key: str) -> str:
    """How long to expose a source, with each camera and band that was used."""
    source, site = known(db, key), parts().site
    row = next((one for one in source_rows(db, calibrators=True) if one.name == source.name), None)
    last = {band: result.mag for band, result in row.last.items()
            if result.mag is not None} if row else {}
    asked, wrong = _asked()
    if "snr" in asked:
        asked["mag_err"] = MAG_PER_RELATIVE_FLUX / asked["snr"]
    seen = tonight_of(source.name, db)
    lines = advise(newest_conditions(db), site, source, last, asked,
                   sky=_SKIES.get(request.args.get("sky", ""), _SKIES["usual"]))
    return render(
        db, "exposure.html", source=source, lines=lines, asked=request.args, wrong=wrong,
        exptime=exptime_text, skies=list(_SKIES), sky=request.args.get("sky") or "usual", last=last,
        night=seen[0] if seen else None, track=seen[1] if seen else None,
        picture=visibility.large(*seen, time.time()) if seen else "")


def _asked() -> tuple[dict[str, float], dict[str, str]]:
    """The numbers of the form, and what is wrong by field."""
    found, wrong = {}, {}
    for name, (low, high) in _FIELDS.items():
        text = request.args.get(name, "").strip()
        if not text:
            continue
        try:
            value = float(text.replace(",", "."))
        except ValueError:
            value = math.nan
        if low <= value <= high:
            found[name] = value
        else:
            wrong[name] = f"Expected a number from {low:g} to {high:g}."
    return found, wrong


def exptime_text(seconds: float) -> str:
    """An exposure time in words: tenths of seconds where it is short, else two digits."""
    if not math.isfinite(seconds):
        return "never"
    if seconds < 10:
        return f"{seconds:.1f} s"
    return f"{seconds:.0f} s" if seconds < 600 else f"{seconds / 60:.0f} min"


def advise(measured: list[Conditions], site: Site, source: Source, last: Mapping[str, float],
           asked: Mapping[str, float], *, sky: float) -> list[Line]:
    """What each camera and band that was used lately needs.

    ``last``: the source's last magnitude by band; ``asked``: what the form says instead of the
    measured and wanted values; ``sky``: the part of the measured skies that are darker.
    """
    instruments = {one.name: one for one in find_instruments(site.camera, site.polarimeter)}
    groups: dict[tuple[str, str, str], list[Conditions]] = {}
    for one in measured:
        groups.setdefault((one.telescope, one.instrument, one.band), []).append(one)
    found = []
    for (telescope, name, band), mine in sorted(groups.items()):
        mag = asked.get("mag", last.get(band, source.magnitudes.get(band, (math.nan,))[0]))
        if len(mine) < _FEWEST or name not in instruments or not math.isfinite(mag):
            continue
        found.append(_line(telescope, instruments[name], band, mine, mag, site, source, asked, sky))
    return found


def _line(telescope: str, instrument: Instrument, band: str, mine: list[Conditions], mag: float,
          site: Site, source: Source, asked: Mapping[str, float], sky: float) -> Line:
    wanted = wanted_of(site.want, (source.name, *source.other_names), band)
    mag_err = asked.get("mag_err", wanted.mag_err if wanted.mag_err == wanted.mag_err else 0.01)
    p_err = asked["p_err"] / 100 if "p_err" in asked else (
        wanted.p_err if wanted.p_err == wanted.p_err else 0.005)
    plain = [one for one in mine if one.mode == "photometry"] or mine
    rates = _rates(plain, instrument, band, mag, site, asked, sky)
    rotated = [one for one in mine if one.mode == "polarimetry"]
    for_p, positions = None, 0
    if rotated and instrument.polarimeter is not None:
        positions = len(instrument.polarimeter.angles_deg)
        turned = _rates(rotated, instrument, band, mag, site, asked, sky)
        light = (turned.rates if instrument.polarimeter.analyser is Analyser.POLARISER
                 else replace(turned.rates, scintillation=0.0))  # of two beams it cancels
        for_p = planned(exposure_of_p_error(light, p_err, positions),
                        longest_s=turned.saturates_s)
    return Line(
        telescope=telescope, instrument=instrument.name, band=band, frames=len(mine), mag=mag,
        zero_point=rates.zero_point, sky_mag=rates.sky_mag, fwhm_arcsec=rates.fwhm_arcsec,
        saturates_s=rates.saturates_s, positions=positions, for_p=for_p,
        for_mag=planned(exposure_of_mag_error(rates.rates, mag_err), longest_s=rates.saturates_s),
        error_of_a_minute=mag_error(rates.rates, 60.0))


@dataclass(frozen=True, kw_only=True)
class _Seen:
    rates: Any
    zero_point: float
    sky_mag: float
    fwhm_arcsec: float
    saturates_s: float


def _rates(mine: list[Conditions], instrument: Instrument, band: str, mag: float, site: Site,
           asked: Mapping[str, float], sky: float) -> _Seen:
    """What an aperture collects, by the medians of what was measured."""
    fwhm = asked.get("seeing", median(one.fwhm_arcsec for one in mine))
    pixel = median(one.pixel_arcsec for one in mine)
    zero = median(one.zero_point for one in mine)
    masses = [one.airmass for one in mine if one.airmass is not None]
    if "airmass" in asked and masses:
        zero -= _EXTINCTION.get(band, _USUAL_EXTINCTION) * (asked["airmass"] - median(masses))
    skies = sorted(one.sky_adu_s for one in mine)
    level = skies[min(int(sky * len(skies)), len(skies) - 1)]
    flux = flux_of_magnitude(mag, zero)
    radius = site.photometry.aperture * fwhm / FWHM_PER_SIGMA / pixel
    gain = mine[-1].gain_e_adu or instrument.gain_e_adu
    noise = mine[-1].read_noise_e or instrument.read_noise_e
    telescope = instrument.telescope
    airmass = asked.get("airmass", median(masses) if masses else math.nan)
    rates = rates_of_flux(flux_adu_s=flux, sky_adu_s=level, aperture_px=radius, gain_e_adu=gain,
                          read_noise_e=noise)
    return _Seen(
        rates=replace(rates, scintillation=scintillation(
            telescope.diameter_m, 1.0, airmass, telescope.height_m)),
        zero_point=zero, fwhm_arcsec=fwhm,
        sky_mag=zero - 2.5 * math.log10(level / pixel**2) if level > 0 else math.nan,
        saturates_s=saturation_s(flux_adu_s=flux, sky_adu_s=level, fwhm_px=fwhm / pixel,
                                 saturation_adu=instrument.saturation_adu))
