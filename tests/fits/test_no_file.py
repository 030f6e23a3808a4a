"""What lies among frames and is no file that can be read to its end."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
from click.testing import CliRunner

from iop4d.cli import cli
from iop4d.fits.read import open_fits
from iop4d.model.errors import FrameError


@pytest.mark.timeout(20)
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "pipe.fits"
    os.mkfifo(path)
    with pytest.raises(FrameError, match="a pipe, a socket or a device"):
        open_fits(path)
    (tmp_path / "iop4d.toml").write_text("")
    done = CliRunner().invoke(cli, ["--site", str(tmp_path), "instruments", "check", str(path)])
    assert done.exit_code == 1
    assert "a pipe, a socket or a device" in " ".join(done.output.split())


def test_nor_is_a_socket_or_a_device(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s"))
        for path in (tmp_path / "s", Path("/dev/null")):
            with pytest.raises(FrameError, match="a pipe, a socket or a device"):
                open_fits(path)


def test_what_is_not_there_or_a_folder_is_an_error_of_the_system(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        open_fits(tmp_path / "gone.fits")
    with pytest.raises(IsADirectoryError):
        open_fits(tmp_path)
