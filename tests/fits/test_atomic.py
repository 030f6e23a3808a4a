"""A file is written as a whole, a large one past the system's memory, with the same bytes."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from iop4d.fits import atomic
from iop4d.fits.atomic import write_atomic

_DIRECT = getattr(os, "O_DIRECT", 0)
_ROOM = 1 << 21
_SIZES = [0, 1, 4095, 4096, _ROOM - 1, _ROOM, _ROOM + 1, _ROOM + 4096, 2 * _ROOM + 14_401]


def _pieces(content: bytes, length: int) -> Iterator[memoryview]:
    for first in range(0, len(content), length):
        yield memoryview(content)[first:first + length]


def _is_direct(file: int) -> bool:
    return bool(fcntl.fcntl(file, fcntl.F_GETFL) & _DIRECT)


@pytest.fixture(scope="module")
def content() -> bytes:
    return os.urandom(max(_SIZES))


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> list[tuple[bool, int]]:
    """Whether each write was direct, and its bytes."""
    real: Callable[[int, memoryview], int] = os.write
    seen: list[tuple[bool, int]] = []

    def write(file: int, data: memoryview) -> int:
        seen.append((_is_direct(file), len(data)))
        return real(file, data)

    monkeypatch.setattr(os, "write", write)
    return seen


@pytest.mark.parametrize("size", _SIZES)
@pytest.mark.parametrize("length", [2880, _ROOM, 4 * _ROOM])
def test_the_bytes_are_those_that_were_given(
        tmp_path: Path, content: bytes, size: int, length: int) -> None:
    path = tmp_path / "new" / "file.fits"
    write_atomic(path, _pieces(content[:size], length), durable=True)
    assert path.read_bytes() == content[:size]
    assert [one.name for one in path.parent.iterdir()] == ["file.fits"]


@pytest.mark.skipif(not _DIRECT, reason="this system writes nothing directly")
def test_a_large_file_goes_past_the_memory_but_for_its_last_bytes(
        tmp_path: Path, content: bytes, watched: list[tuple[bool, int]]) -> None:
    with (tmp_path / "probe").open("wb") as probe:
        try:
            fcntl.fcntl(probe, fcntl.F_SETFL, _DIRECT)
        except OSError:
            pytest.skip("this file system writes nothing directly")
    write_atomic(tmp_path / "large", [content], durable=True)
    assert watched == [(True, _ROOM), (True, _ROOM), (True, 12_288), (False, 2113)]


def test_numbers_are_written_as_their_bytes(tmp_path: Path) -> None:
    numbers = np.arange(600_001, dtype=">f4")
    write_atomic(tmp_path / "numbers", [numbers.data], durable=True)
    assert (tmp_path / "numbers").read_bytes() == numbers.tobytes()


def test_a_small_file_is_written_in_one_go(
        tmp_path: Path, content: bytes, watched: list[tuple[bool, int]]) -> None:
    write_atomic(tmp_path / "small", _pieces(content[:50_000], 2880), durable=True)
    assert watched == [(False, 50_000)]


def test_a_file_system_that_cannot_write_directly_is_written_as_usual(
        tmp_path: Path, content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    real: Callable[[object, int, int], int] = fcntl.fcntl

    def control(file: object, command: int, flags: int = 0) -> int:
        if command == fcntl.F_SETFL and flags & _DIRECT:
            raise OSError(errno.EINVAL, "Invalid argument")
        return real(file, command, flags)

    monkeypatch.setattr(fcntl, "fcntl", control)
    write_atomic(tmp_path / "large", [content], durable=True)
    assert (tmp_path / "large").read_bytes() == content


def test_so_is_one_whose_disk_wants_other_sizes(
        tmp_path: Path, content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    real: Callable[[int, memoryview], int] = os.write

    def write(file: int, data: memoryview) -> int:
        if _is_direct(file):
            raise OSError(errno.EINVAL, "Invalid argument")
        return real(file, data)

    monkeypatch.setattr(os, "write", write)
    write_atomic(tmp_path / "large", [content], durable=True)
    assert (tmp_path / "large").read_bytes() == content


def test_a_disk_that_takes_a_part_at_a_time_gets_the_rest(
        tmp_path: Path, content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    real: Callable[[int, memoryview], int] = os.write
    monkeypatch.setattr(os, "write", lambda file, data: real(file, data[:512 * 777]))
    write_atomic(tmp_path / "large", [content], durable=True)
    assert (tmp_path / "large").read_bytes() == content


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
def test_what_a_disk_does_not_take_leaves_the_file_as_it_was(
        tmp_path: Path, content: bytes, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    path = tmp_path / "large"
    write_atomic(path, [b"before"], durable=True)
    real: Callable[[int, memoryview], int] = os.write
    taken = iter([True, False])

    def write(file: int, data: memoryview) -> int:
        if not next(taken):
            raise OSError(number, os.strerror(number))
        return real(file, data)

    monkeypatch.setattr(os, "write", write)
    with pytest.raises(OSError, match=os.strerror(number)):
        write_atomic(path, [content], durable=True)
    assert path.read_bytes() == b"before"
    assert [one.name for one in tmp_path.iterdir()] == ["large"]


def test_the_room_is_used_by_the_next_file_also_after_an_error(
        tmp_path: Path, content: bytes) -> None:
    def broken() -> Iterator[bytes]:
        yield content
        raise ValueError("a product that does not arrive")

    with pytest.raises(ValueError, match="does not arrive"):
        write_atomic(tmp_path / "file", broken(), durable=True)
    for _ in range(5):
        write_atomic(tmp_path / "file", [content], durable=True)
    assert len(atomic._spare) <= 1
    assert (tmp_path / "file").read_bytes() == content
