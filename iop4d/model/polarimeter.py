"""What measures polarisation in an instrument: its positions, its constants and their dates."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

SAME_ANGLE_DEG = 1.0  # within which two positions are the same


class Analyser(StrEnum):
    """What turns; or that nothing does, and frames are taken through one analyser after the other.
    """

    POLARISER = "polariser"
    HALF_WAVE_PLATE = "half-wave plate"
    FIXED = "fixed analysers"


@dataclass(frozen=True, kw_only=True)
class InstrumentalPolarisation:
    """Constants that hold from ``since_jd`` (included) to ``until_jd``, JD(UTC).

    ``q0``, ``u0``: fractions, subtracted first; ``angle_deg``: then added to chi. Each with its
    error, and ``source``.
    """

    q0: float
    q0_err: float
    u0: float
    u0_err: float
    angle_deg: float
    angle_err_deg: float
    since_jd: float = -math.inf
    until_jd: float = math.inf
    source: str = ""

    def holds_at(self, jd: float) -> bool:
        """Whether these are the constants of a moment."""
        return self.since_jd <= jd < self.until_jd


@dataclass(frozen=True, kw_only=True)
class Beams:
    """The two images of every star: where the ordinary one is against the extraordinary one.

    ``offset_px``: (dx, dy) of the ordinary minus the extraordinary image, in pixels at binning
    ``at_binning``; ``tolerance_px``: how far a pair may be off it, each axis.

    Of an instrument with several fixed analysers (Wollaston prisms in a wheel, say) there is one of
    these for each, by its name in the header: ``Instrument.analysers``. ``ratio``: (k_O - k_E) /
    (k_O + k_E) of the beams' transmissions with its error; with an error of NaN, the stars of the
    frame show it. A reader of such a camera fills in ``FrameFacts.beam_element`` with the
    analyser's name, ``mode`` polarimetry, ``beams`` 2 and ``polariser_deg`` with the position angle
    a, as the instrument counts it, along which the ordinary image is polarised: (O - E) / (O + E)
    of a frame is q cos 2a + u sin 2a; and the instrument has a ``Polarimeter`` of
    ``Analyser.FIXED`` whose ``angles_deg`` are those of all analysers.
    """

    offset_px: tuple[float, float]
    tolerance_px: tuple[float, float]
    at_binning: int = 1
    source: str = ""
    ratio: float = 0.0
    ratio_err: float = math.nan

    def at(self, binning: int) -> tuple[tuple[float, float], tuple[float, float]]:
        """(offset, tolerance) in pixels of a binning; never a tolerance below 2 px."""
        factor = self.at_binning / binning
        (dx, dy), (tx, ty) = self.offset_px, self.tolerance_px
        return ((dx * factor, dy * factor), (max(tx * factor, 2.0), max(ty * factor, 2.0)))


@dataclass(frozen=True, kw_only=True)
class Polarimeter:
    """The polarimetric facts of an instrument.

    ``angles_deg``: nominal positions of a whole group; ``fewest``: positions without which there is
    no result; ``constants``: the dated ones, of which the last that holds counts, so that a site's
    own come last. ``turns_with_camera``: whether polariser, plate or prism are mounted with the
    camera, so that the zero angle follows where it stands on the sky.
    """

    analyser: Analyser
    angles_deg: tuple[float, ...]
    fewest: int
    constants: tuple[InstrumentalPolarisation, ...]
    turns_with_camera: bool = False

    @property
    def turn_deg(self) -> float:
        """Degrees after which a position comes again: half a turn of an analyser, a quarter of a
        plate; a whole turn where the positions of a group are more than that holds.
        """
        turn = 90.0 if self.analyser is Analyser.HALF_WAVE_PLATE else 180.0
        return turn if different(self.angles_deg, turn) == len(self.angles_deg) else 360.0

    def constants_at(self, jd: float) -> InstrumentalPolarisation | None:
        """The constants of a date; None if none hold."""
        return next((c for c in reversed(self.constants) if c.holds_at(jd)), None)


def same_position(one_deg: float, other_deg: float, turn_deg: float) -> bool:
    """Whether two angles are one position of what turns, which comes again after ``turn_deg``."""
    apart = (one_deg - other_deg) % turn_deg
    return min(apart, turn_deg - apart) < SAME_ANGLE_DEG


def different(angles_deg: Sequence[float], turn_deg: float) -> int:
    """How many different positions some angles are."""
    kept: list[float] = []
    for angle in angles_deg:
        if not any(same_position(angle, other, turn_deg) for other in kept):
            kept.append(angle)
    return len(kept)
