"""Light curves and images with matplotlib; each gives the axes, to be dressed further."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from iop4d.library.errors import SelectionError
from iop4d.model.bands import band_order
from iop4d.model.units import MAD_TO_SIGMA
from iop4d.reduction.plots import look

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from iop4d.library.image import Image
    from iop4d.library.results import Results

_MJD_ZERO = 2400000.5
_WIDTH, _HEIGHT = 8.0, 2.6  # inches
_MOST_PIXELS = 200_000  # by which the grey scale of an image is chosen


@dataclass(frozen=True, kw_only=True)
class _Quantity:
    """What is drawn: columns of the value, its error and its limit; the factor to the axis."""

    value: str
    error: str
    limit: str
    label: str
    factor: float = 1.0
    is_lower: bool = False  # the limit: the value is above it


QUANTITIES = {
    "mag": _Quantity(value="mag", error="mag_err", limit="mag_limit", label="magnitude",
                     is_lower=True),
    "flux": _Quantity(value="flux_mjy", error="flux_mjy_err", limit="", label="flux [mJy]"),
    "p": _Quantity(value="p_debiased", error="p_err", limit="p_limit", label="p [%]",
                   factor=100.0),
    "chi": _Quantity(value="chi_deg", error="chi_err_deg", limit="", label="χ [°]"),
}


def draw_curve(results: Results, quantity: str, ax: Axes | None) -> Axes:
    """See ``Results.plot``."""
    what = QUANTITIES.get(quantity)
    if what is None:
        raise SelectionError(f"'{quantity}' is none of {', '.join(QUANTITIES)}")
    is_ours = ax is None
    if ax is None:
        import matplotlib.pyplot as plt

        _, ax = plt.subplots(figsize=(_WIDTH, 2 * _HEIGHT), layout="constrained")
    assert ax is not None
    rows = _read(results)
    _draw(ax, rows, what)
    _dress(ax, rows, beside=is_ours)
    ax.set_xlabel("MJD (UTC)")
    return ax


def draw_curves(results: Results) -> list[Axes]:
    """See ``Results.plot_all``."""
    import matplotlib.pyplot as plt

    rows = _read(results)
    having = [what for name, what in QUANTITIES.items()
              if name == "mag" or (name != "flux" and np.isfinite(rows[what.value]).any())]
    _, grid = plt.subplots(len(having), 1, sharex=True, squeeze=False, layout="constrained",
                           figsize=(_WIDTH, _HEIGHT * (1 + len(having))))
    axes = [row[0] for row in grid]
    for ax, what in zip(axes, having, strict=True):
        _draw(ax, rows, what)
    _dress(axes[0], rows, beside=True)
    axes[-1].set_xlabel("MJD (UTC)")
    return axes


def _read(results: Results) -> dict[str, NDArray[Any]]:
    columns = ["source", "band", "instrument", "mode", "jd_mid", "good"]
    columns += [name for what in QUANTITIES.values()
                for name in (what.value, what.error, what.limit) if name]
    table = results.table(*columns)
    return {name: np.asarray(getattr(table[name], "value", table[name])) for name in columns}


def _draw(ax: Axes, rows: dict[str, NDArray[Any]], what: _Quantity) -> None:
    cameras = sorted(set(rows["instrument"]))
    sources = sorted(set(rows["source"]))
    is_mag = what.is_lower
    for source in sources:
        for band in sorted(set(rows["band"]), key=band_order):
            for number, camera in enumerate(cameras):
                mine = ((rows["band"] == band) & (rows["instrument"] == camera)
                        & (rows["source"] == source))
                colour, marker = look(str(band), number + len(cameras) * sources.index(source))
                label = " ".join(part for part in (
                    source if len(sources) > 1 else "", band,
                    camera if len(cameras) > 1 else "") if part)
                _draw_points(ax, {name: values[mine] for name, values in rows.items()}, what,
                             colour, marker, label)
    if is_mag and not ax.yaxis_inverted():
        ax.invert_yaxis()
    ax.set_ylabel(what.label)
    ax.grid(alpha=0.25)
    ax.ticklabel_format(axis="x", useOffset=False)


def _dress(ax: Axes, rows: dict[str, NDArray[Any]], *, beside: bool) -> None:
    """Name the source, and what the colours and shapes mean; ``beside``: outside of the axes."""
    if len(set(rows["source"])) == 1:
        ax.set_title(str(rows["source"][0]), loc="left", fontsize=10)
    if not ax.get_legend_handles_labels()[1]:
        return
    if beside:
        ax.legend(fontsize=8, frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    else:
        ax.legend(fontsize=8, frameon=False)


def _draw_points(ax: Axes, rows: dict[str, NDArray[Any]], what: _Quantity, colour: str,
                 marker: str, label: str) -> None:
    mjd = rows["jd_mid"] - _MJD_ZERO
    value, error = what.factor * rows[what.value], what.factor * rows[what.error]
    limit = what.factor * rows[what.limit] if what.limit else np.full(mjd.shape, math.nan)
    limited = np.isfinite(limit)
    for good in (True, False):
        shown = np.isfinite(value) & ~limited & (rows["good"] == good)
        if shown.any():
            ax.errorbar(mjd[shown], value[shown], yerr=np.nan_to_num(error[shown]), fmt=marker,
                        color=colour, markersize=4.5, elinewidth=1, label=label if good else None,
                        markerfacecolor=colour if good else "white")
    if limited.any():
        finite = value[np.isfinite(value)]
        length = 0.06 * max(float(np.ptp(finite)) if finite.size else 0.0,
                            0.2 if what.is_lower else 1.0)
        ax.errorbar(mjd[limited], limit[limited], yerr=length, fmt=marker, color=colour,
                    markersize=3.5, elinewidth=1, markerfacecolor="white",
                    lolims=what.is_lower, uplims=not what.is_lower,
                    label=f"{label}, limits" if not np.isfinite(value[~limited]).any() else None)


def draw_image(image: Image, ax: Axes | None, *, sigmas: tuple[float, float]) -> Axes:
    """See ``Image.plot``."""
    if ax is None:
        import matplotlib.pyplot as plt

        _, ax = plt.subplots(figsize=(7.0, 7.0), layout="constrained")
    assert ax is not None
    pixels = np.asarray(image.data, dtype=np.float32)
    shown = pixels if image.mask is None else np.where(image.mask, np.nan, pixels)
    some = shown.ravel()[::max(1, shown.size // _MOST_PIXELS)]
    some = some[np.isfinite(some)]
    middle = float(np.median(some)) if some.size else 0.0
    sigma = MAD_TO_SIGMA * float(np.median(np.abs(some - middle))) if some.size else 1.0
    low, high = (middle + sigma * edge for edge in sigmas)
    ax.imshow(shown, origin="lower", cmap="gray", interpolation="nearest",
              vmin=low, vmax=high if high > low else low + 1.0)
    ax.set_xlabel("x [pixel]")
    ax.set_ylabel("y [pixel]")
    return ax
