"""What Linux alone has fails softly where it is absent, as on macOS; docs/service.md says how."""

from __future__ import annotations

import ctypes
import os
import resource
import socket
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from iop4d.archives import mounts
from iop4d.fits import window
from iop4d.fits.window import Cut, ImageFile
from iop4d.ledger.engines import process, worker
from iop4d.operations.doctor.findings import is_clock_kept
from iop4d.system.notify import Notifier
from iop4d.web import server


class _LibraryOfOthers:
    """A C library without prctl and adjtimex."""

    def __init__(self, *_: object, **__: object) -> None:
        return


def refuse(*_: object) -> None:
    raise ValueError("current limit exceeds maximum limit")


def test_a_worker_without_prctl_looks_at_its_parent_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", _LibraryOfOthers)
    worker.die_with_parent(os.getppid())
    monkeypatch.setattr(os, "_exit", lambda code: (_ for _ in ()).throw(SystemExit(code)))
    with pytest.raises(SystemExit):
        worker.die_with_parent(os.getppid() + 1)


@pytest.mark.parametrize("missing", [True, False])
def test_a_worker_whose_memory_cannot_be_limited_says_so(
        missing: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    if missing:
        monkeypatch.delattr(resource, "RLIMIT_DATA")
    monkeypatch.setattr(resource, "setrlimit", refuse)
    worker.limit_memory(2000)
    assert "its memory is not limited" in capsys.readouterr().err


def test_memory_of_a_process_is_unknown_without_proc(monkeypatch: pytest.MonkeyPatch,
                                                     tmp_path: Path) -> None:
    assert process.rss_mb() > 1.0
    monkeypatch.setattr(process, "Path", lambda path: tmp_path / path.lstrip("/"))
    assert process.rss_mb() == 0.0


def test_a_packed_image_is_read_without_proc(monkeypatch: pytest.MonkeyPatch,
                                             tmp_path: Path) -> None:
    path = tmp_path / "a.fits.fz"
    pixels = np.arange(64 * 64, dtype=np.int16).reshape(64, 64)
    fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(pixels)]).writeto(path)
    monkeypatch.setattr(window, "_DESCRIPTORS", tmp_path / "nothing")
    image = ImageFile(os.fdopen(os.open(path, os.O_RDONLY), "rb"), Cut(), scratch=tmp_path)
    assert np.array_equal(image.part(0, 0, 64, 64), pixels)
    image.close()
    assert list(tmp_path.iterdir()) == [path]


def test_the_service_manager_is_spoken_to_without_flags_of_linux(
        monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delattr(socket, "SOCK_CLOEXEC", raising=False)
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "s"))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "s"))
        Notifier().alive()
        assert manager.recv(100) == b"WATCHDOG=1"


def test_a_file_system_is_unknown_without_a_table_of_mounts(monkeypatch: pytest.MonkeyPatch,
                                                            tmp_path: Path) -> None:
    monkeypatch.setattr(mounts, "_TABLE", tmp_path / "nothing")
    assert mounts.kind_of(tmp_path) == ""
    assert not mounts.is_network("")


def test_the_clock_is_unknown_without_adjtimex(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", _LibraryOfOthers)
    assert is_clock_kept() is None


def test_the_page_serves_with_the_open_files_that_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (256, resource.RLIM_INFINITY))
    monkeypatch.setattr(resource, "setrlimit", refuse)
    assert server._room() >= 50
