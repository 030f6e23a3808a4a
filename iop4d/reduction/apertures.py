"""Apertures fixed in arcsec: which a frame is measured in, and frames as seen in one of them.

A galaxy's light in an aperture that follows the seeing follows it too. Every measurement holds the
fluxes inside a few circles of one ladder for all frames, so the frames of a group or of a series
can be put into one aperture without their pixels.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from iop4d.model.flags import Flag
from iop4d.model.messages import MeasuredFrame
from iop4d.model.result import NAN, FieldStar, GrowthPoint, Measurement
from iop4d.model.units import MAG_PER_RELATIVE_FLUX
from iop4d.science.photometry import LOW_SNR, SMALLEST_RADIUS

#: Signal-to-noise ratio of the forced aperture from which a source counts as detected.
DETECTED = 3.0
_RATIO = 1.25  # from one rung of the ladder to the next
_ABOVE = 5  # rungs above a frame's own aperture: seeing three times as wide
_ANNULUS = (14.0, 22.0)  # arcsec: beyond most of a galaxy's light, and near enough for the sky
_CLEARANCE = 1.1  # times the largest circle, where the annulus begins at the earliest
_SAME = 1e-6
_NEARLY = 0.03  # part by which apertures may differ: of a star's light that is 0.003


def radii_for(aperture_arcsec: float, wanted: Iterable[float], *,
              pixel_arcsec: float) -> tuple[float, ...]:
    """The radii of a frame's curves of growth, arcsec, rising.

    A few rungs about the frame's own aperture, and what is ``wanted`` besides; none below the
    smallest radius in pixels that makes sense.
    """
    below = math.floor(math.log(aperture_arcsec, _RATIO) + _SAME)
    most = max(_ANNULUS[0] / _CLEARANCE, _RATIO ** (below + 1))
    rungs = [_RATIO**k for k in range(below, below + 1 + _ABOVE)]
    smallest = SMALLEST_RADIUS * pixel_arcsec
    asked = {max(radius, smallest) for radius in wanted if math.isfinite(radius)}
    return tuple(sorted({r for r in rungs if smallest <= r <= most} | asked))


def annulus_for(radii: Sequence[float]) -> tuple[float, float]:
    """Inner and outer radius, arcsec, of the annulus of curves of growth of such rising ``radii``.

    It is one for all frames, but wider for those that hold a larger circle.
    """
    grown = max(1.0, _CLEARANCE * radii[-1] / _ANNULUS[0])
    return _ANNULUS[0] * grown, _ANNULUS[1] * grown


def annulus_of(frame: MeasuredFrame) -> tuple[float, float]:
    """The annulus of a frame's curves of growth: that of the largest circle it holds."""
    return annulus_for((max((point.radius_arcsec for m in frame.measurements for point in m.growth),
                            default=frame.aperture_arcsec),))


def in_one_aperture(frames: Sequence[MeasuredFrame], wanted: float = NAN,
                    ) -> tuple[MeasuredFrame, ...]:
    """The frames with all fluxes inside one circle, as far as they hold it.

    ``wanted``: its radius, arcsec; NaN: that of the frame with the widest aperture at least. The
    circle is the one wanted, else the smallest as wide among those that most frames hold, else the
    widest of them. A frame that does not hold it stays as it is. OTHER_APERTURE is set for frames
    that are not in the circle, or where that is not the one wanted, by more than 3 %.
    """
    least = wanted if math.isfinite(wanted) else max(
        (f.aperture_arcsec for f in frames if math.isfinite(f.aperture_arcsec)), default=NAN)
    if all(_is_close(frame.aperture_arcsec, least) for frame in frames):
        return tuple(frames)
    held = [_radii_of(frame) for frame in frames]
    radius = _circle(held, wanted, least)
    due = wanted if math.isfinite(wanted) or not radius else radius
    return tuple(_flagged(_inside(frame, radius) if radius in has else frame,
                          due if math.isfinite(due) else least)
                 for frame, has in zip(frames, held, strict=True))


def _radii_of(frame: MeasuredFrame) -> set[float]:
    """The radii of which a frame has a circle about some source, to 1e-5 arcsec."""
    return {round(point.radius_arcsec, 5) for m in frame.measurements for point in m.growth}


def _circle(held: Sequence[set[float]], wanted: float, least: float) -> float:
    """The radius for all frames of such circles, as ``in_one_aperture`` says; 0 if none has any."""
    count = Counter(radius for radii in held for radius in radii)
    if not count:
        return 0.0
    if math.isfinite(wanted) and round(wanted, 5) in count:
        return round(wanted, 5)
    short = _SAME if math.isfinite(wanted) else _NEARLY
    common = sorted(radius for radius, n in count.items() if n == max(count.values()))
    return next((r for r in common if r >= least * (1.0 - short)), common[-1])


def _flagged(frame: MeasuredFrame, due: float) -> MeasuredFrame:
    if abs(frame.aperture_arcsec / due - 1.0) <= _NEARLY:
        return frame
    return replace(frame, flags=frame.flags | int(Flag.OTHER_APERTURE))


def _is_close(a: float, b: float) -> bool:
    return math.isclose(a, b, rel_tol=1e-5)


def _inside(frame: MeasuredFrame, radius: float) -> MeasuredFrame:
    if _is_close(frame.aperture_arcsec, radius):
        return frame
    stars = (_star_inside(star, radius) for star in frame.field_stars)
    return replace(
        frame, aperture_arcsec=radius,
        measurements=tuple(measured_inside(m, radius) for m in frame.measurements),
        field_stars=tuple(star for star in stars if star is not None))


def measured_inside(m: Measurement, radius: float) -> Measurement:
    """A measurement inside another circle of its curve; NaN and EDGE where it has none such."""
    point = next((p for p in m.growth if _is_close(p.radius_arcsec, radius)), GrowthPoint(
        radius_arcsec=radius, flux=NAN, flux_err=NAN, photon_err=NAN, flags=int(Flag.EDGE)))
    return with_flux(m, point.flux, point.flux_err, flags=m.flags | point.flags,
                     photon_err=point.photon_err, confusion_err=point.confusion_err,
                     neighbours=point.neighbours)


def with_flux(m: Measurement, flux: float, err: float, **others: Any) -> Measurement:
    """A measurement of another flux, in ADU per second, with what follows from it.

    ``others``: fields that change besides.
    """
    return replace(m, **others | flux_fields(flux, err, others.get("flags", m.flags)))


def flux_fields(flux: float, err: float, flags: int) -> dict[str, Any]:
    """The fields of a measurement that follow from its flux in ADU per second; ``flags``: its
    others.

    Below three sigma it is not detected, and has no magnitude; the flux, negative too, stays.
    """
    snr = flux / err if err > 0 else NAN
    flags &= ~int(Flag.LOW_SNR | Flag.NOT_DETECTED)
    flags |= int(Flag.LOW_SNR) if not snr > LOW_SNR else 0
    flags |= int(Flag.NOT_DETECTED) if snr < DETECTED else 0
    detected = flux > 0 and not flags & Flag.NOT_DETECTED
    return {"flux": flux, "flux_err": err, "snr": snr, "flags": flags,
            "mag_inst": -2.5 * math.log10(flux) if detected else NAN,
            "mag_inst_err": MAG_PER_RELATIVE_FLUX * err / flux if detected else NAN}


def _star_inside(star: FieldStar, radius: float) -> FieldStar | None:
    for r, flux, err in star.growth:
        if _is_close(r, radius):
            return replace(star, flux=flux, flux_err=err)
    return None
