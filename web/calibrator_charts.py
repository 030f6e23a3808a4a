"""How a calibrator did through the nights, as a plot inside a page."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from iop4d.model.units import utc_of_jd
from iop4d.store.calibrator_history import Use
from iop4d.web.axes import Scale, date_ticks
from iop4d.web.charts import Axis, Panel, Point, plot

_LEAST = 0.02  # mag, half the height
_BEYOND = 1.15  # times the largest residual but for one in a hundred
_EDGE = 1.0 / 24.0  # days before the first and after the last


def residuals(uses: Sequence[Use], root: str) -> Markup | None:
    """Zero point of a star minus that of all, mag, against time; hollow where it was left out.

    None without any. ``root``: what stands before the addresses of results.
    """
    known = [(use, use.residual) for use in uses if use.residual is not None]
    if not known:
        return None
    usual = sorted(abs(residual) for _, residual in known)[int(0.99 * (len(known) - 1))]
    reach = max(_LEAST, _BEYOND * usual)
    first, last = known[0][0].jd, known[-1][0].jd
    edge = max(0.03 * (last - first), _EDGE)
    time = Scale(low=first - edge, high=last + edge, start=0.0, end=1.0)
    points = [Point(
        x=use.jd, y=residual, href=f"{root}/results/{use.result}",
        look=f"band-{use.band}" + (" out" if use.why_not else ""),
        title=f"{utc_of_jd(use.jd)} {use.band} {residual:+.3f}"
              + (f": left out, {use.why_not}" if use.why_not else "")) for use, residual in known]
    return plot("Residuals against time; the table below has the means of nights", [
        Panel(label="residual [mag]", points=points, across=[(0.0, "")], low=-reach, high=reach)],
        Axis(label="UTC", low=time.low, high=time.high, dates=list(date_ticks(time, 4))))
