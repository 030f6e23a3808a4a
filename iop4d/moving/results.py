"""IOP4's results as results of ours, of a provenance of their own: the flag ``imported``."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from iop4d.model.flags import Flag
from iop4d.model.result import ResultValue
from iop4d.model.source import Source
from iop4d.moving.records import Row
from iop4d.science.flux import flux_mjy
from iop4d.science.rice import without_bias
from iop4d.science.times import bjd_tdb

_NAN = math.nan
_INSTRUMENTS = {"CAFOS2.2": "CAFOS"}
_MODES = {"PHOTOMETRY": "photometry", "POLARIMETRY": "polarimetry"}
#: Bits of IOP4's flags, that people set, and what they are called here.
_FLAGS = {1 << 1: "bad photometry", 1 << 2: "bad polarimetry"}


@dataclass(frozen=True, kw_only=True)
class Imported:
    """A result: where it is from, its value, and flags that people set in IOP4."""

    telescope: str
    instrument: str
    night: str
    files: tuple[str, ...]
    value: ResultValue
    flags: tuple[str, ...]


def convert(rows: Iterable[Row], names: Mapping[str, str], sources: Mapping[str, Source],
            ) -> tuple[list[Imported], Counter[str]]:
    """IOP4's results, and how many were left out for which reason.

    ``names``: what IOP4 called a source to its name here; ``sources``: by their names here.
    """
    found, left_out = [], Counter[str]()
    for row in rows:
        source = sources.get(names.get(str(row.get("source") or ""), ""))
        why = _why_not(row, source)
        if why or source is None:
            left_out[why] += 1
        else:
            found.append(_converted(row, source))
    return found, left_out


def _why_not(row: Row, source: Source | None) -> str:
    """Why a row is no result, or empty."""
    reasons = (
        ("its source was left out, or is gone from IOP4's catalogue", source is None),
        ("no magnitude and no polarisation", row.get("mag") is None and row.get("p") is None),
        ("no time, night or band", not (row.get("juliandate") and row["night"]
                                        and row.get("band"))),
        (f"observed as {row.get('obsmode')}", row.get("obsmode") not in _MODES),
        ("no raw files", not row["files"]),
        ("a degree of polarisation that cannot be", not 0.0 <= (row.get("p") or 0.0) <= 1.0))
    return next((why for why, holds in reasons if holds), "")


def _converted(row: Row, source: Source) -> Imported:
    exptime = _number(row, "exptime")
    # IOP4's time is that of the beginning, of a group the mean of its frames'.
    jd = float(row["juliandate"]) + (exptime if exptime > 0 else 0.0) / 2.0 / 86400.0
    mag, band = _number(row, "mag"), str(row["band"])
    value = ResultValue(
        source=source.name, band=band, mode=_MODES[row["obsmode"]], jd_mid=jd,
        bjd_tdb=bjd_tdb(jd, source.ra_deg, source.dec_deg),
        exptime_s=exptime if exptime > 0 else 0.0, mag=mag, mag_err=_number(row, "mag_err"),
        zero_point=_number(row, "mag_zp"), zero_point_err=_number(row, "mag_zp_err"),
        n_calibrators=0, fwhm_arcsec=_number(row, "fwhm"), airmass=_NAN, flags=int(Flag.IMPORTED),
        aperture_arcsec=_number(row, "aperas"), mag_nucleus=_number(row, "mag_corr"),
        mag_nucleus_err=_number(row, "mag_corr_err"), method="iop4" if row.get("p") else "")
    flux = flux_mjy(mag, band)
    value = replace(value, flux_mjy=flux, flux_mjy_err=flux * value.mag_err * math.log(10) / 2.5,
                    **_polarisation(row))
    bits = int(row.get("flags") or 0)
    return Imported(telescope=row["telescope"],
                    instrument=_INSTRUMENTS.get(row["instrument"], str(row["instrument"])),
                    night=row["night"], files=row["files"], value=value,
                    flags=tuple(word for bit, word in _FLAGS.items() if bits & bit))


def _polarisation(row: Row) -> dict[str, Any]:
    """p and chi as q and u, with the covariance that their errors say, and without the bias.

    The error along the polarisation is that of p, the one across it 2 p times that of chi.
    """
    p, chi, p_err, chi_err = (_number(row, name) for name in ("p", "chi", "p_err", "chi_err"))
    if not (math.isfinite(p) and math.isfinite(chi)):
        return {}
    along = (math.cos(math.radians(2.0 * chi)), math.sin(math.radians(2.0 * chi)))
    q, u = p * along[0], p * along[1]
    said = {"p": p, "p_err": p_err, "chi_deg": chi % 180.0, "chi_err_deg": chi_err, "q": q, "u": u}
    across = 2.0 * p * math.radians(chi_err)
    if not (math.isfinite(p_err) and math.isfinite(across)):
        return said
    qq = (along[0] * p_err) ** 2 + (along[1] * across) ** 2
    uu = (along[1] * p_err) ** 2 + (along[0] * across) ** 2
    qu = along[0] * along[1] * (p_err**2 - across**2)
    free = without_bias(q, u, qq, uu, qu)
    said |= {"q_err": math.sqrt(qq), "u_err": math.sqrt(uu), "qu_cov": qu, "p_debiased": free.p,
             "p_limit": free.limit}
    nucleus = _number(row, "p_corr")
    if math.isfinite(nucleus):
        larger = nucleus / p if p > 0 else _NAN
        said |= {"p_nucleus": free.p * larger, "p_nucleus_err": _number(row, "p_corr_err"),
                 "q_nucleus": q * larger, "u_nucleus": u * larger,
                 "q_nucleus_err": said["q_err"] * larger, "u_nucleus_err": said["u_err"] * larger}
    return said


def _number(row: Row, name: str) -> float:
    value = row.get(name)
    return float(value) if isinstance(value, (int, float)) else _NAN
