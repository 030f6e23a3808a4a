"""A large tree is scanned in bounded memory; odd names and times do no harm."""

from __future__ import annotations

import os
import shutil
import tempfile
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from iop4d.archives.known import KnownFiles
from iop4d.archives.tree import Tree, look, protect
from iop4d.config import FolderArchive

FILES = FolderArchive(name="raw").file_pattern
MANY = 20_000


@pytest.fixture(scope="module")
def forest() -> Iterator[Path]:
    memory = Path("/dev/shm")
    root = Path(tempfile.mkdtemp(dir=memory if os.access(memory, os.W_OK) else None))
    for night in range(20):
        folder = root / f"night-{night}"
        folder.mkdir()
        for number in range(MANY // 20):
            os.close(os.open(folder / f"frame-{number:04d}.fit", os.O_CREAT))
    yield root
    shutil.rmtree(root)


def test_every_file_of_a_large_tree_is_found_once(forest: Path) -> None:
    found = Tree(forest, FILES, KnownFiles()).scan()
    assert (found.frames, len(found.new), found.refused) == (MANY, MANY, {})


def test_known_files_take_no_memory(forest: Path) -> None:
    new = Tree(forest, FILES, KnownFiles()).scan().new
    known = KnownFiles({str(path): stamp[:2] for path, stamp in new.items()})
    tracemalloc.start()
    try:
        found = Tree(forest, FILES, known).scan()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (found.frames, found.new) == (MANY, {})
    assert peak < 1e6  # 50 bytes a file; a path is larger


def test_a_name_that_is_no_text_is_told_and_left(tmp_path: Path) -> None:
    bad = os.fsencode(tmp_path) + b"/caf\xe9.fit"
    os.close(os.open(bad, os.O_CREAT))
    (tmp_path / "café.fit").write_text("x")
    found = Tree(tmp_path, FILES, KnownFiles()).scan()
    assert [path.name for path in found.new] == ["café.fit"]
    assert "UTF-8" in found.refused[Path(os.fsdecode(bad))]


def test_a_name_with_a_newline_is_found(tmp_path: Path) -> None:
    (tmp_path / "new\nline.fit").touch()
    assert list(Tree(tmp_path, FILES, KnownFiles()).scan().new) == [tmp_path / "new\nline.fit"]


def test_a_time_that_no_database_takes_is_cut(tmp_path: Path) -> None:
    path = tmp_path / "a.fit"
    path.write_text("x")
    try:
        os.utime(path, ns=(0, 2**62 * 2 - 1))
    except OSError:
        pytest.skip("this file system keeps no such time")
    stamp = look(path)
    assert stamp is not None
    assert abs(stamp[1]) < 2**63


def test_only_what_is_ours_is_protected(tmp_path: Path) -> None:
    ours, link = tmp_path / "a.fit", tmp_path / "b.fit"
    ours.write_text("x")
    target = tmp_path / "target"
    target.write_text("x")
    link.symlink_to(target)
    assert protect(ours) == ""
    assert ours.stat().st_mode & 0o222 == 0
    assert protect(link) == ""
    assert target.stat().st_mode & 0o222
    assert protect(tmp_path / "gone.fit") == ""
    if os.geteuid() == 0:
        other = tmp_path / "c.fit"
        other.write_text("x")
        os.chown(other, 12345, -1)
        assert "belongs to user 12345" in protect(other)
        assert other.stat().st_mode & 0o222
