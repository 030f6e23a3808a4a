"""Polarised light on its way from the sky to the images; q and u are fractions.

What the instrument sees is what its correction undoes: the correction subtracts q0 and u0, then
turns by the angle a, q' = q cos 2a - u sin 2a, u' = q sin 2a + u cos 2a.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from iop4d.model.polarimeter import Analyser, InstrumentalPolarisation

Floats = NDArray[np.float64]

_CLEANED_JD = 2460216.0  # 2023-09-28T12:00 UT: the mirrors of the 0.9 m telescope


@dataclass(frozen=True, kw_only=True)
class Optics:
    """What measures polarisation. ``offset_px``: of the ordinary minus the extraordinary image.

    It and its ``spread_px`` (standard deviation from night to night) are in pixels as read out;
    ``stays``: the images are double in photometry as well. ``offsets_px``: instead, of each of
    several fixed analysers, whose angles are ``angles_deg``.
    """

    analyser: Analyser
    angles_deg: tuple[float, ...]
    constants: tuple[InstrumentalPolarisation, ...]
    offset_px: tuple[float, float] = (0.0, 0.0)
    spread_px: tuple[float, float] = (0.0, 0.0)
    stays: bool = False
    offsets_px: tuple[tuple[float, float], ...] = ()

    @property
    def is_double(self) -> bool:
        """Whether every star has two images in polarimetry."""
        return self.analyser is not Analyser.POLARISER

    @property
    def behind(self) -> tuple[float | None, ...]:
        """Angles of the analysers behind each of which flats are taken; None: whatever it is."""
        return self.angles_deg if self.analyser is Analyser.FIXED else (None,)

    def constants_at(self, jd: float) -> InstrumentalPolarisation:
        """The true constants of a date."""
        return next(c for c in self.constants if c.holds_at(jd))


def _constants(q0: float, u0: float, angle_deg: float, *, since_jd: float = -math.inf,
               until_jd: float = math.inf) -> InstrumentalPolarisation:
    """Of percentages; what is true has no error."""
    return InstrumentalPolarisation(
        q0=q0 / 100, q0_err=0.0, u0=u0 / 100, u0_err=0.0, angle_deg=angle_deg, angle_err_deg=0.0,
        since_jd=since_jd, until_jd=until_jd, source="the simulator's truth")


# The numbers are those of the published pipelines, or their middle, typed here a second time: a
# slip in those of the instruments shows as a wrong result.
_POLARISER_DEG = (-45.0, 0.0, 45.0, 90.0)
T090_POLARISER = Optics(analyser=Analyser.POLARISER, angles_deg=_POLARISER_DEG,
                       constants=(_constants(5.79, 5.83, -18.0),))
T150_POLARISER = Optics(analyser=Analyser.POLARISER, angles_deg=_POLARISER_DEG,
                       constants=(_constants(1.58, 3.82, 0.1),))
WOLLASTON = Optics(
    analyser=Analyser.HALF_WAVE_PLATE, angles_deg=(0.0, 22.5, 45.0, 67.5),
    constants=(_constants(0.0, 0.0, -1.5),), offset_px=(-35.7, -0.2), spread_px=(1.3, 1.0))
CALCITE = Optics(
    analyser=Analyser.HALF_WAVE_PLATE, angles_deg=tuple(22.5 * i for i in range(16)),
    constants=(_constants(0.05, -4.16, 42.7, until_jd=_CLEANED_JD),
               _constants(0.01, -4.32, 42.7, since_jd=_CLEANED_JD)),
    offset_px=(-209.0, 13.0), spread_px=(12.0, 16.0), stays=True)
TWO_PRISMS = Optics(
    analyser=Analyser.FIXED, angles_deg=(0.0, 45.0), constants=(_constants(0.3, -0.2, 12.0),),
    offsets_px=((24.6, 30.6), (-0.9, 38.5)))


def on_sky(p: float, chi_deg: float) -> tuple[float, float]:
    """q and u of a degree and an angle (east of north)."""
    two = math.radians(2 * chi_deg)
    return p * math.cos(two), p * math.sin(two)


def seen(q: Floats, u: Floats, constants: InstrumentalPolarisation) -> tuple[Floats, Floats]:
    """q and u as the instrument sees those of the sky."""
    two = math.radians(2 * constants.angle_deg)
    cos, sin = math.cos(two), math.sin(two)
    return cos * q + sin * u + constants.q0, -sin * q + cos * u + constants.u0


def through_polariser(q: Floats, u: Floats, angle_deg: float) -> Floats:
    """Light behind the polariser, as a part of the mean over its positions."""
    two = math.radians(2 * angle_deg)
    return 1 + q * math.cos(two) + u * math.sin(two)


def in_two_images(q: Floats, u: Floats, plate_deg: float, *,
                  ratio: float) -> tuple[Floats, Floats]:
    """Parts of the light in the ordinary and in the extraordinary image.

    ``plate_deg``: of the half-wave plate, or half of a fixed analyser's angle; ``ratio``: by how
    much more the ordinary beam transmits.
    """
    four = math.radians(4 * plate_deg)
    wave = q * math.cos(four) + u * math.sin(four)
    return (1 + ratio) / 2 * (1 + wave), (1 - wave) / 2


def draw(rng: np.random.Generator, n: int, scale: float) -> tuple[Floats, Floats]:
    """q and u of ``n`` stars of any angle, p a Rayleigh distribution of a scale."""
    q, u = rng.normal(0.0, 1.0, (2, n)) * scale
    return q, u
