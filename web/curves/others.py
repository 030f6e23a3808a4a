"""The points of others as series of a light curve, beside the group's own."""

from __future__ import annotations

from typing import Any

import numpy as np

from iop4d.model.bands import band_order
from iop4d.store import curves, external
from iop4d.store.database import Connection
from iop4d.web.curves.columns import Array, Series, continued, unwrapped
from iop4d.web.curves.thinning import thinned

_MOST = 4_000  # points of others that a plot shows
_NUMBERS = ("jd", "mag", "mag_err", "mag_limit", "p", "p_err", "chi_deg", "chi_err_deg")
#: Quantities in which others' numbers are what ours are: theirs have the host, and no flux of ours.
_ALSO_MAG, _ALSO_P = ("mag",), ("mag", "dereddened", "flux")


def others_of(db: Connection, source: str, quantity: str, since: float,
              until: float) -> list[Series]:
    """A series for each origin and band; ``telescope`` is the origin. Empty for a quantity of which
    others have nothing. Angles continue beside the source's own."""
    if quantity not in _ALSO_P:
        return []
    rows = external.rows(db, source, since_jd=since, until_jd=until)
    if not rows:
        return []
    raw = dict(zip(external.COLUMNS, zip(*rows, strict=True), strict=True))
    of = {name: np.array(raw[name], dtype=float) for name in _NUMBERS}
    columns = _columns(of, quantity)
    labels = list(zip(raw["band"], raw["origin"], strict=True))
    found = []
    for band, origin in sorted(set(labels), key=lambda one: (band_order(one[0]), one[1])):
        mask = np.array([label == (band, origin) for label in labels])
        found.append(Series(source=source, band=band, telescope=origin, instrument="",
                            columns={name: values[mask] for name, values in columns.items()}))
    found = [one for one in found if any(
        np.isfinite(one.columns[name]).any() for name in ("y", "y_limit", "p"))]
    return thinned(_beside_own(db, source, found), _MOST)


def _columns(of: dict[str, Array], quantity: str) -> dict[str, Any]:
    nothing = np.full(len(of["jd"]), np.nan)
    has_mag = quantity in _ALSO_MAG
    p, p_err, chi = 100.0 * of["p"], 100.0 * of["p_err"], of["chi_deg"]
    two, chi_err = np.radians(2.0 * chi), np.radians(of["chi_err_deg"])
    cos, sin, turn = np.cos(two), np.sin(two), 2.0 * p * chi_err
    return {"jd": of["jd"], "y": of["mag"] if has_mag else nothing, "y_err": of["mag_err"],
            "y_limit": of["mag_limit"] if has_mag else nothing, "p": p, "p_err": p_err,
            "p_limit": nothing, "chi": chi, "chi_err": of["chi_err_deg"],
            "q": p * cos, "q_err": np.hypot(p_err * cos, turn * sin),
            "u": p * sin, "u_err": np.hypot(p_err * sin, turn * cos),
            "state": np.zeros(len(p), dtype=np.uint8)}


def _beside_own(db: Connection, source: str, found: list[Series]) -> list[Series]:
    """Angles on the turn of ours that is the nearest; without any of ours, of their own."""
    pairs = sorted((float(jd), float(chi)) for one in found
                   for jd, chi in zip(one.columns["jd"], one.columns["chi"], strict=True)
                   if np.isfinite(chi))
    if not pairs:
        return found
    chain = continued(curves.sure_angles(db, source) or pairs)
    return [unwrapped(one, chain) for one in found]
