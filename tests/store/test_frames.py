"""The facts of a frame come back from its row as they were written."""

from __future__ import annotations

from pathlib import Path

import pytest

from iop4d.model.frame import Detector, FrameFacts, FrameKind
from iop4d.store import frames
from iop4d.store.database import Database

FACTS = FrameFacts(telescope="T", instrument="I", kind=FrameKind.SCIENCE, night="2022-09-08",
                   jd_start=2459831.5, exptime_s=60.0, shape=(300, 200), band="R", origin=(7, 3))


@pytest.mark.parametrize("detector", [Detector(), Detector(
    gain_e_adu=1.9, read_noise_e=5.0, saturation_adu=4000.0, pixel_arcsec=0.31,
    trim=(16, 528, 0, 520), overscan=(3, 13, 0, 520))])
def test_what_a_header_says_of_its_detector_is_kept(tmp_path: Path, detector: Detector) -> None:
    facts = FrameFacts(**{**vars(FACTS), "detector": detector})
    database = Database(tmp_path / "iop4d.db")
    with database.write() as tx:
        row = frames.create(tx, 0.0, archive="a", path="/x", name="x", size=1, mtime_ns=1,
                            completed_at=0.0, **frames.facts_columns(facts))
        assert frames.facts_of(frames.by_id(tx, row.id)) == facts
    database.close()
