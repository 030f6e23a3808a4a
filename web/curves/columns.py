"""The points of a light curve as arrays: a series for each source, band, telescope and camera."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from iop4d.model.bands import band_order
from iop4d.model.result import STACK
from iop4d.model.units import MAG_PER_RELATIVE_FLUX
from iop4d.store import curves
from iop4d.store.database import Connection
from iop4d.store.points import barring_flags

Array = NDArray[Any]
_EPOCH = date(1970, 1, 1).toordinal()

#: What ``state`` of a point says; bits.
FLAGGED, BY_HAND, PROVISIONAL, TOGETHER = 1, 2, 4, 8

_POL = ("p", "p_err", "p_debiased", "p_limit", "chi_deg", "chi_err_deg", "chi_err_common", "q",
        "q_err", "u", "u_err", "qu_cov", "q0_err", "u0_err")
_HOST = ("mag", "mag_nucleus", "mag_nucleus_err", "host_mjy", "host_mjy_err")
#: What the brightness of each quantity is read from, and its polarisation.
_READ = {
    "mag": ("mag", "mag_err", "mag_err_common", "mag_limit"),
    "dereddened": ("mag", "mag_err", "mag_err_common", "mag_limit", "extinction_mag"),
    "flux": ("mag", "mag_err", "mag_err_common", "flux_mjy", "flux_mjy_err"),
    "nucleus": ("mag_err", "mag_err_common", *_HOST),
}
_READ_P = dict.fromkeys(_READ, _POL) | {"nucleus": (
    *_POL, *_HOST, "q_nucleus", "q_nucleus_err", "u_nucleus", "u_nucleus_err", "p_nucleus",
    "p_nucleus_err")}
_ZERO = ("p_common", "chi_common", "zero", "qu_cov", "q0", "u0")  # where nothing is known
_PERCENT = ("p", "p_err", "p_common", "p_limit", "q", "q_err", "u", "u_err")


@dataclass(frozen=True, kw_only=True)
class Series:
    """Points of one source, band, telescope and instrument, in order of time.

    ``columns``: ``id``, ``jd``, ``night`` (days since 1970-01-01), ``flags``, ``state``; ``y``
    with ``y_err``, ``y_common`` and ``y_limit``, magnitudes or mJy; ``p``, ``p_err``, ``p_common``
    and ``p_limit``, percent and without the bias of noise; ``chi``, ``chi_err``, ``chi_common``,
    degrees; ``q``, ``q_err``, ``u``, ``u_err``, percent; ``zero``, the error of the zero
    angle; ``qu_cov``, ``q0``, ``u0``, fractions;
    ``mag`` and ``mag_err`` for colours; ``sound_y``, ``sound_p``: whether it counts in a mean. NaN
    where there is no number. A polarisation that is a limit has no other number.
    """

    source: str
    band: str
    telescope: str
    instrument: str
    columns: dict[str, Array] = field(repr=False)

    @property
    def size(self) -> int:
        """How many points it has."""
        return len(self.columns["jd"])

    def only(self, which: Array | slice, names: Sequence[str] | None = None) -> Series:
        """Some of its points, by a mask, their places or a part."""
        return replace(self, columns={
            name: values[which] for name, values in self.columns.items()
            if names is None or name in names})


def series_of(db: Connection, source: str, quantity: str, since_jd: float,
              until_jd: float) -> list[Series]:
    """The series of a source's results between two JD."""
    rows = curves.rows(db, source, _READ[quantity], since_jd=since_jd, until_jd=until_jd)
    if not rows:
        return []
    raw = dict(zip((*curves.ALWAYS, *_READ[quantity]), zip(*rows, strict=True), strict=True))
    labels = list(zip(raw["band"], raw["telescope"], raw["instrument"], strict=True))
    distinct = sorted(set(labels), key=lambda one: (band_order(one[0]), one[1:]))
    place = {label: number for number, label in enumerate(distinct)}
    which = np.array([place[label] for label in labels])
    columns = _columns(raw, quantity)
    polarised = curves.polarised_rows(db, source, _READ_P[quantity], since_jd=since_jd,
                                      until_jd=until_jd)
    columns |= _spread(polarised, columns["id"], quantity)
    return [Series(source=source, band=band, telescope=telescope, instrument=instrument,
                   columns={name: values[mask] for name, values in columns.items()})
            for number, (band, telescope, instrument) in enumerate(distinct)
            for mask in [which == number]]


def _columns(raw: dict[str, Any], quantity: str) -> dict[str, Array]:
    of = {name: np.array(raw[name], dtype=float) for name in _READ[quantity]}
    flags = np.array(raw["flags"], dtype=np.int32)
    by_hand = np.array(raw[curves.BY_HAND], dtype=bool)
    together = np.array([mode == STACK for mode in raw["mode"]])
    nights = {night: _day(night) for night in set(raw["night"])}
    sound = ~by_hand & ~together
    return _brightness(of, quantity) | {
        "id": np.array(raw["id"], dtype=np.int64), "jd": np.array(raw["jd_mid"], dtype=float),
        "night": np.array([nights[night] for night in raw["night"]]), "flags": flags,
        "state": (FLAGGED * (flags != 0) + BY_HAND * by_hand + TOGETHER * together
                  + PROVISIONAL * np.array(raw["provisional"], dtype=bool)).astype(np.uint8),
        "sound_y": sound & (flags & barring_flags(needs_mag=True) == 0),
        "sound_p": sound & (flags & barring_flags(needs_mag=False) == 0),
        "mag": of["mag"], "mag_err": of["mag_err"]}


def _day(night: str) -> int:
    """The day of a night's date, 0 for what is none."""
    try:
        return date.fromisoformat(night).toordinal() - _EPOCH
    except ValueError:
        return 0


def night_text(day: float) -> str:
    """The date of the night of a day."""
    return date.fromordinal(int(day) + _EPOCH).isoformat()


def _spread(rows: Sequence[tuple[Any, ...]], ids: Array, quantity: str) -> dict[str, Array]:
    """The polarisation of some rows, and NaN for all others; ``ids``: of all, in their order."""
    names = ("id", *_READ_P[quantity])
    raw = dict(zip(names, zip(*rows, strict=True), strict=True)) if rows else dict.fromkeys(
        names, ())
    of = {name: np.array(raw[name], dtype=float) for name in _READ_P[quantity]}
    order = np.argsort(ids)
    at = order[np.searchsorted(ids, np.array(raw["id"], dtype=np.int64), sorter=order)]
    found = {}
    for name, values in _polarisation(of, quantity).items():
        found[name] = np.full(len(ids), 0.0 if name in _ZERO else np.nan)
        found[name][at] = values
    return found


def _brightness(of: dict[str, Array], quantity: str) -> dict[str, Array]:
    common = np.nan_to_num(of["mag_err_common"])
    nothing = np.full(common.shape, np.nan)
    if quantity == "flux":
        flux = of["flux_mjy"]
        return {"y": flux, "y_err": of["flux_mjy_err"], "y_limit": nothing,
                "y_common": np.abs(flux) * common / MAG_PER_RELATIVE_FLUX}
    if quantity == "nucleus":
        ratio = _ratio(of)
        host = MAG_PER_RELATIVE_FLUX * _by_host(of, ratio)
        return {"y": of["mag_nucleus"], "y_err": of["mag_nucleus_err"], "y_limit": nothing,
                "y_common": np.hypot(common * ratio, host)}
    dust = of["extinction_mag"] if quantity == "dereddened" else np.zeros(common.shape)
    return {"y": of["mag"] - dust, "y_err": of["mag_err"], "y_common": common,
            "y_limit": np.where(np.isnan(of["mag"]), of["mag_limit"] - dust, np.nan)}


def _ratio(of: dict[str, Array]) -> Array:
    """The flux with the host over that without it; 1 where it is not known."""
    with np.errstate(over="ignore"):
        ratio = 10.0 ** (0.4 * (of["mag_nucleus"] - of["mag"]))
    return np.where(np.isfinite(ratio), ratio, 1.0)


def _by_host(of: dict[str, Array], ratio: Array) -> Array:
    """Relative error of what is left of the flux, by that of the host's."""
    with np.errstate(divide="ignore", invalid="ignore"):
        part = of["host_mjy_err"] / of["host_mjy"]
    return np.where(np.isfinite(part), part, 0.0) * (ratio - 1.0)


def _polarisation(of: dict[str, Array], quantity: str) -> dict[str, Array]:
    p = np.where(np.isnan(of["p_debiased"]), of["p"], of["p_debiased"])
    p_err, limit, q, u = of["p_err"], of["p_limit"], of["q"], of["u"]
    q_err, u_err = of["q_err"], of["u_err"]
    two = np.radians(2.0 * of["chi_deg"])
    q = np.where(np.isnan(q), of["p"] * np.cos(two), q)
    u = np.where(np.isnan(u), of["p"] * np.sin(two), u)
    along, across = _instrumental(of)
    with np.errstate(divide="ignore", invalid="ignore"):
        turned = np.degrees(across / of["p"]) / 2.0
    chi_common = np.hypot(np.nan_to_num(of["chi_err_common"]),
                          np.where(np.isfinite(turned), turned, 0.0))
    if quantity == "nucleus":
        ratio, p_err, limit = _ratio(of), of["p_nucleus_err"], np.full(p.shape, np.nan)
        p = of["p_nucleus"]
        along = np.hypot(along * ratio, np.nan_to_num(p) * _by_host(of, ratio))
        q, u = of["q_nucleus"], of["u_nucleus"]
        q_err, u_err = of["q_nucleus_err"], of["u_nucleus_err"]
    is_value = ~np.isnan(p) & np.isnan(limit)
    found = {"p": np.where(is_value, p, np.nan), "p_err": p_err, "p_common": along,
             "p_limit": limit, "chi": np.where(is_value, of["chi_deg"], np.nan),
             "chi_err": of["chi_err_deg"], "chi_common": chi_common,
             "q": q, "q_err": np.where(np.isnan(q_err), p_err, q_err),
             "u": u, "u_err": np.where(np.isnan(u_err), p_err, u_err),
             "zero": np.nan_to_num(of["chi_err_common"]),
             "qu_cov": np.nan_to_num(of["qu_cov"]), "q0": np.nan_to_num(of["q0_err"]),
             "u0": np.nan_to_num(of["u0_err"])}
    return found | {name: 100.0 * found[name] for name in _PERCENT}


def _instrumental(of: dict[str, Array]) -> tuple[Array, Array]:
    """The instrument's part of the error along and across the polarisation; 0 if unknown.

    As ``model.uncertainty`` has it for one result.
    """
    q0, u0 = np.nan_to_num(of["q0_err"]), np.nan_to_num(of["u0_err"])
    q, u = np.nan_to_num(of["q"]), np.nan_to_num(of["u"])
    p = np.hypot(q, u)
    mean = np.sqrt((q0**2 + u0**2) / 2.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        along, across = np.hypot(q * q0, u * u0) / p, np.hypot(u * q0, q * u0) / p
    return np.where(p == 0.0, mean, along), np.where(p == 0.0, mean, across)


def continued(sure: Sequence[tuple[float, float]]) -> tuple[Array, Array]:
    """JD and angles of a source in order of time, continued across 0 and 180 degrees.

    Each step is taken the shorter way; the first stays in [0, 180).
    """
    if not sure:
        return np.empty(0), np.empty(0)
    jd, chi = np.array(sure, dtype=float).T
    steps = (np.diff(chi) + 90.0) % 180.0 - 90.0
    return jd, np.concatenate([[chi[0] % 180.0], chi[0] % 180.0 + np.cumsum(steps)])


def on_turn(angle_deg: float, chi: Array) -> float:
    """An angle beside continued ones: on the turn that is nearest to their median."""
    known = chi[np.isfinite(chi)]
    if not len(known):
        return angle_deg
    return float(angle_deg + 180.0 * np.round((np.median(known) - angle_deg) / 180.0))


def unwrapped(series: Series, chain: tuple[Array, Array]) -> Series:
    """The series with its angles beside the source's continued ones, of which they may be part."""
    jd, chi = chain
    if not len(jd):
        return series
    mine = series.columns["chi"]
    at = np.clip(np.searchsorted(jd, series.columns["jd"], side="right") - 1, 0, len(jd) - 1)
    near = chi[at]
    return replace(series, columns=series.columns | {
        "chi": near + (mine - near + 90.0) % 180.0 - 90.0})
