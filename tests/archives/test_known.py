"""What was delivered before, of a million files: found again, in few bytes."""

from __future__ import annotations

import tracemalloc

import pytest

from iop4d.archives.known import KnownFiles


def test_a_file_is_found_with_its_last_size_and_time() -> None:
    known = KnownFiles({"/raw/1/a.fit": (10, -5)})
    known.add([("/raw/1/a.fit", 11, 6), ("/raw/2/b.fit", 2**40, 2**62)])
    known.update({"/raw/2/c.fit": (0, 0)})
    assert known["/raw/1/a.fit"] == (11, 6)
    assert known.get("/raw/2/b.fit") == (2**40, 2**62)
    assert known["/raw/2/c.fit"] == (0, 0)
    assert known.get("/raw/2/d.fit") is None
    with pytest.raises(KeyError):
        known["/raw/2/d.fit"]
    assert len(known) == 3
    assert known.folders == {"/raw/1", "/raw/2"}


def test_many_files_are_all_found_in_fewer_than_a_hundred_bytes_each() -> None:
    count = 30_000
    tracemalloc.start()
    try:
        known = KnownFiles()
        known.add((f"/raw/{i % 50}/{i}.fit", i, -i) for i in range(count))
        used = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert len(known) == count
    assert all(known[f"/raw/{i % 50}/{i}.fit"] == (i, -i) for i in range(count))
    assert not any(known.get(f"/raw/{i % 50}/{i}.fits") for i in range(1000))
    assert used < 100 * count
