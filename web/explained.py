"""What a result rests on, as text and as a picture, from what ``store.provenance`` found."""

from __future__ import annotations

import json
from typing import Any

from iop4d.config import Site
from iop4d.model.errors import Iop4dError
from iop4d.model.units import NOTHING, decimal, plus_minus, plus_minus_chi
from iop4d.store.database import Connection


def modulation(db: Connection, chain: dict[str, Any], site: Site) -> bytes:
    """PNG of the modulation that a group shows with all fits; raises Iop4dError without one."""
    from iop4d.instruments.discovery import find_instruments
    from iop4d.reduction.plots import plot_modulation
    from iop4d.store.catalogue import load as load_catalogue
    from iop4d.store.groups import measured_group

    found = chain["result"]
    if chain["group"] is None:
        raise Iop4dError(f"result {found['id']} is of one frame and shows no modulation")
    known = {i.name: i for i in find_instruments(site.camera, site.polarimeter)}
    if found["instrument"] not in known:
        raise Iop4dError(f"the instrument {found['instrument']} is no longer known")
    source = load_catalogue(db).named(found["source"])
    if source is None:
        raise Iop4dError(f"the source {found['source']} is no longer in the catalogue")
    return plot_modulation(measured_group(db, chain["group"]["id"]), source,
                           instrument=known[found["instrument"]], settings=site.polarimetry,
                           reported=found["method"])


def lines_of(chain: dict[str, Any]) -> list[str]:
    """Lines of text, as ``iop4d explain`` and the page show them."""
    r = chain["result"]
    lines = [f"Result {r['id']}: {r['source']}, {r['band']}, {r['instrument']}, {r['mode']}, "
             f"JD {r['jd_mid']:.5f}" + ", provisional" * r["provisional"]
             + ", withdrawn" * r["withdrawn"]]
    lines += _numbers(r)
    lines += [f"  flag {name}: {what}" for name, what in chain["flags"].items()]
    lines += [_flag_by_hand(flag) for flag in chain["human_flags"]]
    if chain["group"]:
        lines.append(f"Group {chain['group']['id']} ({chain['group']['state']}), angles "
                     + ", ".join(f"{a:g}" for a in chain["group"]["angles"]))
    for m in chain["methods"]:
        lines.append(f"  {m['method']:9s} p {_percent(m['p'], m['p_err'])}, chi "
                     f"{plus_minus_chi(m['chi_deg'], m['chi_err_deg'], sign='+-')} deg, "
                     f"{m['n']} positions" + (", reported" if m["method"] == r["method"] else ""))
    lines.append("Calibrators")
    for use in chain["calibrators"]:
        lines.append(f"  {use['source']}: zero point "
                     f"{_pair(use.get('zero_point'), use.get('zero_point_err'), 4)}, off by "
                     f"{decimal(use.get('residual'), 4)}, weight {decimal(use.get('weight'), 2)}"
                     + (f"  (left out: {use['why_not']})" if use.get("why_not") else ""))
    lines.append("Frames")
    for frame in chain["frames"]:
        lines += _frame(frame)
    if chain["files"] and not chain["frames"]:
        lines.append(f"  none of this site; raw files of {r['software']}: "
                     f"{', '.join(chain['files'])}")
    lines.append("Masters")
    for master in chain["masters"]:
        newer = "" if master["revision"] == master["newest_revision"] else ", a newer one exists"
        which = " ".join(filter(None, (master["kind"], master["band"])))
        lines.append(f"  {which} of {master['night']}, revision "
                     f"{master['revision']}{newer}: {master['n_frames']} frames, level "
                     f"{decimal(master['level'], 2)}, {master['path']}")
    lines += [f"Settings {key}: " + json.dumps(value) for key, value in chain["settings"].items()]
    ours = "" if r["software"] == "IOP4" else "iop4d "
    lines.append(f"Software {ours}{r['software']}, revision {r['revision']} of this result, "
                 f"{len(chain['history'])} earlier ones")
    return lines


def _numbers(r: dict[str, Any]) -> list[str]:
    limit = "" if r["mag_limit"] is None else f" (not detected: > {r['mag_limit']:.2f})"
    lines = [f"  mag {_pair(r['mag'], r['mag_err'], 4)} random{limit}"
             f"{_common(r['mag_err_common'], 4)}, zero point "
             f"{_pair(r['zero_point'], r['zero_point_err'], 4)} from "
             f"{r['n_calibrators']} calibrators"]
    if r["aperture_arcsec"] is not None:
        lines.append(f"  in an aperture of {r['aperture_arcsec']:.2f} arcsec")
    if r["flux_mjy"] is not None:
        dust = "" if r["extinction_mag"] is None else (
            f", extinction {r['extinction_mag']:.3f} mag not applied")
        lines.append(f"  flux {_pair(r['flux_mjy'], r['flux_mjy_err'], 4)} mJy as observed{dust}")
    if r["spectral_index"] is not None:
        lines.append(f"  spectral index {_pair(r['spectral_index'], r['spectral_index_err'], 3)} "
                     f"(common error {decimal(r['spectral_index_err_common'], 3)}), with result "
                     f"{r['spectral_index_with']}")
    if r["p"] is not None:
        limit = f", upper limit {100 * r['p_limit']:.2f} %" if r["p_limit"] is not None else ""
        lines.append(f"  p {_percent(r['p'], r['p_err'])} random (debiased "
                     f"{_percent(r['p_debiased'])}{limit}), chi "
                     f"{plus_minus_chi(r['chi_deg'], r['chi_err_deg'], 2, sign='+-')} random"
                     f"{_common(r['chi_err_common'], 2)} deg, by {r['method']}")
    if r["host_mjy"] is not None:
        lines.append(f"  without its host ({_pair(r['host_mjy'], r['host_mjy_err'], 3)} mJy): mag "
                     f"{_pair(r['mag_nucleus'], r['mag_nucleus_err'], 4)}, p "
                     f"{_percent(r['p_nucleus'], r['p_nucleus_err'])}")
    return lines


def _frame(frame: dict[str, Any]) -> list[str]:
    angle = "" if frame["polariser_deg"] is None else f", {frame['polariser_deg']:g} deg"
    lines = [f"  {frame['id']} {frame['name']}{angle}: {frame['path']}",
             f"    FWHM {decimal(frame['fwhm_arcsec'], 2)} arcsec, aperture "
             f"{decimal(frame['aperture_px'], 2)} px, {frame['n_matched']} stars matched, "
             f"astrometric solution from {frame['astrometry_from'] or 'an unknown source'}, "
             f"rms {decimal(frame['wcs_rms_px'], 3)} px"]
    for m in frame["measured"]:
        beam = {"": "", "O": "ordinary image ", "E": "extraordinary image "}[m["beam"]]
        lines.append(f"    {beam}at {decimal(m['x'], 2)}, {decimal(m['y'], 2)}: "
                     f"{_pair(m['flux'], m['flux_err'], 2)} ADU/s"
                     + (f"  [{', '.join(m['flags'])}]" if m["flags"] else ""))
    return lines + [f"    {warning}" for warning in frame["warnings"] or ()]


def _flag_by_hand(flag: dict[str, Any]) -> str:
    by = f" (by {flag['by']})" if flag.get("by") else ""
    return f"  flag by hand {flag['name']}{by}" + (f": {flag['note']}" if flag.get("note") else "")


def _common(err: float | None, digits: int) -> str:
    return "" if err is None else f" +- {err:.{digits}f} common"


def _pair(value: float | None, err: float | None, digits: int) -> str:
    return plus_minus(value, err, digits, sign="+-")


def _percent(value: float | None, err: float | None = None) -> str:
    if value is None:
        return NOTHING
    return f"{_pair(100 * value, None if err is None else 100 * err, 2)} %"
