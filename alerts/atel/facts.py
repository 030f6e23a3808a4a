"""What a draft rests on: values with their errors, times, and the results they come from."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import median
from urllib.parse import quote

from iop4d.model.errors import Iop4dError
from iop4d.model.flags import Flag
from iop4d.model.source import Source
from iop4d.model.uncertainty import between

NAN = float("nan")
SIGMAS = 3.0  # from which a change, or a polarisation, counts as one
_TITLE_MAG = 0.2  # mag against the past, from which a title speaks of a change
_SYSTEMS = {**dict.fromkeys("UBV", "Johnson (Vega)"), **dict.fromkeys("RI", "Cousins (Vega)"),
            **dict.fromkeys("ugriz", "SDSS (AB)")}
#: Telescope and instrument. Magnitudes of two differ by an offset that is not known.
Camera = tuple[str, str]
_RECORD_DAYS = 30.0  # a level that was last passed so long ago is worth reporting


class NothingToReport(Iop4dError):  # noqa: N818 - it is no fault of anything
    """There is no good result from which a draft could be made; the message says why."""


@dataclass(frozen=True, kw_only=True)
class GoodPoint:
    """A good result. Errors are those of values by themselves, random and common; ``common_err``:
    the part of ``mag_err`` that results of a camera and band share, of the calibrators'
    catalogue magnitudes. Polarisation in fractions and degrees. NaN where there is none; a
    magnitude can be missing in a polarisation alone."""

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
    instrument: str = ""
    p: float = NAN
    p_err: float = NAN
    p_debiased: float = NAN
    p_limit: float = NAN
    chi_deg: float = NAN
    chi_err_deg: float = NAN

    @property
    def camera(self) -> Camera:
        """What took it."""
        return self.telescope, self.instrument

    @property
    def own_err(self) -> float:
        """The error without the part that is shared within the night."""
        return math.sqrt(max(self.mag_err**2 - self.common_err**2, 1e-8))

    @property
    def results(self) -> tuple[int, ...]:
        """Its own result."""
        return (self.id,)

    @property
    def exposure_s(self) -> float:
        """Of all its frames."""
        return self.exptime_s * self.n_frames

    @property
    def degree(self) -> float:
        """p without the bias of noise, as a fraction."""
        return self.p_debiased if math.isfinite(self.p_debiased) else self.p

    @property
    def degree_without_host(self) -> float:
        """p without the bias of noise and without the host galaxy's light, which dilutes it."""
        return self.p_nucleus

    @property
    def has_angle(self) -> bool:
        """Whether the polarisation is significant enough to be given with its angle."""
        return self.p >= SIGMAS * self.p_err > 0 and math.isfinite(self.chi_deg)

    @property
    def has_limit(self) -> bool:
        """Whether there is an upper limit of p."""
        return math.isfinite(self.p_limit)


@dataclass(frozen=True, kw_only=True)
class MeanMagnitude:
    """A magnitude and its error from one or more points of a camera, band and night.

    ``common_err``: the part of the error that magnitudes of the ``camera`` share.
    """

    mag: float
    mag_err: float
    jd: float
    jd_first: float
    jd_last: float
    n_frames: int
    exposure_s: float
    results: tuple[int, ...]
    common_err: float = 0.0
    camera: Camera = ("", "")

    @property
    def own_err(self) -> float:
        """The error without the part that is shared."""
        return math.sqrt(max(self.mag_err**2 - self.common_err**2, 0.0))


@dataclass(frozen=True, kw_only=True)
class NightlyPhotometry:
    """One camera, band and night. ``scatters``: its points, more than their errors allow.

    ``varied``: from one stretch to another; its mean is then no good description, and
    ``brightest`` and ``faintest`` (means of half an hour at most) are. ``latest``: how it ends, the
    last point first, then longer ends.
    """

    night: str
    band: str
    telescope: str
    mean: MeanMagnitude
    brightest: MeanMagnitude
    faintest: MeanMagnitude
    varied: bool
    scatters: bool
    points: tuple[GoodPoint, ...]
    latest: tuple[MeanMagnitude, ...] = ()
    instrument: str = ""

    @property
    def camera(self) -> Camera:
        """What took it."""
        return self.telescope, self.instrument


@dataclass(frozen=True, kw_only=True)
class MagnitudeChange:
    """``to`` minus ``of``: negative is a brightening."""

    of: MeanMagnitude
    to: MeanMagnitude

    @property
    def mag(self) -> float:
        """Change of the magnitude."""
        return self.to.mag - self.of.mag

    @property
    def mag_err(self) -> float:
        """Its error: the own ones of both, and what they do not share of the common ones."""
        apart = between(self.to.common_err, self.of.common_err,
                        shared=self.to.camera == self.of.camera)
        return math.hypot(self.to.own_err, self.of.own_err, apart)

    @property
    def significance(self) -> float:
        """The change in units of its error."""
        return abs(self.mag) / self.mag_err

    @property
    def is_significant(self) -> bool:
        """Whether it is more than its error explains."""
        return self.significance >= SIGMAS

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
    robust scatter (1.4826 times the median absolute deviation). ``common_err``: what the
    magnitudes of its ``camera``, that with the most points, share; ``is_mixed``: others are in
    it too."""

    median: float
    scatter: float
    nights: int
    n: int
    jd_first: float
    jd_last: float
    results: tuple[int, ...]
    common_err: float = 0.0
    camera: Camera = ("", "")
    is_mixed: bool = False


@dataclass(frozen=True, kw_only=True)
class ArchiveRecord:
    """Whether the new level stands out. ``since``: the last earlier point that was as bright (as
    faint), None if there is none in the archive; ``first``: the archive's first point."""

    bright: bool
    first: GoodPoint
    since: GoodPoint | None


@dataclass(frozen=True, kw_only=True)
class DraftFacts:
    """What every draft says: of which source, from when, and its polarisation. ``polarised``: of
    one night, the one that is reported first; ``curve``: for the figure."""

    source: Source
    called: str
    since_jd: float
    until_jd: float
    polarised: tuple[GoodPoint, ...] = ()
    polarised_before: GoodPoint | None = None
    curve: tuple[GoodPoint, ...] = ()

    @property
    def band(self) -> str:
        """The band that the draft is about."""
        return self.polarised[0].band

    @property
    def jd(self) -> float:
        """The time of what it reports."""
        return self.polarised[0].jd

    @property
    def points(self) -> tuple[GoodPoint, ...]:
        """The points that it is about."""
        return self.polarised

    @property
    def subject(self) -> str:
        """What it reports, in a word."""
        return "polarimetry"

    @property
    def telescopes(self) -> tuple[str, ...]:
        """The telescopes of those, the chosen one first."""
        return tuple(dict.fromkeys(point.telescope for point in self.points))


@dataclass(frozen=True, kw_only=True)
class PolarimetryFacts(DraftFacts):
    """All that a draft can say where no good magnitude is new: ``polarised`` is of one band, its
    last point first, and ``others`` those of other bands next to it in time."""

    others: tuple[GoodPoint, ...] = ()

    @property
    def points(self) -> tuple[GoodPoint, ...]:
        """Those of the band and of the others."""
        return (*self.polarised, *self.others)


@dataclass(frozen=True, kw_only=True)
class PhotometryFacts(DraftFacts):
    """All that a draft with magnitudes can say. ``chosen`` is the night in the band that it is
    about and ``level`` its value; ``others``: the same night in other bands and with other
    cameras; ``earlier``: the nights before it in the same band that are new too;
    ``polarised``: of the chosen night, that nearest in time first."""

    chosen: NightlyPhotometry
    level: MeanMagnitude
    is_extreme: bool
    without_host: MeanMagnitude | None = None  # the level, where the host's flux is known
    others: tuple[NightlyPhotometry, ...] = ()
    earlier: tuple[NightlyPhotometry, ...] = ()
    baseline: Baseline | None = None
    record: ArchiveRecord | None = None
    before: MagnitudeChange | None = None  # against the preceding night with data
    fastest: MagnitudeChange | None = None  # within the last nights
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
    def subject(self) -> str:
        """What it reports, in a word; a title may name the ``trend`` instead."""
        return "photometry and polarimetry" if self.polarised else "photometry"

    @property
    def nights(self) -> tuple[NightlyPhotometry, ...]:
        """The chosen night in all bands and with all cameras."""
        return (self.chosen, *self.others)

    @property
    def taken_past(self) -> str:
        """What took the past: ``several instruments``, ``another instrument``; empty: this one."""
        past = self.baseline
        if past is None or (past.camera == self.chosen.camera and not past.is_mixed):
            return ""
        return "several instruments" if past.is_mixed else "another instrument"

    @property
    def unlike(self) -> tuple[tuple[NightlyPhotometry, float], ...]:
        """Other cameras of the night in its band whose means lie apart, and by how much."""
        apart = [(night, MagnitudeChange(of=self.chosen.mean, to=night.mean))
                 for night in self.others if night.band == self.band]
        return tuple((night, change.mag) for night, change in apart if change.is_significant)

    def needs_instrument(self, telescope: str) -> bool:
        """Whether the night has several instruments of a telescope, so that each is named."""
        return len({night.instrument for night in self.nights
                    if night.telescope == telescope}) > 1

    @property
    def points(self) -> tuple[GoodPoint, ...]:
        """Those of the night, and the polarisation that is reported."""
        mine = [point for night in self.nights for point in night.points]
        return tuple({p.id: p for p in (*mine, *self.polarised[:1])}.values())

    @property
    def step(self) -> float:
        """The level minus the past, in magnitudes; NaN with no past."""
        return NAN if self.baseline is None else self.level.mag - self.baseline.median

    @property
    def is_brighter(self) -> bool:
        """Whether the level lies above the past; with no past it counts as bright."""
        return not self.step > 0

    @property
    def differs(self) -> bool:
        """Whether the level differs from the past by more than its error explains."""
        if (past := self.baseline) is None:
            return False
        return self._sigmas_from(self.level, past) >= SIGMAS

    @property
    def sigmas_of_step(self) -> float:
        """The level's difference from the past over its error."""
        return NAN if self.baseline is None else self._sigmas_from(self.level, self.baseline)

    @property
    def extinction(self) -> float:
        """The Galaxy's in the band, magnitudes; NaN if the catalogue has none."""
        return self.source.extinction.get(self.band, NAN)

    @property
    def system(self) -> str:
        """The photometric system of the bands, such as ``Cousins R (Vega)``; empty if unknown."""
        said: dict[str, list[str]] = {}
        for night in self.nights:
            own = any(point.flags & Flag.OWN_BAND for point in night.points)
            name = "" if own else _SYSTEMS.get(night.band, "")
            if name and night.band not in said.setdefault(name, []):
                said[name].append(night.band)
        return " and ".join(f"{name.partition(' (')[0]} {', '.join(sorted(bands))} "
                            f"({name.partition(' (')[2]}" for name, bands in said.items())

    @property
    def departs(self) -> MeanMagnitude | None:
        """The end of the night that differs most from the past, where the level does not."""
        past = self.baseline
        if past is None or self.differs:
            return None
        ends = [(self._sigmas_from(end, past), end) for end in self.chosen.latest]
        far = [(sigmas, end) for sigmas, end in ends
               if sigmas >= SIGMAS or abs(end.mag - past.median) >= _TITLE_MAG]
        return max(far, key=lambda one: one[0])[1] if far else None

    @property
    def agrees(self) -> bool:
        """Whether the level and the night's end are as the past, as far as errors tell."""
        return not self.differs and self.departs is None and abs(self.step) < _TITLE_MAG

    @staticmethod
    def _sigmas_from(level: MeanMagnitude, past: Baseline) -> float:
        apart = between(level.common_err, past.common_err,
                        shared=level.camera == past.camera)
        return abs(level.mag - past.median) / max(math.hypot(level.own_err, apart), 1e-6)

    @property
    def earlier_besides(self) -> tuple[NightlyPhotometry, ...]:
        """The earlier nights without the preceding one, which has a sentence of its own."""
        preceding = self.before.of.results if self.before else ()
        return tuple(night for night in self.earlier if night.mean.results != preceding)

    @property
    def host_mjy(self) -> float:
        """The host galaxy in the aperture: the median over the points of the level."""
        return median(p.host_mjy for p in self.chosen.points if p.id in self.level.results)

    @property
    def stars(self) -> tuple[str, ...]:
        """What the comparison stars are called in the field."""
        return tuple(star.name.removeprefix(self.source.name).strip() or star.name
                     for star in self.calibrators)

    @property
    def trend(self) -> str:
        """``brightening`` or ``fading``, where a title may speak of it; else empty."""
        if not (self.differs and abs(self.step) >= _TITLE_MAG):
            return ""
        return "brightening" if self.step < 0 else "fading"

    @property
    def alike(self) -> tuple[GoodPoint, ...]:
        """The polarisation in the band of the one that is reported."""
        return tuple(p for p in self.polarised if p.band == self.polarised[0].band)

    @property
    def extreme(self) -> str:
        """Whether it is the ``brightest`` or the ``faintest`` of the night that is reported."""
        bright = self.level == self.chosen.brightest if self.is_extreme else self.is_brighter
        return "brightest" if bright else "faintest"

    @property
    def single(self) -> GoodPoint | None:
        """The extreme among single points, of which means of a fast change fall short."""
        choose = min if self.extreme == "brightest" else max
        point = choose(self.chosen.points, key=lambda p: p.mag)
        is_more = self.chosen.scatters and self.level.results != point.results
        return point if is_more else None

    @property
    def outstanding(self) -> ArchiveRecord | None:
        """The record, if it is worth reporting."""
        record = self.record
        if record is None or not self.differs:
            return None
        is_old = record.since is None or self.level.jd - record.since.jd >= _RECORD_DAYS
        return record if is_old else None


@dataclass(frozen=True, kw_only=True)
class TelescopePhrase:
    """What a text calls a telescope. ``known``: it is more than its bare name."""

    text: str
    known: bool


@dataclass(frozen=True, kw_only=True)
class Letterhead:
    """What the site says of itself. ``url`` is empty where there is no page; ``related``: numbers
    of ATels that the text refers to; ``calibration``: whose magnitudes the comparison stars have.
    """

    authors: tuple[str, ...] = ()
    subjects: tuple[str, ...] = ()
    related: tuple[str, ...] = ()
    telescopes: Mapping[str, TelescopePhrase] = field(default_factory=dict)
    url: str = ""
    contact: str = ""
    calibration: str = ""
    acknowledgement: str = ""

    def telescope(self, name: str) -> TelescopePhrase:
        """A telescope in words, whatever is known of it."""
        return self.telescopes.get(name) or TelescopePhrase(text=f"telescope {name}", known=False)

    def link(self, source: str) -> str:
        """The page of a source; empty without a page."""
        return f"{self.url.rstrip('/')}/sources/{quote(source)}" if self.url else ""
