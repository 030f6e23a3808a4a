"""A watched folder delivers each complete file once, however it got there."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from iop4d.model.frame import CompleteFile
from tests.archives.watched import Watched


def test_files_that_lay_there_and_files_that_come_are_delivered_once(tmp_path: Path) -> None:
    (tmp_path / "night").mkdir()
    (tmp_path / "night" / "a.fit").write_text("a")
    watched = Watched(tmp_path, scan=60.0)

    def act() -> None:
        (tmp_path / "night" / "b.fits.gz").write_text("b")
        (tmp_path / "new").mkdir()
        (tmp_path / "new" / "c.fts").write_text("c")

    assert watched.run(act, until=3) == ["a.fit", "b.fits.gz", "c.fts"]


def test_files_moved_in_linked_in_and_in_folders_moved_in(tmp_path: Path) -> None:
    root, beside = tmp_path / "raw", tmp_path / "beside"
    (beside / "2024-03-14").mkdir(parents=True)
    root.mkdir()
    for name in ("moved", "linked", "2024-03-14/inside"):
        (beside / f"{name}.fit").write_text(name)

    def act() -> None:
        (beside / "moved.fit").rename(root / "moved.fit")
        os.link(beside / "linked.fit", root / "linked.fit")
        (beside / "2024-03-14").rename(root / "2024-03-14")
        (root / "part.tmp").write_text("x")
        (root / "part.tmp").rename(root / "renamed.fit")

    assert Watched(root, scan=60.0).run(act, until=4) == [
        "inside.fit", "linked.fit", "moved.fit", "renamed.fit"]


def test_what_is_no_frame_or_hidden_is_left_alone(tmp_path: Path) -> None:
    def act() -> None:
        for name in ("notes.txt", ".hidden.fit", "a.fit.part", "~a.fit", "good.FITS"):
            (tmp_path / name).write_text(name)
        (tmp_path / ".cache").mkdir()
        (tmp_path / ".cache" / "b.fit").write_text("b")

    assert Watched(tmp_path).run(act, until=1, then=0.8) == ["good.FITS"]


def test_a_known_file_is_not_delivered_but_a_changed_one_is(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("same.fit", "changed.fit")]
    for path in paths:
        path.write_text("old")
    known = {str(path): (path.stat().st_size, path.stat().st_mtime_ns) for path in paths}

    def act() -> None:
        paths[1].write_text("new and longer")

    assert Watched(tmp_path, known=known).run(act, until=1) == ["changed.fit"]


def test_a_file_written_slowly_is_delivered_whole(tmp_path: Path) -> None:
    import time

    sizes: list[int] = []
    watched = Watched(tmp_path)

    async def record(name: str, files: list[CompleteFile]) -> None:
        sizes.extend(file.size for file in files)
        await watched.record(name, files)

    watched.deliver = record

    def act() -> None:
        with (tmp_path / "slow.fit").open("wb") as file:
            for _ in range(6):
                file.write(b"x" * 100)
                file.flush()
                time.sleep(0.05)

    watched.run(act, until=1)
    assert sizes == [600]


def test_polling_finds_files_without_events(tmp_path: Path) -> None:
    assert Watched(tmp_path, polling=True).run(
        lambda: (tmp_path / "a.fit").write_text("a") and None, until=1) == ["a.fit"]


def test_a_folder_that_goes_and_comes_back_is_watched_again(tmp_path: Path) -> None:
    root = tmp_path / "raw"
    root.mkdir()
    watched = Watched(root, scan=0.1)
    states: list[str] = []

    def act() -> None:
        import time

        root.rmdir()
        for _ in range(100):
            time.sleep(0.02)
            if watched.archive.status["state"] == "degraded":
                break
        states.append(watched.archive.status["state"])
        root.mkdir()
        (root / "a.fit").write_text("a")

    assert watched.run(act, until=1) == ["a.fit"]
    assert states == ["degraded"]
    assert watched.archive.status["state"] == "ok"


def test_links_that_loop_end(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "a.fit").write_text("a")
    assert Watched(tmp_path).run(lambda: None, until=1) == ["a.fit"]


def test_a_write_protected_file_is_no_matter(tmp_path: Path) -> None:
    def act() -> None:
        (tmp_path / "a.fit").write_text("a")
        (tmp_path / "a.fit").chmod(0o444)

    assert Watched(tmp_path).run(act, until=1) == ["a.fit"]


@pytest.mark.parametrize("text", ["", "not there"])
def test_a_folder_that_is_not_there_is_degraded(tmp_path: Path, text: str) -> None:
    watched = Watched(tmp_path / "missing" / text)

    async def main() -> None:
        stop = asyncio.Event()
        task = asyncio.create_task(watched.archive.run(stop))
        await asyncio.sleep(0.2)
        stop.set()
        await task

    asyncio.run(main())
    assert watched.archive.status["state"] == "degraded"
    assert "missing" in watched.archive.status["reason"]
