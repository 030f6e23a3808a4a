"""What conditions compare, from the points of a source: values, changes, rates, rotations.

Pure functions of a series of points, ordered by time. A value that cannot be told, because too few
points came before it, say, is NaN: it neither fires a rule nor ends an alert.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from iop4d.alerts.conditions import Condition, Form

_MAD = 1.4826  # times the median absolute deviation: the standard deviation of normal numbers
_SURE = 3.0  # standard errors that a rate must have to be told

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Past:
    """With what a change is compared: a rule's keys."""

    window: float  # days
    min_points: int
    floor: float  # of the scatter, in the quantity's unit


@dataclass(frozen=True, kw_only=True)
class Series:
    """Points in order of time: result ids, JD(UTC), nights, values and their errors."""

    ids: Sequence[int]
    jd: Floats
    night: Sequence[str]
    value: Floats
    error: Floats

    def __len__(self) -> int:
        return len(self.ids)


def derived(condition: Condition, series: Series, past: Past, *, since: float) -> Floats:
    """What is compared with the threshold, at each point from JD ``since`` on; NaN before.

    A change is the value minus the median of the points in the ``window`` days before that are of
    earlier nights, at least ``min_points`` of them; in sigma it is divided by
    sqrt((1.4826 MAD)^2 + err^2 + floor^2), with the point's own error. A change of chi is the
    absolute difference from the median direction, in [0, 90] degrees. A rate is the slope of a
    weighted straight line through the window, NaN if it is below three standard errors. A rotation
    is the largest turn of chi within the window, each step taken the shorter way.
    """
    out = np.full(len(series), math.nan)
    if condition.form in (Form.VALUE, Form.COLOUR):
        return series.value.copy()
    start = int(np.searchsorted(series.jd, since))
    make = {Form.CHANGE: _change, Form.RATE: _rate, Form.ROTATION: _rotation}[condition.form]
    for i in range(start, len(series)):
        if not math.isnan(series.value[i]):
            out[i] = make(condition, series, past, i)
    return out


def _window(series: Series, past: Past, i: int) -> slice:
    return slice(int(np.searchsorted(series.jd, series.jd[i] - past.window)), i + 1)


def _change(condition: Condition, series: Series, past: Past, i: int) -> float:
    where = _window(series, past, i)
    earlier = np.array([night < series.night[i] for night in series.night[where]])
    before = series.value[where][earlier]
    before = before[~np.isnan(before)]
    if before.size < past.min_points:
        return math.nan
    if condition.quantity == "chi":
        middle, off = _direction(before)
        difference = abs(_turn(float(series.value[i]) - middle))
    else:
        middle = float(np.median(before))
        off = before - middle
        difference = float(series.value[i]) - middle
    if condition.unit == "%":
        return 100.0 * difference / middle if middle > 0 else math.nan
    if condition.unit == "sigma":
        scatter = _MAD * float(np.median(np.abs(off)))
        error = float(series.error[i])
        if math.isnan(error):
            return math.nan
        return difference / math.sqrt(scatter**2 + error**2 + past.floor**2)
    return difference


def _direction(chi: Floats) -> tuple[float, Floats]:
    """The median direction of angles modulo 180 degrees, and how far each is from it."""
    twice = np.deg2rad(2.0 * chi)
    mean = math.degrees(math.atan2(np.sin(twice).mean(), np.cos(twice).mean())) / 2.0
    middle = mean + float(np.median(_turned(chi - mean)))
    return middle, _turned(chi - middle)


def _turned(degrees: Floats) -> Floats:
    """Differences of position angles, in [-90, 90)."""
    return np.asarray((degrees + 90.0) % 180.0 - 90.0)


def _turn(degrees: float) -> float:
    return float(_turned(np.array(degrees)))


def _rate(_: Condition, series: Series, past: Past, i: int) -> float:
    where = _window(series, past, i)
    jd, value, error = series.jd[where], series.value[where], series.error[where]
    good = ~np.isnan(value) & ~np.isnan(error)
    jd, value = jd[good] - series.jd[i], value[good]
    weight = 1.0 / (error[good] ** 2 + past.floor**2) if good.any() else error[good]
    if value.size < max(past.min_points, 3) or not np.isfinite(weight).all():
        return math.nan
    mean_t, mean_v = np.average(jd, weights=weight), np.average(value, weights=weight)
    spread = float(np.sum(weight * (jd - mean_t) ** 2))
    if spread <= 0:
        return math.nan
    slope = float(np.sum(weight * (jd - mean_t) * (value - mean_v)) / spread)
    rest = value - mean_v - slope * (jd - mean_t)
    chi2 = float(np.sum(weight * rest**2)) / (value.size - 2)
    sigma = math.sqrt(max(chi2, 1.0) / spread)
    return slope if abs(slope) >= _SURE * sigma else math.nan


def _rotation(_: Condition, series: Series, past: Past, i: int) -> float:
    chi = series.value[_window(series, past, i)]
    chi = chi[~np.isnan(chi)]
    if chi.size < max(past.min_points, 2):
        return math.nan
    path = np.concatenate([[0.0], np.cumsum(_turned(np.diff(chi)))])
    return float(np.max(np.abs(path - path[-1])))


def colours(first: Series, second: Series, within: float) -> Series:
    """Differences of simultaneous points of two bands, at the points of the first.

    Each is paired with the nearest of the second band that is at most ``within`` hours away, and
    left out without one. Errors are added in quadrature.
    """
    picked, ids, nights = [], [], []
    for i, jd in enumerate(first.jd):
        if not len(second):
            break
        near = int(np.argmin(np.abs(second.jd - jd)))
        if abs(second.jd[near] - jd) * 24.0 <= within:
            picked.append((jd, first.value[i] - second.value[near],
                           math.hypot(first.error[i], second.error[near])))
            ids.append(first.ids[i])
            nights.append(first.night[i])
    columns = np.array(picked, dtype=float).reshape(-1, 3)
    return Series(ids=ids, night=nights, jd=columns[:, 0], value=columns[:, 1],
                  error=columns[:, 2])
