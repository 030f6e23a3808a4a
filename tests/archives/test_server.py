"""The watch over a server: settling, late and changed files, nights, politeness. In memory."""

from __future__ import annotations

from pathlib import Path

from tests.archives.polled import FOLDER, NIGHT, NOW, Bench, FakeServer, looks


def test_a_file_is_fetched_and_lies_in_the_folder_of_its_night(
        server: FakeServer, tmp_path: Path) -> None:
    server.put("a.fit", mtime=NOW - 3600)
    server.put("notes.txt")
    bench = Bench(tmp_path, server)
    bench.run(lambda: bool(bench.delivered))
    (file,) = bench.delivered
    assert file.path == tmp_path / "T" / NIGHT / "a.fit"
    assert file.path.read_bytes() == server.files[f"{FOLDER}/a.fit"][0]
    assert file.path.stat().st_mtime == NOW - 3600
    assert not file.announced  # it lay there before the first look


def test_what_comes_while_it_is_watched_is_live_and_what_changes_is_fetched_again(
        server: FakeServer, tmp_path: Path) -> None:
    server.put("a.fit")
    bench = Bench(tmp_path, server)

    def one() -> bool:
        if bench.names == ["a.fit"]:
            server.put("b.fit")
            return True
        return False

    def two() -> bool:
        if bench.names == ["a.fit", "b.fit"]:
            server.put("b.fit", b"another", mtime=NOW)
            return True
        return False

    bench.run(one, two, lambda: bench.names == ["a.fit", "b.fit", "b.fit"], looks(bench, 4))
    assert bench.delivered[1].announced
    assert (tmp_path / "T" / NIGHT / "b.fit").read_bytes() == b"another"
    assert server.commands[f"read {FOLDER}/a.fit"] == 1


def test_a_file_that_still_grows_is_left_alone(server: FakeServer, tmp_path: Path) -> None:
    server.put("a.fit", b"1")
    bench = Bench(tmp_path, server, settle=0.3, poll_interval=0.02)
    grown = []

    def growing() -> bool:
        if len(grown) < 40 and server.commands["list"] > 2 * len(grown):
            grown.append(1)
            server.put("a.fit", b"1" * (len(grown) + 1), mtime=NOW - 60 + len(grown))
        return len(grown) == 40

    bench.run(growing, lambda: bool(bench.delivered))
    assert bench.delivered[0].size == 41
    assert len(bench.delivered) == 1


def test_what_was_delivered_before_is_not_fetched_again_even_when_it_is_gone_here(
        server: FakeServer, tmp_path: Path) -> None:
    server.put("a.fit")
    first = Bench(tmp_path, server)
    first.run(lambda: bool(first.delivered))
    first.delivered[0].path.unlink()
    again = Bench(tmp_path, server, known=first.known)
    again.run(looks(again, 6))
    assert again.delivered == []
    assert server.commands[f"read {FOLDER}/a.fit"] == 1


def test_a_file_that_was_fetched_before_a_crash_is_delivered_without_being_fetched_again(
        server: FakeServer, tmp_path: Path) -> None:
    server.put("a.fit")
    first = Bench(tmp_path, server)
    first.run(lambda: bool(first.delivered))
    again = Bench(tmp_path, server)  # the ledger never heard of it
    again.run(lambda: bool(again.delivered), looks(again, 4))
    assert again.names == ["a.fit"]
    assert server.commands[f"read {FOLDER}/a.fit"] == 1


def test_nights_before_are_looked_at_and_those_further_back_are_not(
        server: FakeServer, tmp_path: Path) -> None:
    server.put("a.fit")
    server.files["/20261121/late.fit"] = (b"late", NOW - 80000)
    server.files["/20261120/older.fit"] = (b"older", NOW - 170000)
    bench = Bench(tmp_path, server, lookback_nights=1)
    bench.run(lambda: len(bench.names) == 2, looks(bench, 6))
    assert bench.names == ["a.fit", "late.fit"]
    assert (tmp_path / "T" / "2026-11-21" / "late.fit").exists()


def test_only_frames_of_the_sources_asked_for_and_calibration_frames(
        server: FakeServer, tmp_path: Path) -> None:
    for name in ("BLLac-0001R.fit", "bl_lac_2.fits", "Bias-0001.fit", "flatR-1.fit", "M31-1.fit"):
        server.put(name)
    bench = Bench(tmp_path, server, name_prefixes=("BL Lac",))
    bench.run(lambda: len(bench.names) == 4, looks(bench, 4))
    assert "M31-1.fit" not in bench.names


def test_one_session_is_kept_and_a_few_are_opened_for_many_files(
        server: FakeServer, tmp_path: Path) -> None:
    for number in range(40):
        server.put(f"a{number:02d}.fit")
    bench = Bench(tmp_path, server, parallel_downloads=3)
    bench.run(lambda: len(bench.names) == 40, looks(bench, 10))
    assert server.most == 3
    assert server.commands["connect"] == 3
    assert len({file.path for file in bench.delivered}) == 40


def test_hostile_names_stay_inside_the_folder(server: FakeServer, tmp_path: Path) -> None:
    for name in ("..", "a b.fit", "-rf.fit", "x\udcff.fit", "r\x07ing.fit"):
        server.put(name, b"x")
    bench = Bench(tmp_path, server, file_pattern=r"\.fit$")
    bench.run(lambda: len(bench.names) == 4)
    inside = tmp_path / "T" / NIGHT
    assert all(file.path.parent == inside for file in bench.delivered)
    assert len(list(inside.iterdir())) == 4


def test_raw_files_are_made_read_only_where_that_is_asked_for(
        server: FakeServer, tmp_path: Path) -> None:
    server.put("a.fit")
    bench = Bench(tmp_path, server, make_read_only=True)
    bench.run(lambda: bool(bench.delivered))
    assert bench.delivered[0].path.stat().st_mode & 0o222 == 0


def test_frames_in_folders_of_a_night_are_fetched_at_any_depth(server: FakeServer,
                                                               tmp_path: Path) -> None:
    server.put("a.fit")
    server.put("BLLac/b.fit")
    server.put("BLLac/R/c.fit")
    server.put(".trash/d.fit")
    bench = Bench(tmp_path, server)
    bench.run(lambda: len(bench.delivered) == 3)
    assert {str(f.path.relative_to(tmp_path / "T")) for f in bench.delivered} == {
        f"{NIGHT}/a.fit", f"{NIGHT}/BLLac/b.fit", f"{NIGHT}/BLLac/R/c.fit"}
    assert server.commands[f"list {FOLDER}/.trash"] == 0


def test_sessions_for_many_files_are_kept(server: FakeServer, tmp_path: Path) -> None:
    bench = Bench(tmp_path, server, parallel_downloads=2)
    steps = []
    for number in range(5):
        steps += [lambda n=number: server.put(f"{n}a.fit") or server.put(f"{n}b.fit") or True,
                  lambda n=number: len(bench.delivered) == 2 * n + 2]
    bench.run(*steps)
    assert server.commands["connect"] <= 2
