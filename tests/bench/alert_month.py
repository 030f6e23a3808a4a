"""A month of many sources as rules see it: seeing, host galaxies, two instruments, points that are
measured again. For ``make bench-alerts``."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass, replace

from iop4d.alerts.light_curves import ByCamera, offsets_of
from iop4d.alerts.quantities import Past
from iop4d.alerts.rules import CompiledRule, History, RulePoint, judge
from iop4d.alerts.windows import SeriesPoint
from iop4d.model.states import AlertState
from iop4d.model.units import MAG_PER_RELATIVE_FLUX

JD = 2461000.5
NIGHTS, POINTS = 30, 10
_TAIL, _WIDE = 0.01, 4.0  # share of points whose errors are really so many times larger
_AGAIN = 0.05  # share of points that are measured again
_FIRST = 15  # night from which on there is a past to compare a flare with
_COMMON = 0.01  # mag: of the calibrators, the same in all points of a camera


@dataclass(frozen=True, kw_only=True)
class Sky:
    """A source of constant flux. ``host``: its galaxy over the nucleus within the aperture at a
    seeing of 1.8 arcsec; ``host_off``: by how much of it the table is wrong. ``offset``: of the
    second instrument's band, mag; ``second_each``: nights from one of that to the next. ``flare``:
    the night in which the nucleus is brighter by ``rise``."""

    error: float
    host: float
    host_off: float
    offset: float
    second_each: int
    flare: int = -1
    rise: float = 0.5


def a_source(rng: random.Random) -> Sky:
    """Any source of a group: a third of them with a bright host."""
    return Sky(error=rng.uniform(0.005, 0.05), host=rng.uniform(0.3, 1.5) * (rng.random() < 0.33),
               host_off=rng.gauss(0.0, 0.05), offset=rng.uniform(-0.3, 0.3),
               second_each=rng.choice((2, 3, 5)))


def month(rng: random.Random, sky: Sky) -> list[SeriesPoint]:
    """Its points, of the nucleus alone as the product subtracts the host."""
    found: list[SeriesPoint] = []
    shared = {camera: rng.gauss(0.0, _COMMON) for camera in ("AndorT90", "DIPOL")}
    for night in range(NIGHTS):
        seeing = 1.8 * math.exp(rng.gauss(0.0, 0.3))
        second = night % sky.second_each == 0
        cameras = ["DIPOL"] * second + ["AndorT90"] * (not second or rng.random() < 0.3)
        for n, camera in enumerate(cameras):
            for k in range(POINTS):
                now = seeing * math.exp(rng.gauss(0.0, 0.05))
                found.append(_point(rng, sky, len(found), night, JD + night + 0.02 * k + 0.01 * n,
                                    camera, now, shared[camera]))
    return sorted(found, key=lambda point: (point.jd, point.id))


def _point(rng: random.Random, sky: Sky, id_: int, night: int, jd: float, camera: str,
           seeing: float, shared: float) -> SeriesPoint:
    inside = sky.host * (seeing / 1.8)**0.6  # an aperture of so many FWHM holds more of the galaxy
    left = -MAG_PER_RELATIVE_FLUX * inside * sky.host_off  # what a wrong table leaves
    nucleus = 14.0 + (sky.offset if camera == "DIPOL" else 0.0) - sky.rise * (night == sky.flare)
    error = sky.error * (1.0 + inside)
    noise = rng.gauss(0.0, error * (_WIDE if rng.random() < _TAIL else 1.0))
    if rng.random() < _AGAIN:  # with better masters
        noise = rng.gauss(0.0, error)
    host = abs(MAG_PER_RELATIVE_FLUX * inside * 0.05)
    return SeriesPoint(id_, jd, f"{night:03d}", nucleus + left + shared + noise, error, _COMMON,
                       host, camera)


def firings(watch: CompiledRule, points: list[SeriesPoint]) -> list[float]:
    """JD at which a rule fires, as the engine judges: cameras apart until their offset is known."""
    nights: dict[tuple[str, str], list[float]] = {}
    for point in points:
        nights.setdefault((point.night, point.camera), []).append(point.value)
    offsets = offsets_of((night, camera, sum(mags) / len(mags))
                         for (night, camera), mags in nights.items())
    past = Past.of(watch.rule, watch.condition.quantity)
    values = ByCamera(watch.condition, points, past, 1 << 62, offsets).values(0, len(points))
    judged = [RulePoint(id=point.id, jd=point.jd, value=value)
              for point, value in zip(points, values, strict=True)]
    return [edge.jd for edge in judge(watch, History(), judged, since=-math.inf)
            if edge.state is AlertState.FIRING]


def false_alerts(watch: CompiledRule, sources: int) -> tuple[int, int]:
    """How many alerts constant sources made, and of how many points."""
    rng = random.Random(21)
    fired = count = 0
    for _ in range(sources):
        points = month(rng, a_source(rng))
        fired += len(firings(watch, points))
        count += len(points)
    return fired, count


def found_flares(watch: CompiledRule, flares: int,
                 progress: Callable[[int], None] = lambda _: None) -> int:
    """How many flares of half a magnitude, each all through a night, are found in that night."""
    rng = random.Random(22)
    found = 0
    for number in range(flares):
        sky = replace(a_source(rng), flare=rng.randrange(_FIRST, NIGHTS), host=0.0)
        found += any(math.floor(jd - JD) == sky.flare
                     for jd in firings(watch, month(rng, sky)))
        progress(number + 1)
    return found
