"""Index files are loaded whatever letters their folder has; a damaged one is named."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from iop4d.fits.solver_files import load
from iop4d.simulator.sky import index_folder


@pytest.mark.parametrize("folder", ["a b é ñ", "Ωμέγα", "観測", "x\udcff"])
def test_index_files_are_loaded_from_a_folder_with_any_letters(folder: str, tmp_path: Path) -> None:
    there = tmp_path / folder
    there.mkdir()
    first = sorted(index_folder().glob("*.fits"))[0]
    shutil.copy(first, there)
    with load([there / first.name]) as solver:
        assert solver is not None


def test_a_damaged_index_file_is_named(tmp_path: Path) -> None:
    good = sorted(index_folder().glob("*.fits"))[0]
    (tmp_path / "cut.fits").write_bytes(good.read_bytes()[:5000])
    with pytest.raises(ValueError, match=r"cut\.fits cannot be loaded: it is damaged"):
        load([good, tmp_path / "cut.fits"])
