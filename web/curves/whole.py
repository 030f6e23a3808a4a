"""Whole light curves of sources, held between requests until a result of the source changes."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from iop4d.store import changes, curves
from iop4d.store.database import Connection
from iop4d.web.curves.choice import ALWAYS
from iop4d.web.curves.columns import Series, continued, series_of, unwrapped
from iop4d.web.curves.nightly import nightly_means
from iop4d.web.held import Held

_HELD = 48 << 20  # bytes of light curves that are held
_SHORT = 8_000  # points of a light curve that is held as a whole although a part is asked for
_LONGEST = 60_000  # points of one that is held at all
_KEPT = "curves.whole"


@dataclass(frozen=True)
class SourceCurve:
    """The series of a source between two JD, and the means of their nights beside each."""

    series: list[Series]
    _nights: list[Series] = field(default_factory=list)

    def nights(self) -> list[Series]:
        """The means of the nights of each series; made when they are asked for."""
        if len(self._nights) < len(self.series):
            self._nights[:] = [nightly_means(one) for one in self.series]
        return self._nights

    def between(self, since: float, until: float) -> SourceCurve:
        """The points between two JD; of each series that has any."""
        if (since, until) == ALWAYS:
            return self
        found = []
        for one in self.series:
            jd = one.columns["jd"]
            first, end = np.searchsorted(jd, since), np.searchsorted(jd, until, side="right")
            if end > first:
                found.append(one.only(slice(first, end)))
        return SourceCurve(found)

    @property
    def octets(self) -> int:
        """How much memory it needs."""
        return sum(values.nbytes for one in (*self.series, *self._nights)
                   for values in one.columns.values())


def source_curve(db: Connection, source: str, quantity: str, since: float,
                 until: float) -> SourceCurve:
    """The light curve of a source between two JD; its angles are continued from its first point on.
    """
    mark = changes.mark(db, source)
    if mark is None or db.kept is None:
        return _read(db, source, quantity, since, until)
    held: Held[tuple[str, str, str], SourceCurve] = db.kept.setdefault(
        _KEPT, Held(_HELD, lambda curve: curve.octets))
    key = (source, quantity, mark)
    whole = held.find(key)
    if whole is None:
        count = curves.extent(db, source).count
        if count > (_LONGEST if (since, until) == ALWAYS else _SHORT):
            return _read(db, source, quantity, since, until)
        whole = held.get(key, lambda: _whole(db, source, quantity))
    return whole.between(since, until)


def _whole(db: Connection, source: str, quantity: str) -> SourceCurve:
    curve = _read(db, source, quantity, *ALWAYS)
    curve.nights()
    return curve


def _read(db: Connection, source: str, quantity: str, since: float, until: float) -> SourceCurve:
    found = series_of(db, source, quantity, since, until)
    if any(np.isfinite(one.columns["chi"]).any() for one in found):
        chain = continued(curves.sure_angles(db, source))
        found = [unwrapped(one, chain) for one in found]
    return SourceCurve(found)
