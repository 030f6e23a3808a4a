"""The plots of a frame's page."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import date
from typing import Any

from markupsafe import Markup

from iop4d.science import tan
from iop4d.store.frame_pages import Placed
from iop4d.store.schema import Master
from iop4d.web.charts import Axis, Line, Panel, Point, plot

_EXACT = 1e-6  # px: a source that was put at its predicted place shows nothing of the solution
_MJD_OF_ORDINAL = -678576  # of 0001-01-01, which is day 1
_FEWEST = 2  # masters that show how they change
_LONGEST_VECTOR = 0.15  # of the frame's width, at most
_MOST_TIMES = 1000
_WIDE, _TALLEST = 372.0, 420.0  # of a plot of the frame, in its units
_LEAST = 0.1  # px that an axis shows at least


def offsets(places: Sequence[Placed], info: dict[str, Any]) -> Markup | None:
    """How far stars were found from where the solution puts them, in pixels: those of the
    catalogue, and those that it was fitted to.

    None without a solution, or where no star is bright enough to have a place of its own.
    """
    cards = info.get("wcs") or {}
    fitted = [Point(x=dx, y=dy, look="fitted", title=f"x {x:.0f}, y {y:.0f}: {dx:+.2f}, "
                    f"{dy:+.2f} px") for x, y, dx, dy in matched(info)]
    rows = [p for p in places if p.beam == "E"] or [p for p in places if not p.beam]
    if "CD1_1" not in cards or not (rows or fitted):
        return None
    x, y = tan.from_cards(cards).to_pixel([p.ra_deg for p in rows], [p.dec_deg for p in rows])
    points = fitted + [Point(x=p.x - float(i), y=p.y - float(j), look=p.kind,
                    title=f"{p.name}: {p.x - float(i):+.2f}, {p.y - float(j):+.2f} px")
              for p, i, j in zip(rows, x, y, strict=True)
              if abs(p.x - float(i)) + abs(p.y - float(j)) > _EXACT]
    if not points:
        return None
    reach = max(_LEAST, *(1.15 * max(abs(p.x), abs(p.y)) for p in points))
    return plot("Where stars were found, less where they should be", [
        Panel(label="y [px]", points=points, across=[(0.0, "")], upright=[(0.0, "", "")],
              height=240, low=-reach, high=reach)],
        Axis(label="x [px]", low=-reach, high=reach))


def matched(info: dict[str, Any]) -> list[list[float]]:
    """The stars that a frame's solution was fitted to: x, y, and what is left in x and y, px."""
    return (info.get("solution") or {}).get("matched") or []


def vectors(info: dict[str, Any], shape: tuple[int | None, int | None],
            ) -> tuple[Markup, int] | None:
    """What the fit leaves of each star, as a line over the frame, and how many times it is
    lengthened; None without such stars."""
    stars, (ny, nx) = matched(info), shape
    if not stars or not ny or not nx:
        return None
    longest = max(math.hypot(dx, dy) for _, _, dx, dy in stars) or 1.0
    times = min(_MOST_TIMES, 10 ** math.floor(math.log10(_LONGEST_VECTOR * nx / longest)))
    lines = [Line(points=[(x, y), _towards(x, y, times * dx, times * dy, nx, ny)], look="vector")
             for x, y, dx, dy in stars]
    return plot(f"What the solution leaves of {len(stars)} stars, over the frame", [
        Panel(label="y [px]", dust=[(x, y) for x, y, *_ in stars], lines=lines, low=0.0,
              high=float(ny), height=min(_TALLEST, _WIDE * ny / nx))],
        Axis(label="x [px]", low=0.0, high=float(nx))), times


def _towards(x: float, y: float, dx: float, dy: float, nx: int, ny: int) -> tuple[float, float]:
    """The end of a line from a place; at the frame's edge, in its direction, if that is nearer."""
    part = min([1.0, *(max(0.0, ((high if step > 0 else 0.0) - at) / step)
                       for at, step, high in ((x, dx, nx), (y, dy, ny)) if step)])
    return x + part * dx, y + part * dy


def over_nights(master: Master, rows: Sequence[Master], root: str) -> Markup | None:
    """Level and scatter of masters like one over the nights; None of a single one."""
    if len(rows) < _FEWEST:
        return None
    days = {row.id: float(date.fromisoformat(row.night).toordinal() + _MJD_OF_ORDINAL)
            for row in rows}
    panels = []
    for name, label in (("level", "level"), ("scatter", "scatter")):
        points = [Point(x=days[row.id], y=getattr(row, name),
                        look="now" if row.id == master.id else row.state,
                        href=f"{root}/masters/{row.id}",
                        title=f"{row.night}: {name} {getattr(row, name):.4g}, {row.state}")
                  for row in rows if getattr(row, name) is not None]
        if len({round(point.y, 9) for point in points}) > 1:  # flats all have the level 1
            panels.append(Panel(label=label, points=points, height=120))
    return plot(f"Masters like this one over {len(rows)} nights", panels,
                Axis(label="MJD")) if panels else None
