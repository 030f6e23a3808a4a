"""Which masters a frame is calibrated with, and whether a new one may be used at all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from statistics import median

from iop4d.config import Site
from iop4d.instruments.base import Instrument
from iop4d.model.frame import (
    FrameFacts,
    FrameKind,
    beam_element_of,
    celsius_of,
    covers,
    is_same_time,
    layout_of,
    region_of,
    settings_of,
    warmer_by,
)
from iop4d.model.messages import MasterRef
from iop4d.model.states import MasterState
from iop4d.model.units import robust_sigma
from iop4d.store import jobs, masters
from iop4d.store.database import Connection
from iop4d.store.jobs import JobKind
from iop4d.store.schema import Master

_FEWEST_PEERS = 3  # masters of other nights that tell what is usual
_ODD_SIGMAS = 8.0
_ODD_PART = 0.1  # of the usual level
_ODD_LEAST = {FrameKind.BIAS: 5.0, FrameKind.DARK: 0.05, FrameKind.FLAT: 0.02}  # ADU, ADU/s, part

#: What a master itself is calibrated with.
CALIBRATED_WITH: dict[FrameKind, tuple[FrameKind, ...]] = {
    FrameKind.BIAS: (), FrameKind.DARK: (FrameKind.BIAS,),
    FrameKind.FLAT: (FrameKind.BIAS, FrameKind.DARK), FrameKind.PATTERN: (FrameKind.BIAS,)}


@dataclass(frozen=True, kw_only=True)
class Choice:
    """The masters for a frame. ``missing`` names kinds there are none of; ``pending``: a better
    one is about to be built, and may begin at ``pending_until`` (Unix seconds)."""

    masters: tuple[MasterRef, ...] = ()
    missing: tuple[str, ...] = ()
    pending_until: float | None = None

    @property
    def used(self) -> list[list[int]]:
        """(id, revision) of each, as rows keep them."""
        return [[master.id, master.revision] for master in self.masters]

    def of(self, kind: FrameKind) -> list[MasterRef]:
        """Those of a kind: one or none."""
        return [master for master in self.masters if master.kind is kind]

    @property
    def settled(self) -> bool:
        """Whether these are the best there will be until a calibration frame comes."""
        return not self.missing and self.pending_until is None


class MasterChoices:
    """Chooses masters; the choices made are kept until something about masters changes."""

    def __init__(self, site: Site, instruments: Mapping[str, Instrument]) -> None:
        self._site = site
        self._instruments = instruments
        self._made: dict[tuple[object, ...], Choice] = {}

    def choose(self, db: Connection, facts: FrameFacts) -> Choice:
        """The best masters for a frame of a known instrument, of those chosen before."""
        key = (facts.telescope, facts.instrument, facts.kind, facts.night, layout_of(facts),
               facts.band, facts.beam_element,
               facts.detector.calibrated, facts.detector.placed, _warmth(facts),
               facts.exptime_s if self._darks_hold_bias(facts) else None)
        if (made := self._made.get(key)) is None:
            made = self._made[key] = self._choose(db, facts)
        return made

    def _darks_hold_bias(self, facts: FrameFacts) -> bool:
        return darks_hold_bias(self._instruments[facts.instrument], facts)

    def improves(self, db: Connection, facts: FrameFacts, used: Iterable[Iterable[int]]) -> bool:
        """Whether there are other masters now than a frame, or a master, was calibrated with."""
        if facts.instrument not in self._instruments:
            return False
        choice = self.choose(db, facts)
        return not choice.missing and choice.used != [list(pair) for pair in used]

    def could_serve(self, master: Master, facts: FrameFacts) -> bool:
        """Whether a master is of a kind, a layout and a band that a frame may be calibrated with.
        """
        if facts.instrument not in self._instruments:
            return False
        kind, instrument = FrameKind(master.kind), self._instruments[facts.instrument]
        is_needed = (shows_pattern(facts.kind, instrument) if kind is FrameKind.PATTERN else
                     kind in needed(facts.kind, instrument, facts.detector.calibrated))
        return (is_needed and (kind is not FrameKind.FLAT or master.band == facts.band)
                and self._would_do(master, facts))

    def forget_pending(self) -> None:
        """Time has passed: choose again for what waits for a master."""
        self._made = {key: choice for key, choice in self._made.items() if choice.settled}

    def changed(self) -> None:
        """A calibration frame came, or a master was built or refused: choose again."""
        self._made.clear()

    def _choose(self, db: Connection, facts: FrameFacts) -> Choice:
        """The best masters: of the same night, else of the nearest, within the age limit."""
        chosen, missing = [], []
        pending: list[float] = []
        for kind in needed(facts.kind, self._instruments[facts.instrument],
                           facts.detector.calibrated):
            near = self._nearest(db, kind, facts)
            if near and near[0].night == facts.night:
                pending += _pending(db, near[0])
            best = next((row for row in near if row.state == MasterState.READY), None)
            if best is None:
                pending += [when for row in near for when in _pending(db, row)]
                missing.append(_described(kind, facts, self._darks_hold_bias(facts)))
                continue
            chosen.append(ref_of(best, facts, self._instruments[facts.instrument]))
        chosen += self._pattern(db, facts)
        return Choice(masters=tuple(chosen), missing=tuple(missing),
                      pending_until=max(pending) if pending else None)

    def _pattern(self, db: Connection, facts: FrameFacts) -> list[MasterRef]:
        """The pattern for a science frame, where there is one: none waits for it."""
        if not shows_pattern(facts.kind, self._instruments[facts.instrument]):
            return []
        return [ref_of(row, facts, self._instruments[facts.instrument])
                for row in self._nearest(db, FrameKind.PATTERN, facts)
                if row.state == MasterState.READY][:1]

    def _nearest(self, db: Connection, kind: FrameKind, facts: FrameFacts) -> list[Master]:
        """The masters that would do, the nearest night first.

        Darks of another temperature come after all others. Before equal ones: of an earlier night,
        and a frame's own layout before its cut of a larger one.
        """
        rows = [row for row in masters.of_kind(db, kind, facts)
                if days_between(row.night, facts.night) <= self._site.masters.max_age_days
                and self._would_do(row, facts)]
        return sorted(rows, key=lambda row: (
            abs(warmer_by(_warmth(facts), celsius_of(row.layout))),
            days_between(row.night, facts.night), row.night > facts.night,
            row.layout != layout_of(facts), _apart(_warmth(facts), celsius_of(row.layout)), row.id))

    def _would_do(self, row: Master, facts: FrameFacts) -> bool:
        """Whether a master of a frame's camera, and of its band, is one for it but for the night.
        """
        kind = FrameKind(row.kind)
        return (covers(row.layout, facts)
                and (kind is not FrameKind.DARK or self._serves(row, facts))
                and (kind is not FrameKind.FLAT
                     or beam_element_of(row.layout) == facts.beam_element))

    def _serves(self, dark: Master, facts: FrameFacts) -> bool:
        """Whether a dark is one with its bias subtracted, or of a frame's exposure time, as needed.
        """
        if not self._darks_hold_bias(facts):
            biased = FrameKind.BIAS in self._instruments[facts.instrument].masters
            return bool(dark.masters) or not biased or dark.state != MasterState.READY
        return (not dark.masters and masters.is_of_one_exposure(dark)
                and is_same_time(dark.exptime_s, facts.exptime_s))


def ref_of(row: Master, facts: FrameFacts, instrument: Instrument) -> MasterRef:
    """A master, as a worker calibrates a frame of an instrument with it."""
    kind = FrameKind(row.kind)
    if kind is FrameKind.PATTERN:
        return MasterRef(id=row.id, revision=row.revision, kind=kind, path=Path(row.path),
                         origin=region_of(row.layout)[1:3])
    return MasterRef(
        id=row.id, revision=row.revision, kind=kind, path=Path(row.path),
        provisional=row.night != facts.night, exptime_s=row.exptime_s,
        origin=region_of(row.layout)[1:3], celsius=celsius_of(row.layout),
        holds_bias=kind is FrameKind.DARK and darks_hold_bias(instrument, facts))


def _warmth(facts: FrameFacts) -> float | None:
    """A frame's temperature in whole degrees: frames that differ by less have the same masters."""
    return None if facts.detector.celsius is None else float(round(facts.detector.celsius))


def _apart(celsius: float | None, dark: float | None) -> float:
    """Degrees between a frame and a dark's layout; 0 where either is unknown."""
    return 0.0 if celsius is None or dark is None else abs(celsius - dark)


def darks_hold_bias(instrument: Instrument, facts: FrameFacts) -> bool:
    """Whether neither bias nor overscan is subtracted from the darks of a frame's camera.

    They cannot be scaled to another exposure time.
    """
    return (FrameKind.DARK in instrument.masters and FrameKind.BIAS not in instrument.masters
            and facts.detector.overscan is None)


def needed(kind: FrameKind, instrument: Instrument,
           calibrated: tuple[FrameKind, ...] = ()) -> tuple[FrameKind, ...]:
    """The kinds of master that a frame of a kind is calibrated with.

    ``calibrated``: those that were applied before it came.
    """
    masters = instrument.masters if kind is FrameKind.SCIENCE else CALIBRATED_WITH[kind]
    return tuple(k for k in masters if k in instrument.masters and k not in calibrated)


def shows_pattern(kind: FrameKind, instrument: Instrument) -> bool:
    """Whether the detector's hot and dead pixels are known by the science frames alone."""
    return kind is FrameKind.SCIENCE and not {FrameKind.DARK, FrameKind.FLAT} & set(
        instrument.masters)


def _pending(db: Connection, master: Master) -> list[float]:
    """When the job that builds a master may begin, if it is queued or running."""
    begins = jobs.pending_since(db, JobKind.MASTER, master.id)
    return [] if begins is None else [begins]


def _described(kind: FrameKind, facts: FrameFacts, holds_bias: bool) -> str:
    if kind is FrameKind.DARK and holds_bias:
        return (f"master dark of {facts.exptime_s:g} s of {facts.instrument} "
                f"({layout_of(facts)}), which without a bias cannot be of another exposure time")
    band = f" {facts.band}" if kind is FrameKind.FLAT and facts.band else ""
    if kind is FrameKind.FLAT and facts.beam_element:
        band += f" {facts.beam_element}"
    return f"master {kind.value}{band} of {facts.instrument} ({layout_of(facts)})"


def days_between(night: str, other: str) -> int:
    """How many days lie between two nights."""
    return abs((date.fromisoformat(night) - date.fromisoformat(other)).days)


def deviation(db: Connection, site: Site, master: Master, level: float, scatter: float) -> str:
    """Why a newly built master is unlike those of other nights; empty if it is not, or too few are.

    Biases and darks are compared by their level, flats, which all have the level 1, by the scatter
    of their pixels. Patterns are not: hot pixels come and go.
    """
    kind, binning = FrameKind(master.kind), region_of(master.layout)[0]
    what = "scatter" if kind is FrameKind.FLAT else "level"
    peers = [row for row in masters.peers_of(db, master)
             if region_of(row.layout)[0] == binning
             and settings_of(row.layout) == settings_of(master.layout)
             and days_between(row.night, master.night) <= site.masters.max_age_days
             and row.level is not None and row.scatter is not None]
    values = [float(getattr(row, what)) for row in peers]
    if len(values) < _FEWEST_PEERS or kind not in _ODD_LEAST:
        return ""
    middle = median(values)
    value = scatter if kind is FrameKind.FLAT else level
    allowed = max(_ODD_SIGMAS * robust_sigma(values), _ODD_PART * abs(middle), _ODD_LEAST[kind])
    if abs(value - middle) <= allowed:
        return ""
    return (f"its {what} {value:.4g} deviates from the median {middle:.4g} of {len(values)} other "
            "nights; 'iop4d masters restore' accepts it")
