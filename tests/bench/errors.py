"""What benches hold an error to be, and how wide pulls may come out by chance."""

from __future__ import annotations

import math
from functools import cache
from typing import TypeGuard

from scipy.stats import chi2, norm


def is_error(err: float | None) -> TypeGuard[float]:
    """Whether something is an error: a finite positive number."""
    return err is not None and math.isfinite(err) and err > 0.0


def pull(off: float, err: float | None) -> float:
    """A deviation in errors; NaN where there is no error."""
    return float(off) / float(err) if is_error(err) else math.nan


@cache
def width_bounds(free: float, bound: float, sure: float) -> tuple[float, float]:
    """The least and the largest width of pulls whose true width is within 1 +- ``bound``.

    The square of a width of Gaussian numbers, times their degrees of freedom ``free``, is that of
    the true width times a chi-square. Beyond these bounds it is less probable than ``sure`` sigmas,
    on one side. (An error of the width, width / sqrt(2 free), is too small where the width happens
    to be small, and too large where it happens to be large.)
    """
    low, high = chi2.ppf([norm.sf(sure), norm.cdf(sure)], free) / free
    return (1.0 - bound) * math.sqrt(low), (1.0 + bound) * math.sqrt(high)
