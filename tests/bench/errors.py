"""Errors that are none: a value without one must not pass a bench unseen."""

from __future__ import annotations

import math
from typing import TypeGuard


def is_error(err: float | None) -> TypeGuard[float]:
    """Whether something is an error: a finite positive number."""
    return err is not None and math.isfinite(err) and err > 0.0


def pull(off: float, err: float | None) -> float:
    """A deviation in errors; NaN where there is no error."""
    return float(off) / float(err) if is_error(err) else math.nan
