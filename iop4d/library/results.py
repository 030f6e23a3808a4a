"""Results: calibrated magnitudes and polarisations."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from astropy.time import Time

from iop4d.library.errors import SelectionError
from iop4d.library.history import history_of
from iop4d.library.row import Row
from iop4d.library.selection import Selection
from iop4d.library.values import time_of_jd
from iop4d.store.tables import LISTINGS

if TYPE_CHECKING:
    from astropy.table import QTable
    from astropy.timeseries import TimeSeries
    from matplotlib.axes import Axes

    from iop4d.library.frames import Frame, Group, Master
    from iop4d.library.sources import Source
    from iop4d.library.trial import Trial

_BANDLESS = ("source", "band")  # of which a light curve has one each


class Result(Row):
    """A calibrated point. ``*_err`` are random errors; ``*_common`` are shared with other points.

    ``p``, ``q``, ``u`` are fractions; ``chi_deg`` runs east of north.
    """

    _listing = LISTINGS["results"]

    @property
    def time(self) -> Time:
        """The middle of its exposure, UTC."""
        return time_of_jd(self["jd_mid"])

    @property
    def time_barycentric(self) -> Time | None:
        """The same at the barycentre of the solar system, TDB."""
        return time_of_jd(self["bjd_tdb"], "tdb")

    @property
    def its_source(self) -> Source:
        """Its source, of the catalogue."""
        return self._observatory.source(self["source"])

    @property
    def frames(self) -> Selection[Frame]:
        """The frames that it rests on; ``result["frames"]`` has their names."""
        return self._observatory.frames_of([one["id"] for one in self.explain()["frames"]])

    @property
    def masters(self) -> Selection[Master]:
        """The masters of its frames."""
        return self._observatory.masters_of([one["id"] for one in self.explain()["masters"]])

    @property
    def group(self) -> Group | None:
        """Its polarimetry group, or None."""
        return None if self["group_id"] is None else self._observatory.group(self["group_id"])

    @property
    def calibrators(self) -> list[dict[str, Any]]:
        """Each calibrator's part in the zero point, magnitudes: ``source``, ``zero_point``,
        ``zero_point_err``, ``weight``, ``residual``, ``why_not``."""
        return list(self.explain()["calibrators"])

    @property
    def methods(self) -> list[dict[str, Any]]:
        """What every method of polarimetry gives that applies: fractions and degrees."""
        return list(self.explain()["methods"])

    @property
    def history(self) -> QTable:
        """Every value that it had, the earliest first: revision, until when (Unix seconds; NaN: it
        is the present one), mag, p, chi_deg and their random errors, and flags."""
        return history_of([self])

    def explain(self) -> dict[str, Any]:
        """All that it rests on as plain values, as ``iop4d explain --json`` writes it."""
        if "_explained" not in self.__dict__:
            self.__dict__["_explained"] = self._observatory.reader.explain(self["id"])
        found: dict[str, Any] = self.__dict__["_explained"]
        return found

    def reduce(self, *, without: Sequence[str] = (), **settings: Any) -> Trial:
        """Compute it with other settings, from its own frames alone; nothing is written.

        ``settings`` as of ``Frame.reduce``; with polarimetry also ``method``, ``min_field_stars``,
        ``transparency_scatter``, ``variability`` and ``interstellar``. ``without``: calibrators to
        leave out. Raises TypeError or SelectionError for what makes no sense.
        """
        names = (without,) if isinstance(without, str) else tuple(without)
        return self._observatory.trial_of(self, settings, names)

    def _words(self) -> str:
        said = [f"{self['source']} {self['band']}"]
        if self["mag"] is not None:
            said.append(f"{self['mag']:.3f} ± {self['mag_err'] or 0.0:.3f} mag")
        elif self["mag_limit"] is not None:
            said.append(f"> {self['mag_limit']:.2f} mag")
        if self["p"] is not None:
            said.append(f"p {100 * self['p']:.2f} %")
        return f": {', '.join([self.time.utc.iso[:16], *said])}"


class Results(Selection[Result]):
    """Results, in order of time; see :class:`Selection`."""

    def timeseries(self, *columns: str | Iterable[str], by: str = "jd_mid") -> TimeSeries:
        """The rows as a TimeSeries of astropy: columns as of ``table``, in order of time.

        ``by``: the time, ``jd_mid`` (UTC) or ``bjd_tdb`` (TDB, at the barycentre); rows that have
        none are left out.
        """
        from iop4d.library.tables import SCALES, series_of

        if by not in SCALES:
            raise SelectionError(f"by: '{by}' is none of {', '.join(SCALES)}")
        return series_of(self.table(by, *columns) if columns else self.table(), by)

    def plot(self, quantity: str = "mag", ax: Axes | None = None) -> Axes:
        """Draw one quantity against MJD (UTC) with random errors; the axes.

        ``quantity``: ``mag``, ``flux``, ``p`` (without the bias of noise, in per cent) or ``chi``
        (degrees). Limits are arrows; results that alerts do not count are hollow. ``ax``: axes to
        draw in, by default those of a new figure.
        """
        from iop4d.library.plots import draw_curve

        return draw_curve(self, quantity, ax)

    def plot_all(self) -> list[Axes]:
        """Draw magnitudes, and p and chi where there are any, one below the other; their axes."""
        from iop4d.library.plots import draw_curves

        return draw_curves(self)

    def lightkurve(self, *, by: str = "bjd_tdb") -> Any:
        """The fluxes (mJy) with their errors as a LightCurve of lightkurve, which must be
        installed (else NotInstalledError). Raises SelectionError for more than one source or band.
        """
        from iop4d.library.tables import light_curve_of

        series = self.timeseries("source", "band", "flux_mjy", "flux_mjy_err", "flags", by=by)
        for name in _BANDLESS:
            found = sorted(set(map(str, series[name])))
            if len(found) > 1:
                raise SelectionError(f"a light curve has one {name}: select one of "
                                     f"{', '.join(found)}")
        return light_curve_of(series)
