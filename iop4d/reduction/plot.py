"""A small light curve for a message."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import TYPE_CHECKING

from iop4d.model.messages import PlotRequest

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_JD_1970 = 2440587.5  # JD of 1970-01-01T00:00
_SHORT = 2.0  # days: a shorter light curve has hours on its axis
_COLOUR, _RED = "#1f4e79", "#c0392b"


def plot_light_curve(request: PlotRequest) -> bytes:
    """The picture as PNG bytes, 800 x 450 px; magnitudes grow downwards."""
    from matplotlib.figure import Figure  # a second to import; only messages need it

    figure = Figure(figsize=(8.0, 4.5), dpi=100, layout="constrained")
    axes = figure.add_subplot()
    days = [jd for jd, _, _ in request.points]
    span = max(days) - min(days) if days else 0.0
    shown = _hours(axes, days) if span < _SHORT else _days(axes, days)
    _draw(axes, request, dict(zip(days, shown, strict=True)))
    axes.set_title(request.title)
    axes.set_ylabel(f"{request.band} (mag)")
    axes.invert_yaxis()
    axes.grid(alpha=0.25)
    out = BytesIO()
    figure.savefig(out, format="png")
    return out.getvalue()


def _draw(axes: Axes, request: PlotRequest, shown: dict[float, float]) -> None:
    for jd, mag, err in request.points:
        chosen = request.highlight_jd is not None and abs(jd - request.highlight_jd) < 1e-6
        axes.errorbar([shown[jd]], [mag], yerr=None if math.isnan(err) else [err], fmt="o",
                      markersize=8 if chosen else 4, color=_RED if chosen else _COLOUR,
                      elinewidth=1, zorder=3 if chosen else 2)
    if request.threshold is not None:
        axes.axhline(request.threshold, color=_RED, linestyle="--", linewidth=1)


def _hours(axes: Axes, days: list[float]) -> list[float]:
    """Times as matplotlib's dates, with an axis in UTC."""
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    locator = AutoDateLocator(tz=UTC, minticks=4, maxticks=9)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    formatter = ConciseDateFormatter(locator, tz=UTC)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_formatter(formatter)
    axes.set_xlabel(f"UTC, {_date(min(days))}" if days else "UTC")
    return [day - _JD_1970 for day in days]


def _days(axes: Axes, days: list[float]) -> list[float]:
    zero = int(min(days))
    axes.ticklabel_format(axis="x", useOffset=False)
    axes.set_xlabel(f"JD − {zero}  ({_date(min(days))} to {_date(max(days))})")
    return [day - zero for day in days]


def _date(jd: float) -> str:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=jd - _JD_1970)).date().isoformat()
