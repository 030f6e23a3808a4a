"""Listings in every dialect, and lines that are none."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iop4d.archives.ftp_listing import moment_of, parse_list, parse_mlsd
from iop4d.archives.session import RemoteEntry

NOW = datetime(2026, 11, 22, 20, 0, tzinfo=UTC)


def at(*parts: int) -> float:
    return datetime(*parts, tzinfo=UTC).timestamp()  # type: ignore[arg-type,misc]


def file(name: str, size: int, mtime: float, precision: float = 60.0) -> RemoteEntry:
    return RemoteEntry(name=name, size=size, mtime=mtime, precision=precision)


def folder(name: str, mtime: float, precision: float = 60.0, size: int = 4096) -> RemoteEntry:
    return RemoteEntry(name=name, size=size, mtime=mtime, precision=precision, folder=True)


def link(name: str) -> RemoteEntry:
    """Of which size and time are still to be asked for."""
    return RemoteEntry(name=name, size=0, mtime=None, link=True)


EVENING = at(2026, 11, 21, 19, 30)
LONG = "x" * 196 + ".fit"
GOOD = [
    (b"-rw-r--r-- 1 obs obs 2102400 Nov 21 19:30 a.fit", file("a.fit", 2102400, EVENING)),
    (b"-rw-r--r--   1 1001     1001      2880 Nov 21 19:30 a.fit", file("a.fit", 2880, EVENING)),
    (b"-rw-r--r-- 1 obs obs 5 Mar 13  2023 old.fit",
     file("old.fit", 5, at(2023, 3, 13), 86400.0)),
    (b"-rw-r--r-- 1 obs obs 5 Dec 24 08:00 x.fit", file("x.fit", 5, at(2025, 12, 24, 8, 0))),
    (b"-rw-r--r-- 1 obs obs 5 Nov 23 01:00 x.fit", file("x.fit", 5, at(2026, 11, 23, 1, 0))),
    (b"-rw-r--r-- 1 obs obs 5 Feb 29 01:00 x.fit", file("x.fit", 5, at(2024, 2, 29, 1, 0))),
    (b"-rw-r--r-- 1 obs obs 5 Jan  1 12:00 x.fit", file("x.fit", 5, at(2026, 1, 1, 12, 0))),
    (b"-rw-r--r-- 1 obs 5 Nov 21 19:30 nogroup.fit", file("nogroup.fit", 5, EVENING)),
    (b"-rw-r--r-- 1 5 Nov 21 19:30 nobody.fit", file("nobody.fit", 5, EVENING)),
    (b"-rw-r--r--. 1 obs obs 5 Nov 21 19:30 se.fit", file("se.fit", 5, EVENING)),
    (b"-rw-rwxr--+ 1 obs obs 5 Nov 21 19:30 acl.fit", file("acl.fit", 5, EVENING)),
    (b"drwxr-xr-x 2 obs obs 4096 Nov 21 19:30 20261121", folder("20261121", EVENING)),
    (b"drwxr-xr-t 2 obs obs 4096 Mar 13  2023 tmp",
     folder("tmp", at(2023, 3, 13), 86400.0)),
    (b"lrwxrwxrwx 1 obs obs 9 Nov 21 19:30 latest.fit -> /data/a.fit",
     link("latest.fit")),
    (b"-rw-r--r-- 1 obs obs 5 Nov 21 19:30 BL Lac 01.fit", file("BL Lac 01.fit", 5, EVENING)),
    (b"-rw-r--r-- 1 obs obs 5 Nov 21 19:30  lead.fit", file(" lead.fit", 5, EVENING)),
    (b"-rw-r--r-- 1 obs obs 5 Nov 21 19:30 -rf.fit", file("-rf.fit", 5, EVENING)),
    (b"-rw-r--r-- 1 obs obs 5 Nov 21 19:30 12:30 Nov 21 19:30.fit",
     file("12:30 Nov 21 19:30.fit", 5, EVENING)),
    (f"-rw-r--r-- 1 obs obs 5 Nov 21 19:30 {LONG}".encode(), file(LONG, 5, EVENING)),
    (b"-rw-r--r-- 1 obs obs 5 2026-11-21 19:30 iso.fit", file("iso.fit", 5, EVENING)),
    (b"-rw-r--r-- 1 obs obs 5 2026-11-21 19:30:12.123456789 +0000 iso.fit",
     file("iso.fit", 5, EVENING)),
    (b"-rw-r--r-- 1 obs obs 5 nov 21 19:30 low.fit", file("low.fit", 5, EVENING)),
    (b"-rw-r--r-- 1 obs obs 5 Nov 21 19:30 \xe9toile.fit",
     file("\udce9toile.fit", 5, EVENING)),
    ("-rw-r--r-- 1 obs obs 5 Nov 21 19:30 étoile.fit".encode(), file("étoile.fit", 5, EVENING)),
    ("-rw-r--r-- 1 obs obs 5 Nov 21 19:30 星.fit".encode("gbk"),
     file("星.fit".encode("gbk").decode("utf-8", "surrogateescape"), 5, EVENING)),
    (b"-rw-r--r-- 1 obs obs 99999999999 Nov 21 19:30 big.fit",
     file("big.fit", 99999999999, EVENING)),
    (b"11-21-26  07:30PM              2102400 a.fit", file("a.fit", 2102400, EVENING)),
    (b"11-21-2026  07:30PM       <DIR>          night",
     RemoteEntry(name="night", size=0, mtime=EVENING, precision=60.0, folder=True)),
    (b"11-21-2026  19:30              2,102,400 two words.fit",
     file("two words.fit", 2102400, EVENING)),
    (b"03-13-98  12:05AM                    5 old.fit", file("old.fit", 5, at(1998, 3, 13, 0, 5))),
    (b"03-13-98  12:05PM                    5 old.fit",
     file("old.fit", 5, at(1998, 3, 13, 12, 5))),
]
NO_ENTRIES = [b"total 12", b"Total 0", b"", b"   ",
              b"drwxr-xr-x 2 obs obs 4096 Nov 21 19:30 .",
              b"drwxr-xr-x 2 obs obs 4096 Nov 21 19:30 .."]
JUNK = [b"A.FIT;1   12/24  21-NOV-2026 19:30:00  [OBS,OBS] (RWED,RWED,RE,)",
        b"-rw-r--r-- 1 obs obs 5 Xyz 21 19:30 a.fit", b"-rw-r--r-- 1 obs obs 5 Nov 41 19:30 a.fit",
        b"-rw-r--r-- 1 obs obs five Nov 21 19:30 a.fit", b"crw-r--r-- 1 r r 1 Nov 21 19:30 tty",
        b"13-41-26  07:30PM   5 a.fit", b"ls: cannot access 'x': No such file", b"\x00\xff" * 30,
        b"z" * 65536, b"-rw-r--r-- 1 obs obs 5 Nov 21 19:30"]


@pytest.mark.parametrize(("line", "entry"), GOOD, ids=range(len(GOOD)))
def test_a_line_of_each_dialect_is_understood(line: bytes, entry: RemoteEntry) -> None:
    for end in (b"", b"\r\n", b"\n"):
        listing = parse_list(line + end, "utf-8", NOW)
        assert listing.entries == (entry,)
        assert listing.skipped == 0


def test_what_is_no_entry_is_neither_listed_nor_counted() -> None:
    listing = parse_list(b"\r\n".join(NO_ENTRIES), "utf-8", NOW)
    assert (listing.entries, listing.skipped) == ((), 0)


def test_junk_is_counted_with_examples_and_costs_no_good_line() -> None:
    mixed = [line for good, bad in zip(GOOD, JUNK * 4, strict=False) for line in (bad, good[0])]
    listing = parse_list(b"\r\n".join(mixed), "utf-8", NOW)
    assert listing.entries == tuple(entry for _, entry in GOOD)
    assert listing.skipped == len(GOOD)
    assert len(listing.examples) == 5
    assert all(len(example) < 400 and example.isascii() for example in listing.examples)


def test_names_are_decoded_by_the_encoding_of_the_archive() -> None:
    line = b"-rw-r--r-- 1 obs obs 5 Nov 21 19:30 \xe9toile.fit"
    assert parse_list(line, "latin-1", NOW).entries[0].name == "étoile.fit"
    odd = parse_list(line, "utf-8", NOW).entries[0].name
    assert odd.encode("utf-8", "surrogateescape") == b"\xe9toile.fit"


MLSD = [
    (b"type=file;size=2880;modify=20261121193000; a.fit", file("a.fit", 2880, EVENING, 1.0)),
    (b"Type=File;Size=2880;Modify=20261121193000.123; a b.fit",
     file("a b.fit", 2880, EVENING, 1.0)),
    (b"size=5;modify=20261121193000;perm=r; nokind.fit", file("nokind.fit", 5, EVENING, 1.0)),
    (b"type=file;size=5; notime.fit",
     RemoteEntry(name="notime.fit", size=5, mtime=None)),
    (b"type=dir;modify=20261121193000;UNIX.mode=0755; night",
     RemoteEntry(name="night", size=0, mtime=EVENING, folder=True)),
    (b"type=OS.unix=slink:/x;size=7;modify=20261121193000; link.fit",
     link("link.fit")),
    (b"type=OS.unix=symlink;size=14;modify=20261121193000; link.fit", link("link.fit")),
    (b"type=file;size=5;modify=20261121193000; x=1;y.fit", file("x=1;y.fit", 5, EVENING, 1.0)),
    (b"type=file;size=5;modify=20261121193000;  two.fit", file(" two.fit", 5, EVENING, 1.0)),
]


@pytest.mark.parametrize(("line", "entry"), MLSD, ids=range(len(MLSD)))
def test_facts_for_machines(line: bytes, entry: RemoteEntry) -> None:
    assert parse_mlsd(line + b"\r\n", "utf-8").entries == (entry,)


def test_the_folder_itself_and_lines_without_facts() -> None:
    lines = [b"type=cdir;modify=20261121193000; .", b"type=pdir;modify=20261121193000; ..",
             b"type=file;modify=20261121193000; nosize.fit", b"a.fit",
             b"type=file;size=5;modify=today; a.fit", b"type=file;size=5;modify=20261341193000; a"]
    listing = parse_mlsd(b"\r\n".join(lines), "utf-8")
    assert (listing.entries, listing.skipped) == ((), 4)


def test_times_are_of_utc_and_whole() -> None:
    assert moment_of(b"20261121193000") == EVENING
    for text in (b"2026112119300", b"202611211930000", b"20261121x93000"):
        with pytest.raises(ValueError, match=r"."):
            moment_of(text)


GOOD_LINE, GOOD_ENTRY = GOOD[0]


@settings(max_examples=300)
@given(st.lists(st.binary(max_size=200), max_size=6), st.integers(0, 6))
def test_no_bytes_are_an_error_or_hide_a_good_line(others: list[bytes], place: int) -> None:
    clean = [line.replace(b"\n", b"") for line in others]
    raw = b"\n".join([*clean[:place], GOOD_LINE, *clean[place:]])
    assert GOOD_ENTRY in parse_list(raw, "utf-8", NOW).entries
    mlsd = b"\n".join([*clean[:place], MLSD[0][0], *clean[place:]])
    assert MLSD[0][1] in parse_mlsd(mlsd, "utf-8").entries


@settings(max_examples=300)
@given(st.data())
def test_a_line_with_a_few_bytes_changed_is_no_error(data: st.DataObject) -> None:
    line = bytearray(data.draw(st.sampled_from([line for line, _ in GOOD + MLSD])))
    for _ in range(data.draw(st.integers(1, 4))):
        line[data.draw(st.integers(0, len(line) - 1))] = data.draw(st.integers(0, 255))
    for listing in (parse_list(bytes(line), "utf-8", NOW), parse_mlsd(bytes(line), "utf-8")):
        assert all(entry.size >= 0 and entry.name for entry in listing.entries)
