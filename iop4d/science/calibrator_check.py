"""Each calibrator of a field against the others: does it vary, is its catalogue magnitude wrong?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from iop4d.model.source import DEFAULT_ERROR
from iop4d.science.catalogue_check import catalogue_offsets
from iop4d.science.variability import FLOOR, constancy


class MeasuredMagnitude(Protocol):
    """An instrumental magnitude of a source on a frame, with its error; ``polarised``: behind a
    polariser, whose positions change the magnitude of a polarised star."""

    @property
    def frame(self) -> int: ...
    @property
    def source(self) -> str: ...
    @property
    def mag(self) -> float: ...
    @property
    def mag_err(self) -> float: ...
    @property
    def polarised(self) -> bool: ...


@dataclass(frozen=True, kw_only=True)
class CheckedStar:
    """What is found of a star, in one camera and band.

    ``n``: frames; ``scatter``, ``excess`` (mag), ``p_value``, ``varies``: of its constancy, as in
    ``variability.Constancy``; ``offset`` and ``offset_err``: catalogue magnitude minus what the
    others say, ``is_wrong`` where errors do not explain it. NaN where too little is known.
    """

    name: str
    n: int
    scatter: float
    excess: float
    p_value: float
    varies: bool
    offset: float
    offset_err: float
    is_wrong: bool


def check_stars(rows: Iterable[MeasuredMagnitude], listed: Mapping[str, tuple[float, float]], *,
                floor: float = FLOOR) -> list[CheckedStar]:
    """Check the stars that were measured with one camera and band, by name.

    ``listed``: catalogue magnitude of each and its error; ``floor``: mag, that a constant star may
    scatter beyond its errors.
    """
    rows = list(rows)
    frames = {frame: at for at, frame in enumerate(dict.fromkeys(row.frame for row in rows))}
    names = {name: at for at, name in enumerate(sorted({row.source for row in rows}))}
    mags = np.full((2, len(frames), len(names)), np.nan)
    for row in rows:
        mags[:, frames[row.frame], names[row.source]] = row.mag, row.mag_err
    # Polarised stars vary over the positions of a polariser, by as much as constant ones may.
    plain = sorted({frames[row.frame] for row in rows if not row.polarised})
    found = constancy(mags[0, plain], mags[1, plain], floor=floor)
    unknown = (np.nan, DEFAULT_ERROR)
    values = np.array([listed.get(name, unknown) for name in names]).reshape(-1, 2)
    off = catalogue_offsets(values[:, 0] - mags[0], mags[1], values[:, 1])
    return [CheckedStar(
        name=name, n=int(np.isfinite(mags[0, :, at]).sum()), scatter=float(found.scatter[at]),
        excess=float(found.excess[at]), p_value=float(found.p_value[at]),
        varies=bool(found.varies[at]), offset=float(off.offset[at]),
        offset_err=float(off.err[at]), is_wrong=bool(off.is_wrong[at]))
        for name, at in names.items()]
