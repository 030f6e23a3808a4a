"""What a draft rests on: values with their errors, times, and the results they come from."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from iop4d.model.errors import Iop4dError
from iop4d.model.source import Source

NAN = float("nan")


class NothingToReport(Iop4dError):  # noqa: N818 - it is no fault of anything
    """There is no good result from which a draft could be made; the message says why."""


@dataclass(frozen=True, kw_only=True)
class Point:
    """A good result with its magnitude. ``common_err``: the part of ``mag_err`` that all results
    of a telescope, band and night share, that of the zero point. Polarisation in fractions and
    degrees, NaN where there is none."""

    id: int
    jd: float
    night: str
    band: str
    telescope: str
    mag: float
    mag_err: float
    common_err: float
    exptime_s: float
    n_frames: int
    calibrators: tuple[str, ...]
    flags: int
    provisional: bool
    host_mjy: float = NAN
    mag_nucleus: float = NAN
    mag_nucleus_err: float = NAN
    p: float = NAN
    p_err: float = NAN
    p_debiased: float = NAN
    p_limit: float = NAN
    chi_deg: float = NAN
    chi_err_deg: float = NAN

    @property
    def own_err(self) -> float:
        """The error without the part that is shared within the night."""
        return math.sqrt(max(self.mag_err**2 - self.common_err**2, 1e-8))


@dataclass(frozen=True, kw_only=True)
class Level:
    """A magnitude and its error from one or more points of a telescope, band and night."""

    mag: float
    err: float
    jd: float
    jd_first: float
    jd_last: float
    n_frames: int
    exposure_s: float
    results: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Night:
    """One telescope, band and night. ``varied``: more than the errors allow; its mean is then no
    good description, and ``brightest`` and ``faintest`` (means of half an hour at most) are."""

    night: str
    band: str
    telescope: str
    mean: Level
    brightest: Level
    faintest: Level
    varied: bool
    points: tuple[Point, ...]


@dataclass(frozen=True, kw_only=True)
class Change:
    """``to`` minus ``of``: negative is a brightening."""

    of: Level
    to: Level

    @property
    def mag(self) -> float:
        """Change of the magnitude."""
        return self.to.mag - self.of.mag

    @property
    def err(self) -> float:
        """Its error."""
        return math.hypot(self.to.err, self.of.err)

    @property
    def significance(self) -> float:
        """The change in units of its error."""
        return abs(self.mag) / self.err

    @property
    def days(self) -> float:
        """Time that it took."""
        return abs(self.to.jd - self.of.jd)

    @property
    def results(self) -> tuple[int, ...]:
        """The results on both sides."""
        return self.of.results + self.to.results


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """The past: the median over the nightly medians of the preceding nights with data, and their
    robust scatter (1.4826 times the median absolute deviation)."""

    median: float
    scatter: float
    nights: int
    n: int
    jd_first: float
    jd_last: float
    results: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Record:
    """Whether the new level stands out. ``since``: the last earlier point that was as bright (as
    faint), None if there is none in the archive; ``first``: the archive's first point."""

    bright: bool
    first: Point
    since: Point | None


@dataclass(frozen=True, kw_only=True)
class Instrument:
    """A telescope in words. ``known``: the words are more than its bare name."""

    name: str
    phrase: str
    known: bool


@dataclass(frozen=True, kw_only=True)
class Facts:
    """All that a draft can say. ``chosen`` is the night in the band that the draft is about and
    ``level`` its value; ``others``: the same night in other bands and at other telescopes;
    ``earlier``: the nights before it in the same band that are new too."""

    source: Source
    called: str
    since_jd: float
    until_jd: float
    chosen: Night
    level: Level
    is_extreme: bool
    others: tuple[Night, ...] = ()
    earlier: tuple[Night, ...] = ()
    baseline: Baseline | None = None
    record: Record | None = None
    before: Change | None = None  # against the preceding night with data
    fastest: Change | None = None  # within the last nights
    polarised: tuple[Point, ...] = ()  # of the chosen night, the best one first
    polarised_before: Point | None = None
    curve: tuple[Point, ...] = ()  # for the figure
    calibrators: tuple[Source, ...] = ()  # those that were used, as the catalogue has them

    @property
    def is_brighter(self) -> bool:
        """Whether the level lies above the past; with no past it counts as bright."""
        return self.baseline is None or self.level.mag <= self.baseline.median


@dataclass(frozen=True, kw_only=True)
class Style:
    """What the site says of itself. ``url`` is empty where there is no page; ``calibration`` says
    where the comparison stars' magnitudes are from."""

    telescopes: Mapping[str, Instrument]
    url: str = ""
    contact: str = ""
    calibration: str = ""
    acknowledgement: str = ""
