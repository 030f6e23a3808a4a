"""Numbers of a night and its past, from good points: pure functions."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from statistics import fmean, median

from iop4d.alerts.atel.values import (
    NAN,
    Baseline,
    Camera,
    GoodPoint,
    MagnitudeChange,
    MeanMagnitude,
    NightlyPhotometry,
)
from iop4d.model.units import robust_sigma

FLOOR = 0.01  # mag by which the points of a constant star scatter besides their errors
STEP_DAYS = 0.5 / 24.0  # the longest stretch of a night that one mean may cover
LEAST_RANGE = 0.05  # mag: with less between its extremes a night did not vary, whatever chi2 says
SIGNIFICANT = 5.0  # sigma of a fastest change: many pairs are compared, chance has many tries
_PART = 16.0  # of chi2 that another part must save: a chance of one in a thousand a night
_LONE = 1e6  # more than any chi2 saves
_LAST = 4  # points that may tell at a night's end what its mean does not
_LEAST_NIGHTS = 3  # of a camera, that make a past of its own
_CHANCE_Z = 3.09  # one in a thousand for a constant star to scatter so much


def mean_of(points: Sequence[GoodPoint]) -> MeanMagnitude:
    """The weighted mean of points of one camera, band and night.

    Weights are the inverse squares of the errors. The error of the mean is that of the points' own
    parts, or that of their scatter where it is more (Cochran 1977, Sampling Techniques), and the
    common part (the calibrators' catalogue) on top, which no number of points makes smaller.
    """
    weights = [p.mag_err**-2 if p.mag_err > 0 else 1e8 for p in points]
    weighted = list(zip(weights, points, strict=True))
    total = sum(weights)
    mag = fmean((p.mag for p in points), weights)
    own = math.sqrt(sum((w * p.own_err)**2 for w, p in weighted)) / total
    if (n := len(points)) > 1:
        apart = sum((w * (p.mag - mag))**2 for w, p in weighted)
        own = max(own, math.sqrt(apart * n / (n - 1)) / total)
    common = median(p.common_err for p in points)
    return MeanMagnitude(
        mag=mag, mag_err=math.hypot(own, common), jd=fmean((p.jd for p in points), weights),
        jd_first=min(p.jd for p in points), jd_last=max(p.jd for p in points),
        n_frames=sum(p.n_frames for p in points), exposure_s=sum(p.exposure_s for p in points),
        results=tuple(p.id for p in points), common_err=common, camera=points[0].camera)


def without_host(points: Sequence[GoodPoint]) -> MeanMagnitude | None:
    """The same mean of the magnitudes without the host galaxy; None where one has none.

    Without the host's light, an error of the flux weighs more, by the ratio of the fluxes with and
    without it. What else is in the error is the host's own, which all points share.
    """
    nuclei = []
    for p in points:
        if not (math.isfinite(p.host_mjy) and math.isfinite(p.mag_nucleus)
                and p.mag_nucleus_err > 0):
            return None
        own = p.own_err * 10.0 ** (0.4 * (p.mag_nucleus - p.mag))
        common = math.sqrt(max(p.mag_nucleus_err**2 - own**2, 0.0))
        nuclei.append(replace(p, mag=p.mag_nucleus, mag_err=p.mag_nucleus_err, common_err=common))
    return mean_of(nuclei) if nuclei else None


def night_of(points: Sequence[GoodPoint]) -> NightlyPhotometry:
    """Points of one camera, band and night, summed up."""
    parts = stretches(points)
    brightest = min(parts, key=lambda part: part.mag)
    faintest = max(parts, key=lambda part: part.mag)
    scatters = _scatter_more_than_errors(points)
    apart = faintest.mag - brightest.mag
    varied = apart > LEAST_RANGE and (scatters or apart >= SIGNIFICANT * math.hypot(
        brightest.own_err, faintest.own_err, FLOOR * math.sqrt(2.0)))
    return NightlyPhotometry(
        night=points[0].night, band=points[0].band, telescope=points[0].telescope,
        instrument=points[0].instrument,
        mean=mean_of(points), brightest=brightest, faintest=faintest, scatters=scatters,
        varied=varied, latest=_tails(points, parts), points=tuple(points))


def nights_of(points: Iterable[GoodPoint]) -> list[NightlyPhotometry]:
    """Every camera, band and night of the points, in order of time.

    Two cameras of a telescope are two: their magnitudes differ by more than their errors say.
    """
    groups: dict[tuple[str, str, Camera], list[GoodPoint]] = {}
    for point in points:
        groups.setdefault((point.night, point.band, point.camera), []).append(point)
    return sorted(map(night_of, groups.values()), key=lambda night: night.mean.jd)


def stretches(points: Sequence[GoodPoint]) -> list[MeanMagnitude]:
    """Means of successive points of one camera, band and night: over half an hour at most, and
    shorter where the source varied within it.

    The partition of least chi2 plus a penalty for each part (the Bayesian blocks of Scargle et al.
    2013, ApJ 764, 167). A part has two points where there are two within half an hour, so that a
    lone bad point weighs less; the pairs of parts can all be compared.
    """
    ordered = sorted(points, key=lambda p: (p.jd, p.id))
    weights = [1.0 / (p.own_err**2 + FLOOR**2) for p in ordered]
    middle = fmean(p.mag for p in ordered)
    offsets = [p.mag - middle for p in ordered]
    best, start = [0.0], list[int]()  # of the first n points: the least cost, its last part
    for end in range(len(ordered)):
        total = first = second = 0.0
        cost, begin = math.inf, end
        for i in range(end, -1, -1):
            if ordered[end].jd - ordered[i].jd > STEP_DAYS:
                break
            total += weights[i]
            first += weights[i] * offsets[i]
            second += weights[i] * offsets[i]**2
            mine = best[i] + second - first**2 / total + (
                _LONE if i == end and _has_neighbour(ordered, i) else _PART)
            if mine <= cost:
                cost, begin = mine, i
        best.append(cost)
        start.append(begin)
    found, end = list[MeanMagnitude](), len(ordered)
    while end > 0:
        found.append(mean_of(ordered[start[end - 1]:end]))
        end = start[end - 1]
    return found[::-1]


def _has_neighbour(ordered: Sequence[GoodPoint], i: int) -> bool:
    """Whether another point lies within the longest stretch of this one."""
    return any(0 <= j < len(ordered) and abs(ordered[j].jd - ordered[i].jd) <= STEP_DAYS
               for j in (i - 1, i + 1))


def _tails(points: Sequence[GoodPoint], parts: Sequence[MeanMagnitude],
           ) -> tuple[MeanMagnitude, ...]:
    """How the night ends: the last point, the last few, and the last stretch."""
    ordered = sorted(points, key=lambda p: (p.jd, p.id))
    tails = [mean_of(ordered[-n:]) for n in range(1, min(_LAST, len(ordered)) + 1)]
    return (*tails, parts[-1])


def past_of(camera: Camera, points: Sequence[GoodPoint]) -> Sequence[GoodPoint]:
    """The points of a camera among those of preceding nights; all, if it has too few nights."""
    own = [point for point in points if point.camera == camera]
    return own if len({point.night for point in own}) >= _LEAST_NIGHTS else points


def baseline_of(points: Sequence[GoodPoint]) -> Baseline | None:
    """The past from the points of the preceding nights; None without any."""
    nights: dict[str, list[float]] = {}
    for point in points:
        nights.setdefault(point.night, []).append(point.mag)
    if not nights:
        return None
    levels = [median(mags) for mags in nights.values()]
    cameras = Counter(point.camera for point in points)
    camera = cameras.most_common(1)[0][0]
    return Baseline(median=median(levels), scatter=robust_sigma(levels) if len(levels) > 2 else NAN,
                    nights=len(nights), n=len(points), jd_first=min(p.jd for p in points),
                    jd_last=max(p.jd for p in points), results=tuple(p.id for p in points),
                    camera=camera, is_mixed=len(cameras) > 1, common_err=median(
                        p.common_err for p in points if p.camera == camera))


def fastest_change(means: Sequence[MeanMagnitude]) -> MagnitudeChange | None:
    """The significant change of the greatest rate between two means; None if none is."""
    best: MagnitudeChange | None = None
    ordered = sorted(means, key=lambda mean: mean.jd)
    for number, later in enumerate(ordered):
        for earlier in ordered[:number]:
            change = MagnitudeChange(of=earlier, to=later)
            if later.jd_first - earlier.jd_last <= 0 or change.significance < SIGNIFICANT:
                continue
            if abs(change.mag) < LEAST_RANGE:
                continue
            if best is None or abs(change.mag) / change.days > abs(best.mag) / best.days:
                best = change
    return best


def _scatter_more_than_errors(points: Sequence[GoodPoint]) -> bool:
    """Whether points scatter more than their own errors and the floor allow.

    chi2 of a constant star, made normal by the cube root (Wilson & Hilferty 1931).
    """
    dof = len(points) - 1
    if dof < 1:
        return False
    weights = [1.0 / (p.own_err**2 + FLOOR**2) for p in points]
    mean = fmean((p.mag for p in points), weights)
    chi2 = sum(w * (p.mag - mean)**2 for w, p in zip(weights, points, strict=True))
    part = 2.0 / (9.0 * dof)
    root: float = (chi2 / dof) ** (1.0 / 3.0)
    return (root - (1.0 - part)) / math.sqrt(part) > _CHANCE_Z
