"""Means of nights as arrays: the numbers of ``science.nightly``, of thousands at once."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from iop4d.science.rice import SIGNIFICANT, without_bias
from iop4d.web.curves.columns import Array, Series


def nightly_means(series: Series) -> Series:
    """The weighted means of a series' nights, of its sound points alone.

    ``columns``: ``jd`` (the mean), ``n`` and ``n_p`` (magnitudes or fluxes, and polarisations), and
    those of ``Series``.
    """
    of = series.columns
    weighs = of["sound_y"] & np.isfinite(of["y"]) & (of["y_err"] > 0)
    polarised = (of["sound_p"] & np.isfinite(of["q"]) & np.isfinite(of["u"]) & (of["q_err"] > 0)
                 & (of["u_err"] > 0)
                 & (of["q_err"] * of["u_err"] / 1e4 > np.abs(of["qu_cov"])))
    nights, number = np.unique(of["night"][weighs | polarised], return_inverse=True)
    place = np.full(series.size, -1)
    place[weighs | polarised] = number
    count = len(nights)
    columns: dict[str, Array] = _brightness(of, place, weighs, count) | _polarisation(
        of, place, polarised, count)
    both = _sum(place, weighs | polarised, np.ones(series.size), count)
    jd0 = of["jd"][0] if series.size else 0.0
    jd = jd0 + _sum(place, weighs | polarised, of["jd"] - jd0, count) / both
    return replace(series, columns=columns | {"night": nights, "jd": jd})


def _sum(place: Array, mask: Array, values: Array, count: int) -> Array:
    found: Array = np.bincount(place[mask], values[mask], minlength=count)[:count]
    return found


def _brightness(of: dict[str, Array], place: Array, mask: Array, count: int) -> dict[str, Array]:
    with np.errstate(divide="ignore", invalid="ignore"):
        weights = of["y_err"] ** -2.0
        total = _sum(place, mask, weights, count)
        return {"n": _sum(place, mask, np.ones(len(mask)), count).astype(np.int32),
                "y": _sum(place, mask, weights * of["y"], count) / total,
                "y_err": np.where(total > 0, total**-0.5, np.nan),
                "y_common": _sum(place, mask, weights * np.nan_to_num(of["y_common"]), count)
                / total}


def _polarisation(of: dict[str, Array], place: Array, mask: Array, count: int) -> dict[str, Array]:
    def summed(values: Array) -> Array:
        return _sum(place, mask, values, count)

    q, u, qu = of["q"] / 100.0, of["u"] / 100.0, of["qu_cov"]
    qq, uu = (of["q_err"] / 100.0) ** 2, (of["u_err"] / 100.0) ** 2
    with np.errstate(divide="ignore", invalid="ignore"):
        a, b, c = _inverse(qq, uu, qu)
        qq, uu, qu = _inverse(summed(a), summed(b), summed(c))
        d, e = summed(a * q + c * u), summed(c * q + b * u)
        q, u = qq * d + qu * e, qu * d + uu * e
        n = summed(np.ones(len(mask)))
        q0, u0, zero = (summed(of[name]) / n for name in ("q0", "u0", "zero"))
        p = np.hypot(q, u)
        across = np.sqrt(np.maximum((u * u * qq + q * q * uu - 2.0 * u * q * qu), 0.0)) / p
        chi_err = np.minimum(np.degrees(across / p) / 2.0, 180.0 / math.sqrt(12.0))
    value, err, limit = _clean_of_all(q, u, qq, uu, qu, q0, u0)
    return {"n_p": n.astype(np.int32), "p": np.where(np.isnan(limit), value, np.nan),
            "p_err": err, "p_limit": limit,
            "chi": np.where(np.isnan(limit), np.degrees(np.arctan2(u, q)) / 2.0 % 180.0, np.nan),
            "chi_err": chi_err, "chi_common": zero, "q": 100.0 * q, "u": 100.0 * u,
            "q_err": 100.0 * np.sqrt(qq), "u_err": 100.0 * np.sqrt(uu)}


def _clean_of_all(*columns: Array) -> tuple[Array, Array, Array]:
    """``_clean`` of many; those without an upper limit, which are most, at once."""
    q, u, qq, uu, qu, q0, u0 = columns
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        raw, wide, high = np.hypot(q, u), qq + q0**2, uu + u0**2
        c, s = q / raw, u / raw
        b2 = np.maximum(s * s * wide + c * c * high - 2.0 * s * c * qu, 0.0)
        sigma = np.sqrt(np.maximum(c * c * wide + s * s * high + 2.0 * s * c * qu, 0.0))
        bias = np.where(b2 > 0.0, -b2 * np.expm1(-(raw**2) / b2) / (2.0 * raw), 0.0)
        err = 100.0 * np.sqrt(np.maximum(c * c * qq + s * s * uu + 2.0 * s * c * qu, 0.0))
        value, limit = 100.0 * (raw - bias), np.full(q.shape, np.nan)
        is_plain = (raw >= SIGNIFICANT * sigma) & np.isfinite(value) & (wide * high > qu * qu)
    value, err = (np.where(is_plain, values, np.nan) for values in (value, err))
    for at in np.flatnonzero(~is_plain & np.isfinite(q)):
        value[at], err[at], limit[at] = _clean(*(float(values[at]) for values in columns))
    return value, err, limit


def _clean(q: float, u: float, qq: float, uu: float, qu: float, q0: float,
           u0: float) -> tuple[float, float, float]:
    """p without bias by all of the error, its random error, and its limit; percent."""
    found = without_bias(q, u, qq + q0**2, uu + u0**2, qu)
    own = math.sqrt(max(q * q * qq + u * u * uu + 2.0 * u * q * qu, 0.0)) / (found.raw or 1.0)
    return 100.0 * found.p, 100.0 * (own if found.raw else math.sqrt((qq + uu) / 2.0)), \
        100.0 * found.limit


def _inverse(qq: Array, uu: Array, qu: Array) -> tuple[Array, Array, Array]:
    scale = 1.0 / (qq * uu - qu * qu)
    return uu * scale, qq * scale, -qu * scale
