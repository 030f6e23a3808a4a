"""A master that is unlike those of other nights: how far off it must be."""

from __future__ import annotations

from dataclasses import replace

import pytest

from iop4d.config import Site
from iop4d.instruments.discovery import find_instruments
from iop4d.ledger.master_choice import MasterChoices, deviation
from iop4d.model.frame import FrameFacts, FrameKind, layout_of, region_of
from iop4d.store import masters
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


def test_a_flat_serves_frames_behind_the_same_prism_only(database: Database, site: Site) -> None:
    """An old fault: flats behind two prisms made one master, off by 0.02 mag."""
    camera = {i.name: i for i in find_instruments()}["AndorT90"]
    light = FrameFacts(
        telescope="OSN-T090", instrument="AndorT90", kind=FrameKind.SCIENCE, night="2022-09-08",
        jd_start=2459831.5, exptime_s=60.0, shape=(1024, 1024), binning=2, band="R",
        beam_element="P3")
    with database.write() as tx:
        bias(tx, 8, 300.0)
        chosen = {}
        for element in ("P1", "P3"):
            flat = replace(light, kind=FrameKind.FLAT, beam_element=element)
            assert layout_of(flat) == f"2x 1024x1024@{element}"
            assert region_of(layout_of(flat)) == (2, 0, 0, 1024, 1024)
            row = masters.master_for(tx, flat, 0.0)
            tx.update(Master, state="ready", path="flat.fits").where(Master.id == row.id).execute()
            chosen[element] = row.id
        found = MasterChoices(site, {"AndorT90": camera}).choose(tx, light)
        assert [m.id for m in found.masters if m.kind is FrameKind.FLAT] == [chosen["P3"]]
        none = MasterChoices(site, {"AndorT90": camera}).choose(tx, replace(light, beam_element=""))
    assert none.missing == ("master flat R of AndorT90 (2x 1024x1024)",)
