"""From the fluxes at each position of a polariser or a half-wave plate to Stokes q and u.

Fluxes in any one unit, angles in degrees; NaN marks a position or a beam that was not measured, and
costs only that. Results are as the instrument sees them: ``stokes.corrected`` puts them on the sky.
In the formulas O is the ordinary and E the extraordinary image.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from iop4d.science.fieldstars import POLARISED
from iop4d.science.stokes import Stokes

Floats = NDArray[np.float64]

_PRIOR_DOF = 4.0  # degrees of freedom that trusting the errors is worth, against a fit's scatter
_SAME_ANGLE = 1.0  # degrees within which two positions are the same


@dataclass(frozen=True, kw_only=True)
class Beam:
    """Fluxes (K,) of one image of a star at K positions, and their errors; NaN: not measured."""

    flux: Floats
    err: Floats

    @property
    def good(self) -> NDArray[np.bool_]:
        """(K,) which positions are measured."""
        return np.isfinite(self.flux) & np.isfinite(self.err) & (self.flux > 0) & (self.err > 0)

    def times(self, factor: Floats) -> Beam:
        """Each flux and error times a factor (K,)."""
        return Beam(flux=self.flux * factor, err=self.err * np.abs(factor))


@dataclass(frozen=True, kw_only=True)
class SingleBeam:
    """A fit to one beam: its Stokes parameters, and the intensity (mean flux) with its error."""

    stokes: Stokes
    intensity: float
    intensity_err: float


def polariser(angles_deg: Floats, beam: Beam, *, extra: float = 0.0) -> SingleBeam | None:
    """q and u through a polariser at -45, 0, 45 and 90 degrees.

    q = (f0 - f90) / (f0 + f90), u = (f45 - f-45) / (f45 + f-45); I = mean f. ``extra``: relative
    error of each flux besides its own, from the transparency. None unless all four are measured.
    Escudero Pedrosa et al. 2024, AJ 168, 84, equation 3.
    """
    order = [_index_of(angles_deg, angle) for angle in (0.0, 90.0, 45.0, -45.0)]
    if None in order or not all(beam.good[i] for i in order if i is not None):
        return None
    f = beam.flux[np.array(order, dtype=int)]
    s = np.hypot(beam.err[np.array(order, dtype=int)], extra * f)
    values, variances = [], []
    for i in (0, 2):
        a, b, sa, sb = f[i], f[i + 1], s[i], s[i + 1]
        values.append((a - b) / (a + b))
        variances.append(4.0 * (b * b * sa * sa + a * a * sb * sb) / (a + b) ** 4)
    # The two halves give I twice; the error knows of noise alone, not of the modulation.
    chi2 = float((f[0] + f[1] - f[2] - f[3]) ** 2 / np.sum(s * s))
    return SingleBeam(
        stokes=Stokes(q=float(values[0]), u=float(values[1]), covariance=np.diag(variances),
                      method="plain", n=4, chi2=chi2, dof=1),
        intensity=float(f.mean()), intensity_err=float(np.sqrt(np.sum(s * s))) / 4.0)


def single_beam(angles_deg: Floats, beam: Beam, *, harmonic: int, sign: float = 1.0,
                method: str, drift: Floats | None = None) -> SingleBeam | None:
    """Weighted least squares of f = I (1 + s d + sign (q cos h theta + u sin h theta)).

    ``harmonic`` h: 2 for a polariser, 4 for a half-wave plate; ``sign``: -1 for the extraordinary
    image. The fluxes must share one transparency. ``drift`` d: (K,) by what part the star itself
    may have changed by each position (1 sigma, from its mean, all to one side or all to the other):
    one beam cannot distinguish such a change from polarisation, so that s = 0 +- 1 is fitted
    besides. None: steady. None is returned with fewer than three different positions.
    """
    good = beam.good
    phase = np.radians(harmonic * angles_deg[good])
    basis = np.stack([np.ones(phase.size), sign * np.cos(phase), sign * np.sin(phase)], axis=1)
    if phase.size < 3 or np.linalg.matrix_rank(basis, tol=1e-3) < 3:
        return None
    f, s = beam.flux[good], beam.err[good]
    if drift is not None:
        # c = I s is known to be 0 +- I beforehand: one more datum, one more parameter.
        mean = float(f.mean())
        basis = np.block([[basis, drift[good][:, None]], [np.zeros((1, 3)), np.ones((1, 1))]])
        f, s = np.append(f, 0.0), np.append(s, mean)
    solution, covariance, chi2 = _least_squares(basis, f, s)
    dof = phase.size - 3
    covariance = covariance[:3, :3] * _scale(chi2, dof)
    intensity, a, b = solution[:3]
    q, u = a / intensity, b / intensity
    jacobian = np.array([[-q, 1.0, 0.0], [-u, 0.0, 1.0]]) / intensity
    return SingleBeam(
        stokes=Stokes(q=float(q), u=float(u), covariance=jacobian @ covariance @ jacobian.T,
                      method=method, n=int(phase.size), chi2=chi2, dof=dof),
        intensity=float(intensity), intensity_err=float(np.sqrt(covariance[0, 0])))


def normalised_difference(ordinary: Beam, extraordinary: Beam) -> tuple[Floats, Floats]:
    """F = (O - E) / (O + E) and its error at each position; NaN where a beam is missing."""
    good = ordinary.good & extraordinary.good
    o, e = np.where(good, ordinary.flux, 1.0), np.where(good, extraordinary.flux, 1.0)
    total = o + e
    err = 2.0 * np.hypot(e * ordinary.err, o * extraordinary.err) / total**2
    return np.where(good, (o - e) / total, np.nan), np.where(good, err, np.nan)


def half_wave_fit(angles_deg: Floats, ordinary: Beam, extraordinary: Beam) -> Stokes | None:
    """Weighted least squares of F = q cos 4 theta + u sin 4 theta; beams of equal transmission.

    None with fewer than two different positions of the plate.
    """
    difference, err = normalised_difference(ordinary, extraordinary)
    good = np.isfinite(difference)
    basis = _plate_basis(angles_deg[good])
    if good.sum() < 2 or np.linalg.matrix_rank(basis, tol=1e-3) < 2:
        return None
    solution, covariance, chi2 = _least_squares(basis, difference[good], err[good])
    dof = int(good.sum()) - 2
    return Stokes(q=float(solution[0]), u=float(solution[1]),
                  covariance=covariance * _scale(chi2, dof), method="fit", n=int(good.sum()),
                  chi2=chi2, dof=dof)


def half_wave_fit_k(angles_deg: Floats, ordinary: Beam, extraordinary: Beam) -> Stokes | None:
    """The same with beams of unequal transmission, k = (k_O - k_E) / (k_O + k_E) left free.

    F = (k + m) / (1 + k m) with m = q cos 4 theta + u sin 4 theta, by Gauss and Newton. None with
    fewer than three positions, or where k cannot be separated from q and u.
    """
    difference, err = normalised_difference(ordinary, extraordinary)
    good = np.isfinite(difference)
    basis = _plate_basis(angles_deg[good])
    full = np.column_stack([basis, np.ones(basis.shape[0])])
    if good.sum() < 3 or np.linalg.matrix_rank(full, tol=1e-3) < 3:
        return None
    f, s = difference[good], err[good]
    solution, covariance, chi2 = _least_squares(full, f, s)
    for _ in range(8):
        m, k = basis @ solution[:2], solution[2]
        bottom = 1.0 + k * m
        slope_m, slope_k = (1.0 - k * k) / bottom**2, (1.0 - m * m) / bottom**2
        jacobian = np.column_stack([basis * slope_m[:, None], slope_k])
        step, covariance, _ = _least_squares(jacobian, f - (k + m) / bottom, s)
        solution = solution + step
        if float(np.abs(step).max()) < 1e-10:
            break
    m, k = basis @ solution[:2], solution[2]
    chi2 = float(np.sum(((f - (k + m) / (1.0 + k * m)) / s) ** 2))
    dof = int(good.sum()) - 3
    return Stokes(q=float(solution[0]), u=float(solution[1]),
                  covariance=covariance[:2, :2] * _scale(chi2, dof), method="fit-k",
                  n=int(good.sum()), k=float(k), chi2=chi2, dof=dof)


def half_wave_ratio(angles_deg: Floats, ordinary: Beam, extraordinary: Beam) -> Stokes | None:
    """From ratios of positions 45 degrees apart, in which unequal beams cancel exactly.

    R = sqrt[(O/E)_theta / (O/E)_theta+45] and (R - 1) / (R + 1) = q cos 4 theta + u sin 4 theta
    (Zapatero Osorio et al. 2005, ApJ 621, 445, for 0, 22.5, 45 and 67.5 degrees; more pairs are
    fitted). None without pairs in two directions.
    """
    good = ordinary.good & extraordinary.good
    ratio = np.where(good, ordinary.flux, 1.0) / np.where(good, extraordinary.flux, 1.0)
    variance = np.where(good, (ordinary.err / ordinary.flux) ** 2
                        + (extraordinary.err / extraordinary.flux) ** 2, np.nan)
    theta, value, err = [], [], []
    for i, j in _pairs_45(angles_deg, good):
        root = math.sqrt(ratio[i] / ratio[j])
        theta.append(angles_deg[i])
        value.append((root - 1.0) / (root + 1.0))
        # d[(R - 1) / (R + 1)] = 2 R / (R + 1)^2 d ln R, and ln R is half a difference of logarithms
        err.append(root / (root + 1.0) ** 2 * math.sqrt(variance[i] + variance[j]))
    basis = _plate_basis(np.array(theta))
    if len(theta) < 2 or np.linalg.matrix_rank(basis, tol=1e-3) < 2:
        return None
    solution, covariance, chi2 = _least_squares(basis, np.array(value), np.array(err))
    dof = len(theta) - 2
    return Stokes(q=float(solution[0]), u=float(solution[1]),
                  covariance=covariance * _scale(chi2, dof), method="ratio", n=2 * len(theta),
                  chi2=chi2, dof=dof)


def half_wave_sum(angles_deg: Floats, ordinary: Beam, extraordinary: Beam) -> Stokes | None:
    """q = 2/N sum F cos 4 theta, u = 2/N sum F sin 4 theta over full turns of the modulation.

    Patat & Romaniello 2006, PASP 118, 146, equation 5. None unless the positions are N different
    ones, evenly 22.5 degrees apart, that make whole periods of 90 degrees, all measured.
    """
    difference, err = normalised_difference(ordinary, extraordinary)
    step = np.rint(np.asarray(angles_deg) / 22.5).astype(int)
    n = difference.size
    even = n >= 4 and n % 4 == 0 and np.array_equal(np.sort(step) - step.min(), np.arange(n))
    if not (even and np.isfinite(difference).all()
            and np.abs(angles_deg - 22.5 * step).max() < _SAME_ANGLE):
        return None
    basis = _plate_basis(np.asarray(angles_deg))
    solution = 2.0 / n * difference @ basis
    chi2 = float(np.sum(((difference - basis @ solution) / err) ** 2))
    covariance = (2.0 / n) ** 2 * (basis * (err**2)[:, None]).T @ basis
    return Stokes(q=float(solution[0]), u=float(solution[1]),
                  covariance=covariance * _scale(chi2, n - 2), method="sum", n=n, chi2=chi2,
                  dof=n - 2)


@dataclass(frozen=True, kw_only=True)
class BeamRatio:
    """(k_O - k_E) / (k_O + k_E) of two beams' transmissions at K positions, and its errors.

    ``noise``: (K,) of each frame; the others are the same in every group: ``instrument``: (K,) of
    what is known of each analyser, ``stars``: (K,) by what polarises the stars that show the ratio,
    the same q and u in all frames.
    """

    k: Floats
    noise: Floats
    instrument: Floats
    stars: Floats

    def shared(self, angles_deg: Floats) -> Floats:
        """(K, K) covariance that all groups share, at analysers of angles (K,)."""
        apart = angles_deg[:, None] - angles_deg
        return np.asarray(np.outer(self.instrument, self.instrument) * (np.abs(apart) < _SAME_ANGLE)
                          + np.outer(self.stars, self.stars) * np.cos(np.radians(2.0 * apart)))


def beam_ratio(differences: Floats, errors: Floats, *, shared: tuple[float, float],
               known: tuple[float, float]) -> tuple[float, float, float, float]:
    """The ratio of two beams as the other stars of a frame show it, with the errors of BeamRatio.

    ``differences``: (S,) their (O - E) / (O + E), ``errors``: their errors; NaN ones are left out.
    Each star's own polarisation is part of its difference, by 0.3 % as a rule, and so is what all
    share of dust: ``shared``, that component and its error. ``known``: the instrument's own ratio
    and its error; with an error of NaN the stars alone show it. The error of the instrument is NaN
    where nothing shows the ratio.
    """
    good = np.isfinite(differences) & np.isfinite(errors)
    if not good.any():
        return (known[0], 0.0, known[1], 0.0) if math.isfinite(known[1]) else (
            0.0, 0.0, math.nan, 0.0)
    own = np.hypot(errors[good], POLARISED) ** -2.0
    total = float(np.sum(own))
    seen = float(np.sum(own * differences[good])) / total - shared[0]
    noise = math.sqrt(float(np.sum((own * errors[good]) ** 2))) / total
    stars = math.sqrt(max(1.0 / total - noise**2, 0.0) + shared[1] ** 2)
    if not math.isfinite(known[1]):
        return seen, noise, 0.0, stars
    by_stars, by_known = (noise**2 + stars**2) ** -1.0, max(known[1], 1e-6) ** -2.0
    part = by_stars / (by_stars + by_known)
    return (part * seen + (1.0 - part) * known[0], part * noise, (1.0 - part) * known[1],
            part * stars)


def fixed_analysers(angles_deg: Floats, ordinary: Beam, extraordinary: Beam,
                    ratio: BeamRatio) -> Stokes | None:
    """q and u from two images of a star behind one fixed analyser after the other.

    F = (O - E) / (O + E) = (k + m) / (1 + k m) with m = q cos 2a + u sin 2a, ``angles_deg`` a: (K,)
    of the analysers, of which each gives one component. Nothing in a frame tells k from m, so that
    its error is part of theirs: what all groups share of it is in ``common``. None without two
    different analysers.
    """
    difference, err = normalised_difference(ordinary, extraordinary)
    good = np.isfinite(difference) & np.isfinite(err)
    angles = np.asarray(angles_deg)[good]
    phase = np.radians(2.0 * angles)
    basis = np.stack([np.cos(phase), np.sin(phase)], axis=1)
    if good.sum() < 2 or np.linalg.matrix_rank(basis, tol=1e-3) < 2:
        return None
    f, k = difference[good], ratio.k[good]
    by_f, by_k = (np.abs(1.0 - part**2) / (1.0 - k * f) ** 2 for part in (k, f))
    random = np.diag((err[good] * by_f) ** 2 + (ratio.noise[good] * by_k) ** 2)
    shared = np.outer(by_k, by_k) * ratio.shared(np.asarray(angles_deg))[np.ix_(good, good)]
    inverse = np.linalg.inv(random + shared)
    gain = np.linalg.solve(basis.T @ inverse @ basis, basis.T @ inverse)  # (2, K)
    value = (f - k) / (1.0 - k * f)
    solution = gain @ value
    left = value - basis @ solution
    chi2, dof = float(left @ inverse @ left), int(good.sum()) - 2
    return Stokes(q=float(solution[0]), u=float(solution[1]),
                  covariance=gain @ random @ gain.T * _scale(chi2, dof),
                  common=gain @ shared @ gain.T, method="analysers", n=int(good.sum()),
                  k=float(np.mean(k)), chi2=chi2, dof=dof)


def modulation(stokes: Stokes, angles_deg: Floats, *, harmonic: int) -> Floats:
    """The modulation q cos h theta + u sin h theta at angles: what a plot draws."""
    phase = np.radians(harmonic * np.asarray(angles_deg, dtype=np.float64))
    return np.asarray(stokes.q * np.cos(phase) + stokes.u * np.sin(phase))


def _plate_basis(angles_deg: Floats) -> Floats:
    phase = np.radians(4.0 * np.asarray(angles_deg, dtype=np.float64))
    return np.stack([np.cos(phase), np.sin(phase)], axis=1)


def _least_squares(basis: Floats, values: Floats, errors: Floats) -> tuple[Floats, Floats, float]:
    """Solution, covariance and chi2 of a weighted linear fit."""
    weighted = basis / errors[:, None]
    covariance: Floats = np.asarray(np.linalg.inv(weighted.T @ weighted), dtype=np.float64)
    solution = covariance @ (weighted.T @ (values / errors))
    chi2 = float(np.sum(((values - basis @ solution) / errors) ** 2))
    return solution, covariance, chi2


def _scale(chi2: float, dof: int) -> float:
    """By how much a fit's scatter raises the variances: never below 1, and little for few points.
    """
    return max(1.0, (chi2 + _PRIOR_DOF) / (dof + _PRIOR_DOF))


def _index_of(angles_deg: Floats, angle: float) -> int | None:
    found = np.flatnonzero(np.abs(np.asarray(angles_deg) - angle) < _SAME_ANGLE)
    return int(found[0]) if found.size == 1 else None


def _pairs_45(angles_deg: Floats, good: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Pairs of measured positions 45 degrees apart, each position once, lowest angles first."""
    pairs: list[tuple[int, int]] = []
    used: set[int] = set()
    for i in np.argsort(angles_deg, kind="stable").tolist():
        if i in used or not good[i]:
            continue
        partner = next((j for j in range(len(angles_deg)) if good[j] and j not in used and j != i
                        and abs(angles_deg[j] - angles_deg[i] - 45.0) < _SAME_ANGLE), None)
        if partner is not None:
            pairs.append((i, partner))
            used |= {i, partner}
    return pairs
