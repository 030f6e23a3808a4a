"""Rows of one source, as a daemon leaves them, for the tests of light curves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from iop4d.store.database import Database
from iop4d.store.schema import Result

SOURCE = "BL Lac"


def database_of(path: Path, *points: dict[str, Any]) -> Database:
    """A database with some results of one source; each says what is not as usual."""
    database = Database(path / "iop4d.db")
    with database.write() as tx:
        for number, point in enumerate(points):
            tx.create(Result, **{
                "key": f"k{number}", "source": SOURCE, "telescope": "T220", "instrument": "CAFOS",
                "night": "2026-11-22", "mode": "photometry", "band": "R", "exptime_s": 60.0,
                "jd_mid": 2461367.3 + number / 100.0, "mag": 14.0, "mag_err": 0.01,
                "created_at": 1.0, "changed_at": 1.0, **point})
    return database


def polarised(chi_deg: float, p: float = 0.1, **more: Any) -> dict[str, Any]:
    """A polarisation of an angle."""
    import math

    two = math.radians(2.0 * chi_deg)
    return {"mode": "polarimetry", "p": p, "p_err": 0.004, "p_debiased": p - 0.001,
            "chi_deg": chi_deg, "chi_err_deg": 1.2, "chi_err_common": 0.5,
            "q": p * math.cos(two), "u": p * math.sin(two), "q_err": 0.004, "u_err": 0.004,
            "qu_cov": 1e-6, "q0_err": 0.001, "u0_err": 0.002} | more
