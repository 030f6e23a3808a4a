"""The facts of a frame come back from its row as they were written."""

from __future__ import annotations

from pathlib import Path

import pytest

from iop4d.model.flags import Flag
from iop4d.model.frame import Detector, FrameFacts, FrameKind
from iop4d.model.states import FrameState
from iop4d.store import frame_files, frames, masters, reference_frames, schema
from iop4d.store.database import Database, Transaction
from tests.support.plans import steps

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


def test_the_stars_of_a_whole_frame_come_with_what_was_blended_on_it(tmp_path: Path) -> None:
    database = Database(tmp_path / "iop4d.db")
    with database.write() as tx:
        row = frames.create(tx, 0.0, archive="a", path="/x", name="x", size=1, mtime_ns=1,
                            completed_at=0.0, info={"wcs": {"CRVAL1": 1.0}},
                            **frames.facts_columns(FACTS))
        tx.create(schema.FrameStars, frame=row.id, stars=[[1.0, 2.0, 30.0], [4.0, 5.0, 60.0]])
        for source, beam, flags in (("one", "", Flag.BLENDED | Flag.CROWDED),
                                    ("one", "O", Flag.BLENDED), ("other", "", Flag.CROWDED)):
            tx.create(schema.Measurement, frame=row.id, source=source, beam=beam, x=1.0, y=2.0,
                      flags=int(flags))
        found = reference_frames.star_list(tx, row.id)
    assert (found.x, found.flux, found.blended) == ((1.0, 4.0), (30.0, 60.0), ("one",))
    database.close()


def test_frames_of_a_master_are_found_by_its_id_alone(tmp_path: Path) -> None:
    """12 is neither 1 nor 112, nor the revision of another."""
    used = ([[3, 1], [12, 4]], [[112, 1], [3, 12], [1, 2]], [], [[12, 1]])
    database = Database(tmp_path / "iop4d.db")
    with database.write() as tx:
        ids = [frames.create(tx, 0.0, archive="a", path=f"/{number}", name="x", size=1, mtime_ns=1,
                             completed_at=0.0, masters=pairs, **frames.facts_columns(FACTS)).id
               for number, pairs in enumerate(used)]
        tx.update(schema.Frame, state=FrameState.DONE).execute()
        master = tx.create(schema.Master, id=12, key="flat", kind="flat", telescope="T",
                           instrument="I", layout="", night="2022-09-08", changed_at=0.0)
        assert masters.frames_with(tx, master) == [ids[0], ids[3]]
    database.close()


@pytest.mark.sqlite
def test_where_a_camera_s_clock_stands_still_a_frame_is_not_compared_with_all(
        tmp_path: Path) -> None:
    """All have one start: the same pixels are found among them, at the cost of a few."""
    database = Database(tmp_path / "iop4d.db")

    def add(tx: Transaction, number: int) -> schema.Frame:
        return frames.create(tx, 0.0, archive="a", path=f"/{number}", name=f"{number}", size=1,
                             mtime_ns=1, completed_at=0.0, exposure=f"{number:064x}",
                             identity=f"{number}", **frames.facts_columns(FACTS))

    taken = []
    for many in (range(200), range(200, 1000)):
        with database.write() as tx:
            for number in many:
                add(tx, number)
            again = add(tx, 7)
        with steps(database) as count, database.read() as db:
            (twin,) = frame_files.twins(db, again)
            taken.append(count[0])
        assert twin.path == "/7"
        with database.write() as tx:
            tx.delete(schema.Frame).where(schema.Frame.id == again.id).execute()
    assert taken[1] <= 1.2 * taken[0] + 1
    database.close()
