"""The figure of a draft: the light curve of all bands, with p and chi below where there are any.

matplotlib takes a second to import and much memory: ``draw`` imports it late, and is called in a
command's process or in one of its own (``python -m iop4d.alerts.atel.figure``: the request as JSON
on standard input, the pictures on standard output), never in the daemon's.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC
from io import BytesIO
from typing import TYPE_CHECKING, Any

from iop4d.alerts.atel.facts import DraftFacts, PhotometryFacts
from iop4d.alerts.atel.values import GoodPoint
from iop4d.model.bands import band_order, colour_of
from iop4d.model.units import JD_UNIX_EPOCH

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_NEW = "#17202c"
_SHAPES = "osD^vP*X"  # cameras
_SIZE = 8  # bytes that tell the length of the PNG between processes
_FOLD_DEG = 180.0  # chi and chi + 180 are one


@dataclass(frozen=True, kw_only=True)
class FigurePoint:
    """A point of the figure: magnitude, or p in percent and chi in degrees; NaN for none."""

    jd: float
    band: str
    camera: str
    mag: float
    mag_err: float
    p: float
    p_err: float
    chi: float
    chi_err: float
    is_new: bool


@dataclass(frozen=True, kw_only=True)
class FigureRequest:
    """What is drawn; ``median``: of the past in ``band``, NaN for none."""

    title: str
    band: str
    points: tuple[FigurePoint, ...]
    median: float = math.nan


@dataclass(frozen=True, kw_only=True)
class Pictures:
    """The same figure for the screen and for print."""

    png: bytes
    pdf: bytes


def figure_of(facts: DraftFacts, title: str) -> FigureRequest:
    """What a draft's figure shows."""
    past = facts.baseline if isinstance(facts, PhotometryFacts) else None
    return FigureRequest(
        title=title, band=facts.band,
        points=tuple(_figure_point(point, point.jd >= facts.since_jd) for point in facts.curve),
        median=math.nan if past is None else past.median)


def pack(request: FigureRequest) -> bytes:
    """A request for another process."""
    return json.dumps(asdict(request)).encode()


def unpack(data: bytes) -> FigureRequest:
    """The request that was packed."""
    content = json.loads(data)
    points = tuple(FigurePoint(**point) for point in content.pop("points"))
    return FigureRequest(**content, points=points)


def pictures_of(data: bytes) -> Pictures:
    """The pictures that another process drew; raises ValueError for anything else."""
    size = int.from_bytes(data[:_SIZE], "big")
    png, pdf = data[_SIZE:_SIZE + size], data[_SIZE + size:]
    if not (png.startswith(b"\x89PNG") and pdf.startswith(b"%PDF")):
        raise ValueError("no pictures came back")
    return Pictures(png=png, pdf=pdf)


def draw(request: FigureRequest) -> Pictures:
    """The figure as PNG (1600 px wide) and PDF; magnitudes grow downwards, time is UTC and JD."""
    from matplotlib.figure import Figure

    drawn = [_light_curve] if any(math.isfinite(p.mag) for p in request.points) else []
    if any(math.isfinite(p.p) for p in request.points):
        drawn += [_degree, _angle]
    drawn = drawn or [_light_curve]
    taller = 1.0 if _light_curve in drawn else _ALONE
    heights = [taller * _HEIGHTS[draw] for draw in drawn]
    figure = Figure(figsize=(8.0, sum(heights) + 0.9), layout="constrained")
    panels = list(figure.subplots(len(drawn), 1, squeeze=False, sharex=True,
                                  height_ratios=heights)[:, 0])
    for draw_panel, axes in zip(drawn, panels, strict=True):
        draw_panel(axes, request)
    _legend(panels[0], request.points)
    _axes_of_time(panels, request.points)
    panels[0].set_title(request.title, fontsize=11)
    # Without the time of drawing the same request gives the same files.
    return Pictures(png=_saved(figure, "png", {"Software": None}),
                    pdf=_saved(figure, "pdf", {"CreationDate": None, "Producer": None}))


def _figure_point(point: GoodPoint, is_new: bool) -> FigurePoint:
    return FigurePoint(
        jd=point.jd, band=point.band, camera=" ".join(filter(None, point.camera)),
        mag=point.mag, mag_err=point.mag_err, p=point.degree * 100.0, p_err=point.p_err * 100.0,
        chi=point.chi_deg % _FOLD_DEG if point.has_angle else math.nan,
        chi_err=point.chi_err_deg, is_new=is_new)


def _light_curve(axes: Axes, request: FigureRequest) -> None:
    cameras = sorted({point.camera for point in request.points})
    for band, points in _by_band(request, "mag"):
        for camera in cameras:
            label = band if len(cameras) == 1 else f"{band}, {camera}"
            _errorbars(axes, [p for p in points if p.camera == camera], "mag", label=label,
                       shape=_SHAPES[cameras.index(camera) % len(_SHAPES)])
    if math.isfinite(request.median):
        axes.axhline(request.median, color=colour_of(request.band), linestyle="--", linewidth=1,
                     alpha=0.7, label=f"{request.band}, median of the past")
    axes.invert_yaxis()
    axes.set_ylabel("Magnitude")


def _degree(axes: Axes, request: FigureRequest) -> None:
    for band, points in _by_band(request, "p"):
        _errorbars(axes, points, "p", label=band)
    axes.set_ylabel("p (%)")


def _angle(axes: Axes, request: FigureRequest) -> None:
    for band, points in _by_band(request, "chi"):
        _errorbars(axes, points, "chi", label=band)
    axes.set_ylabel("χ (deg)")


def _by_band(request: FigureRequest, quantity: str) -> Iterator[tuple[str, list[FigurePoint]]]:
    """The points that have a quantity, band by band."""
    have = [p for p in request.points if math.isfinite(getattr(p, quantity))]
    for band in sorted({p.band for p in have}, key=band_order):
        yield band, [p for p in have if p.band == band]


#: Inches that each panel is high.
_HEIGHTS = {_light_curve: 3.3, _degree: 1.1, _angle: 1.1}
_ALONE = 1.4  # times that, where there is no light curve above


def _legend(axes: Axes, points: Sequence[FigurePoint]) -> None:
    if any(point.is_new for point in points):
        axes.plot([], [], "o", markersize=6, markerfacecolor="none", markeredgecolor=_NEW,
                  markeredgewidth=1.2, label="new")
    if points:
        axes.legend(fontsize=8, ncols=4, loc="best", framealpha=0.8)


def _errorbars(axes: Axes, points: Sequence[FigurePoint], quantity: str, *, label: str,
               shape: str = "o") -> None:
    """Points of one band with errors; the new ones larger, with a dark edge."""
    for is_new in (False, True):
        chosen = [p for p in points if p.is_new == is_new]
        if not chosen:
            continue
        colour = colour_of(chosen[0].band)
        errors = [getattr(p, f"{quantity}_err") for p in chosen]
        axes.errorbar([p.jd - JD_UNIX_EPOCH for p in chosen],
                      [getattr(p, quantity) for p in chosen],
                      yerr=[0.0 if math.isnan(err) else err for err in errors], fmt=shape,
                      color=colour, elinewidth=1, markersize=6 if is_new else 3.5,
                      alpha=1.0 if is_new else 0.75,
                      markeredgecolor=_NEW if is_new else colour,
                      markeredgewidth=1.2 if is_new else 0.5, label=label,
                      zorder=3 if is_new else 2)
        label = "_"  # in the legend once


def _axes_of_time(panels: Sequence[Axes], points: Sequence[FigurePoint]) -> None:
    """UTC below, JD above."""
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    def to_jd(day: Any) -> Any:
        return day + (JD_UNIX_EPOCH - zero)

    def to_day(jd: Any) -> Any:
        return jd - (JD_UNIX_EPOCH - zero)

    zero = math.floor(min((point.jd for point in points), default=JD_UNIX_EPOCH))
    locator = AutoDateLocator(tz=UTC, minticks=4, maxticks=9)  # type: ignore[no-untyped-call]
    last = panels[-1]
    last.xaxis.set_major_locator(locator)
    last.xaxis.set_major_formatter(
        ConciseDateFormatter(locator, tz=UTC))  # type: ignore[no-untyped-call]
    last.set_xlabel("UTC")
    above = panels[0].secondary_xaxis("top", functions=(to_jd, to_day))
    above.set_xlabel(f"JD − {zero}", fontsize=9)
    above.tick_params(labelsize=8)
    for axes in panels:
        axes.grid(alpha=0.25)


def _saved(figure: Figure, form: str, metadata: dict[str, str | None]) -> bytes:
    out = BytesIO()
    figure.savefig(out, format=form, dpi=200, metadata=metadata)
    return out.getvalue()


def main() -> None:
    """Draw the request of standard input."""
    made = draw(unpack(sys.stdin.buffer.read()))
    sys.stdout.buffer.write(len(made.png).to_bytes(_SIZE, "big") + made.png + made.pdf)


if __name__ == "__main__":
    main()
