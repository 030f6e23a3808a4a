"""The frames of the bench of speed are exposures of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from iop4d.ledger.engines.process import ONE_CORE
from iop4d.model.frame import FrameKind
from iop4d.model.states import FrameState
from iop4d.simulator.night import NightPlan
from iop4d.store import frames
from iop4d.store.database import Database
from tests.bench import fixed_work, speed
from tests.support.lab import Lab
from tests.support.sites import take_night


def test_copies_of_a_frame_are_exposures_of_their_own_which_do_not_overlap(tmp_path: Path) -> None:
    """Twins begin within 1.5 s of each other (store.frames); these are 70 s apart."""
    (original,) = take_night(NightPlan(n_bias=0, n_flat=0, frames=1), tmp_path / "night")
    made = speed.copies([original], 3, tmp_path / "copies", "0")
    lab = Lab(tmp_path)
    facts = [lab.classify(path)[0] for path in (original, *made)]
    starts = 86400.0 * (np.array([one.jd_start for one in facts]) - facts[0].jd_start)
    assert starts == pytest.approx([0.0, 0.0, 70.0, 140.0], abs=0.01)
    assert all(one.exptime_s < 70.0 for one in facts)
    assert len({path.name for path in made}) == 3
    with fits.open(original) as one, fits.open(made[2]) as other:
        assert np.array_equal(one[0].data, other[0].data)
        assert other[0].header["DATE-OBS"] != one[0].header["DATE-OBS"]


@pytest.mark.parametrize("state", [FrameState.DUPLICATE, FrameState.FAILED])
def test_a_science_frame_that_is_not_reduced_ends_the_bench(tmp_path: Path,
                                                            state: FrameState) -> None:
    database = Database(tmp_path / "iop4d.db")
    with database.write() as tx:
        row = frames.create(tx, 0.0, archive="a", path="/x", name="x.fit", size=1, mtime_ns=1,
                            completed_at=0.0, kind=FrameKind.SCIENCE.value)
        tx.update(type(row), state=FrameState.DONE).execute()
    speed._check_reduced(tmp_path)
    with database.write() as tx:
        tx.update(type(row), state=state, reason="why").execute()
    database.close()
    with pytest.raises(RuntimeError, match=f"1 science frames.* x.fit: {state}, why"):
        speed._check_reduced(tmp_path)


def test_benches_compute_on_one_core_in_each_process_as_workers_do() -> None:
    """The libraries look at the environment when they are loaded: not before it is set."""
    code = ("import sys, tests.bench, os; assert 'numpy' not in sys.modules; "
            "print(os.environ['OPENBLAS_NUM_THREADS'])")
    clean = {name: value for name, value in os.environ.items() if name not in ONE_CORE}
    ran = subprocess.run([sys.executable, "-c", code], env=clean, capture_output=True, text=True,
                         check=True)
    assert ran.stdout == "1\n"


def test_the_bench_says_how_fast_the_machine_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fixed_work, "_NUMBERS", 20_000)
    few = fixed_work.fixed_work_ms()
    monkeypatch.setattr(fixed_work, "_NUMBERS", 400_000)
    assert fixed_work.fixed_work_ms() > 5.0 * few > 0.0
    monkeypatch.setattr(fixed_work, "fixed_work_ms", lambda: 300.0)
    assert fixed_work.speed_of_machine().startswith(
        "this machine: fixed work took 300 ms, 3.1 times as long as on the machine of "
        "docs/numbers.md (98 ms); load ")
