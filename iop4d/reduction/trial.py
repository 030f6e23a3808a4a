"""A result computed again with other settings, to be seen beside the stored one: nothing is kept.

The result is computed twice, from its own frames alone: from the stored measurements, and with the
settings that are tried, from the pixels where they need them. So the two differ by the settings.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

from iop4d.config import Site
from iop4d.config.tried import APERTURE_ARCSEC, with_settings
from iop4d.instruments.base import Instrument
from iop4d.model.errors import StageError
from iop4d.model.frame import FrameFacts
from iop4d.model.messages import MeasuredFrame, Reduced, Trial, TrialRequest
from iop4d.model.result import ResultValue
from iop4d.model.source import Catalogue, Source
from iop4d.model.units import position_angle_deg
from iop4d.reduction.calibrate import calibrate
from iop4d.reduction.context import Stages
from iop4d.reduction.frame import Tools, reduce_frame
from iop4d.reduction.polarise import polarise

NamedInstrument = Callable[[FrameFacts], Instrument]
MakeTools = Callable[[Site, Catalogue, FrameFacts], Tools]


def try_settings(request: TrialRequest, *, site: Site, catalogue: Catalogue,
                 named: NamedInstrument, tools: MakeTools, stages: Stages) -> Trial:
    """The result of a request's frames as stored and as tried; raises StageError or FrameError."""
    facts = request.stored[0].facts
    settings = dict(request.settings)
    wanted = with_settings(site, settings, instrument=facts.instrument, source=request.source)
    other = _catalogue(catalogue, request)
    measured = request.stored
    if request.frames:
        measured = tuple(
            _measured(one, reduce_frame(frame, tools(wanted, other, frame.facts), stages))
            for one, frame in zip(request.stored, request.frames, strict=True))
    with stages("results"):
        return Trial(
            stored=_result(request.source, request.stored, site, catalogue, named),
            tried=_result(request.source, measured, wanted, other, named))


def _catalogue(catalogue: Catalogue, request: TrialRequest) -> Catalogue:
    """The catalogue without the calibrators left out, and with the aperture that is tried."""
    radius = float(dict(request.settings).get(APERTURE_ARCSEC, "nan"))

    def changed(source: Source) -> Source:
        if source.name in request.without:
            return replace(source, calibrates=tuple(
                name for name in source.calibrates if name != request.source))
        if source.name == request.source and math.isfinite(radius):
            return replace(source, aperture_arcsec=radius)
        return source

    return replace(catalogue, sources=tuple(map(changed, catalogue.sources)))


def _measured(stored: MeasuredFrame, reduced: Reduced) -> MeasuredFrame:
    """A frame as it is measured now."""
    return replace(
        stored, measurements=reduced.measurements, fwhm_arcsec=reduced.fwhm_arcsec,
        airmass=reduced.airmass, bjd_tdb=reduced.bjd_tdb, flags=reduced.frame_flags,
        field_stars=reduced.field_stars, psf_beta=reduced.psf_beta,
        aperture_arcsec=reduced.aperture_px * reduced.fwhm_arcsec / reduced.fwhm_px,
        sky_angle_deg=position_angle_deg(float(reduced.wcs["CD1_2"]), float(reduced.wcs["CD2_2"])))


def _result(source: str, frames: tuple[MeasuredFrame, ...], site: Site, catalogue: Catalogue,
            named: NamedInstrument) -> ResultValue:
    """The result of a source on frames: of a group, or of a frame by itself."""
    facts = frames[0].facts
    instrument = named(facts)
    if facts.mode == "polarimetry":
        polarised = polarise(frames, catalogue=catalogue, instrument=instrument,
                             settings=site.polarimetry)
        value = next((one for one in polarised.results if one.source == source), None)
        if value is None:
            why = dict(polarised.refused).get(source, "it is not measured on its frames")
            raise StageError("polarimetry", f"{source} has no result: {why}")
        return value
    target = next((one for one in catalogue.sources if one.name == source), None)
    if target is None:
        raise StageError("calibrate", f"{source} is no longer in the catalogue")
    if not any(m.source == source and not m.beam for m in frames[0].measurements):
        raise StageError("calibrate", f"{source} is not measured on its frame")
    return calibrate(target, frames[:1], catalogue=catalogue, telescope=instrument.telescope,
                     system=instrument.system)[0]
