"""Where the home of an account is closed, astropy has folders of the process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from iop4d.system.astropy_folders import give_folders

_TABLE = "from iop4d.system.astropy_folders import give_folders; give_folders(); " \
    "import astropy.table; print('fine')"


def test_a_home_that_can_be_written_is_left_alone(tmp_path: Path,
                                                  monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    given: dict[str, str] = {}
    give_folders(given)
    assert given == {}


def test_without_a_home_there_are_folders_that_end_with_the_process(tmp_path: Path) -> None:
    closed = tmp_path / "is a file"
    closed.write_text("")
    environment = {name: text for name, text in os.environ.items()
                   if not name.startswith("XDG_")} | {"HOME": str(closed), "TMPDIR": str(tmp_path)}
    ran = subprocess.run([sys.executable, "-c", _TABLE], env=environment, text=True, check=False,
                         capture_output=True)
    assert ran.stdout == "fine\n", ran.stderr
    assert list(tmp_path.iterdir()) == [closed]


def test_the_pages_do_without_astropy_until_it_is_needed() -> None:
    ran = subprocess.run([sys.executable, "-c", "import sys, iop4d.web.app; "
                          "print('astropy' in sys.modules)"], text=True, check=False,
                         capture_output=True)
    assert ran.stdout == "False\n", ran.stderr
