"""Nights, and the episodes of alerts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from astropy.time import Time

from iop4d.library.row import Row
from iop4d.library.values import time_of_jd, time_of_unix
from iop4d.store.tables import LISTINGS

if TYPE_CHECKING:
    from iop4d.library.frames import Frame, Group, Master
    from iop4d.library.results import Results
    from iop4d.library.selection import Selection


class Night(Row):
    """A night from noon to noon, named by the date of its evening.

    ``night["frames"]``, ``night["results"]`` and so on are the numbers of the list of nights.
    """

    _listing = LISTINGS["nights"]

    @property
    def date(self) -> str:
        """The date of its evening, YYYY-MM-DD."""
        return str(self["night"])

    @property
    def results(self) -> Results:
        """Its results."""
        found: Any = self._observatory.results(night=self.date)
        return found  # type: ignore[no-any-return]

    @property
    def frames(self) -> Selection[Frame]:
        """Its frames."""
        return self._observatory.frames(night=self.date)

    @property
    def groups(self) -> Selection[Group]:
        """Its polarimetry groups."""
        return self._observatory.groups(night=self.date)

    @property
    def masters(self) -> Selection[Master]:
        """The masters made of its calibration frames."""
        return self._observatory.masters(night=self.date)

    @property
    def sources(self) -> list[dict[str, Any]]:
        """Its sources by band: counts, mean and extreme magnitudes, as plain values."""
        return list(self.details["by_source"])

    @property
    def summary(self) -> dict[str, Any] | None:
        """The facts of its summary, as plain values; None where it has none."""
        found = self._observatory.reader.details(LISTINGS["summaries"], self.date) \
            if self["summary"] else None
        return None if found is None else found["facts"]

    def _words(self) -> str:
        return f": {self['frames']} frames, {self['results']} results"


class Alert(Row):
    """An episode of a rule on a source."""

    _listing = LISTINGS["alerts"]

    @property
    def time(self) -> Time | None:
        """The time (UTC) of the point with which it fired."""
        return time_of_jd(self["fired_jd"])

    @property
    def points(self) -> Results:
        """The results that confirmed it."""
        return self._observatory.results_of(list(self.details["points"]))

    @property
    def history(self) -> list[dict[str, Any]]:
        """Its states: ``at`` (Time), ``state``, ``by`` and ``note``."""
        return [step | {"at": time_of_unix(step["at"])} for step in self.details["steps"]]

    def _words(self) -> str:
        return f": {self['rule']} on {self['source']} {self['band']}, {self['state']}"
