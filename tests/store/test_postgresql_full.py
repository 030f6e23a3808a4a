"""A PostgreSQL server whose disk is full takes no outcome; none is lost."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.postgresql import open_to_all, programs
from tests.support.real_servers import is_required


@pytest.mark.slow
@pytest.mark.timeout(200)
@pytest.mark.skipif(programs() is None and not is_required(),
                    reason="no PostgreSQL server is installed")
@pytest.mark.skipif(os.getuid() != 0 or shutil.which("unshare") is None,
                    reason="only root mounts a small disk for another account")
def test_outcomes_wait_for_a_server_whose_disk_is_full(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    open_to_all(tmp_path / "disk")
    inside = 'mount -t tmpfs -o size=250m,mode=755 tmpfs "$1" && shift && exec "$@"'
    ran = subprocess.run(
        ["unshare", "--mount", "sh", "-c", inside, "sh", str(tmp_path / "disk"), sys.executable,
         "-m", "tests.support.full_server", str(tmp_path / "disk")],
        capture_output=True, text=True, check=False, timeout=180, cwd=Path(__file__).parents[2])
    assert ran.returncode == 0, ran.stderr[-3000:]
