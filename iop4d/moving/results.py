"""IOP4's results as results of ours, of a provenance of their own: the flag ``imported``."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from iop4d.model.flags import Flag
from iop4d.model.result import ResultValue
from iop4d.model.source import Source
from iop4d.moving.records import Row, number_of, text_of
from iop4d.science.flux import flux_mjy
from iop4d.science.rice import without_bias
from iop4d.science.times import bjd_tdb

_NAN = math.nan
_INSTRUMENTS = {"CAFOS2.2": "CAFOS"}
_MODES = {"PHOTOMETRY": "photometry", "POLARIMETRY": "polarimetry"}
_NO_WORD = ("", "None", "ERROR")  # of an instrument or a band that IOP4 could not read
_NIGHT = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
#: What a time (JD) and a magnitude can be; 99 and -99 stand for none in many tables.
_JD, _MAG = (2_400_000.5, 2_500_000.0), (-5.0, 35.0)
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
    kept = _one_each(found)
    if len(kept) < len(found):
        left_out["another one begins with the same raw file, and rests on as many or more"] = \
            len(found) - len(kept)
    return kept, left_out


def _one_each(found: Iterable[Imported]) -> list[Imported]:
    """Of results of a source that begin with the same raw file the one of the most files, of
    these the last: IOP4 keeps a group beside the larger one that it became."""
    kept: dict[tuple[str, ...], Imported] = {}
    for one in found:
        key = (one.telescope, one.night, one.files[0], one.value.source, one.value.mode)
        before = kept.get(key)
        if before is None or len(one.files) >= len(before.files):
            kept[key] = one
    return list(kept.values())


def _why_not(row: Row, source: Source | None) -> str:
    """Why a row is no result, or empty."""
    mag, p = number_of(row, "mag"), number_of(row, "p")
    name = text_of(row, "source")
    reasons = (
        (f"its source{name and f' {name}'} was left out, or is gone from IOP4's catalogue",
         source is None),
        ("no magnitude and no polarisation", math.isnan(mag) and math.isnan(p)),
        ("no time, telescope, night, instrument or band", not (
            _JD[0] < number_of(row, "juliandate", 0.0) < _JD[1] and row["telescope"]
            and _NIGHT.fullmatch(row["night"]) and text_of(row, "instrument") not in _NO_WORD
            and text_of(row, "band") not in _NO_WORD)),
        (f"observed as {row.get('obsmode')}", text_of(row, "obsmode") not in _MODES),
        ("no raw files", not row["files"]),
        ("a magnitude that cannot be", not (math.isnan(mag) or _MAG[0] < mag < _MAG[1])),
        ("a degree of polarisation that cannot be", not (math.isnan(p) or 0.0 <= p <= 1.0)))
    return next((why for why, holds in reasons if holds), "")


def _converted(row: Row, source: Source) -> Imported:
    exptime, camera = number_of(row, "exptime"), text_of(row, "instrument")
    # IOP4's time is that of the beginning, of a group the mean of its frames'.
    jd = number_of(row, "juliandate") + (exptime if exptime > 0 else 0.0) / 2.0 / 86400.0
    mag, band = number_of(row, "mag"), str(row["band"])
    value = ResultValue(
        source=source.name, band=band, mode=_MODES[row["obsmode"]], jd_mid=jd,
        bjd_tdb=bjd_tdb(jd, source.ra_deg, source.dec_deg),
        exptime_s=exptime if exptime > 0 else 0.0, mag=mag, mag_err=_error(row, "mag_err"),
        zero_point=number_of(row, "mag_zp"), zero_point_err=_error(row, "mag_zp_err"),
        n_calibrators=0, fwhm_arcsec=number_of(row, "fwhm"), airmass=_NAN, flags=int(Flag.IMPORTED),
        aperture_arcsec=number_of(row, "aperas"), mag_nucleus=number_of(row, "mag_corr"),
        mag_nucleus_err=_error(row, "mag_corr_err"),
        method="iop4" if number_of(row, "p", 0.0) else "")
    flux = flux_mjy(mag, band)
    value = replace(value, flux_mjy=flux, flux_mjy_err=flux * value.mag_err * math.log(10) / 2.5,
                    **_polarisation(row))
    bits = int(number_of(row, "flags", 0.0))
    return Imported(telescope=row["telescope"],
                    instrument=_INSTRUMENTS.get(camera, camera),
                    night=row["night"], files=row["files"], value=value,
                    flags=tuple(word for bit, word in _FLAGS.items() if bits & bit))


def _error(row: Row, name: str) -> float:
    """An error; NaN where it is none: no measurement is exact."""
    value = number_of(row, name)
    return value if value > 0.0 else _NAN


def _polarisation(row: Row) -> dict[str, Any]:
    """p and chi as q and u, with the covariance that their errors say, and without the bias.

    The error along the polarisation is that of p, the one across it 2 p times that of chi.
    """
    p, chi = number_of(row, "p"), number_of(row, "chi")
    p_err, chi_err = _error(row, "p_err"), _error(row, "chi_err")
    if not math.isfinite(p):
        return {}
    if not math.isfinite(chi):
        return {"p": p, "p_err": p_err}
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
    nucleus = number_of(row, "p_corr")
    if math.isfinite(nucleus):
        larger = nucleus / p if p > 0 else _NAN
        said |= {"p_nucleus": free.p * larger, "p_nucleus_err": _error(row, "p_corr_err"),
                 "q_nucleus": q * larger, "u_nucleus": u * larger,
                 "q_nucleus_err": said["q_err"] * larger, "u_nucleus_err": said["u_err"] * larger}
    return said
