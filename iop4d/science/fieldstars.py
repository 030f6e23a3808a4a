"""The transparency of the frames of a group, from stars that all of them show.

The frames of a polariser group are taken one after the other: a change of transparency by 0.02 mag
fakes a polarisation of 1 %. Field stars see the same transparency and, on average, no polarisation,
so that dividing each frame by their mean takes it out, and the instrument's polarisation with it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

#: Expected scatter of q and u of field stars: dust polarises by 9 % a magnitude of E(B-V) at most
#: (Serkowski et al. 1975, ApJ 196, 261) and by a third of that as a rule; here E(B-V) = 0.1.
POLARISED = 0.003
_PRIOR_STARS = 4.0  # stars that this expectation is worth against what is measured
_CLIP = 4.0  # sigmas beyond which a star is a variable, a blend or strongly polarised
_ROUNDS = 5
_BRIGHTEST = 20  # stars that show the scatter beyond the errors
_FEWEST_BRIGHT = 5


@dataclass(frozen=True, kw_only=True)
class Transparency:
    """Relative transparency of K frames from S stars.

    ``relative``: (K,), mean 1: divide fluxes by it; ``err``: of each of its values, such that the q
    and u of a star divided by it get the error that the ensemble's mean polarisation has;
    ``extra``: by how much more than their errors the fluxes of bright stars scatter, a fraction: by
    pixels that sample a star too coarsely, by the flat field; ``scatter``: of the stars' own q and
    u, a fraction; ``used``: (S,) the stars that count; ``n``:
    their number.
    """

    relative: Floats
    err: float
    extra: float
    scatter: float
    used: NDArray[np.bool_]
    n: int


def normalise(angles_deg: Floats, flux: Floats, err: Floats, *, harmonic: int,
              q0: float = 0.0, u0: float = 0.0) -> Transparency | None:
    """The transparency from the fluxes (K, S) of S stars at K positions, and their errors.

    A star that misses a position costs only itself. ``harmonic``: 2 for a polariser, 4 for a
    half-wave plate. ``q0``, ``u0``: what the instrument adds to every star, as far as it is known:
    fluxes divided by the result still hold it. What it truly adds may differ; the stars show that,
    and the result takes it out. None without any star that all frames show. Error: each star's q
    and u scatter by its photons and by its own polarisation, of which the ensemble has the mean's.
    """
    complete = (np.isfinite(flux) & np.isfinite(err) & (flux > 0) & (err > 0)).all(axis=0)
    if not complete.any():
        return None
    basis = _basis(angles_deg, harmonic)
    instrument = (basis @ np.array([1.0, q0, u0]))[:, None]
    even = flux[:, complete] / instrument
    ratio = even / even.mean(axis=0)
    noise = err[:, complete] / instrument / even.mean(axis=0)
    inverse = np.linalg.pinv(basis)[1:]  # (2, K): from relative fluxes to q and u
    own = np.sqrt(np.mean(np.einsum("jk,ks->js", inverse**2, noise**2), axis=0))  # (S,)
    used = np.ones(ratio.shape[1], dtype=bool)
    tau2 = POLARISED**2
    for _ in range(_ROUNDS):
        weight = used / (own**2 + tau2)
        relative = (ratio * weight).sum(axis=1) / weight.sum()
        stokes = inverse @ (ratio / relative[:, None])  # (2, S)
        tau2 = _scatter(stokes, own, used)
        off = np.hypot(stokes[0], stokes[1]) / np.sqrt(2.0 * (own**2 + tau2))
        keep = off < _CLIP
        if keep.sum() < 1 or bool((keep == used).all()):
            break
        used = keep
    weight = used / (own**2 + tau2)
    variance = 1.0 / float(weight.sum())
    all_used = np.zeros(flux.shape[1], dtype=bool)
    all_used[np.flatnonzero(complete)[used]] = True
    # An error s of each of K values makes one of s (2 / K)^(1/2) in q and in u.
    return Transparency(relative=relative / relative.mean(),
                    err=float(np.sqrt(variance * len(relative) / 2.0)),
                    extra=_extra(basis, ratio / relative[:, None], noise, used),
                    scatter=float(np.sqrt(tau2)), used=all_used, n=int(used.sum()))


def _scatter(stokes: Floats, own: Floats, used: NDArray[np.bool_]) -> float:
    """Variance of the stars' own q and u, drawn towards the expected one where stars are few."""
    n = int(used.sum())
    if n < 2:
        return POLARISED**2
    # The mean is taken out of n stars, which leaves n - 1 of them.
    seen = np.median(stokes[:, used] ** 2) / 0.455 * n / (n - 1)
    left = max(float(seen) - float(np.median(own[used] ** 2)), 0.0)
    return (_PRIOR_STARS * POLARISED**2 + n * left) / (_PRIOR_STARS + n)


def _extra(basis: Floats, even: Floats, noise: Floats, used: NDArray[np.bool_]) -> float:
    """Scatter of the brightest stars about their own modulation, less what their errors make."""
    dof = basis.shape[0] - 3
    bright = np.flatnonzero(used)[np.argsort(np.median(noise[:, used], axis=0))][:_BRIGHTEST]
    if dof < 1 or bright.size < _FEWEST_BRIGHT:
        return 0.0
    residual = even[:, bright] - basis @ (np.linalg.pinv(basis) @ even[:, bright])
    seen = np.sum(residual**2, axis=0) / dof
    expected = np.mean(noise[:, bright] ** 2, axis=0)
    # The median of chi-square over its degrees of freedom is 0.455 for one, and nearly 1 for many.
    middle = (1.0 - 2.0 / (9.0 * dof)) ** 3
    left = float(np.median(seen) / middle - np.median(expected))
    return float(np.sqrt(max(left, 0.0)))


def _basis(angles_deg: Floats, harmonic: int) -> Floats:
    phase = np.radians(harmonic * np.asarray(angles_deg, dtype=np.float64))
    return np.stack([np.ones(phase.size), np.cos(phase), np.sin(phase)], axis=1)
