"""What the pages Tonight and of a night are made of, gathered once for all who ask."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from iop4d.config import Site
from iop4d.config.want import wanted_of
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
    """A night: ``last_frame_at``: when its newest frame was there; ``fates``: frames by fate."""

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


def gather(db: Connection, site: Site, night: str, *, root: str, now: float,
           instruments: Instruments, most: int = MOST) -> NightFacts:
    """The facts of a night. ``most``: sources."""
    frames, points = tonight.frames(db, night), tonight.points(db, night)
    active = {alert.source: alert.state for alert in reversed(alerts.active(db))}
    names = tonight.all_names(db, {p.source for p in points} | {f.target for f in frames})
    of_frames, of_points, span = by_telescope(frames), by_telescope(points), span_of(frames)
    known = [archive.telescope for archive in site.archive if archive.telescope]
    telescopes = [
        telescope_now(name, of_frames.get(name, []), of_points.get(name, []), span,
                      now_jd=jd_of_unix(now), root=root, names=names, precisions=_precisions(
                          db, site, name, of_frames.get(name, []), points, names, instruments))
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
    wanted = wanted_of(site.want, of_names, frame.band or "")
    return precisions(db, frame, point, polarised, wanted, instruments.of(site))


class Kept:
    """Facts that many pages ask for at the same event: made once, and kept for a short while."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._facts: dict[tuple[Any, ...], tuple[float, Site, NightFacts]] = {}
        self._making = threading.Lock()
        self.instruments = Instruments()

    def of(self, db: Connection, site: Site, night: str, *, root: str, now: float,
           most: int = MOST) -> NightFacts:
        """The facts of a night as the tables are now."""
        key = (*tonight.stamp(db), night, root, most)
        with self._making:
            at, of, facts = self._facts.get(key) or (0.0, None, None)
            if facts is None or of is not site or self._clock() - at > _FRESH_S:
                facts = gather(db, site, night, root=root, now=now, instruments=self.instruments,
                               most=most)
                self._facts.pop(key, None)
                self._facts = dict(list(self._facts.items())[1 - _KEPT:])
                self._facts[key] = (self._clock(), site, facts)
            return facts
