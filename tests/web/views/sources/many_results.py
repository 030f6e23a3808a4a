"""So many results of one source that they fill several pages."""

from __future__ import annotations

import time

from iop4d.config import Site
from iop4d.model.units import jd_of_unix
from iop4d.store.database import Database
from iop4d.store.schema import Result

COUNT = 150  # added to those that are there
SOURCE = "2200+420"


def add(site: Site, count: int = COUNT) -> None:
    """Points every hour before now, in turn of two bands and cameras; pairs share their time."""
    now = jd_of_unix(time.time())
    with Database(site.database).write() as tx:
        row = tx.get(Result, (Result.source == SOURCE) & (Result.band == "R"))
        assert row is not None
        for number in range(count):
            tx.create(Result, **row.__data__ | {
                "id": None, "key": f"more/{number}", "jd_mid": now - (number // 2) / 24.0 - 5.0,
                "band": "RV"[number % 2], "instrument": ("DIPOL", "CAFOS")[number % 2],
                "flags": 0, "human_flags": [], "withdrawn": number == 7})
