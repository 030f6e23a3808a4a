"""What a draft may say of a source: by its magnitudes, or by its polarisation alone."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import median

from iop4d.alerts.atel.values import (
    NAN,
    SIGMAS,
    ArchiveRecord,
    Baseline,
    GoodPoint,
    MagnitudeChange,
    MeanMagnitude,
    NightlyPhotometry,
)
from iop4d.model.flags import Flag
from iop4d.model.source import Source
from iop4d.model.uncertainty import between

_TITLE_MAG = 0.2  # mag against the past, from which a title speaks of a change
_SYSTEMS = {**dict.fromkeys("UBV", "Johnson (Vega)"), **dict.fromkeys("RI", "Cousins (Vega)"),
            **dict.fromkeys("ugriz", "SDSS (AB)")}
_RECORD_DAYS = 30.0  # a level that was last passed so long ago is worth reporting


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


