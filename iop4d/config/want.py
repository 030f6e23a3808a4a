"""How precise the points of a source should be: ``[[want]]`` of the site file."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from iop4d.config.keys import above, key
from iop4d.model.source import canonical


@dataclass(frozen=True, kw_only=True)
class Want:
    """``[[want]]``: how precise the points of some sources should be."""

    sources: tuple[str, ...] = key("The sources, by any of their names; none: every target.", ())
    band: str = key("Band; empty: every band.", "")
    mag_err: float = key("Random error of a magnitude that is wanted of a point.", float("nan"),
                         check=above(0))
    p_err: float = key("Random error of p that is wanted of a point, in percent.", float("nan"),
                       check=above(0))


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What is wanted of one source in one band; NaN where nothing is. ``p_err``: a fraction."""

    mag_err: float = math.nan
    p_err: float = math.nan


def wanted_of(wants: Iterable[Want], names: Iterable[str], band: str) -> Wanted:
    """What is wanted of the source of these names; of each key the last section counts."""
    known = set(map(canonical, names))
    mag_err = p_err = math.nan
    for want in wants:
        if want.sources and not known & set(map(canonical, want.sources)):
            continue
        if want.band not in ("", band):
            continue
        mag_err = mag_err if math.isnan(want.mag_err) else want.mag_err
        p_err = p_err if math.isnan(want.p_err) else want.p_err / 100.0
    return Wanted(mag_err=mag_err, p_err=p_err)
