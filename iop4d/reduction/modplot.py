"""The modulation that a group shows of a source, and the fits to it, as a picture."""

from __future__ import annotations

import math
from collections.abc import Sequence
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from iop4d.config.site import Polarimetry
from iop4d.instruments.base import Instrument
from iop4d.model.errors import StageError
from iop4d.model.messages import MeasuredFrame
from iop4d.model.polarimeter import Analyser
from iop4d.model.source import Source
from iop4d.reduction.groups import field_ensemble, positions_of
from iop4d.reduction.polarise import seen_by_methods
from iop4d.science.polarimetry import modulation, normalised_difference

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = NDArray[np.float64]

_COLOURS = {"ensemble": "#1f4e79", "plain": "#b07aa1", "fit-k": "#1f4e79", "fit": "#c0392b",
            "ratio": "#2e8b57", "sum": "#e08e0b", "ordinary": "#888888", "extraordinary": "#bbbbbb"}


def plot_modulation(frames: Sequence[MeasuredFrame], source: Source, *, instrument: Instrument,
                    settings: Polarimetry, reported: str) -> bytes:
    """PNG, 800 x 500 px: the measured modulation with errors, every fit, and what is left.

    Of two beams (O - E) / (O + E); of a polariser the fluxes over the transparency and their mean.
    As the instrument sees it: its own polarisation is still in.
    """
    from matplotlib.figure import Figure  # a second to import

    polarimeter = instrument.polarimeter
    if polarimeter is None:
        raise StageError("plot", f"{instrument.name} has no polarimeter")
    positions = positions_of(frames, instrument.telescope)
    constants = polarimeter.constants_at(frames[0].facts.jd_mid)
    ensemble = None
    if polarimeter.analyser is Analyser.POLARISER and constants is not None:
        ensemble = field_ensemble(positions, q0=constants.q0, u0=constants.u0)
    found = seen_by_methods(source, positions, polarimeter.analyser, ensemble, settings)
    if polarimeter.analyser is Analyser.POLARISER:
        beam = positions.beam(source.name)
        even = beam.times(1.0 / (ensemble.relative if ensemble is not None
                                 else np.ones(positions.angles_deg.size)))
        mean = float(np.nanmean(even.flux))
        value, err, harmonic = even.flux / mean - 1.0, even.err / mean, 2
    else:
        value, err = normalised_difference(positions.beam(source.name, "O", alone=False),
                                           positions.beam(source.name, "E", alone=False))
        harmonic = 4
    figure = Figure(figsize=(8.0, 5.0), dpi=100, layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    upper.errorbar(positions.angles_deg, 100 * value, 100 * err, fmt="ko", markersize=4, zorder=5)
    fine = np.linspace(positions.angles_deg.min() - 5, positions.angles_deg.max() + 5, 400)
    for name, (stokes, _) in sorted(found.items()):
        k = stokes.k if math.isfinite(stokes.k) else 0.0
        curve, at = (_with_ratio(modulation(stokes, angles, harmonic=harmonic), k)
                     for angles in (fine, positions.angles_deg))
        chosen = name == reported
        upper.plot(fine, 100 * curve, color=_COLOURS[name], lw=2.0 if chosen else 0.8,
                   label=f"{name}{', reported' if chosen else ''}")
        if chosen:
            lower.errorbar(positions.angles_deg, 100 * (value - at), 100 * err, fmt="ko",
                           markersize=4)
    _dress(upper, lower, f"{source.name}, {instrument.name}, {frames[0].facts.band}, "
                         f"{frames[0].facts.night}", harmonic)
    out = BytesIO()
    figure.savefig(out, format="png")
    return out.getvalue()


def _with_ratio(m: Floats, k: float) -> Floats:
    return (k + m) / (1.0 + k * m)


def _dress(upper: Axes, lower: Axes, title: str, harmonic: int) -> None:
    upper.set_title(title, loc="left", fontsize=10)
    upper.set_ylabel("(O - E) / (O + E)  [%]" if harmonic == 4 else "flux over its mean - 1  [%]")
    upper.legend(fontsize=8, ncols=4, loc="lower right", bbox_to_anchor=(1.0, 1.0), frameon=False)
    lower.axhline(0.0, color="#888888", lw=0.8)
    lower.set_ylabel("left over [%]")
    lower.set_xlabel("half-wave plate [deg]" if harmonic == 4 else "polariser [deg]")
    for axes in (upper, lower):
        axes.grid(alpha=0.25)
