"""Sources of the catalogue."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from astropy import units as u
from astropy.coordinates import SkyCoord

from iop4d.library.row import Row
from iop4d.library.values import quantity
from iop4d.store.tables import LISTINGS

if TYPE_CHECKING:
    from iop4d.library.frames import Frame, Group
    from iop4d.library.nights import Alert
    from iop4d.library.results import Results
    from iop4d.library.selection import Selection


class Source(Row):
    """A source of the catalogue."""

    _listing = LISTINGS["sources"]

    @property
    def position(self) -> SkyCoord:
        """Its place, ICRS."""
        return SkyCoord(self["ra_deg"] * u.deg, self["dec_deg"] * u.deg, frame="icrs")

    @property
    def magnitudes(self) -> dict[str, tuple[u.Quantity, u.Quantity]]:
        """Band to magnitude and error in the catalogue; the error is NaN where it has none."""
        return {band: (quantity(mag, "mag"), quantity(err, "mag"))
                for band, (mag, err) in self["magnitudes"].items()}

    @property
    def extinction(self) -> dict[str, u.Quantity]:
        """Band to the Galaxy's extinction."""
        return {band: quantity(mag, "mag") for band, mag in self["extinction"].items()}

    @property
    def calibrators(self) -> Selection[Source]:
        """The stars that calibrate it; ``source["calibrators"]`` is their number."""
        return self._observatory.sources_of([one["id"] for one in self.details["calibrated_by"]])

    @property
    def results(self) -> Results:
        """Its results; call it to select among them: ``source.results(band="R")``."""
        found: Any = self._observatory.results(source=self["name"])
        return found  # type: ignore[no-any-return]

    @property
    def frames(self) -> Selection[Frame]:
        """The measured frames that were taken for it."""
        return self._observatory.frames(target=self["name"])

    @property
    def groups(self) -> Selection[Group]:
        """Its polarimetry groups."""
        return self._observatory.groups(source=self["name"])

    @property
    def alerts(self) -> Selection[Alert]:
        """Its alerts."""
        return self._observatory.alerts(source=self["name"])

    def _words(self) -> str:
        others = ", ".join(self["other_names"] or ())
        return f": {self['name']}{f' ({others})' if others else ''}, {self['kind']}"
