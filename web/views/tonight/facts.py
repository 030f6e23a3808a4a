"""What the pages Tonight and of a night are made of, gathered once for all who ask."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from markupsafe import Markup

from iop4d.config import Site
from iop4d.config.want import wanted_of
from iop4d.instruments.telescopes import Telescope, night_of
from iop4d.model.units import jd_of_unix
from iop4d.store import alerts, tonight
from iop4d.store.database import Connection
from iop4d.web.views.tonight.precision import Instruments, Precision, precisions
from iop4d.web.views.tonight.sources import MOST, SourceNow, sources_now
from iop4d.web.views.tonight.telescopes import (
    TelescopeNow,
    by_telescope,
    failed,
    fate,
    science_points,
    span_of,
    telescope_now,
)

_FRESH_S = 20.0  # seconds for which facts are kept while nothing happens
_KEPT = 8  # nights


@dataclass(frozen=True, kw_only=True)
class NightFacts:
    """A night: ``last_frame_at``: when its newest frame was there; ``fates``: frames by fate.

    ``written``: what a page has written of these facts alone, for as long as they are kept.
    """

    night: str
    telescopes: list[TelescopeNow] = field(default_factory=list)
    sources: list[SourceNow] = field(default_factory=list)
    n_sources: int = 0
    n_frames: int = 0
    failed: int = 0
    last_frame_at: float | None = None
    fates: dict[str, int] = field(default_factory=dict)
    span: tuple[float, float] | None = None
    bands: list[tonight.BandLine] = field(default_factory=list)
    written: dict[str, Markup] = field(default_factory=dict, compare=False, repr=False)

    @property
    def is_tonight(self) -> bool:
        """Whether it is the present night of a telescope that has frames in it."""
        return any(one.is_present and one.newest is not None for one in self.telescopes)


class _Nights:
    """The present night of each telescope: from noon to noon of its own place."""

    def __init__(self, site: Site, instruments: Instruments, now: float) -> None:
        self._places = {one.telescope.name: one.telescope
                        for one in instruments.of(site).values()}
        self._now_jd = jd_of_unix(now)

    def present(self, telescope: str) -> str:
        """The date of the evening in which the present night of a telescope began."""
        return night_of(self._now_jd, self._places.get(telescope) or Telescope(name=telescope))

    def behind(self, night: str, more: Iterable[str]) -> dict[str, str]:
        """The telescopes at whose place a night has not begun, and their present night."""
        found = {name: self.present(name) for name in (*self._places, *more)}
        return {name: present for name, present in found.items() if present < night}


def _of_night(read: Callable[[Connection, str], list[Any]], db: Connection, night: str,
              behind: dict[str, str]) -> list[Any]:
    """Frames or points of a night, and in its place of the present night of those behind it."""
    found = [row for row in read(db, night) if row.telescope not in behind]
    for other in sorted(set(behind.values()), reverse=True):
        found += [row for row in read(db, other) if behind.get(row.telescope) == other]
    return sorted(found, key=_moment, reverse=True) if behind else found


def _moment(row: Any) -> float:
    found = getattr(row, "jd_mid", None) or getattr(row, "jd_start", None)
    return float(found or 0.0)


def gather(db: Connection, site: Site, night: str, *, root: str, now: float,
           instruments: Instruments, most: int = MOST, is_home: bool = False) -> NightFacts:
    """The facts of a night. ``most``: sources. ``is_home``: where a telescope is so far from the
    others that this night has not begun there, its own present night stands in its place."""
    known = [archive.telescope for archive in site.archive if archive.telescope]
    nights = _Nights(site, instruments, now)
    behind = nights.behind(night, known) if is_home else {}
    frames, points = (_of_night(read, db, night, behind)
                      for read in (tonight.frames, tonight.points))
    shown = {behind.get(row.telescope, night) for row in (*frames, *points)}
    night = max(shown, default=night)
    active = {alert.source: alert.state for alert in reversed(alerts.active(db))}
    names = tonight.all_names(db, {p.source for p in points} | {f.target for f in frames})
    of_frames, of_points, span = by_telescope(frames), by_telescope(points), span_of(frames)
    telescopes = [
        telescope_now(name, of_frames.get(name, []), of_points.get(name, []), span,
                      now_jd=jd_of_unix(now), root=root, names=names, precisions=_precisions(
                          db, site, name, of_frames.get(name, []), points, names, instruments),
                      night=behind.get(name, night),
                      is_present=behind.get(name, night) == nights.present(name))
        for name in dict.fromkeys([*of_frames, *of_points, *known]) if name]
    return NightFacts(
        night=night, telescopes=telescopes,
        sources=sources_now(db, night, points, active, names, most=most),
        n_sources=len({p.source for p in points}), n_frames=len(frames), failed=failed(frames),
        last_frame_at=max((f.completed_at for f in frames), default=None),
        fates=dict(Counter(map(fate, frames)).most_common()), span=span,
        bands=tonight.bands(points))


def _precisions(db: Connection, site: Site, telescope: str, frames: Sequence[Any],
                points: Sequence[Any], names: dict[str, list[str]],
                instruments: Instruments) -> list[Precision]:
    """How precise the points of a telescope's present target are."""
    frame = next((f for f in frames if f.target), None)
    if frame is None:
        return []
    point, polarised = science_points(points, telescope, frame.target)
    of_names = names.get(frame.target, [frame.target])
    return precisions(db, frames, point, polarised,
                      lambda band: wanted_of(site.want, of_names, band), instruments.of(site))


class Kept:
    """Facts that many pages ask for at the same event: made once, and kept for a short while."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._facts: dict[tuple[Any, ...], tuple[float, Site, NightFacts]] = {}
        self._making = threading.Lock()
        self.instruments = Instruments()

    def of(self, db: Connection, site: Site, night: str, *, root: str, now: float,
           most: int = MOST, is_home: bool = False) -> NightFacts:
        """The facts of a night as the tables are now."""
        key = (*tonight.stamp(db), night, root, most, is_home)
        with self._making:
            at, of, facts = self._facts.get(key) or (0.0, None, None)
            if facts is None or of is not site or self._clock() - at > _FRESH_S:
                facts = gather(db, site, night, root=root, now=now, instruments=self.instruments,
                               most=most, is_home=is_home)
                self._facts.pop(key, None)
                self._facts = dict(list(self._facts.items())[1 - _KEPT:])
                self._facts[key] = (self._clock(), site, facts)
            return facts
