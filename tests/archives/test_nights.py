"""Nights as observers name them, their folders on a server, and when a telescope observes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from iop4d.archives.nights import (
    components,
    find_archive,
    folder_of,
    night_of_folder,
    observes,
    parse_night,
    parse_place,
    pause_of,
)
from iop4d.config import FtpArchive
from iop4d.instruments.telescopes import T090, Telescope
from iop4d.model.errors import Iop4dError

NIGHT = date(2023, 3, 13)
PATTERNS = {
    "/{night:%Y%m%d}": "/20230313", "/data/{night:%y%m%d}_CAFOS": "/data/230313_CAFOS",
    "/{night:%Y}/{night:%m}/{night:%d}": "/2023/03/13", "{night:%Y-%m-%d}/raw": "2023-03-13/raw",
    "/obs/{night:%Y}/n{night:%j}": "/obs/2023/n072", "/{night:%b%d_%Y}": "/Mar13_2023"}


def archive(name: str, telescope: str = "") -> FtpArchive:
    return FtpArchive(name=name, telescope=telescope, host="h", path=Path("raw"))


ARCHIVES = (archive("OSN-T090", "OSN-T090"), archive("OSN-T150"), archive("CAFOS", "CAHA-T220"))


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_night_has_a_folder_and_the_folder_a_night(pattern: str) -> None:
    folder = PATTERNS[pattern]
    assert folder_of(pattern, NIGHT) == folder
    assert night_of_folder(pattern, folder) == NIGHT
    assert night_of_folder(pattern, folder + "x") is None


def test_the_parts_of_a_pattern_match_names_of_nights_only() -> None:
    root, fixed, night = components("/data/{night:%y%m%d}_CAFOS")
    assert (root[1], fixed) == (None, ("data", None))
    assert night[1] is not None
    assert night[1].fullmatch("230313_CAFOS")
    assert not night[1].fullmatch("230313_CAFOS.old")
    assert not night[1].fullmatch("calibration")


@pytest.mark.parametrize("text", ["2023-03-13", "20230313", "230313"])
def test_a_night_is_named_in_three_ways(text: str) -> None:
    assert parse_night(text, tonight=date(2026, 1, 1)) == NIGHT


def test_nights_in_words() -> None:
    assert parse_night("tonight", tonight=NIGHT) == NIGHT
    assert parse_night("Yesterday", tonight=NIGHT) == date(2023, 3, 12)


@pytest.mark.parametrize("text", ["", "13.3.2023", "231399", "2023-3-13", "last"])
def test_what_is_no_night_is_told_with_an_example(text: str) -> None:
    with pytest.raises(Iop4dError, match="expected 2023-03-13"):
        parse_night(text, tonight=NIGHT)


@pytest.mark.parametrize(("text", "name"), [
    ("T090/230313", "OSN-T090"), ("OSN-T090/2023-03-13", "OSN-T090"), ("t150/230313", "OSN-T150"),
    ("T220/230313", "CAFOS"), ("cafos/230313/", "CAFOS")])
def test_a_place_is_an_archive_and_a_night(text: str, name: str) -> None:
    found, night = parse_place(text, ARCHIVES, tonight=NIGHT)
    assert (found.name, night) == (name, NIGHT)


def test_a_place_without_a_night_and_names_that_are_none() -> None:
    assert parse_place("CAFOS", ARCHIVES, tonight=NIGHT)[1] is None
    with pytest.raises(Iop4dError, match=r"the site file has OSN-T090, OSN-T150, CAFOS"):
        find_archive("VLT", ARCHIVES)
    with pytest.raises(Iop4dError, match="'0' is ambiguous: OSN-T090 or OSN-T150"):
        find_archive("0", ARCHIVES)


def test_an_archives_own_name_counts_before_its_telescopes() -> None:
    archives = [FtpArchive(name=name, host="h", path=Path("raw"), telescope="OSN-T090")
                for name in ("local", "OSN-T090")]
    for said in ("OSN-T090", "T090"):
        assert find_archive(said, archives) is archives[1]
    with pytest.raises(Iop4dError, match="'T150' is ambiguous: a or b"):
        find_archive("T150", [replace(one, name=name, telescope="OSN-T150")
                              for one, name in zip(archives, "ab", strict=True)])


PLACE = FtpArchive(name="a", host="h", path=Path("raw"),
                     poll_interval=60.0, poll_interval_day=900.0)


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def test_servers_are_asked_often_by_night_and_rarely_by_day() -> None:
    assert pause_of(PLACE, T090, at("2024-03-20T23:00:00")) == 60.0
    assert pause_of(PLACE, T090, at("2024-03-20T12:00:00")) == 900.0
    assert pause_of(PLACE, None, at("2024-03-20T12:00:00")) == 60.0
    assert pause_of(PLACE, Telescope(name="?"), at("2024-03-20T12:00:00")) == 60.0


def test_hours_may_span_midnight_and_go_before_the_sun() -> None:
    night = replace(PLACE, observing_hours="18:30-05:30")
    assert [observes(night, T090, at(f"2024-03-20T{hour}")) for hour in (
        "18:29", "18:30", "23:59", "00:00", "05:29", "05:30", "12:00")] == [
            False, True, True, True, True, False, False]
    day = replace(PLACE, observing_hours="02:00-10:00")
    assert [observes(day, T090, at(f"2024-03-20T{hour}")) for hour in ("01:59", "02:00", "10:00")] \
        == [False, True, False]
