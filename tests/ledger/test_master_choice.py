"""A master that is unlike those of other nights: how far off it must be."""

from __future__ import annotations

import pytest

from iop4d.config import Site
from iop4d.ledger.master_choice import deviation
from iop4d.store.database import Database, Transaction
from iop4d.store.schema import Master

LAYOUT = "2x 1024x1024"


def bias(tx: Transaction, day: int, level: float) -> Master:
    return tx.create(
        Master, key=f"bias/{day}", kind="bias", telescope="OSN-T090", instrument="AndorT90",
        layout=LAYOUT, band=None, night=f"2022-09-{day:02d}", exptime_s=0.0, changed_at=0.0,
        state="ready", path="", level=level, scatter=1.0)


@pytest.mark.parametrize(("levels", "level", "is_odd"), [
    ((300.0, 300.0, 300.0), 325.0, False),  # a tenth of the usual level
    ((300.0, 300.0, 300.0), 335.0, True),
    ((300.0, 300.0, 300.0), 265.0, True),
    ((250.0, 300.0, 350.0), 600.0, False),  # eight sigmas of 74
    ((250.0, 300.0, 350.0), 950.0, True),
    ((10.0, 10.0, 10.0), 14.0, False),  # 5 ADU
    ((10.0, 10.0, 10.0), 16.0, True),
    ((300.0, 300.0), 9000.0, False),  # two nights say nothing of what is usual
])
def test_a_bias_is_odd_beyond_eight_sigmas_a_tenth_and_five_adu(
        database: Database, site: Site, levels: tuple[float, ...], level: float,
        is_odd: bool) -> None:
    with database.write() as tx:
        for day, usual in enumerate(levels, 1):
            bias(tx, day, usual)
        new = bias(tx, 8, level)
        assert bool(deviation(tx, site, new, level, 1.0)) is is_odd
