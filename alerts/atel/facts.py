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
    """A good result. ``common_err``: the part of ``mag_err`` that all results of a telescope, band
    and night share, that of the zero point. Polarisation in fractions and degrees. NaN where
    there is none; a magnitude can be missing in a polarisation alone."""

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
    p_nucleus: float = NAN
    p_nucleus_err: float = NAN
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
    """One telescope, band and night. ``scatters``: its points, more than their errors allow.

    ``varied``: from one half hour to another; its mean is then no good description, and
    ``brightest`` and ``faintest`` (means of half an hour at most) are.
    """

    night: str
    band: str
    telescope: str
    mean: Level
    brightest: Level
    faintest: Level
    varied: bool
    scatters: bool
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
class About:
    """What every draft says: of which source, from when, and its polarisation. ``polarised``: of
    one night, the one that is told first; ``curve``: for the figure."""

    source: Source
    called: str
    since_jd: float
    until_jd: float
    polarised: tuple[Point, ...] = ()
    polarised_before: Point | None = None
    curve: tuple[Point, ...] = ()

    @property
    def band(self) -> str:
        """The band that the draft is about."""
        return self.told.band

    @property
    def jd(self) -> float:
        """The time of what it reports."""
        return self.told.jd

    @property
    def points(self) -> tuple[Point, ...]:
        """The points that it is about."""
        return self.polarised

    @property
    def telescopes(self) -> tuple[str, ...]:
        """The telescopes of those, the chosen one first."""
        return tuple(dict.fromkeys(point.telescope for point in self.points))

    @property
    def told(self) -> Point:
        """The polarisation that is told."""
        return self.polarised[0]


@dataclass(frozen=True, kw_only=True)
class Polarisation(About):
    """All that a draft can say where no good magnitude is new: ``polarised`` is of one band, its
    last point first, and ``others`` those of other bands next to it in time."""

    others: tuple[Point, ...] = ()

    @property
    def points(self) -> tuple[Point, ...]:
        """Those of the band and of the others."""
        return (*self.polarised, *self.others)


@dataclass(frozen=True, kw_only=True)
class Facts(About):
    """All that a draft with magnitudes can say. ``chosen`` is the night in the band that it is
    about and ``level`` its value; ``others``: the same night in other bands and at other
    telescopes; ``earlier``: the nights before it in the same band that are new too;
    ``polarised``: of the chosen night, that nearest in time first."""

    chosen: Night
    level: Level
    is_extreme: bool
    others: tuple[Night, ...] = ()
    earlier: tuple[Night, ...] = ()
    baseline: Baseline | None = None
    record: Record | None = None
    before: Change | None = None  # against the preceding night with data
    fastest: Change | None = None  # within the last nights
    calibrators: tuple[Source, ...] = ()  # those that were used, as the catalogue has them

    @property
    def band(self) -> str:
        """The band that the draft is about."""
        return self.chosen.band

    @property
    def jd(self) -> float:
        """The time of the level."""
        return self.level.jd

    @property
    def nights(self) -> tuple[Night, ...]:
        """The chosen night in all bands and at all telescopes."""
        return (self.chosen, *self.others)

    @property
    def points(self) -> tuple[Point, ...]:
        """Those of the night, and the polarisation that is told."""
        mine = [point for night in self.nights for point in night.points]
        return tuple({p.id: p for p in (*mine, *self.polarised[:1])}.values())

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
